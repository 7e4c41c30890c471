#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "pki/certificate.h"
#include "pki/handle.h"

#include <optional>
#include <string>
#include <vector>

// From OpenSSL's values to ours, shared by certificates, requests and revocation lists.

namespace meshtrust::pki {

/// OpenSSL's form of `certificate`, which keeps owning it. Not const, because OpenSSL's verifier
/// is not: what it caches in an X509, it caches under the X509's own lock.
X509* x509_of(const Certificate& certificate);
/// The same for whoever asks about neither key nor signature. OpenSSL 3.0 takes ten times as long
/// to make a key out of a certificate as to read all the rest of it, so that waits until `x509_of`.
X509* bare_x509_of(const Certificate& certificate);

/// Reads `der` without its key, see `bare_x509_of`. Null, with OpenSSL's errors, for what is no
/// certificate; `next` is moved behind it.
X509Handle read_bare_x509(const unsigned char** next, std::size_t size);
/// `key_type_of` without making a key: nothing for other kinds than RSA, P-256 and P-384.
std::optional<std::string> key_type_of(const X509_PUBKEY* info);

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
