#pragma once

#include "cli/session.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace meshtrust::cli {

/// `verify --chain`: one certificate and the roots somebody trusts, judged by RFC 5280's path
/// validation and stated policy, with what five verifiers say beside it, and what is not well made
/// about the path as findings. Needs no mesh file, store or cluster.
class VerifyChain {
 public:
  void declare(CLI::App& app);

  bool is_asked() const;

  /// kDone accepted, kWarnings accepted with findings, kRefused refused, kBadInput when a file
  /// cannot be read, kUsage. `at` is the moment as it was typed; empty for now.
  int run(Session& session, const std::string& at) const;

 private:
  std::optional<std::string> chain_;
  std::optional<std::string> roots_;
  std::optional<std::string> crls_;
  std::string purpose_ = "any";
  std::optional<std::string> dns_;
  std::optional<std::string> ip_;
  std::optional<std::string> email_;
  std::optional<std::string> uri_;
  std::vector<std::string> as_;
  std::optional<std::size_t> max_depth_;
  bool strict_ = false;
};

}  // namespace meshtrust::cli
