#include "pki/lint_rules.h"
#include "pki/openssl_values.h"

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
  const X509* x509 = x509_of(subject.certificate);
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

std::string check_issuer_bytes(const LintSubject& subject) {
  if (subject.issuer == nullptr) return "";
  if (facts_of(subject).issuer_der == subject.issuer->facts().subject_der) return "";
  const std::string& found = facts_of(subject).issuer;
  const std::string& wanted = subject.issuer->facts().subject;
  if (found == wanted) return "issuer " + quoted(found) + " is encoded unlike the issuer's subject";
  return "issuer is " + quoted(found) + ", wanted " + quoted(wanted);
}

constexpr auto kError = Severity::kError;
constexpr auto kWarning = Severity::kWarning;

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
         "ztunnel", "Readers need not cope with longer ones, and some do not."},
        check_serial_length},
    CertificateRule{{"serial-entropy", kWarning, kCertificates, "CA/Browser Forum BR 7.1",
                     "serial has room for 64 random bits", "",
                     "A counter repeats after a restored backup, and then a CRL that revokes one "
                     "certificate revokes two."},
                    check_serial_entropy},
    CertificateRule{{"duplicate-extension", kError, kCertificates, "RFC 5280 4.2",
                     "no extension stands there twice", "Go, ztunnel",
                     "Verifiers differ in which of the two they believe."},
                    check_duplicates},
    CertificateRule{{"unknown-critical-extension", kError, kCertificates, "RFC 5280 4.2",
                     "no critical extension is unknown", "Go, Envoy, ztunnel, OpenSSL",
                     "Whoever does not understand a critical extension has to refuse the "
                     "certificate. Mark it as not critical, or leave it out."},
                    check_unknown_critical},
    CertificateRule{{"issuer-name-bytes", kError, kIntermediates | kWorkloads, "RFC 5280 4.1.2.4",
                     "issuer repeats the issuer's subject byte for byte", "Go",
                     "Go compares names as bytes: the same words as another string type are "
                     "another name to it. Sign with a tool that copies the issuer's name."},
                    check_issuer_bytes},
};

}  // namespace

std::span<const CertificateRule> rules_of_encoding() {
  return kRules;
}

}  // namespace meshtrust::pki
