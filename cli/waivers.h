#pragma once

#include "base/result.h"
#include "base/time.h"

#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::cli {

/// A finding that somebody answers for, until a day.
struct Waiver {
  std::string rule;
  std::string fingerprint;  ///< SHA-256, lower-case hex, or "*" for everything
  std::string reason;
  base::Instant expires;  ///< the first moment at which it no longer counts
  int line = 0;           ///< in its file
  bool used = false;      ///< it has met a finding

  bool meets(std::string_view found_rule, std::string_view found_fingerprint) const {
    return rule == found_rule && (fingerprint == "*" || fingerprint == found_fingerprint);
  }
};

/// Reads a file of waivers:
///
///     waivers:
///     - rule: key-usage-crl-sign
///       fingerprint: 5f3a9c01...      # or "*"
///       reason: replaced with the next root, ticket 4711
///       expires: 2027-06-30
///
/// Every key is needed, no other is known ("apiVersion" and "kind" may stand at the top), a rule
/// must exist, and a date counts to its end, UTC. kInvalidInput, all problems together with their
/// places.
base::Result<std::vector<Waiver>, base::Errors> parse_waivers(const std::string& file,
                                                              std::string_view yaml);

}  // namespace meshtrust::cli
