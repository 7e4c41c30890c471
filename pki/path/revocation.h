#pragma once

#include "pki/path/checks.h"

#include <functional>
#include <map>
#include <string>
#include <utility>

// Is a certificate of a path revoked? (RFC 5280 6.3, inside)

namespace meshtrust::pki {

/// What is known of those who sign lists. Kept for a whole search, which asks again on every path.
struct ListIssuers {
  /// Whether a certificate outside the path leads to an anchor and is not revoked itself.
  std::function<bool(const PathCertificate&)> is_trusted;
  /// Whether a list (its fingerprint) was signed with a key (its SubjectPublicKeyInfo).
  std::map<std::pair<std::string, std::string>, bool> verified;
};

/// Asks `question.crls` about every certificate of `path` below its anchor. Lists may be split by
/// distribution point, kind of certificate and reasons, be indirect, or come with a delta. The
/// first problem: revoked, or a status that no usable list tells.
std::optional<PathFailure> check_revocation(const Path& path,
                                            const ChainQuestion& question,
                                            ListIssuers& issuers);

}  // namespace meshtrust::pki
