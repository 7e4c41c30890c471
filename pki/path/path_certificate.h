#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "pki/path/extension_views.h"
#include "pki/path/failure.h"
#include "pki/path/names.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// An OpenSSL type, owned inside a `PathCertificate`.
using X509 = struct x509_st;

namespace meshtrust::pki {

class Certificate;
class NameSpace;

/// Public keys by what a signature algorithm asks of them.
enum class KeyKind : std::uint8_t { kRsa, kRsaPss, kEc, kEd25519, kEd448, kOther };

constexpr unsigned char kUncompressedPoint = 4;
/// The parameters that RSA writes where others leave them out (RFC 3279 2.3.1).
constexpr std::string_view kDerNull("\x05\x00", 2);

/// The text of a key that OpenSSL cannot decode.
constexpr std::string_view kUnreadableKey = "unreadable";

struct PathKey {
  KeyKind kind = KeyKind::kOther;
  int bits = 0;
  std::string text;             ///< "rsa-2048", "ecdsa-p256", "ecdsa-explicit", ...
  std::string info;             ///< SubjectPublicKeyInfo, DER
  std::string algorithm = {};   ///< dotted numbers
  std::string parameters = {};  ///< of the algorithm, DER; empty where there are none
  /// Of RSA; all ones when it is longer than 64 bits.
  std::uint64_t exponent = 0;
  bool has_sound_numbers = true;  ///< of RSA: above zero, and no octet longer than they have to be
  bool is_whole_octets = true;    ///< no bit of the last octet is unused
  /// Of a curve: the first octet of the point (SEC 1 2.3.3).
  unsigned char point_form = 0;
};

enum class Digest : std::uint8_t { kMd5, kSha1, kSha224, kSha256, kSha384, kSha512, kNone, kOther };

struct PathSignature {
  std::string text;  ///< "ecdsa-with-SHA256", ...
  KeyKind key = KeyKind::kOther;
  Digest digest = Digest::kOther;
  bool is_pss = false;
  bool pss_regular = true;      ///< MGF1 with the same digest, and a salt of its length
  bool equals_inner = false;    ///< the algorithm in the signed part is the same
  std::string parameters = {};  ///< of the algorithm, DER; empty where there are none
};

/// keyUsage bits, the first of RFC 5280 4.2.1.3 as 1 << 0.
enum : unsigned {
  kDigitalSignature = 1U << 0U,
  kKeyEncipherment = 1U << 2U,
  kKeyAgreement = 1U << 4U,
  kKeyCertSign = 1U << 5U,
  kCrlSign = 1U << 6U,
};

/// Bits of `PathExtendedUsage::purposes`.
enum : unsigned { kServerAuth = 1U, kClientAuth = 2U, kAnyUsage = 4U };

struct PathExtendedUsage {
  unsigned purposes = 0;
  std::vector<std::string> objects;  ///< dotted numbers
};

/// A distribution point, of a certificate or of a CRL (RFC 5280 4.2.1.13, 5.2.5).
struct PathDistributionPoint {
  std::vector<PathGeneralName> full_name;
  bool has_name = false;
  bool has_relative_name = false;  ///< to the issuer
  bool has_reasons = false;
  unsigned reasons = 0;
  std::vector<PathGeneralName> crl_issuer;
};

/// A name constraint's subtree.
struct PathSubtree {
  PathGeneralName base;
  bool has_bounds = false;  ///< minimum or maximum is encoded
  /// All that is encoded is the minimum that holds anyway (RFC 5280 4.2.1.10).
  bool has_minimum_of_zero = false;
};

struct PathConstraints {
  bool critical = false;
  std::vector<PathSubtree> permitted;
  std::vector<PathSubtree> excluded;
};

/// What is asked of policies (RFC 5280 4.2.1.4, .5, .11, .14). Objects are dotted numbers.
struct PathPolicies {
  std::optional<std::vector<std::string>> policies;
  std::vector<std::pair<std::string, std::string>> mappings;
  std::optional<int> require_explicit;
  std::optional<int> inhibit_mapping;
  std::optional<int> inhibit_any;
  bool has_huge_number = false;  ///< beyond 2^63
};

/// Something wrong with the certificate itself, whoever uses it for what. Where it is wrong with an
/// extension, `found` begins with the extension's name.
struct Defect {
  Check check = Check::kDer;
  std::string found;
  std::string wanted;
};

/// `found` of a time that is well formed but for its seconds.
constexpr std::string_view kUtcTimeWithoutSeconds = "a UTCTime without seconds";

/// The same of one that is well formed but for its offset from UTC: a UTCTime, or another one.
constexpr std::string_view kUtcTimeWithOffset = "a UTCTime with an offset";
constexpr std::string_view kUtcTimeWithNoOffset = "a UTCTime with an offset of zero";
constexpr std::string_view kTimeWithOffset = "a time with an offset";

/// The end of `found` of an extension that something follows in its own octets.
constexpr std::string_view kBytesBehind = " with bytes behind it";
constexpr std::string_view kHugePathLength = "basicConstraints with a path length beyond 2^63";

/// A certificate as path building sees it: read once, as far as it can be read. Whatever does not
/// parse is a defect and not an error, because a broken certificate in a pool must not hide a good
/// path beside it.
struct PathFacts {
  base::Bytes der;
  std::string fingerprint;
  int version = 3;
  std::string serial;        ///< lower-case hex, "-" in front when negative
  std::string serial_bytes;  ///< magnitude
  bool serial_negative = false;
  std::string odd_extension;    ///< that is not the SEQUENCE which it has to be; empty for none
  bool has_unique_ids = false;  ///< issuerUniqueID or subjectUniqueID
  PathName subject;
  PathName issuer;
  base::Instant not_before;
  base::Instant not_after;
  PathKey key;
  PathSignature signature;
  bool has_basic_constraints = false;
  bool is_ca = false;
  bool basic_constraints_critical = false;
  std::optional<long> path_length;
  std::optional<unsigned> key_usage;
  std::optional<PathExtendedUsage> extended_usage;
  std::optional<std::string> subject_key_id;
  std::optional<std::string> authority_key_id;
  std::optional<std::string> authority_serial;  ///< magnitude
  std::optional<PathName> authority_name;
  bool has_alternative_names = false;
  bool alternative_names_critical = false;
  std::vector<PathGeneralName> alternative_names;
  bool alternative_names_break_off = false;  ///< see `ViewedExtension`
  std::vector<std::string> subject_emails;
  bool subject_emails_are_ia5 = true;  ///< as they should be (RFC 5280 4.1.2.6)
  std::vector<std::string> common_names;
  std::optional<PathConstraints> constraints;
  PathPolicies policies;
  std::vector<PathDistributionPoint> distribution_points;
  std::vector<std::string> critical_extensions;  ///< dotted numbers
  std::vector<std::string> extensions;           ///< dotted numbers, in order
  std::string alternative_names_der;             ///< of the extension's value
  std::vector<Defect> defects;                   ///< in the order of `Check`

  bool is_self_issued() const { return subject.rdns == issuer.rdns; }
};

/// A value, cheap to copy.
class PathCertificate {
 public:
  /// kInvalidInput when `der` is not one certificate as far as OpenSSL can tell.
  static base::Result<PathCertificate> from_der(base::ByteView der);

  /// The same certificate as it was read before.
  static PathCertificate from(const Certificate& certificate);

  const PathFacts& facts() const;

  /// The same as somebody sees it who looks for extensions in version 3 alone.
  PathCertificate without_extensions() const;

  /// The same as somebody sees it who makes something else of extensions that are not well formed.
  PathCertificate seen_through(ExtensionView view) const;

  /// The name constraints made ready for many names; null where there are none.
  const NameSpace* name_space() const;
  /// Whether the signature verifies with the key of `issuer`. Costs what it costs: ask once.
  bool is_signed_by(const PathCertificate& issuer) const;
  /// Names itself as issuer, and its own key signed it. A CA of its issuer's name did not.
  bool is_self_signed() const { return facts().is_self_issued() && is_signed_by(*this); }

  friend bool operator==(const PathCertificate& a, const PathCertificate& b) {
    return a.facts().der == b.facts().der;
  }

 private:
  friend X509* x509_of(const PathCertificate& certificate);  // inside this folder only

  struct Content;
  explicit PathCertificate(std::shared_ptr<const Content> content);
  static std::shared_ptr<const Content> read_content(std::shared_ptr<X509> x509,
                                                     base::ByteView der);
  static std::shared_ptr<const Content> content_of_facts(std::shared_ptr<X509> x509,
                                                         PathFacts facts);
  std::shared_ptr<const Content> content_;
};

/// The certificates of a PEM text, leaf first as they stand. kInvalidInput, naming the block, when
/// one cannot be read at all, or there is none.
base::Result<std::vector<PathCertificate>> path_certificates_from_pem(std::string_view pem);

}  // namespace meshtrust::pki
