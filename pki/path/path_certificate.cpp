#include "pki/path/path_certificate.h"

#include "base/encoding.h"
#include "base/text.h"
#include "pki/certificate.h"
#include "pki/container.h"
#include "pki/der.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"
#include "pki/path/name_space.h"
#include "pki/path/path_extensions.h"
#include "pki/pem.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

constexpr std::size_t kLongestSerial = 20;

/// What is wrong with the form of a time (RFC 5280 4.1.2.5): "YYMMDDHHMMSSZ" or "YYYYMMDDHHMMSSZ"
/// and nothing else.
std::string_view flaw_of_time(const ASN1_TIME* time) {
  constexpr std::string_view kOtherForm = "a time in another form";
  const std::string_view text = base::as_text(content_of(time));
  constexpr std::size_t kUtc = 12;
  constexpr std::size_t kGeneralized = 14;
  const std::size_t size = text.find_first_not_of("0123456789");
  if (size == std::string_view::npos) return kOtherForm;
  const std::string_view zone = text.substr(size);
  const bool is_utc = ASN1_STRING_type(time) == V_ASN1_UTCTIME;
  const bool is_short = is_utc && size == kUtc - 2;
  if (!is_short && size != (is_utc ? kUtc : kGeneralized)) return kOtherForm;
  if (zone == "Z") return is_short ? kUtcTimeWithoutSeconds : std::string_view();
  constexpr std::size_t kOffset = 5;
  const bool is_offset = zone.size() == kOffset && (zone[0] == '+' || zone[0] == '-') &&
                         std::ranges::all_of(zone.substr(1), is_digit);
  if (!is_offset) return kOtherForm;
  const bool is_zero = zone.substr(1) == "0000";
  if (is_utc && !is_short) return is_zero ? kUtcTimeWithNoOffset : kUtcTimeWithOffset;
  return is_zero ? kOtherForm : kTimeWithOffset;
}

void read_times(const X509& certificate, PathFacts& facts) {
  const auto add = [&facts](Check check, std::string found) {
    facts.defects.push_back({.check = check, .found = std::move(found), .wanted = {}});
  };
  const auto read = [&add](const ASN1_TIME* time, base::Instant& out) {
    const auto instant = instant_of(time);
    if (instant) out = *instant;
    const std::string_view flaw = instant ? flaw_of_time(time) : "a time that cannot be read";
    if (!flaw.empty()) add(Check::kEncodingOfTimes, std::string(flaw));
  };
  read(X509_get0_notBefore(&certificate), facts.not_before);
  read(X509_get0_notAfter(&certificate), facts.not_after);
  if (facts.not_after < facts.not_before) {
    add(Check::kValidityOrder,
        base::format_rfc3339(facts.not_before) + " to " + base::format_rfc3339(facts.not_after));
  }
}

/// Common names and mail addresses, which the subject may hold as attributes.
void read_subject_attributes(const X509_NAME* subject, PathFacts& facts) {
  const auto read = [subject](int nid, std::vector<std::string>& list) {
    int index = -1;
    bool all_ia5 = true;
    while ((index = X509_NAME_get_index_by_NID(subject, nid, index)) >= 0) {
      const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
      list.push_back(nid == NID_commonName ? utf8_of(value).value_or("")
                                           : std::string(base::as_text(content_of(value))));
      all_ia5 = all_ia5 && ASN1_STRING_type(value) == V_ASN1_IA5STRING;
    }
    return all_ia5;
  };
  facts.subject_emails_are_ia5 = read(NID_pkcs9_emailAddress, facts.subject_emails);
  read(NID_commonName, facts.common_names);
}

void check_frame(const X509& certificate, PathFacts& facts) {
  const auto add = [&facts](Check check, std::string found, std::string wanted = {}) {
    facts.defects.push_back(
        {.check = check, .found = std::move(found), .wanted = std::move(wanted)});
  };
  const DerFlaws flaws = flaws_of_der(facts.der);
  if (flaws.lengths) add(Check::kDer, "another encoding");
  if (flaws.tags) add(Check::kDerTags, "a tag of the other kind");
  if (flaws.padding) add(Check::kDerPadding, "a BIT STRING with unused bits that are set");
  const bool extended = X509_get_ext_count(&certificate) > 0;
  const ASN1_BIT_STRING* issuer_id = nullptr;
  const ASN1_BIT_STRING* subject_id = nullptr;
  X509_get0_uids(&certificate, &issuer_id, &subject_id);
  const bool identified = issuer_id != nullptr || subject_id != nullptr;
  facts.has_unique_ids = identified;
  if (facts.version < 1 || facts.version > 3 || (extended && facts.version != 3) ||
      (identified && facts.version < 2)) {
    add(Check::kVersion, "version " + std::to_string(facts.version));
  }
  const bool zero = std::ranges::all_of(facts.serial_bytes, [](char c) { return c == 0; });
  if (facts.serial_negative) add(Check::kSerialNegative, facts.serial);
  if (zero) add(Check::kSerialZero, "0");
  const bool leading =
      !facts.serial_bytes.empty() && static_cast<unsigned char>(facts.serial_bytes.front()) >= 0x80;
  const std::size_t octets = facts.serial_bytes.size() + (leading ? 1 : 0);
  if (octets > kLongestSerial) {
    add(Check::kSerialLength, std::to_string(octets) + " octets", "at most 20");
  }
  if (!facts.signature.equals_inner) add(Check::kSignatureAlgorithmsEqual, facts.signature.text);
}

/// What one extension says against another.
void check_together(PathFacts& facts) {
  const auto add = [&facts](Check check, std::string found, std::string wanted = {}) {
    facts.defects.push_back(
        {.check = check, .found = std::move(found), .wanted = std::move(wanted)});
  };
  if (facts.subject.empty() && facts.is_ca) {
    add(Check::kSubjectNamed, "no name", "a name");
  } else if (facts.subject.empty() && !facts.alternative_names_critical) {
    add(Check::kNamesCritical, "no subject", "a critical subjectAltName");
  }
  const bool signs = facts.key_usage && (*facts.key_usage & kKeyCertSign) != 0;
  if (signs && !facts.is_ca) add(Check::kCertSignWithoutCa, "keyCertSign without CA:TRUE");
  if (facts.key_usage && !signs && facts.is_ca) {
    add(Check::kCaWithoutCertSign, "CA:TRUE without keyCertSign");
  }
  if (facts.is_ca && !facts.basic_constraints_critical) {
    add(Check::kCaFlagCritical, "basicConstraints not critical", "critical");
  }
  if (facts.constraints && !facts.is_ca) add(Check::kConstraintsOnLeaf, "nameConstraints");
  if (facts.is_ca) add(Check::kCaAsLeaf, "CA:TRUE");
}

bool is_allowed_key(const PathKey& key) {
  constexpr int kFewest = 2048;
  constexpr int kMost = 16384;
  constexpr std::uint64_t kSmallest = 3;  // with 1 everybody can sign
  constexpr std::uint64_t kLargest = (1ULL << 33U) - 1;
  const bool sound = key.exponent % 2 == 1 && key.exponent >= kSmallest && key.exponent <= kLargest;
  switch (key.kind) {
    case KeyKind::kRsa:
    case KeyKind::kRsaPss:
      return sound && key.bits >= kFewest && key.bits <= kMost && key.bits % 8 == 0 &&
             key.has_sound_numbers && (key.kind == KeyKind::kRsaPss || key.parameters == kDerNull);
    case KeyKind::kEc:
      return key.text == "ecdsa-p256" || key.text == "ecdsa-p384" || key.text == "ecdsa-p521";
    case KeyKind::kEd25519:
    case KeyKind::kEd448:
      return true;
    default:
      return false;
  }
}

std::string key_text(const PathKey& key) {
  if (key.exponent == 0) return key.text;
  return key.text + " with exponent " +
         (key.exponent == UINT64_MAX ? "beyond 2^64" : std::to_string(key.exponent));
}

/// Asked last, because a rollover certificate is self-issued too and names the older key rightly.
void check_own_key(X509& certificate, PathFacts& facts) {
  if (!facts.is_self_issued()) return;
  const bool same_key = !facts.authority_key_id || !facts.subject_key_id ||
                        *facts.authority_key_id == *facts.subject_key_id;
  const bool same_serial = !facts.authority_serial || *facts.authority_serial == facts.serial_bytes;
  const bool same_name = !facts.authority_name || facts.authority_name->rdns == facts.issuer.rdns;
  if (same_key && same_serial && same_name) return;
  EVP_PKEY* key = X509_get0_pubkey(&certificate);
  if (key != nullptr && X509_verify(&certificate, key) == 1) {
    facts.defects.push_back({.check = Check::kOwnKeyIdentifier,
                             .found = "an authority key identifier of another certificate",
                             .wanted = "its own"});
  }
  forget_openssl_errors();
}

PathFacts read_path_facts(X509& certificate, base::ByteView der) {
  PathFacts facts;
  facts.der.assign(der.begin(), der.end());
  facts.fingerprint = base::to_hex(base::sha256(der));
  facts.version = static_cast<int>(X509_get_version(&certificate)) + 1;
  const ASN1_INTEGER* serial = X509_get0_serialNumber(&certificate);
  facts.serial = serial_text(serial);
  facts.serial_bytes = std::string(base::as_text(content_of(serial)));
  facts.serial_negative = (ASN1_STRING_type(serial) & V_ASN1_NEG) != 0;
  facts.subject = path_name(X509_get_subject_name(&certificate));
  facts.issuer = path_name(X509_get_issuer_name(&certificate));
  facts.key = path_key(X509_get_X509_PUBKEY(&certificate));
  const X509_ALGOR* outer = nullptr;
  X509_get0_signature(nullptr, &outer, &certificate);
  facts.signature = path_signature(outer, X509_get0_tbs_sigalg(&certificate));
  read_subject_attributes(X509_get_subject_name(&certificate), facts);
  check_frame(certificate, facts);
  read_times(certificate, facts);
  read_path_extensions(certificate, facts);
  check_together(facts);
  check_own_key(certificate, facts);
  if (!is_allowed_key(facts.key)) {
    facts.defects.push_back(
        {.check = Check::kKeyStrength, .found = key_text(facts.key), .wanted = {}});
  }
  return facts;
}

}  // namespace

struct PathCertificate::Content {
  std::shared_ptr<X509> x509;
  PathFacts facts;
  std::optional<NameSpace> name_space;
  // What was verified before, by the issuer's key: several verifiers ask the same.
  mutable std::mutex verifying = {};
  mutable std::map<std::string, bool> verified = {};

  Content(std::shared_ptr<X509> form, PathFacts read, std::optional<NameSpace> space)
      : x509(std::move(form)), facts(std::move(read)), name_space(std::move(space)) {}
};

PathCertificate::PathCertificate(std::shared_ptr<const Content> content)
    : content_(std::move(content)) {}

base::Result<PathCertificate> PathCertificate::from_der(base::ByteView der) {
  const unsigned char* next = der.data();
  X509Handle x509(d2i_X509(nullptr, &next, static_cast<long>(der.size())));
  if (!x509) return fail(openssl_error(Code::kInvalidInput, "not a certificate"));
  if (next != der.data() + der.size()) {
    return fail(Code::kInvalidInput, "more bytes follow the certificate");
  }
  return PathCertificate(read_content(std::move(x509), der));
}

PathCertificate PathCertificate::from(const Certificate& certificate) {
  const auto owner = std::make_shared<const Certificate>(certificate);
  return PathCertificate(
      read_content(std::shared_ptr<X509>(owner, x509_of(certificate)), certificate.der()));
}

std::shared_ptr<const PathCertificate::Content> PathCertificate::read_content(
    std::shared_ptr<X509> x509, base::ByteView der) {
  PathFacts facts = read_path_facts(*x509, der);
  return content_of_facts(std::move(x509), std::move(facts));
}

std::shared_ptr<const PathCertificate::Content> PathCertificate::content_of_facts(
    std::shared_ptr<X509> x509, PathFacts facts) {
  std::optional<NameSpace> space;
  if (facts.constraints) {
    space.emplace(*facts.constraints);
    if (space->is_empty()) {
      facts.defects.push_back(
          {.check = Check::kListEmpty, .found = "nameConstraints of nothing", .wanted = {}});
    } else if (std::string found = space->malformed(own_names()); !found.empty()) {
      facts.defects.push_back(
          {.check = Check::kConstraintsForm, .found = std::move(found), .wanted = {}});
    }
    if (space->has_minimum_of_zero()) {
      facts.defects.push_back({.check = Check::kConstraintsBounds,
                               .found = "nameConstraints with a minimum of zero",
                               .wanted = "no minimum"});
    }
    if (!space->dotted().empty()) {
      facts.defects.push_back({.check = Check::kConstraintsDotted,
                               .found = space->dotted(),
                               .wanted = space->dotted().substr(1)});
    }
  }
  std::ranges::stable_sort(facts.defects, {}, &Defect::check);
  return std::make_shared<const Content>(std::move(x509), std::move(facts), std::move(space));
}

PathCertificate PathCertificate::without_extensions() const {
  const PathFacts& all = facts();
  PathFacts bare;
  bare.der = all.der;
  bare.fingerprint = all.fingerprint;
  bare.version = all.version;
  bare.serial = all.serial;
  bare.serial_bytes = all.serial_bytes;
  bare.serial_negative = all.serial_negative;
  bare.has_unique_ids = all.has_unique_ids;
  bare.subject = all.subject;
  bare.issuer = all.issuer;
  bare.not_before = all.not_before;
  bare.not_after = all.not_after;
  bare.key = all.key;
  bare.signature = all.signature;
  bare.subject_emails = all.subject_emails;
  bare.subject_emails_are_ia5 = all.subject_emails_are_ia5;
  bare.common_names = all.common_names;
  std::ranges::copy_if(all.defects, std::back_inserter(bare.defects), [](const Defect& defect) {
    // Of an extension's encoding what is found is its name.
    const bool is_extensions =
        (defect.check == Check::kDerTags || defect.check == Check::kDerPadding) &&
        defect.found.find(' ') == std::string::npos;
    return defect.check < Check::kDuplicateExtension && defect.check != Check::kVersion &&
           !is_extensions;
  });
  return PathCertificate(
      std::make_shared<const Content>(content_->x509, std::move(bare), std::nullopt));
}

PathCertificate PathCertificate::seen_through(ExtensionView view) const {
  const auto is_of_extension = [](const Defect& defect) {
    return defect.check == Check::kExtensionReadable || defect.check == Check::kDerTags ||
           defect.check == Check::kDerPadding;
  };
  if (content_->x509 == nullptr || std::ranges::none_of(facts().defects, is_of_extension)) {
    return *this;
  }
  const X509Handle copy(X509_dup(content_->x509.get()));
  if (!copy) return *this;
  bool breaks_off = false;
  for (int i = 0; i < X509_get_ext_count(copy.get()); ++i) {
    X509_EXTENSION* extension = X509_get_ext(copy.get(), i);
    const auto seen = view(dotted_text(X509_EXTENSION_get_object(extension)),
                           content_of(X509_EXTENSION_get_data(extension)));
    if (!seen) continue;
    breaks_off = breaks_off || seen->breaks_off;
    ASN1_STRING_set(X509_EXTENSION_get_data(extension), seen->value.data(),
                    static_cast<int>(seen->value.size()));
  }
  PathFacts read = read_path_facts(*copy, facts().der);
  read.alternative_names_break_off = breaks_off;
  read.alternative_names_der = facts().alternative_names_der;
  return PathCertificate(content_of_facts(content_->x509, std::move(read)));
}

const PathFacts& PathCertificate::facts() const {
  return content_->facts;
}

const NameSpace* PathCertificate::name_space() const {
  return content_->name_space ? &*content_->name_space : nullptr;
}

bool PathCertificate::is_signed_by(const PathCertificate& issuer) const {
  if (content_->x509 == nullptr || issuer.content_->x509 == nullptr) return false;
  const std::lock_guard guard(content_->verifying);
  const auto [known, is_new] = content_->verified.try_emplace(issuer.facts().key.info, false);
  if (!is_new) return known->second;
  EVP_PKEY* key = X509_get0_pubkey(issuer.content_->x509.get());
  const bool verified = key != nullptr && X509_verify(content_->x509.get(), key) == 1;
  forget_openssl_errors();
  return known->second = verified;
}

X509* x509_of(const PathCertificate& certificate) {
  return certificate.content_->x509.get();
}

base::Result<std::vector<PathCertificate>> path_certificates_from_pem(std::string_view pem) {
  MESHTRUST_TRY(const std::vector<PemBlock> blocks, pem_blocks(pem));
  std::vector<PathCertificate> certificates;
  for (const PemBlock& block : blocks) {
    if (block.label != "CERTIFICATE") continue;
    MESHTRUST_TRY(const base::Bytes der, decode(block));
    auto certificate = PathCertificate::from_der(der);
    if (!certificate) {
      return fail(with_context(std::move(certificate).error(),
                               "certificate in line " + std::to_string(block.line)));
    }
    certificates.push_back(*std::move(certificate));
  }
  if (certificates.empty()) return fail(no_certificate_in(pem));
  return certificates;
}

}  // namespace meshtrust::pki
