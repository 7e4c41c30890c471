#pragma once

#include "base/result.h"
#include "base/time.h"
#include "ledger/hierarchy.h"
#include "pki/certificate.h"

#include <span>
#include <vector>

namespace meshtrust::ledger {

/// What leads from a CA to what somebody trusts.
struct Chain {
  /// The CA, then each its issuer's certificate; the anchor is left out, as peers have it or do not
  /// trust it. No self-signed certificate is ever in it: with one of a bridge's name in front of
  /// the bridge, OpenSSL and BoringSSL look no further.
  std::vector<pki::Certificate> certificates;
  base::Instant until;  ///< when the first of them, or the anchor, ends
};

/// The chain of `authority`, a CA that `hierarchy` issued, for peers that trust `anchor`: over
/// issuing CAs, what stands above a root, and bridges that are not revoked. The shortest, and of
/// two as short that which lasts longer. kNotFound when there is none, kRefused when one is not in
/// force at `at` or leaves no room (`check_path_lengths`).
base::Result<Chain> find_chain(const Hierarchy& hierarchy,
                               const pki::Certificate& authority,
                               const pki::Certificate& anchor,
                               base::Instant at);

/// Whether each CA of `path` (the lowest first, the anchor last) allows as many CAs below it as
/// there are. Self-issued ones count too, as Go does (RFC 5280 4.2.1.9 would spare them); istiod's
/// own check at load takes the lowest CA for a leaf and misses one. kRefused.
base::Status check_path_lengths(std::span<const pki::Certificate> path);

}  // namespace meshtrust::ledger
