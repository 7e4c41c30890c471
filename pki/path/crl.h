#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "pki/path/path_certificate.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// An OpenSSL type, owned inside a `PathCrl`.
using X509_CRL = struct X509_crl_st;

namespace meshtrust::pki {

struct CrlEntry {
  bool removed = false;  ///< removeFromCRL, in a delta CRL
};

/// The entries of a list by serial (hex with sign) and by the issuer of the certificate, which an
/// indirect CRL names (RFC 5280 5.3.3).
class CrlEntries {
 public:
  /// False when there is one already.
  bool add(std::string_view serial, std::size_t issuer, CrlEntry entry);
  const CrlEntry* find(std::string_view serial, const PathName& issuer) const;
  /// The number that `add` wants for an issuer. Names may be long, and carry on over many entries.
  std::size_t number_of(const PathName& issuer);
  void reserve(std::size_t count) { entries_.reserve(count); }

 private:
  std::map<std::vector<std::string>, std::size_t> issuers_;
  std::unordered_map<std::string, CrlEntry> entries_;
};

/// The issuing distribution point (RFC 5280 5.2.5).
struct CrlScope {
  PathDistributionPoint point;
  bool only_user = false;
  bool only_ca = false;
  bool only_attribute = false;
  bool indirect = false;
  std::string raw;  ///< the extension's bytes: lists of one scope replace each other
};

/// A revocation list as it was read; what is wrong with it is a defect.
struct CrlFacts {
  base::Bytes der;
  PathName issuer;
  base::Instant this_update;
  std::optional<base::Instant> next_update;
  std::optional<std::string> number;       ///< magnitude, without leading zeros
  std::optional<std::string> base_number;  ///< of a delta CRL
  std::optional<std::string> authority_key_id;
  std::optional<CrlScope> scope;
  PathSignature signature;
  CrlEntries entries;
  std::vector<Defect> defects;
  std::string fingerprint;

  bool is_delta() const { return base_number.has_value(); }
};

/// A value, cheap to copy.
class PathCrl {
 public:
  /// kInvalidInput when `der` is not one CRL as far as OpenSSL can tell.
  static base::Result<PathCrl> from_der(base::ByteView der);

  const CrlFacts& facts() const;
  bool is_signed_by(const PathCertificate& issuer) const;

 private:
  friend X509_CRL* x509_crl_of(const PathCrl& crl);  // inside this folder only

  struct Content;
  explicit PathCrl(std::shared_ptr<const Content> content);
  std::shared_ptr<const Content> content_;
};

/// The X509 CRL blocks of a PEM text. kInvalidInput when one cannot be read, or there is none.
base::Result<std::vector<PathCrl>> path_crls_from_pem(std::string_view pem);

}  // namespace meshtrust::pki
