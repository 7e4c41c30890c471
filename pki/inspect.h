#pragma once

#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "pki/certificate.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace meshtrust::pki {

/// What may be said of a private key: nothing that could help to guess it, and nothing derived
/// from it.
struct PrivateKeyFacts {
  std::string encoding;  ///< "PKCS#8", "PKCS#1", "SEC1"
  bool encrypted = false;
  std::string key_type;  ///< "rsa-3072", "ecdsa-p256", ...; empty when encrypted
};

/// A PKCS#10 request (RFC 2986).
struct CertificateRequestFacts {
  std::string subject;
  std::string key_type;
  std::string key_id;  ///< SHA-256 of the SubjectPublicKeyInfo, hex
  std::string signature_algorithm;
  bool signature_valid = false;  ///< whether the requester held the key
  std::vector<std::string> dns_names;
  std::vector<std::string> uris;
  std::vector<std::string> ip_addresses;
  std::vector<std::string> emails;
  std::string fingerprint;  ///< SHA-256 of the DER, hex
};

/// A certificate revocation list (RFC 5280 5).
struct RevocationListFacts {
  std::string issuer;
  base::Instant this_update;
  std::optional<base::Instant> next_update;
  std::optional<std::string> number;  ///< CRL number, hex
  std::vector<std::string> revoked;   ///< serials, hex, in the order of the list
  std::string signature_algorithm;
  std::optional<std::string> authority_key_id;  ///< hex
  std::string fingerprint;                      ///< SHA-256 of the DER, hex
};

/// One thing that was recognised.
struct InspectedObject {
  std::string source;  ///< the label of the file, and "#2" behind it for its second object
  std::variant<Certificate, PrivateKeyFacts, CertificateRequestFacts, RevocationListFacts> what;
};

/// "Certificate", "PrivateKey", "CertificateRequest", "CertificateRevocationList".
std::string_view kind_of(const InspectedObject& object);

/// Everything about it as JSON: `kind`, `source` and the facts by their camelCase names; times are
/// RFC 3339. Absent facts are left out, empty lists as well.
base::Json to_json(const InspectedObject& object);

/// Certificates, private keys, requests and revocation lists in `content`: several as PEM, or one
/// as DER. It is a secret because it may hold a key. PEM blocks of other kinds are skipped.
/// kInvalidInput, naming `label` and the block, when something recognised does not parse, or
/// nothing is recognised.
base::Result<std::vector<InspectedObject>> inspect(std::string_view label,
                                                   const base::Secret& content);

}  // namespace meshtrust::pki
