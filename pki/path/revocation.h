#pragma once

#include "pki/path/known_lists.h"

#include <functional>

// Is a certificate of a path revoked? (RFC 5280 6.3, inside)

namespace meshtrust::pki {

/// What a question about lists wants from the search that asks it.
struct ListCourt {
  std::size_t level = 0;  ///< how many questions about signers stand above this one
  /// Whether a certificate leads to `anchor` and no other, and is not revoked itself.
  std::function<bool(const PathCertificate& signer, const PathCertificate& anchor)> is_trusted;
  std::function<bool(const PathCertificate& child, const PathCertificate& issuer)> is_signed;
  /// Whether a signature over so many bytes may still be verified. Once it says no, the answer
  /// of the whole search is no.
  std::function<bool(const PathKey& key, std::size_t bytes)> take_signature;
};

/// Asks the lists about every certificate of `path` below its anchor. Lists may be split by
/// distribution point, kind of certificate and reasons, be indirect, or come with a delta. The
/// first problem: revoked, or a status that no usable list tells.
std::optional<PathFailure> check_revocation(const Path& path,
                                            base::Instant at,
                                            KnownLists& known,
                                            const ListCourt& court);

}  // namespace meshtrust::pki
