#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "pki/certificate.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace meshtrust::pki {

/// One entry of a list.
struct RevokedCertificate {
  std::string serial;  ///< lower-case hex, as in `CertificateFacts`
  base::Instant at;
  std::string reason;  ///< "keyCompromise", ... (RFC 5280 5.3.1); empty when none is given

  friend bool operator==(const RevokedCertificate&, const RevokedCertificate&) = default;
};

/// What stands in a certificate revocation list (RFC 5280 5).
struct RevocationListFacts {
  int version = 2;
  std::string issuer;
  base::Bytes issuer_der;
  base::Instant this_update;
  std::optional<base::Instant> next_update;
  std::optional<std::string> number;  ///< CRL number, hex
  std::vector<RevokedCertificate> revoked;
  std::string signature_algorithm;
  std::optional<std::string> authority_key_id;  ///< hex
  bool is_delta = false;                        ///< 5.2.4: tells only what changed
  bool is_partial = false;  ///< 5.2.5: an issuing distribution point narrows or widens its scope
  std::vector<std::string> unknown_critical_extensions;  ///< dotted numbers
  std::string fingerprint;                               ///< SHA-256 of the DER, hex
};

/// A parsed revocation list. A value: says nothing about whether it should be believed.
class RevocationList {
 public:
  /// kInvalidInput when `der` is not exactly one list, or a time in it does not parse.
  static base::Result<RevocationList> from_der(base::ByteView der);

  const base::Bytes& der() const;
  /// "-----BEGIN X509 CRL-----", 64 columns, final newline.
  std::string pem() const;
  const RevocationListFacts& facts() const;
  /// Whether the signature verifies with `issuer`'s public key.
  bool is_signed_by(const Certificate& issuer) const;
  /// Whether `issuer` has the name and the key of the list's issuer, and the key identifier that
  /// the list gives for it: those who look lists up go by that.
  bool is_of(const Certificate& issuer) const;

  friend bool operator==(const RevocationList& a, const RevocationList& b) {
    return a.der() == b.der();
  }

 private:
  struct Content;
  explicit RevocationList(std::shared_ptr<const Content> content);
  std::shared_ptr<const Content> content_;
};

/// All lists of a PEM text, in order; text between blocks is skipped. kInvalidInput when an
/// 'X509 CRL' block does not parse (saying which). No list at all is an empty answer: to Envoy an
/// empty file means that nothing is asked about revocation.
base::Result<std::vector<RevocationList>> revocation_lists_from_pem(std::string_view pem);

/// Which of two lists of one CA is the newer (`<` is older): by number (RFC 5280 5.2.3: the longer,
/// then the larger), then by date, for a CA that numbers its lists in no way.
std::tuple<std::size_t, std::string, base::Instant> age_of(const RevocationList& list);

/// "number 1f, of 2026-11-22T10:00:00Z".
std::string edition_of(const RevocationList& list);

/// The PEM blocks one after the other, each ending in a newline.
std::string to_pem(std::span<const RevocationList> lists);

/// Those of `authorities` of which `lists` holds no list that may be believed: by its name and key,
/// from a CA whose keyUsage allows cRLSign (or has no keyUsage), whole, and in force at `at`;
/// without `at` dates are not looked at, as istiod does.
std::vector<Certificate> without_list(std::span<const Certificate> authorities,
                                      std::span<const RevocationList> lists,
                                      std::optional<base::Instant> at);

}  // namespace meshtrust::pki
