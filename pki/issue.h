#pragma once

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "pki/certificate.h"
#include "pki/key.h"
#include "pki/name.h"

#include <optional>

namespace meshtrust::pki {

/// How far back a new CA's validity begins, so that a node with a slow clock accepts it at once.
constexpr base::Seconds kBackdate = std::chrono::hours(1);

/// What a CA certificate is to say. Everything else follows from the profile and cannot be chosen:
/// critical basicConstraints CA:TRUE, critical keyUsage keyCertSign and cRLSign, SKI, AKI, no
/// extended key usage, no name constraints, a serial of 128 random bits.
struct CaTemplate {
  DistinguishedName subject;
  base::Instant not_before;
  base::Instant not_after;
};

/// A self-signed root without a path length (a bridge between roots must fit under it one day).
///
/// As for `issue_intermediate`: the exact bytes to be signed are first signed by a throw-away key
/// of the same algorithm and linted; only then is `key` used, and the result is verified by
/// Botan. kRefused with the rule broken when any of that fails, and nothing is returned.
base::Result<Certificate> issue_root(const CaTemplate& wanted,
                                     const Signer& key,
                                     base::Random& random);

/// A CA certificate for `public_key` (SubjectPublicKeyInfo DER), signed by `issuer`, with pathlen 0
/// (it signs workloads, no CA). The issuer's subject bytes and key identifier are copied.
/// kRefused when it would outlive `issuer` or begin before it, or `issuer_key` is not the issuer's.
base::Result<Certificate> issue_intermediate(const CaTemplate& wanted,
                                             base::ByteView public_key,
                                             const Certificate& issuer,
                                             const Signer& issuer_key,
                                             base::Random& random);

/// When a cross-certificate is to be valid.
struct Validity {
  base::Instant not_before;
  base::Instant not_after;
};

/// A cross-certificate (RFC 5280 3.2): name, key and key identifier of `subject`, a root, as they
/// stand in it, issued by `issuer`, so that whoever trusts `issuer` accepts what is below
/// `subject`. Without a path length, like the root: other CAs are below it. kRefused as for
/// `issue_intermediate`.
base::Result<Certificate> issue_bridge(const Validity& wanted,
                                       const Certificate& subject,
                                       const Certificate& issuer,
                                       const Signer& issuer_key,
                                       base::Random& random);

}  // namespace meshtrust::pki
