#pragma once

#include "pki/path/checks.h"

#include <functional>

// Is a certificate of a path revoked? (RFC 5280 6.3, inside)

namespace meshtrust::pki {

/// Whether somebody's certificate leads to an anchor, asked of a CRL issuer that stands outside the
/// path.
using IsTrusted = std::function<bool(const PathCertificate&)>;

/// Asks `question.crls` about every certificate of `path` below its anchor. Lists may be split by
/// distribution point, kind of certificate and reasons, be indirect, or come with a delta. The
/// first problem: revoked, or a status that no usable list tells.
std::optional<PathFailure> check_revocation(const Path& path,
                                            const ChainQuestion& question,
                                            const IsTrusted& is_trusted);

}  // namespace meshtrust::pki
