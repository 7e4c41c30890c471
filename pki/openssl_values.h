#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "pki/certificate.h"
#include "pki/handle.h"

#include <string>
#include <vector>

// From OpenSSL's values to ours, shared by certificates, requests and revocation lists.

namespace meshtrust::pki {

/// OpenSSL's form of `certificate`, which keeps owning it. Not const, because OpenSSL's verifier
/// is not: what it caches in an X509, it caches under the X509's own lock.
X509* x509_of(const Certificate& certificate);

/// kInvalidInput when `time` is not a UTCTime or GeneralizedTime of whole seconds.
base::Result<base::Instant> instant_of(const ASN1_TIME* time);

/// Lower-case hex in whole octets, "-" in front when negative.
std::string serial_text(const ASN1_INTEGER* serial);

/// "rsa-3072", "ecdsa-p256", "ed25519", or what OpenSSL calls it; "unknown" for null.
std::string key_type_of(const EVP_PKEY* key);

/// SubjectPublicKeyInfo, DER.
base::Bytes public_key_info(const X509_PUBKEY* key);

/// "sha256WithRSAEncryption", "ecdsa-with-SHA384", or dotted numbers.
std::string signature_algorithm_text(const X509_ALGOR* algorithm);

/// The subject alternative names that meshtrust shows.
struct AlternativeNameTexts {
  std::vector<std::string> dns_names;
  std::vector<std::string> uris;
  std::vector<std::string> ip_addresses;
  std::vector<std::string> emails;
};
AlternativeNameTexts texts_of(const GENERAL_NAMES* names);

/// "serverAuth", or dotted numbers for an object that OpenSSL does not know.
std::string object_text(const ASN1_OBJECT* object);
/// Always dotted numbers.
std::string dotted_text(const ASN1_OBJECT* object);

}  // namespace meshtrust::pki
