#pragma once

#include "ledger/line.h"
#include "pki/certificate.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace meshtrust::ledger {

/// What is signed: a line that says what it is, then the number and the digest of the last line,
/// which covers every line before, and with them the fingerprints of all certificates.
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

/// Whether `head` is `authority`'s signature over a ledger whose line `head.sequence` has this
/// digest.
bool verifies(const SignedHead& head, const pki::Certificate& authority, std::string_view digest);

}  // namespace meshtrust::ledger
