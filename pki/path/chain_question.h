#pragma once

#include "base/time.h"
#include "pki/path/crl.h"
#include "pki/path/path_certificate.h"
#include "pki/path/rules.h"

#include <optional>
#include <string>
#include <vector>

namespace meshtrust::pki {

/// Would somebody who trusts `anchors` accept the first certificate of `chain`? A value: no clock,
/// file or network is asked.
struct ChainQuestion {
  std::vector<PathCertificate> chain;    ///< the certificate in question, then what may help
  std::vector<PathCertificate> anchors;  ///< in any number and order
  base::Instant at;
  Purpose purpose = Purpose::kAny;
  std::optional<ReferenceName> name;
  std::optional<std::size_t> most_intermediates;
  std::vector<PathCrl> crls;
  bool is_strict = false;        ///< our own verdict refuses faults of profile too
  bool asks_revocation = false;  ///< then a certificate that no list covers is refused
  /// Of a certificate that is only imagined: the SubjectPublicKeyInfo (DER) of the key that would
  /// have signed it, whose signature is taken for granted. Empty where it is to be verified.
  std::string leaf_signer = {};
};

/// The answer of one verifier.
struct ChainVerdict {
  std::string judge;  ///< "meshtrust", "openssl", "botan", "go", "boringssl", "webpki"
  bool accepted = false;
  std::vector<PathCertificate> path;  ///< leaf to anchor, when accepted
  std::vector<PathFailure> failures;  ///< when refused by the engine; the most helpful path's
  std::string reason;                 ///< one line, when refused
  /// Faults of profile on the path that our own verdict accepted, each with its rule of `lint`.
  std::vector<PathFailure> findings = {};
  std::size_t candidates = 0;  ///< issuers looked at
};

}  // namespace meshtrust::pki
