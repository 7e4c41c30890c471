#pragma once

#include "base/files.h"
#include "base/result.h"
#include "cli/session.h"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace meshtrust::cli {

/// `verify --bundle`: would istiod load these files, and would the mesh work with them. Needs no
/// mesh file, store or cluster.
class VerifyBundle {
 public:
  void declare(CLI::App& app);

  bool is_asked() const;
  /// The first flag that was given and means nothing without others that were not; or empty.
  std::string stray_flag() const;

  /// kDone when all are good, kWarnings or kRefused by the worst finding, kBadInput when a file
  /// cannot be read, kUsage. `at` is the moment as it was typed; empty for now.
  int run(Session& session, const std::string& at) const;

 private:
  base::Status check_named_files(base::Files& files) const;

  std::vector<std::string> folders_;
  std::string ca_cert_;
  std::string ca_key_;
  std::string cert_chain_;
  std::string root_cert_;
  std::string ca_crl_;
  std::string version_;
  std::string running_;
  bool multi_root_ = false;
};

}  // namespace meshtrust::cli
