#include "pki/chain.h"
#include "pki/handle.h"
#include "pki/lint_rules.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"
#include "pki/path/path_extensions.h"

#include <array>

// Rules about certificate authorities: what makes a CA one, in the eyes of every verifier of a
// mesh. A table with its predicates: long, and read from the bottom up.

namespace meshtrust::pki {
namespace {

std::string check_subject_present(const LintSubject& subject) {
  return facts_of(subject).subject.empty() ? "subject is empty, wanted a name" : "";
}

std::string check_self_issued(const LintSubject& subject) {
  if (subject.certificate.is_self_issued()) return "";
  return "issuer is " + quoted(facts_of(subject).issuer) + ", wanted the subject " +
         quoted(facts_of(subject).subject);
}

std::string check_subject_distinct(const LintSubject& subject) {
  if (subject.issuer == nullptr ||
      facts_of(subject).subject_der != subject.issuer->facts().subject_der) {
    return "";
  }
  return "subject is " + quoted(facts_of(subject).subject) +
         " like the issuer's, wanted another one";
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
  if (!subject.certificate.is_ca()) return "";  // another rule's
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

std::string allowed_by(const KeyUsage& usage) {
  return usage.bits.empty() ? "nothing" : base::join(usage.bits, ", ");
}

std::string check_cert_sign(const LintSubject& subject) {
  const auto& usage = facts_of(subject).key_usage;
  if (!usage || usage->has("keyCertSign")) return "";
  return "keyUsage allows " + allowed_by(*usage) + ", wanted keyCertSign";
}

std::string check_crl_sign(const LintSubject& subject) {
  const auto& usage = facts_of(subject).key_usage;
  if (!usage || usage->has("cRLSign")) return "";
  return "keyUsage allows " + allowed_by(*usage) + ", wanted cRLSign";
}

std::string check_usage_minimal(const LintSubject& subject) {
  const auto& usage = facts_of(subject).key_usage;
  if (!usage) return "";
  std::vector<std::string> more;
  for (const std::string& bit : usage->bits) {
    if (bit != "keyCertSign" && bit != "cRLSign") more.push_back(bit);
  }
  if (more.empty()) return "";
  return "keyUsage also allows " + base::join(more, ", ") +
         ", wanted keyCertSign and cRLSign alone";
}

std::string check_no_extended_usage(const LintSubject& subject) {
  const auto& usage = facts_of(subject).extended_key_usage;
  return usage.empty() ? "" : "extended key usage is " + base::join(usage, ", ") + ", wanted none";
}

using Constraints = Handle<NAME_CONSTRAINTS, NAME_CONSTRAINTS_free>;

/// Null where there are none, and where they cannot be read.
Constraints constraints_of(const LintSubject& subject) {
  Constraints found(static_cast<NAME_CONSTRAINTS*>(
      X509_get_ext_d2i(bare_x509_of(subject.certificate), NID_name_constraints, nullptr, nullptr)));
  forget_openssl_errors();
  return found;
}

/// Whether the name constraints permit or exclude anything of `type` (GEN_URI, ...).
bool constrains(const LintSubject& subject, int type) {
  if (!facts_of(subject).has_name_constraints) return false;
  const Constraints found = constraints_of(subject);
  if (!found) return true;  // what cannot be read constrains anything
  for (const auto* trees : {found->permittedSubtrees, found->excludedSubtrees}) {
    for (int i = 0; i < sk_GENERAL_SUBTREE_num(trees); ++i) {
      if (sk_GENERAL_SUBTREE_value(trees, i)->base->type == type) return true;
    }
  }
  return false;
}

std::string check_uri_constraints(const LintSubject& subject) {
  return constrains(subject, GEN_URI) ? "name constraints speak of URIs, wanted none" : "";
}

std::string check_directory_constraints(const LintSubject& subject) {
  return constrains(subject, GEN_DIRNAME) ? "name constraints speak of directory names, wanted none"
                                          : "";
}

std::string check_mail_constraints(const LintSubject& subject) {
  return constrains(subject, GEN_EMAIL) ? "name constraints speak of mail addresses, wanted none"
                                        : "";
}

std::string check_address_constraints(const LintSubject& subject) {
  return constrains(subject, GEN_IPADD) ? "name constraints speak of IP addresses, wanted none"
                                        : "";
}

/// Whether one of the subtrees is like this.
bool has_subtree(const LintSubject& subject, bool (*is_like)(const GENERAL_SUBTREE&)) {
  const Constraints found = constraints_of(subject);
  if (!found) return false;
  for (const auto* trees : {found->permittedSubtrees, found->excludedSubtrees}) {
    for (int i = 0; i < sk_GENERAL_SUBTREE_num(trees); ++i) {
      if (is_like(*sk_GENERAL_SUBTREE_value(trees, i))) return true;
    }
  }
  return false;
}

std::string check_constraint_bounds(const LintSubject& subject) {
  const bool is_bounded = has_subtree(subject, [](const GENERAL_SUBTREE& tree) {
    return tree.minimum != nullptr || tree.maximum != nullptr;
  });
  return is_bounded ? "a name constraint has a minimum or maximum, wanted neither" : "";
}

std::string check_dotted_constraints(const LintSubject& subject) {
  const bool is_dotted = has_subtree(subject, [](const GENERAL_SUBTREE& tree) {
    const PathGeneralName name = path_general_name(*tree.base);
    return name.form == NameForm::kDns && name.value.starts_with('.');
  });
  return is_dotted ? "a name constraint on DNS names begins with a dot, wanted a label" : "";
}

std::string check_no_name_constraints(const LintSubject& subject) {
  if (!facts_of(subject).has_name_constraints) return "";
  // Those of the worse kinds have rules of their own.
  for (const int type : {GEN_URI, GEN_DIRNAME, GEN_EMAIL, GEN_IPADD}) {
    if (constrains(subject, type)) return "";
  }
  return "name constraints are present, wanted none";
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
  if (subject.issuer == nullptr) return "";
  const auto& found = facts_of(subject).authority_key_id;
  const auto& wanted = subject.issuer->facts().subject_key_id;
  if (!found) return "";  // another rule's
  if (!wanted) return "the issuer has no subject key identifier, wanted one to refer to";
  if (*found == *wanted) return "";
  return "authority key identifier is " + *found + ", wanted the issuer's " + *wanted;
}

std::string check_issuer_serial(const LintSubject& subject) {
  const auto serial = issuer_serial_in(subject.certificate);
  if (!serial) return "";
  return "authority key identifier names the issuer's certificate by its serial " + *serial +
         ", wanted the key's identifier alone";
}

std::string check_issuer_serial_matches(const LintSubject& subject) {
  if (subject.issuer == nullptr || !names_another_serial(subject.certificate, *subject.issuer)) {
    return "";
  }
  return "authority key identifier names the issuer's certificate by its serial " +
         issuer_serial_in(subject.certificate).value_or("") + ", the issuer's is " +
         subject.issuer->facts().serial;
}

constexpr auto kError = Severity::kError;
constexpr auto kWarning = Severity::kWarning;
constexpr auto kNote = Severity::kNote;

constexpr std::array kRules = {
    CertificateRule{
        {"subject-present", kError, kAuthorities, "RFC 5280 4.1.2.6", "a CA has a subject",
         "OpenSSL", "OpenSSL takes a CA without a name for self-signed."},
        check_subject_present},
    CertificateRule{{"root-self-issued", kError, kRoots, "RFC 5280 3.2",
                     "a root names itself as issuer", "OpenSSL",
                     "A certificate of another CA can be pinned as an anchor only in Envoy, Go and "
                     "rustls, and never together with CRLs."},
                    check_self_issued},
    CertificateRule{{"subject-distinct", kWarning, kIntermediates,
                     "mesh policy: verifiers take a self-issued certificate for a root",
                     "an intermediate's subject is not its issuer's",
                     "Envoy, OpenSSL, without an authority key identifier",
                     "Path building goes by names; OpenSSL and Envoy do not try a second "
                     "candidate, and tell an intermediate of its issuer's name from a root by its "
                     "authority key identifier alone. Give every CA and every generation a name "
                     "of its own."},
                    check_subject_distinct},
    CertificateRule{{"basic-constraints-present", kError, kAuthorities, "RFC 5280 4.2.1.9",
                     "a CA has basicConstraints", "Go, Envoy, ztunnel, OpenSSL",
                     "Without CA:TRUE nothing below it verifies, and istiod does not start. (Of a "
                     "root only Go insists.)"},
                    check_constraints_present},
    CertificateRule{{"basic-constraints-critical", kWarning, kAuthorities, "RFC 5280 4.2.1.9",
                     "basicConstraints are critical", "",
                     "All verifiers of a mesh read them anyway; the RFC demands it, and strict "
                     "ones (openssl verify -x509_strict) refuse."},
                    check_constraints_critical},
    CertificateRule{{"basic-constraints-ca", kError, kAuthorities, "RFC 5280 4.2.1.9",
                     "basicConstraints say CA:TRUE", "Go, Envoy, ztunnel, OpenSSL",
                     "istiod exits at start ('certificate is not authorized to sign other "
                     "certificates'), but takes it on a reload, and then all it signs is refused."},
                    check_constraints_ca},
    CertificateRule{
        {"root-path-length", kWarning, kRoots,
         "mesh policy: a bridge between roots must fit under a root",
         "a root has no path length, or at least 2", "Go and OpenSSL, once a bridge is in between",
         "Go and OpenSSL count every CA below a root, a bridge between two roots too: "
         "in a rotation agents would lose istiod. Envoy and ztunnel do not look, and "
         "istiod's own check at load does not count the workload. Mint the next root "
         "without a path length."},
        check_root_path_length},
    CertificateRule{
        {"intermediate-path-length", kWarning, kIntermediates,
         "mesh policy: an intermediate signs workloads, no CA", "an intermediate has path length 0",
         "",
         "It works, but whoever steals the key of this intermediate can make CAs. An "
         "upper CA that signs other CAs is meant to have a larger one: waive it there."},
        check_intermediate_path_length},
    CertificateRule{
        {"key-usage-present", kWarning, kAuthorities, "RFC 5280 4.2.1.3", "a CA has keyUsage", "",
         "All verifiers of a mesh accept its absence; the RFC does not."},
        check_usage_present},
    CertificateRule{{"key-usage-critical", kWarning, kAuthorities, "RFC 5280 4.2.1.3",
                     "keyUsage is critical", "", "Verifiers of a mesh read it either way."},
                    check_usage_critical},
    CertificateRule{{"key-usage-cert-sign", kError, kAuthorities, "RFC 5280 4.2.1.3",
                     "keyUsage of a CA allows keyCertSign", "Go, Envoy, OpenSSL",
                     "istiod loads it and signs; sidecars refuse every certificate, while ztunnel "
                     "does not look at all."},
                    check_cert_sign},
    CertificateRule{{"key-usage-crl-sign", kWarning, kAuthorities, "RFC 5280 4.2.1.3, 6.3.3 (f)",
                     "keyUsage of a CA allows cRLSign", "Go and Envoy, as soon as there are CRLs",
                     "Without cRLSign the mesh works, and can never use CRLs: istiod wants a list "
                     "of every CA and believes none that this CA signs, and a CA certificate "
                     "cannot be mended later, only replaced. It costs nothing to allow it at "
                     "minting: keyUsage=critical,keyCertSign,cRLSign."},
                    check_crl_sign},
    CertificateRule{{"key-usage-minimal", kNote, kAuthorities, "RFC 5280 4.2.1.3",
                     "keyUsage of a CA allows nothing but keyCertSign and cRLSign", "",
                     "A CA key of a mesh signs certificates and lists. digitalSignature and "
                     "keyEncipherment are for servers; here nobody asks for them."},
                    check_usage_minimal},
    CertificateRule{{"no-extended-key-usage", kError, kAuthorities,
                     "mesh policy: each verifier reads it on a CA in its own way",
                     "a CA has no extended key usage", "Go, Envoy, ztunnel, OpenSSL (by its value)",
                     "serverAuth alone breaks every client, clientAuth alone every server; 'any' "
                     "passes only in Go. Both together pass everywhere and gain nothing."},
                    check_no_extended_usage},
    CertificateRule{{"uri-constraints", kError, kAuthorities, "rustls-webpki",
                     "a CA has no name constraints on URIs", "ztunnel",
                     "ztunnel's verifier has not implemented them and refuses every SPIFFE URI "
                     "below, so ambient mode stops dead; Go's versions disagree about subdomains."},
                    check_uri_constraints},
    CertificateRule{{"directory-constraints", kError, kAuthorities, "Go crypto/x509, rustls-webpki",
                     "a CA has no name constraints on directory names", "Go, ztunnel",
                     "Go knows no such constraints, and where they are critical it refuses; so "
                     "does ztunnel."},
                    check_directory_constraints},
    CertificateRule{{"mail-constraints", kWarning, kAuthorities, "rustls-webpki",
                     "a CA has no name constraints on mail addresses", "ztunnel",
                     "It refuses every certificate below that names a mail address, within the "
                     "constraint or not. Workloads of a mesh name none."},
                    check_mail_constraints},
    CertificateRule{{"address-constraints", kWarning, kAuthorities, "BoringSSL",
                     "a CA has no name constraints on IP addresses", "Envoy",
                     "It refuses every certificate below that names an address, within the "
                     "constraint or not: a gateway's, say. Workloads of a mesh name none."},
                    check_address_constraints},
    CertificateRule{
        {"no-name-constraints", kWarning, kAuthorities,
         "mesh policy: istiod signs what a constraint forbids", "a CA has no name constraints", "",
         "istiod does not look at them when it signs. Constraints on DNS names must "
         "cover every name that istiod serves under, or the control plane breaks."},
        check_no_name_constraints},
    CertificateRule{{"name-constraint-bounds", kWarning, kAuthorities, "RFC 5280 4.2.1.10",
                     "a name constraint has neither minimum nor maximum", "Envoy, ztunnel",
                     "Both refuse every name below it, even where the minimum is zero, which "
                     "holds anyway and has no place in DER."},
                    check_constraint_bounds},
    CertificateRule{{"dns-constraint-dotted", kWarning, kAuthorities, "RFC 5280 4.2.1.10",
                     "a name constraint on DNS names begins with a label", "",
                     "Every verifier of a mesh takes '.example.com' for what is below "
                     "example.com; the RFC knows the dot only of mail and URIs, and strict ones "
                     "(x509-limbo's expectations, pyca/cryptography) refuse it. 'example.com' "
                     "means the name and all below it."},
                    check_dotted_constraints},
    CertificateRule{{"subject-key-id-present", kWarning, kAuthorities, "RFC 5280 4.2.1.2",
                     "a CA has a subject key identifier", "",
                     "OpenSSL and Envoy pick an issuer by name, and among namesakes by this: "
                     "without it a rotation to a root of the same name breaks one of the two."},
                    check_subject_key_id},
    CertificateRule{{"root-authority-key-id", kError, kRoots, "RFC 5280 4.2.1.1",
                     "a root's authority key identifier is absent or its own", "Envoy, OpenSSL",
                     "A root that names another key is no root to them."},
                    check_root_authority_key_id},
    CertificateRule{{"authority-key-id-present", kWarning, kIntermediates, "RFC 5280 4.2.1.1",
                     "an intermediate has an authority key identifier", "",
                     "See subject-key-id-present: it is the other half."},
                    check_authority_key_id},
    CertificateRule{
        {"authority-key-id-matches", kError, kIntermediates | kWorkloads, "RFC 5280 4.2.1.1",
         "the authority key identifier is the issuer's key identifier", "Envoy, OpenSSL",
         "They pass over an issuer whose identifier is another; Go and rustls only "
         "look at the signature."},
        check_authority_key_id_matches},
    CertificateRule{
        {"authority-serial-matches", kError, kIntermediates | kWorkloads, "RFC 5280 4.2.1.1",
         "a serial in the authority key identifier is that of the issuer's certificate",
         "Envoy, OpenSSL",
         "The issuer was renewed with the same key, and this names the certificate before: OpenSSL "
         "and BoringSSL find no issuer, Go (istiod) and rustls do not look. Keep the old "
         "certificate "
         "beside the new one, or issue anew with 'authorityKeyIdentifier=keyid'."},
        check_issuer_serial_matches},
    CertificateRule{{"authority-serial", kNote, kIntermediates | kWorkloads, "RFC 5280 4.2.1.1",
                     "the authority key identifier holds no issuer and serial", "",
                     "It ties the certificate to one certificate of its CA: once that is renewed, "
                     "even with the "
                     "same key, OpenSSL and Envoy find no issuer. 'authorityKeyIdentifier=keyid' "
                     "leaves it out."},
                    check_issuer_serial},
};

}  // namespace

std::span<const CertificateRule> rules_of_authorities() {
  return kRules;
}

}  // namespace meshtrust::pki
