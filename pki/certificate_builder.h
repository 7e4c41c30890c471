#pragma once

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "pki/certificate.h"
#include "pki/handle.h"
#include "pki/issue.h"

#include <optional>

// From what is wanted to the bytes that are to be signed.

namespace meshtrust::pki {

/// keyCertSign and cRLSign, what a CA of ours may do with its key.
BitString usage_of_authority();
/// RFC 7093 section 2, method 1: the leftmost 160 bits of SHA-256 over the bits of a public key.
base::Bytes key_identifier_of(base::ByteView public_key_bits);
OctetString octets(base::ByteView bytes);

/// A CA certificate to be, in full.
struct CaContent {
  CaTemplate wanted;
  base::Bytes public_key;               ///< SubjectPublicKeyInfo, DER
  std::optional<int> path_length;       ///< absent: no limit
  const Certificate* issuer = nullptr;  ///< null: self-signed
  /// Of a cross-certificate the one whose subject (its bytes, instead of `wanted.subject`), key
  /// (instead of `public_key`) and key identifier are repeated; else null.
  const Certificate* twin = nullptr;
};

/// The certificate of `content` signed by a worthless key of the kind of `signer_algorithm`: its
/// "to be signed" bytes are the ones that the real key will sign, and it can be linted.
/// kInvalidInput for a name or public key that cannot be in a CA certificate.
base::Result<Certificate> make_rehearsal(const CaContent& content,
                                         KeyAlgorithm signer_algorithm,
                                         base::Random& random);

/// The SubjectPublicKeyInfo (DER) of `certificate`; empty where OpenSSL does not know the key.
base::Bytes public_key_in(const Certificate& certificate);

/// The TBSCertificate inside `certificate`, header included (RFC 5280 4.1).
base::ByteView tbs_of(const Certificate& certificate);

/// The bytes of `rehearsal` with `signature` in the place of the worthless one.
base::Bytes with_signature(const Certificate& rehearsal, base::ByteView signature);

}  // namespace meshtrust::pki
