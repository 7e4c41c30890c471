#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "pki/certificate.h"
#include "pki/key.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace meshtrust::ca {

/// A root's word that the ledger up to a line is what it was when its key was last open. The line's
/// digest covers every line before, and with them the fingerprints of all certificates.
struct SignedHead {
  std::string root;           ///< fingerprint of the root
  std::int64_t sequence = 0;  ///< of the last line that is covered
  base::Bytes signature;      ///< over `head_message`, as `pki::Signer::sign` makes it
};

/// What is signed: a line that says what it is, then the number and the digest of the last line.
///
///     meshtrust ledger head v1
///     line 42
///     sha256 <64 hex digits>
///
/// The root's key signs other things too, so this must never pass for one of them, nor one of them
/// for this. A certificate, a request and a revocation list are signed as DER, whose first octet is
/// 0x30 (a SEQUENCE), and this begins with 'm'; what TLS 1.3 signs begins with 64 blanks, what TLS
/// 1.2 signs holds binary octets at fixed places, a JWS is signed without blanks or line ends.
std::string head_message(std::int64_t sequence, std::string_view digest);

/// Signs the ledger up to line `sequence`, and looks whether `root` accepts that. kRefused when
/// `key` is not the key of `root`.
base::Result<SignedHead> sign_head(const pki::Certificate& root,
                                   const pki::Signer& key,
                                   std::int64_t sequence,
                                   std::string_view digest);

/// Whether `head` is `root`'s signature over a ledger whose line `head.sequence` has this digest.
bool verifies(const SignedHead& head, const pki::Certificate& root, std::string_view digest);

}  // namespace meshtrust::ca
