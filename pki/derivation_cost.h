#pragma once

#include "base/result.h"
#include "pki/handle.h"

#include <cstdint>
#include <string>

// What it costs to turn a passphrase into a key, told from a file before it is paid: whoever made
// the file chose the numbers. Internal to this room.

namespace meshtrust::pki {

/// The work that one file may cause, in rounds of a hash: at most six seconds on a machine of 2026
/// with the slowest hash that OpenSSL has. Twelve derivations as OWASP wants them (1,300,000 rounds
/// of HMAC-SHA1) fit, and scrypt with N=2^17 r=8 p=16.
inline constexpr std::uint64_t kMostDerivationWork = 1U << 24U;

/// All derivations of one file together.
class DerivationBudget {
 public:
  /// Takes what encryption by `algorithm` costs: PBES2 with scrypt (RFC 7914) or PBKDF2 (RFC 8018),
  /// PBES1, or PKCS#12's own (RFC 7292 appendix B). kInvalidInput, with the numbers found and
  /// wanted, when that is too much, or is of a kind whose cost nobody can tell.
  base::Status take(const X509_ALGOR* algorithm);
  /// The same for a checksum of a PKCS#12 file; null stands for one round.
  base::Status take_checksum(const ASN1_INTEGER* rounds, const ASN1_OCTET_STRING* salt);

 private:
  base::Status take_rounds(const ASN1_INTEGER* rounds,
                           const ASN1_OCTET_STRING* salt,
                           std::uint64_t blocks);
  base::Status take_scrypt(const X509_ALGOR* algorithm);
  base::Status take_pbkdf2(const X509_ALGOR* algorithm);
  base::Status take_work(std::uint64_t work, const std::string& what);

  std::uint64_t left_ = kMostDerivationWork;
};

}  // namespace meshtrust::pki
