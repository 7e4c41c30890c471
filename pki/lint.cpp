#include "pki/lint.h"

#include "base/text.h"
#include "pki/der.h"
#include "pki/key.h"
#include "pki/openssl_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>

// A table with its predicates: long, and read from the bottom up.

namespace meshtrust::pki {
namespace {

// ---- whom a rule applies to

bool is_any(const LintSubject& /*subject*/) {
  return true;
}
bool is_root(const LintSubject& subject) {
  return subject.role == CertificateRole::kRoot;
}
bool is_intermediate(const LintSubject& subject) {
  return subject.role == CertificateRole::kIntermediate;
}
bool has_issuer(const LintSubject& subject) {
  return is_intermediate(subject) && subject.issuer != nullptr;
}

// ---- what the checks share

const CertificateFacts& facts_of(const LintSubject& subject) {
  return subject.certificate.facts();
}

std::string quoted(std::string_view text) {
  return "'" + base::printable(text, 120) + "'";
}

/// Content octets of the DER INTEGER that a positive serial is written as.
std::size_t serial_octets(const std::string& hex) {
  const bool needs_sign_octet = !hex.empty() && hex.front() >= '8';
  return hex.size() / 2 + (needs_sign_octet ? 1 : 0);
}

/// N of "rsa-N".
std::optional<int> rsa_bits(std::string_view key_type) {
  constexpr std::string_view kPrefix = "rsa-";
  if (!key_type.starts_with(kPrefix)) return std::nullopt;
  const std::string_view digits = key_type.substr(kPrefix.size());
  int bits = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  return bits;
}

// ---- the checks: empty, or found versus wanted

std::string check_version(const LintSubject& subject) {
  const int version = facts_of(subject).version;
  return version == 3 ? "" : "version is " + std::to_string(version) + ", wanted 3";
}

std::string check_serial_positive(const LintSubject& subject) {
  const std::string& serial = facts_of(subject).serial;
  const bool zero = serial.find_first_not_of('0') == std::string::npos;
  if (zero) return "serial is zero, wanted a positive number";
  return serial.front() == '-' ? "serial is negative, wanted a positive number" : "";
}

std::string check_serial_length(const LintSubject& subject) {
  constexpr std::size_t kMost = 20;
  const std::size_t octets = serial_octets(facts_of(subject).serial);
  if (octets <= kMost) return "";
  return "serial has " + std::to_string(octets) + " octets, wanted at most 20";
}

std::string check_serial_entropy(const LintSubject& subject) {
  constexpr std::size_t kLeast = 8;
  const std::size_t octets = facts_of(subject).serial.size() / 2;
  if (octets >= kLeast) return "";
  return "serial has " + std::to_string(octets * 8) + " bits, wanted at least 64";
}

std::string check_duplicates(const LintSubject& subject) {
  std::set<std::string> seen;
  const X509* x509 = x509_of(subject.certificate);
  for (int i = 0; i < X509_get_ext_count(x509); ++i) {
    const ASN1_OBJECT* object = X509_EXTENSION_get_object(X509_get_ext(x509, i));
    if (!seen.insert(dotted_text(object)).second) {
      return "extension " + quoted(object_text(object)) + " stands there twice, wanted once";
    }
  }
  return "";
}

std::string check_unknown_critical(const LintSubject& subject) {
  const auto& unknown = facts_of(subject).unknown_critical_extensions;
  if (unknown.empty()) return "";
  return "critical extension " + quoted(unknown.front()) + " is unknown, wanted none";
}

std::string check_subject_present(const LintSubject& subject) {
  return facts_of(subject).subject.empty() ? "subject is empty, wanted a name" : "";
}

std::string check_self_issued(const LintSubject& subject) {
  if (subject.certificate.is_self_issued()) return "";
  return "issuer is " + quoted(facts_of(subject).issuer) + ", wanted the subject " +
         quoted(facts_of(subject).subject);
}

std::string check_subject_distinct(const LintSubject& subject) {
  if (facts_of(subject).subject_der != subject.issuer->facts().subject_der) return "";
  return "subject is " + quoted(facts_of(subject).subject) +
         " like the issuer's, wanted another one";
}

std::string check_issuer_bytes(const LintSubject& subject) {
  if (facts_of(subject).issuer_der == subject.issuer->facts().subject_der) return "";
  const std::string& found = facts_of(subject).issuer;
  const std::string& wanted = subject.issuer->facts().subject;
  if (found == wanted) return "issuer " + quoted(found) + " is encoded unlike the issuer's subject";
  return "issuer is " + quoted(found) + ", wanted " + quoted(wanted);
}

std::string check_validity_order(const LintSubject& subject) {
  const CertificateFacts& facts = facts_of(subject);
  if (facts.not_before < facts.not_after) return "";
  return "ends at " + base::format_rfc3339(facts.not_after) + ", wanted later than its begin " +
         base::format_rfc3339(facts.not_before);
}

std::string check_begins_with_issuer(const LintSubject& subject) {
  const base::Instant found = facts_of(subject).not_before;
  const base::Instant wanted = subject.issuer->facts().not_before;
  if (found >= wanted) return "";
  return "begins at " + base::format_rfc3339(found) + ", wanted no earlier than the issuer at " +
         base::format_rfc3339(wanted);
}

std::string check_outlives_issuer(const LintSubject& subject) {
  const base::Instant found = facts_of(subject).not_after;
  const base::Instant wanted = subject.issuer->facts().not_after;
  if (found <= wanted) return "";
  return "ends at " + base::format_rfc3339(found) + ", wanted no later than the issuer at " +
         base::format_rfc3339(wanted);
}

std::string check_constraints_present(const LintSubject& subject) {
  return facts_of(subject).basic_constraints ? "" : "basicConstraints are absent, wanted CA:TRUE";
}

std::string check_constraints_critical(const LintSubject& subject) {
  const auto& constraints = facts_of(subject).basic_constraints;
  return !constraints || constraints->critical
             ? ""
             : "basicConstraints are not critical, wanted critical";
}

std::string check_constraints_ca(const LintSubject& subject) {
  const auto& constraints = facts_of(subject).basic_constraints;
  return !constraints || constraints->is_ca ? "" : "basicConstraints say CA:FALSE, wanted CA:TRUE";
}

std::optional<int> path_length_of(const LintSubject& subject) {
  const auto& constraints = facts_of(subject).basic_constraints;
  return constraints ? constraints->path_length : std::nullopt;
}

std::string check_root_path_length(const LintSubject& subject) {
  const auto length = path_length_of(subject);
  if (!length || *length >= 2) return "";
  return "path length is " + std::to_string(*length) +
         ", wanted none or at least 2: a bridge between roots must fit";
}

std::string check_intermediate_path_length(const LintSubject& subject) {
  const auto length = path_length_of(subject);
  if (!length) return "path length is absent, wanted 0";
  return *length == 0 ? "" : "path length is " + std::to_string(*length) + ", wanted 0";
}

std::string check_usage_present(const LintSubject& subject) {
  return facts_of(subject).key_usage ? "" : "keyUsage is absent, wanted keyCertSign and cRLSign";
}

std::string check_usage_critical(const LintSubject& subject) {
  const auto& usage = facts_of(subject).key_usage;
  return !usage || usage->critical ? "" : "keyUsage is not critical, wanted critical";
}

std::string check_usage_bits(const LintSubject& subject) {
  const auto& usage = facts_of(subject).key_usage;
  if (!usage) return "";
  if (usage->bits.size() == 2 && usage->has("keyCertSign") && usage->has("cRLSign")) return "";
  const std::string found = usage->bits.empty() ? "nothing" : base::join(usage->bits, ", ");
  return "keyUsage allows " + found + ", wanted keyCertSign, cRLSign and nothing else";
}

std::string check_no_extended_usage(const LintSubject& subject) {
  const auto& usage = facts_of(subject).extended_key_usage;
  return usage.empty() ? "" : "extended key usage is " + base::join(usage, ", ") + ", wanted none";
}

std::string check_no_name_constraints(const LintSubject& subject) {
  return facts_of(subject).has_name_constraints ? "name constraints are present, wanted none" : "";
}

std::string check_subject_key_id(const LintSubject& subject) {
  return facts_of(subject).subject_key_id ? "" : "subject key identifier is absent, wanted one";
}

std::string check_root_authority_key_id(const LintSubject& subject) {
  const CertificateFacts& facts = facts_of(subject);
  if (!facts.authority_key_id || facts.authority_key_id == facts.subject_key_id) return "";
  return "authority key identifier is " + *facts.authority_key_id + ", wanted none or its own " +
         facts.subject_key_id.value_or("subject key identifier");
}

std::string check_authority_key_id(const LintSubject& subject) {
  return facts_of(subject).authority_key_id
             ? ""
             : "authority key identifier is absent, wanted the issuer's";
}

std::string check_authority_key_id_matches(const LintSubject& subject) {
  const auto& found = facts_of(subject).authority_key_id;
  const auto& wanted = subject.issuer->facts().subject_key_id;
  if (!wanted) return "the issuer has no subject key identifier, wanted one to refer to";
  if (!found || *found == *wanted) return "";  // absence is another rule's
  return "authority key identifier is " + *found + ", wanted the issuer's " + *wanted;
}

std::string check_key_type(const LintSubject& subject) {
  const std::string& type = facts_of(subject).key_type;
  if (type == "ecdsa-p256" || type == "ecdsa-p384") return "";
  const auto bits = rsa_bits(type);
  if (bits && *bits >= 2048 && *bits <= 8192) return "";
  return "key is " + type + ", wanted RSA of 2048 to 8192 bits or ECDSA on P-256 or P-384";
}

/// Go reads only uncompressed points; a curve that is spelled out has no type of ours.
std::string check_uncompressed_point(const LintSubject& subject) {
  if (!facts_of(subject).key_type.starts_with("ecdsa-")) return "";
  const base::ByteView point = content_of(X509_get0_pubkey_bitstr(x509_of(subject.certificate)));
  return !point.empty() && point.front() == POINT_CONVERSION_UNCOMPRESSED
             ? ""
             : "the point of the key is compressed, wanted it uncompressed";
}

std::string check_signature_hash(const LintSubject& subject) {
  constexpr std::array<std::string_view, 6> kGood = {
      "sha256WithRSAEncryption", "sha384WithRSAEncryption", "sha512WithRSAEncryption",
      "ecdsa-with-SHA256",       "ecdsa-with-SHA384",       "ecdsa-with-SHA512"};
  const std::string& found = facts_of(subject).signature_algorithm;
  if (std::ranges::find(kGood, found) != kGood.end()) return "";
  return "signature is " + quoted(found) + ", wanted SHA-256, SHA-384 or SHA-512 with RSA or ECDSA";
}

/// Whether the signature can have been made by the key that is said to have made it.
std::string check_signature_fits(const LintSubject& subject) {
  const bool own = is_root(subject);
  if (!own && subject.issuer == nullptr) return "";
  const std::string& key = own ? facts_of(subject).key_type : subject.issuer->facts().key_type;
  const std::string& found = facts_of(subject).signature_algorithm;
  const bool by_rsa = found.ends_with("WithRSAEncryption");
  const bool by_ecdsa = found.starts_with("ecdsa-");
  if ((key.starts_with("rsa-") && by_rsa) || (key.starts_with("ecdsa-") && by_ecdsa)) return "";
  return "signature is " + quoted(found) + ", which " + (own ? "its own" : "the issuer's") +
         " key (" + key + ") cannot make";
}

// ---- the table

constexpr auto kError = Severity::kError;
constexpr auto kWarning = Severity::kWarning;

constexpr std::array kRules = {
    LintRule{"version_3", kError, "RFC 5280 4.1.2.1", "version is 3", is_any, check_version},
    LintRule{"serial_positive", kError, "RFC 5280 4.1.2.2", "serial is a positive number", is_any,
             check_serial_positive},
    LintRule{"serial_length", kError, "RFC 5280 4.1.2.2", "serial has at most 20 octets", is_any,
             check_serial_length},
    LintRule{"serial_entropy", kWarning, "CA/Browser Forum BR 7.1",
             "serial has room for 64 random bits", is_any, check_serial_entropy},
    LintRule{"duplicate_extension", kError, "RFC 5280 4.2", "no extension stands there twice",
             is_any, check_duplicates},
    LintRule{"unknown_critical_extension", kError, "RFC 5280 4.2",
             "no critical extension is unknown", is_any, check_unknown_critical},
    LintRule{"subject_present", kError, "RFC 5280 4.1.2.6", "a CA has a subject", is_any,
             check_subject_present},
    LintRule{"root_self_issued", kError, "RFC 5280 3.2", "a root names itself as issuer", is_root,
             check_self_issued},
    LintRule{"subject_distinct", kError,
             "mesh policy: verifiers take a self-issued certificate for a root",
             "an intermediate's subject is not its issuer's", has_issuer, check_subject_distinct},
    LintRule{"issuer_name_bytes", kError, "RFC 5280 4.1.2.4",
             "issuer repeats the issuer's subject byte for byte", has_issuer, check_issuer_bytes},
    LintRule{"validity_order", kError, "RFC 5280 4.1.2.5", "validity begins before it ends", is_any,
             check_validity_order},
    LintRule{"begins_before_issuer", kError, "mesh policy: validity nests in the issuer's",
             "validity begins no earlier than the issuer's", has_issuer, check_begins_with_issuer},
    LintRule{"ca_outlives_issuer", kError, "mesh policy: validity nests in the issuer's",
             "validity ends no later than the issuer's", has_issuer, check_outlives_issuer},
    LintRule{"basic_constraints_present", kError, "RFC 5280 4.2.1.9", "a CA has basicConstraints",
             is_any, check_constraints_present},
    LintRule{"basic_constraints_critical", kError, "RFC 5280 4.2.1.9",
             "basicConstraints are critical", is_any, check_constraints_critical},
    LintRule{"basic_constraints_ca", kError, "RFC 5280 4.2.1.9", "basicConstraints say CA:TRUE",
             is_any, check_constraints_ca},
    LintRule{"root_path_length", kError,
             "mesh policy: a bridge between roots must fit under a root",
             "a root has no path length, or at least 2", is_root, check_root_path_length},
    LintRule{"intermediate_path_length", kError,
             "mesh policy: an intermediate signs workloads, no CA",
             "an intermediate has path length 0", is_intermediate, check_intermediate_path_length},
    LintRule{"key_usage_present", kError, "RFC 5280 4.2.1.3", "a CA has keyUsage", is_any,
             check_usage_present},
    LintRule{"key_usage_critical", kError, "RFC 5280 4.2.1.3", "keyUsage is critical", is_any,
             check_usage_critical},
    LintRule{"key_usage_bits", kError, "RFC 5280 4.2.1.3", "keyUsage is keyCertSign and cRLSign",
             is_any, check_usage_bits},
    LintRule{"no_extended_key_usage", kError,
             "mesh policy: each verifier reads it on a CA in its own way",
             "a CA has no extended key usage", is_any, check_no_extended_usage},
    LintRule{"no_name_constraints", kError,
             "mesh policy: ztunnel refuses every SPIFFE URI below a URI constraint",
             "a CA has no name constraints", is_any, check_no_name_constraints},
    LintRule{"subject_key_id_present", kError, "RFC 5280 4.2.1.2",
             "a CA has a subject key identifier", is_any, check_subject_key_id},
    LintRule{"root_authority_key_id", kError, "RFC 5280 4.2.1.1",
             "a root's authority key identifier is absent or its own", is_root,
             check_root_authority_key_id},
    LintRule{"authority_key_id_present", kError, "RFC 5280 4.2.1.1",
             "an intermediate has an authority key identifier", is_intermediate,
             check_authority_key_id},
    LintRule{"authority_key_id_matches", kError, "RFC 5280 4.2.1.1",
             "the authority key identifier is the issuer's key identifier", has_issuer,
             check_authority_key_id_matches},
    LintRule{"key_type", kError, "mesh policy: what Go, BoringSSL, rustls and OpenSSL all accept",
             "the key is RSA 2048..8192 or ECDSA P-256 or P-384", is_any, check_key_type},
    LintRule{"uncompressed_point", kError, "RFC 5480 2.2", "an ECDSA key is an uncompressed point",
             is_any, check_uncompressed_point},
    LintRule{"signature_hash", kError, "RFC 8017, RFC 5758",
             "the signature is SHA-2 with RSA (PKCS#1 v1.5) or ECDSA", is_any,
             check_signature_hash},
    LintRule{"signature_fits_key", kError, "RFC 5280 4.1.1.2",
             "the signature algorithm fits the signing key", is_any, check_signature_fits},
};

}  // namespace

std::span<const LintRule> lint_rules() {
  return kRules;
}

std::vector<LintFinding> lint(const LintSubject& subject) {
  std::vector<LintFinding> findings;
  for (const LintRule& rule : kRules) {
    if (!rule.applies(subject)) continue;
    std::string message = rule.check(subject);
    if (message.empty()) continue;
    findings.push_back({.rule = std::string(rule.id),
                        .severity = rule.severity,
                        .source = std::string(rule.source),
                        .message = std::move(message)});
  }
  return findings;
}

}  // namespace meshtrust::pki
