#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <string>
#include <vector>

namespace meshtrust::pki {

/// What stands in a PKCS#10 request (RFC 2986).
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
  std::vector<std::string> extensions;  ///< names of what is asked for: "basicConstraints", ...
  std::string fingerprint;              ///< SHA-256 of the DER, hex
};

/// A parsed request. A value: says nothing about whether it should be granted.
class CertificateRequest {
 public:
  /// kInvalidInput when `der` is not exactly one request.
  static base::Result<CertificateRequest> from_der(base::ByteView der);
  /// The only request of a PEM text. kInvalidInput when there is none, or more than one.
  static base::Result<CertificateRequest> from_pem(std::string_view pem);

  const base::Bytes& der() const { return der_; }
  /// "-----BEGIN CERTIFICATE REQUEST-----", 64 columns, final newline.
  std::string pem() const;
  const CertificateRequestFacts& facts() const { return facts_; }
  /// SubjectPublicKeyInfo, DER.
  const base::Bytes& public_key() const { return public_key_; }

 private:
  CertificateRequest() = default;

  base::Bytes der_;
  base::Bytes public_key_;
  CertificateRequestFacts facts_;
};

}  // namespace meshtrust::pki
