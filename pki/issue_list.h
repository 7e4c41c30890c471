#pragma once

#include "base/result.h"
#include "base/time.h"
#include "pki/certificate.h"
#include "pki/key.h"
#include "pki/revocation_list.h"

#include <string>
#include <vector>

namespace meshtrust::pki {

/// What a revocation list is to say. Everything else follows from the profile: version 2, the
/// issuer's bytes, the key identifier of the issuer, no narrower scope.
struct ListTemplate {
  base::Instant this_update;
  base::Instant next_update;
  /// Larger than that of every list before; hex, as `RevocationListFacts` has it. At most 20 octets
  /// (RFC 5280 5.2.3).
  std::string number = "01";
  std::vector<RevokedCertificate> revoked;
};

/// A list of `issuer`. In the order of minting: rehearsed by a worthless key, linted, signed by
/// `key`, verified by both libraries. kRefused when `key` is not the issuer's, the issuer may not
/// sign lists, or a rule is broken.
base::Result<RevocationList> issue_list(const ListTemplate& wanted,
                                        const Certificate& issuer,
                                        const Signer& key);

}  // namespace meshtrust::pki
