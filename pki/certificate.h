#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// An OpenSSL type, owned inside a `Certificate`.
using X509 = struct x509_st;

namespace meshtrust::pki {

/// The bits of RFC 5280 4.2.1.3 by their names there, e.g. {"keyCertSign", "cRLSign"}.
struct KeyUsage {
  bool critical = false;
  std::vector<std::string> bits;
  bool has(std::string_view bit) const;
};

struct BasicConstraints {
  bool critical = false;
  bool is_ca = false;
  std::optional<int> path_length;  ///< absent: no limit
};

/// What stands in a certificate, read once.
struct CertificateFacts {
  int version = 3;
  std::string serial;   ///< lower-case hex; "-" in front when negative
  std::string subject;  ///< "O=Shop,CN=Shop Mesh Root", in the order of encoding
  std::string issuer;
  base::Bytes subject_der;  ///< the bytes that a child's issuer must repeat
  base::Bytes issuer_der;
  base::Instant not_before;
  base::Instant not_after;
  std::string key_type;  ///< "rsa-3072", "ecdsa-p256", "ed25519", or what OpenSSL calls it
  std::string key_id;    ///< SHA-256 of the SubjectPublicKeyInfo, hex
  std::string signature_algorithm;  ///< "sha256WithRSAEncryption", "ecdsa-with-SHA384", ...
  std::optional<BasicConstraints> basic_constraints;
  std::optional<KeyUsage> key_usage;
  std::vector<std::string> extended_key_usage;  ///< "serverAuth", ... or dotted numbers
  std::optional<std::string> subject_key_id;    ///< hex
  std::optional<std::string> authority_key_id;  ///< hex
  std::vector<std::string> dns_names;
  std::vector<std::string> uris;
  std::vector<std::string> ip_addresses;
  std::vector<std::string> emails;
  bool has_name_constraints = false;
  std::vector<std::string> unknown_critical_extensions;  ///< dotted numbers
  std::string fingerprint;                               ///< SHA-256 of the DER, lower-case hex
};

/// A parsed X.509 certificate. A value: cheap to copy, never invalid, says nothing about whether
/// it should be trusted.
class Certificate {
 public:
  /// kInvalidInput when `der` is not exactly one certificate, or an extension that the facts tell
  /// of does not parse.
  static base::Result<Certificate> from_der(base::ByteView der);

  const base::Bytes& der() const;
  /// "-----BEGIN CERTIFICATE-----", 64 columns, final newline.
  std::string pem() const;
  const CertificateFacts& facts() const;
  const std::string& fingerprint() const { return facts().fingerprint; }

  bool is_ca() const;
  /// Subject and issuer are the same bytes (RFC 5280 3.2 "self-issued"), which path lengths ask
  /// about. Whether it is a root is another question.
  bool is_self_issued() const;
  /// Self-issued, and its own key signed it: a root. A CA that bears its issuer's name is none.
  bool is_self_signed() const;
  /// Whether the signature over this certificate verifies with `issuer`'s public key.
  bool is_signed_by(const Certificate& issuer) const;
  /// Whether `signature` over `message` verifies with this certificate's public key, made as
  /// `Signer::sign` makes it.
  bool has_signed(base::ByteView message, base::ByteView signature) const;

  friend bool operator==(const Certificate& a, const Certificate& b) { return a.der() == b.der(); }

 private:
  // openssl_values.h, this folder only
  friend X509* x509_of(const Certificate& certificate);
  friend X509* bare_x509_of(const Certificate& certificate);

  struct Content;
  explicit Certificate(std::shared_ptr<const Content> content);
  std::shared_ptr<const Content> content_;
};

/// All certificates of a PEM text, in order; text between blocks is skipped as every loader does.
/// kInvalidInput when a CERTIFICATE block does not parse (saying which), or there is none.
base::Result<std::vector<Certificate>> certificates_from_pem(std::string_view pem);

/// The PEM blocks one after the other, each ending in a newline.
std::string to_pem(std::span<const Certificate> certificates);

}  // namespace meshtrust::pki
