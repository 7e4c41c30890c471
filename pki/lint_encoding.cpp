#include "pki/der.h"
#include "pki/lint_rules.h"
#include "pki/openssl_values.h"
#include "pki/path/path_extensions.h"

#include <algorithm>
#include <array>
#include <set>

// Rules about what every certificate says of itself: version, serial, names, extensions.

namespace meshtrust::pki {
namespace {

/// Content octets of the DER INTEGER that a positive serial is written as.
std::size_t serial_octets(const std::string& hex) {
  const bool needs_sign_octet = !hex.empty() && hex.front() >= '8';
  return hex.size() / 2 + (needs_sign_octet ? 1 : 0);
}

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
  const X509* x509 = bare_x509_of(subject.certificate);
  std::set<base::ByteView, decltype([](base::ByteView a, base::ByteView b) {
             return base::as_text(a) < base::as_text(b);
           })>
      seen;
  for (int i = 0; i < X509_get_ext_count(x509); ++i) {
    const ASN1_OBJECT* object = X509_EXTENSION_get_object(X509_get_ext(x509, i));
    if (!seen.insert({OBJ_get0_data(object), OBJ_length(object)}).second) {
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

std::string check_der(const LintSubject& subject) {
  const X509* x509 = bare_x509_of(subject.certificate);
  bool strict = !flaws_of_der(subject.certificate.der()).any();
  for (int i = 0; i < X509_get_ext_count(x509); ++i) {
    X509_EXTENSION* extension = X509_get_ext(x509, i);
    const bool known = X509V3_EXT_get(extension) != nullptr;
    strict =
        strict && (!known || !flaws_of_der(content_of(X509_EXTENSION_get_data(extension))).any());
  }
  return strict ? "" : "a length or truth value is encoded in a longer way, wanted DER";
}

std::string check_algorithms_equal(const LintSubject& subject) {
  const X509* x509 = bare_x509_of(subject.certificate);
  const X509_ALGOR* outer = nullptr;
  X509_get0_signature(nullptr, &outer, x509);
  if (X509_ALGOR_cmp(outer, X509_get0_tbs_sigalg(x509)) == 0) return "";
  return "the signature algorithm in the signed part is another than the one beside the signature";
}

std::string check_path_length_of_ca(const LintSubject& subject) {
  const auto& constraints = facts_of(subject).basic_constraints;
  if (!constraints || constraints->is_ca || !constraints->path_length) return "";
  return "basicConstraints have a path length without CA:TRUE, wanted none";
}

std::string check_policies(const LintSubject& subject) {
  const X509* x509 = bare_x509_of(subject.certificate);
  for (const int nid : {NID_certificate_policies, NID_policy_mappings, NID_policy_constraints,
                        NID_inhibit_any_policy}) {
    const int index = X509_get_ext_by_NID(x509, nid, -1);
    if (index < 0 || X509_EXTENSION_get_critical(X509_get_ext(x509, index)) != 1) continue;
    return "extension " + quoted(OBJ_nid2sn(nid)) + " is critical, wanted none of its kind";
  }
  return "";
}

std::string check_issuer_bytes(const LintSubject& subject) {
  if (subject.issuer == nullptr) return "";
  if (facts_of(subject).issuer_der == subject.issuer->facts().subject_der) return "";
  const std::string& found = facts_of(subject).issuer;
  const std::string& wanted = subject.issuer->facts().subject;
  if (found == wanted) return "issuer " + quoted(found) + " is encoded unlike the issuer's subject";
  return "issuer is " + quoted(found) + ", wanted " + quoted(wanted);
}

/// "wanted": what is said behind the fault.
std::string fault_and_wish(const LintSubject& subject, Check check, std::string_view wanted) {
  const std::string found = fault_in_extensions(subject, check);
  return found.empty() ? "" : found + ", wanted " + std::string(wanted);
}

std::string check_extensions_readable(const LintSubject& subject) {
  if (!check_der(subject).empty()) return "";  // told already
  const std::string found = fault_in_extensions(subject, Check::kExtensionReadable);
  return found.empty() ? "" : "extension " + quoted(found) + " cannot be decoded to its end";
}

std::string check_lists(const LintSubject& subject) {
  const std::string found = fault_in_extensions(subject, Check::kListEmpty);
  return found.empty() ? "" : "extension " + quoted(found) + " lists nothing, wanted an entry";
}

std::string check_alternative_names(const LintSubject& subject) {
  return fault_and_wish(subject, Check::kAlternativeNamesForm, "names of the form of their kind");
}

std::string check_policy_flags(const LintSubject& subject) {
  return fault_and_wish(subject, Check::kPolicyFlags, "critical, or better none");
}

std::string check_authority_key_form(const LintSubject& subject) {
  const std::string found = fault_in_extensions(subject, Check::kAuthorityKeyForm);
  return found.empty() ? ""
                       : "authority key identifier with " + found +
                             ", wanted a key identifier, and issuer and serial or neither";
}

constexpr auto kError = Severity::kError;
constexpr auto kWarning = Severity::kWarning;
constexpr auto kNote = Severity::kNote;

constexpr std::array kRules = {
    CertificateRule{
        {"version-3", kError, kCertificates, "RFC 5280 4.1.2.1", "version is 3", "ztunnel",
         "Older versions carry no extensions, so nothing says whether this is a CA. Make it anew: "
         "openssl writes version 3 as soon as there is one extension."},
        check_version},
    CertificateRule{{"serial-positive", kError, kCertificates, "RFC 5280 4.1.2.2",
                     "serial is a positive number", "Go",
                     "Go refuses to parse a negative serial, so the sidecar agent drops such a "
                     "root from what it hands to Envoy."},
                    check_serial_positive},
    CertificateRule{
        {"serial-length", kError, kCertificates, "RFC 5280 4.1.2.2", "serial has at most 20 octets",
         "", "Readers need not cope with longer ones. Those of a mesh do today."},
        check_serial_length},
    CertificateRule{{"serial-entropy", kWarning, kCertificates, "CA/Browser Forum BR 7.1",
                     "serial has room for 64 random bits", "",
                     "A counter repeats after a restored backup, and then a CRL that revokes one "
                     "certificate revokes two."},
                    check_serial_entropy},
    CertificateRule{{"duplicate-extension", kError, kCertificates, "RFC 5280 4.2",
                     "no extension stands there twice", "Go, Envoy, ztunnel, OpenSSL",
                     "Verifiers differ in which of the two they believe."},
                    check_duplicates},
    CertificateRule{{"unknown-critical-extension", kError, kCertificates, "RFC 5280 4.2",
                     "no critical extension is unknown", "Go, Envoy, ztunnel, OpenSSL",
                     "Whoever does not understand a critical extension has to refuse the "
                     "certificate. Mark it as not critical, or leave it out."},
                    check_unknown_critical},
    CertificateRule{{"der", kError, kCertificates, "X.690 10.1, 11.1",
                     "everything is encoded as DER has it", "Go, ztunnel; Envoy in extensions",
                     "Envoy and OpenSSL read other encodings, so such a certificate works in one "
                     "half of a mesh. Only a broken encoder makes it: use another tool."},
                    check_der},
    CertificateRule{
        {"signature-algorithms-equal", kError, kCertificates, "RFC 5280 4.1.1.2",
         "the signature algorithm inside equals the one outside", "Go, Envoy, ztunnel, OpenSSL",
         "The one outside is not signed. Somebody has put another signature on it."},
        check_algorithms_equal},
    CertificateRule{{"path-length-without-ca", kError, kCertificates, "RFC 5280 4.2.1.9",
                     "a path length stands only with CA:TRUE", "Envoy",
                     "BoringSSL calls such a certificate invalid; the others do not look."},
                    check_path_length_of_ca},
    CertificateRule{{"critical-policies", kError, kCertificates, "rustls-webpki",
                     "no extension about policies is critical", "ztunnel",
                     "ztunnel's verifier knows none of certificatePolicies, policyMappings, "
                     "policyConstraints and inhibitAnyPolicy. Without policies a mesh needs none "
                     "of them."},
                    check_policies},
    CertificateRule{
        {"issuer-name-bytes", kError, kIntermediates | kWorkloads, "RFC 5280 4.1.2.4",
         "issuer repeats the issuer's subject byte for byte", "Go, ztunnel",
         "Go and ztunnel compare names as bytes: the same words as another string "
         "type are another name to them. Sign with a tool that copies the issuer's name."},
        check_issuer_bytes},
    CertificateRule{{"extension-readable", kWarning, kCertificates, "RFC 5280 4.2",
                     "every known extension can be decoded to its end", "Go, of those it decodes",
                     "Most verifiers leave alone what they do not use, as access information; Go "
                     "decodes that too, and then reads nothing of the certificate."},
                    check_extensions_readable},
    CertificateRule{{"empty-list", kWarning, kCertificates, "RFC 5280 4.2.1",
                     "a list in an extension has an entry", "Go, of name constraints",
                     "An empty list says nothing, and readers differ in whether they mind: leave "
                     "the extension out."},
                    check_lists},
    CertificateRule{
        {"alternative-names-form", kWarning, kCertificates, "RFC 5280 4.2.1.6",
         "alternative names are there, and each has the form of its kind",
         "Go, where it is no IA5String or address",
         "A DNS name that no host can have, an address of another length, an empty text: "
         "nobody ever asks for such a name, and below name constraints some refuse it."},
        check_alternative_names},
    CertificateRule{{"policy-limits-critical", kNote, kCertificates, "RFC 5280 4.2.1.11, 4.2.1.14",
                     "policyConstraints and inhibitAnyPolicy are critical, where they are", "",
                     "The RFC demands it, and ztunnel refuses what is critical about policies: a "
                     "mesh does without either (see critical-policies)."},
                    check_policy_flags},
    CertificateRule{{"authority-key-id-form", kWarning, kCertificates, "RFC 5280 4.2.1.1",
                     "an authority key identifier says something, and issuer and serial together",
                     "", "It names nobody, so a path is found by names alone."},
                    check_authority_key_form},
};

}  // namespace

std::string fault_in_extensions(const LintSubject& subject, Check check) {
  PathFacts facts;
  read_path_extensions(*bare_x509_of(subject.certificate), facts);
  const auto found = std::ranges::find(facts.defects, check, &Defect::check);
  return found == facts.defects.end() ? "" : found->found;
}

std::span<const CertificateRule> rules_of_encoding() {
  return kRules;
}

}  // namespace meshtrust::pki
