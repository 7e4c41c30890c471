#include "pki/lint_rules.h"
#include "pki/openssl_values.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

// Rules about the certificates of workloads: the SPIFFE X.509-SVID specification, and what Istio
// makes of it.

namespace meshtrust::pki {
namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr std::size_t kLongestId = 2048;
constexpr std::size_t kLongestDomain = 255;
constexpr base::Seconds kLongestLife = base::days(90);

bool is_one_of(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}
bool is_digit_or_lower(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/// Why `uri` is no SPIFFE ID (SPIFFE-ID 2); empty when it is one.
std::string objection_to(std::string_view uri) {
  if (!uri.starts_with(kScheme)) return "does not begin with 'spiffe://'";
  if (uri.size() > kLongestId) return "is longer than 2048 bytes";
  const std::string_view rest = uri.substr(kScheme.size());
  const std::string_view domain = rest.substr(0, rest.find('/'));
  if (domain.empty()) return "names no trust domain";
  if (domain.size() > kLongestDomain) return "has a trust domain longer than 255 bytes";
  if (!std::ranges::all_of(domain,
                           [](char c) { return is_digit_or_lower(c) || is_one_of(c, ".-_"); })) {
    return "has a trust domain with something else than a-z, 0-9, '.', '-' and '_'";
  }
  if (domain.size() == rest.size()) return "";
  for (const std::string& part : base::split(rest.substr(domain.size() + 1), '/')) {
    if (part.empty() || part == "." || part == "..") return "has an empty or relative path segment";
    const bool plain = std::ranges::all_of(part, [](char c) {
      return is_digit_or_lower(c) || (c >= 'A' && c <= 'Z') || is_one_of(c, ".-_");
    });
    if (!plain) return "has a path with something else than letters, digits, '.', '-' and '_'";
  }
  return "";
}

std::string check_one_uri(const LintSubject& subject) {
  const std::size_t count = facts_of(subject).uris.size();
  return count == 1 ? "" : "found " + base::count_of(count, "URI name") + ", wanted one";
}

std::string check_id(const LintSubject& subject) {
  const auto& uris = facts_of(subject).uris;
  if (uris.size() != 1) return "";
  const std::string objection = objection_to(uris.front());
  return objection.empty() ? "" : quoted(uris.front()) + " " + objection;
}

std::string check_path(const LintSubject& subject) {
  const auto& uris = facts_of(subject).uris;
  if (uris.size() != 1 || !objection_to(uris.front()).empty()) return "";
  const auto parts = base::split(uris.front().substr(kScheme.size()), '/');
  if (parts.size() == 5 && parts[1] == "ns" && parts[3] == "sa") return "";
  return quoted(uris.front()) + " names no service account, wanted .../ns/NAMESPACE/sa/ACCOUNT";
}

std::string check_names_critical(const LintSubject& subject) {
  if (!facts_of(subject).subject.empty()) return "";
  const X509* x509 = bare_x509_of(subject.certificate);
  const int index = X509_get_ext_by_NID(x509, NID_subject_alt_name, -1);
  if (index >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x509, index)) == 1) return "";
  return "the subject is empty and the alternative names are not critical, wanted critical";
}

std::string check_no_ca(const LintSubject& subject) {
  return subject.certificate.is_ca() ? "basicConstraints say CA:TRUE, wanted a workload" : "";
}

std::string check_no_ca_usage(const LintSubject& subject) {
  const auto& usage = facts_of(subject).key_usage;
  if (!usage) return "";
  for (const char* bit : {"keyCertSign", "cRLSign"}) {
    if (usage->has(bit)) return "keyUsage allows " + std::string(bit) + ", wanted it not to";
  }
  return "";
}

std::string check_no_constraints(const LintSubject& subject) {
  const bool constrains = facts_of(subject).has_name_constraints && !subject.certificate.is_ca();
  return constrains ? "name constraints without CA:TRUE, wanted none" : "";
}

std::string check_digital_signature(const LintSubject& subject) {
  const auto& usage = facts_of(subject).key_usage;
  if (!usage) return "keyUsage is absent, wanted digitalSignature";
  return usage->has("digitalSignature") ? "" : "keyUsage lacks digitalSignature";
}

std::string check_both_roles(const LintSubject& subject) {
  const auto& usage = facts_of(subject).extended_key_usage;
  if (usage.empty()) return "";
  for (const char* wanted : {"serverAuth", "clientAuth"}) {
    if (std::ranges::find(usage, wanted) == usage.end()) {
      return "extended key usage is " + base::join(usage, ", ") + ", wanted " + wanted + " as well";
    }
  }
  return "";
}

std::string check_short_life(const LintSubject& subject) {
  const base::Seconds life = facts_of(subject).not_after - facts_of(subject).not_before;
  // istiod dates certificates two minutes back.
  if (life <= kLongestLife + std::chrono::minutes(5)) return "";
  return "is valid for " + std::to_string(life / base::days(1)) + " days, wanted at most 90";
}

constexpr auto kError = Severity::kError;
constexpr auto kWarning = Severity::kWarning;

constexpr std::array kRules = {
    CertificateRule{{"svid-one-uri", kError, kWorkloads, "SPIFFE X.509-SVID 2",
                     "a workload has exactly one URI name", "Envoy, ztunnel",
                     "The URI is the identity. With none there is nobody to authorise; with two, "
                     "peers disagree about who it is."},
                    check_one_uri},
    CertificateRule{
        {"svid-id", kError, kWorkloads, "SPIFFE-ID 2", "the URI is a SPIFFE ID", "Envoy, ztunnel",
         "spiffe://TRUST-DOMAIN/PATH, the domain in lower case, without port, user, "
         "query or fragment. Policies compare it as text, so near is not enough."},
        check_id},
    CertificateRule{{"svid-path", kWarning, kWorkloads, "Istio: identities of service accounts",
                     "the identity names a namespace and a service account", "ztunnel",
                     "Istio's policies and ztunnel read .../ns/NAMESPACE/sa/ACCOUNT and no other "
                     "form. Serving certificates of other programs are not meant: waive it there."},
                    check_path},
    CertificateRule{{"svid-names-critical", kWarning, kWorkloads, "RFC 5280 4.1.2.6",
                     "without a subject the alternative names are critical", "",
                     "Who does not understand the names would see nobody at all."},
                    check_names_critical},
    CertificateRule{
        {"svid-no-ca", kError, kWorkloads, "SPIFFE X.509-SVID 4.1", "a workload is no CA",
         "ztunnel", "A workload with CA:TRUE can make identities of its own."},
        check_no_ca},
    CertificateRule{{"svid-no-ca-usage", kError, kWorkloads, "SPIFFE X.509-SVID 4.3",
                     "a workload may sign neither certificates nor lists", "SPIFFE libraries",
                     "keyCertSign and cRLSign are for CAs."},
                    check_no_ca_usage},
    CertificateRule{{"name-constraints-without-ca", kWarning, kWorkloads, "RFC 5280 4.2.1.10",
                     "name constraints stand only in the certificate of a CA", "",
                     "Nothing stands below a workload that they could constrain; Botan refuses "
                     "them there."},
                    check_no_constraints},
    CertificateRule{{"svid-digital-signature", kError, kWorkloads, "SPIFFE X.509-SVID 4.3",
                     "keyUsage of a workload allows digitalSignature", "Envoy, SPIFFE libraries",
                     "TLS 1.3 signs with the key in every handshake."},
                    check_digital_signature},
    CertificateRule{{"svid-both-roles", kError, kWorkloads, "SPIFFE X.509-SVID 4.4",
                     "a workload may be server and client", "Go, Envoy, ztunnel, OpenSSL",
                     "In a mesh the same certificate is shown in both directions."},
                    check_both_roles},
    CertificateRule{{"svid-short-life", kWarning, kWorkloads, "Istio MAX_WORKLOAD_CERT_TTL",
                     "a workload's certificate lives at most 90 days", "istiod, when asked for it",
                     "Without CRLs a stolen key works until the certificate ends."},
                    check_short_life},
};

}  // namespace

std::span<const CertificateRule> rules_of_workloads() {
  return kRules;
}

}  // namespace meshtrust::pki
