#pragma once

#include "pki/path/chain_question.h"

#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace meshtrust::pki {

/// A certificate that may stand above another one.
struct Candidate {
  const PathCertificate* certificate;
  bool is_anchor;
};

/// The certificates that a path may be made of, by the names that they are found by (inside).
class Pools {
 public:
  /// Keeps looking into `question`.
  Pools(const ChainQuestion& question, const Rules& rules);

  /// How a name is compared: folded, or by its bytes.
  std::string name_key(const PathName& name) const;

  /// Whether names lead from `certificate`'s issuer to an anchor, so that cycles and dead ends
  /// cost nothing.
  bool leads_somewhere(const PathCertificate& certificate) const;

  /// The issuers that `child` may have by name: anchors first, and of each kind those first whose
  /// key identifier is the one that `child` names.
  std::vector<Candidate> candidates(const PathCertificate& child) const;

 private:
  using Pool = std::vector<const PathCertificate*>;
  using Named = std::unordered_map<std::string, Pool>;

  void find_reachable(const Pool& intermediates);

  const Rules& rules_;
  Named intermediates_;
  Named anchors_;
  std::set<std::string> reachable_;
};

}  // namespace meshtrust::pki
