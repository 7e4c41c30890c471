#pragma once

#include "pki/path/checks.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace meshtrust::pki {

/// What lists say of a certificate when they do not say that it is good.
struct StatusProblem {
  Check check = Check::kCrlMissing;
  std::string found = "no list of the issuer";
  std::string wanted = "a current one";
};

/// The lists of a question, and what a search found out about them on one path and may use on the
/// next, and in questions about those who sign lists (inside).
class KnownLists {
 public:
  using Name = std::vector<std::string>;  ///< `PathName::rdns`

  /// Keeps looking into `question`.
  explicit KnownLists(const ChainQuestion& question);

  const std::vector<const PathCrl*>& lists_of(const Name& issuer) const;
  /// Everything in the chain and among the anchors that has this name.
  const std::vector<const PathCertificate*>& named(const Name& subject) const;

  /// For each certificate of `path` a number for everything above it: the same wherever those
  /// above have the same names and keys, may sign lists or not, and end in the same anchor. Only
  /// that much of a path bears on the status of what stands below.
  std::vector<std::size_t> places_in(const Path& path);

  /// Whether a list was signed with a key (its SubjectPublicKeyInfo).
  std::map<std::pair<const PathCrl*, std::string>, bool> signatures;
  /// How many questions about signers stand above this one, the certificate (fingerprint), and the
  /// number of the place where it stands.
  std::map<std::tuple<std::size_t, std::string, std::size_t>, std::optional<StatusProblem>>
      statuses;
  /// The same, the signer, and its anchor.
  std::map<std::tuple<std::size_t, std::string, std::string>, bool> trusted;
  std::size_t signers_asked = 0;

 private:
  std::size_t kind_of(const PathCertificate& certificate);

  std::map<Name, std::vector<const PathCrl*>> lists_;
  std::map<Name, std::vector<const PathCertificate*>> named_;
  std::unordered_map<std::string, std::size_t> kinds_of_;  ///< by fingerprint
  std::map<std::tuple<Name, std::string, bool>, std::size_t> kinds_;
  std::map<std::string, std::size_t> anchors_;  ///< by fingerprint
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> places_;
};

/// Whether keyUsage lets `certificate` sign lists.
bool may_sign_lists(const PathFacts& certificate);

}  // namespace meshtrust::pki
