#include "pki/path/failure.h"

#include "base/check.h"
#include "base/text.h"

#include <array>

namespace meshtrust::pki {
namespace {

// A table is read best as one, however long it is.
constexpr std::array kChecks = {
    CheckInfo{Check::kDer, "not_der", "X.690 10, RFC 5280 4.1",
              "lengths, truth values and times are encoded in the one way of DER"},
    CheckInfo{Check::kDerTags, "not_der_tags", "X.690 8, 10.2",
              "sequences and sets are constructed, and strings are in one piece", "der"},
    CheckInfo{Check::kDerPadding, "not_der_padding", "X.690 11.2.1",
              "the unused bits of a BIT STRING are zero, and seven at most", "der"},
    CheckInfo{Check::kVersion, "version_mismatch", "RFC 5280 4.1.2.1",
              "extensions need version 3, unique identifiers version 2 or 3"},
    CheckInfo{Check::kSerialNegative, "serial_negative", "RFC 5280 4.1.2.2",
              "the serial number is not below zero", "serial-positive"},
    CheckInfo{Check::kSerialZero, "serial_zero", "RFC 5280 4.1.2.2",
              "the serial number is not zero", "serial-positive"},
    CheckInfo{Check::kSerialLength, "serial_too_long", "RFC 5280 4.1.2.2",
              "the serial number has at most 20 octets", "serial-length"},
    CheckInfo{Check::kSignatureAlgorithmsEqual, "signature_algorithm_mismatch", "RFC 5280 4.1.1.2",
              "the signature algorithm inside equals the one outside"},
    CheckInfo{Check::kSubjectNamed, "subject_empty", "RFC 5280 4.1.2.4, 4.1.2.6",
              "a CA has a subject", "subject-present"},
    CheckInfo{Check::kNamesCritical, "names_not_critical", "RFC 5280 4.1.2.6",
              "without a subject an alternative name is there and critical", "svid-names-critical"},
    CheckInfo{Check::kEncodingOfTimes, "time_malformed", "RFC 5280 4.1.2.5",
              "times are UTCTime or GeneralizedTime, in seconds, ending in Z"},
    CheckInfo{Check::kValidityOrder, "validity_reversed", "RFC 5280 4.1.2.5",
              "the validity does not end before it begins"},
    CheckInfo{Check::kDuplicateExtension, "duplicate_extension", "RFC 5280 4.2",
              "no extension stands there twice"},
    CheckInfo{Check::kExtensionReadable, "extension_malformed", "RFC 5280 4.2",
              "every known extension can be decoded to its end", "extension-readable"},
    CheckInfo{Check::kExtensionEmpty, "extension_empty", "RFC 5280 4.2.1.11, 4.2.1.12",
              "an extendedKeyUsage has a usage, and policy constraints have one"},
    CheckInfo{Check::kListEmpty, "list_empty", "RFC 5280 4.2.1",
              "a list in another extension has an entry", "empty-list"},
    CheckInfo{Check::kUnknownCritical, "unknown_critical_extension", "RFC 5280 4.2",
              "every critical extension is understood"},
    CheckInfo{Check::kCriticalFlags, "critical_flag_wrong", "RFC 5280 4.2.1, 4.2.2",
              "key identifiers, access information and freshest CRLs are not critical"},
    CheckInfo{Check::kPolicyFlags, "policy_limits_not_critical", "RFC 5280 4.2.1.11, 4.2.1.14",
              "policy constraints and inhibitAnyPolicy are critical", "policy-limits-critical"},
    CheckInfo{Check::kAuthorityKeyForm, "authority_key_malformed", "RFC 5280 4.2.1.1",
              "an authority key identifier is not empty, and has issuer and serial or neither",
              "authority-key-id-form"},
    CheckInfo{Check::kOwnKeyIdentifier, "self_signed_by_another_key", "RFC 5280 4.2.1.1",
              "what a self-signed certificate says of its issuer's key is true of its own",
              "root-authority-key-id"},
    CheckInfo{Check::kCaFlagCritical, "ca_flag_not_critical", "RFC 5280 4.2.1.9",
              "an anchor's basicConstraints are critical", "basic-constraints-critical"},
    CheckInfo{
        Check::kAlternativeNamesForm, "name_malformed", "RFC 5280 4.2.1.6",
        "alternative names are there, and each has its form; a DNS name is the name of a host",
        "alternative-names-form"},
    CheckInfo{Check::kKeyUsageEmpty, "key_usage_empty", "RFC 5280 4.2.1.3",
              "a keyUsage asserts at least one bit"},
    CheckInfo{Check::kPathLengthWithoutCa, "path_length_without_ca", "RFC 5280 4.2.1.9",
              "a path length stands only with CA:TRUE", "path-length-without-ca"},
    CheckInfo{Check::kCertSignWithoutCa, "cert_sign_without_ca", "RFC 5280 4.2.1.9",
              "keyCertSign stands only with CA:TRUE", "svid-no-ca-usage"},
    CheckInfo{Check::kCaWithoutCertSign, "ca_without_cert_sign", "policy: a CA or not a CA",
              "CA:TRUE and a keyUsage that denies keyCertSign contradict each other",
              "key-usage-cert-sign"},
    CheckInfo{Check::kConstraintsOnLeaf, "name_constraints_without_ca", "RFC 5280 4.2.1.10",
              "name constraints stand only in CA certificates", "name-constraints-without-ca"},
    CheckInfo{Check::kConstraintsForm, "name_constraints_malformed", "RFC 5280 4.2.1.10",
              "each name constraint has its form"},
    CheckInfo{Check::kConstraintsBounds, "name_constraint_bounds", "RFC 5280 4.2.1.10",
              "a name constraint has no minimum, not even of zero", "name-constraint-bounds"},
    CheckInfo{Check::kConstraintsDotted, "dns_constraint_dotted", "RFC 5280 4.2.1.10",
              "a constraint on DNS names begins with a label, and not with a dot",
              "dns-constraint-dotted"},
    CheckInfo{Check::kCaAsLeaf, "ca_as_leaf", "rustls-webpki",
              "the certificate in question is not a CA's"},
    CheckInfo{Check::kKeyStrength, "key_not_allowed", "policy: keys",
              "RSA of 2048 to 16384 bits in whole octets with an odd exponent of 2 to 33 bits, "
              "P-256, P-384, P-521, Ed25519 or Ed448"},
    CheckInfo{Check::kNotYetValid, "not_yet_valid", "RFC 5280 6.1.3 (a)(2)",
              "the validity has begun; its first second belongs to it"},
    CheckInfo{Check::kExpired, "expired", "RFC 5280 6.1.3 (a)(2)",
              "the validity has not ended; its last second belongs to it"},
    CheckInfo{Check::kVersionOfCa, "ca_version", "RFC 5280 6.1.4 (k)",
              "an issuer's certificate has version 3; an anchor may have version 1"},
    CheckInfo{Check::kIsCa, "not_a_ca", "RFC 5280 6.1.4 (k)",
              "an issuer's basicConstraints say CA:TRUE"},
    CheckInfo{Check::kMaySign, "no_cert_sign", "RFC 5280 6.1.4 (n)",
              "an issuer's keyUsage, where there is one, has keyCertSign"},
    CheckInfo{Check::kPathLength, "path_length_exceeded", "RFC 5280 6.1.4 (l), (m)",
              "no more CAs follow than the path length allows, self-issued ones aside"},
    CheckInfo{Check::kExtendedUsage, "extended_key_usage", "RFC 5280 4.2.1.12; policy: nested",
              "every extended key usage on the path allows the purpose"},
    CheckInfo{Check::kLeafUsage, "key_usage_excludes_purpose", "RFC 5280 4.2.1.3, RFC 8446 4.4.2.2",
              "the keyUsage allows what the purpose does with the key", "svid-digital-signature"},
    CheckInfo{Check::kReferenceName, "name_mismatch", "RFC 9525 6, RFC 5280 7",
              "an alternative name is the one that was asked for; the CN never counts"},
    CheckInfo{Check::kSignatureAlgorithm, "signature_algorithm_not_allowed", "policy: signatures",
              "SHA-256, SHA-384 or SHA-512 with RSA (PKCS#1 or PSS) or ECDSA, or EdDSA"},
    CheckInfo{Check::kSignatureKeyType, "signature_key_type", "RFC 5280 4.1.1.2",
              "the signature algorithm fits the issuer's key"},
    CheckInfo{Check::kSignature, "signature_invalid", "RFC 5280 6.1.3 (a)(1)",
              "the signature verifies with the issuer's key"},
    CheckInfo{Check::kNamePermitted, "name_not_permitted", "RFC 5280 6.1.3 (b)",
              "every name lies within the permitted subtrees"},
    CheckInfo{Check::kNameExcluded, "name_excluded", "RFC 5280 6.1.3 (c)",
              "no name lies within an excluded subtree"},
    CheckInfo{Check::kNameUnsupported, "name_constraint_unsupported", "RFC 5280 4.2.1.10",
              "a name under a constraint can be compared with it"},
    CheckInfo{Check::kNoIssuer, "no_path", "RFC 5280 6.1",
              "issuers lead from the certificate to an anchor"},
    CheckInfo{Check::kSelfSigned, "self_signed_not_trusted", "RFC 5280 6.1",
              "a self-signed certificate is itself an anchor"},
    CheckInfo{Check::kDepth, "too_deep", "policy: --max-depth",
              "no more intermediates than were allowed"},
    CheckInfo{Check::kSearchLimit, "search_limit", "policy: bounded work",
              "a path is found within the work that a question may cost"},
    CheckInfo{Check::kPolicy, "policy", "RFC 5280 6.1.5 (g), RFC 9618",
              "where an explicit policy is demanded, one is valid all along the path"},
    CheckInfo{Check::kRevoked, "revoked", "RFC 5280 6.3.3",
              "no current revocation list names the certificate"},
    CheckInfo{Check::kCrlMissing, "crl_missing", "RFC 5280 6.3.3",
              "with --crl, every certificate below the anchor is covered by a list"},
    CheckInfo{
        Check::kCrlUnusable, "crl_unusable", "RFC 5280 5.2, 5.3",
        "a list has a CRL number, no duplicates and no critical extension beyond those known"},
    CheckInfo{Check::kCrlFresh, "crl_not_current", "RFC 5280 6.3.3 (a)",
              "a list has begun and says when the next one comes, and that is not past"},
    CheckInfo{Check::kCrlSignature, "crl_signature_invalid", "RFC 5280 6.3.3 (g)",
              "the list's signature is allowed and verifies with the issuer's key"},
    CheckInfo{Check::kCrlIssuerMaySign, "crl_issuer_no_crl_sign", "RFC 5280 6.3.3 (f)",
              "the issuer's keyUsage, where there is one, has cRLSign"},
    CheckInfo{Check::kCrlScope, "crl_scope", "RFC 5280 6.3.3 (b)",
              "the list's distribution point, kind of certificate and reasons cover this one"},
};

}  // namespace

std::span<const CheckInfo> all_checks() {
  return kChecks;
}

const CheckInfo& info_of(Check check) {
  const CheckInfo& info = kChecks.at(static_cast<std::size_t>(check));
  MESHTRUST_CHECK(info.check == check);
  return info;
}

std::string_view name_of(Role role) {
  if (role == Role::kLeaf) return "leaf";
  return role == Role::kAnchor ? "anchor" : "intermediate";
}

std::string PathFailure::text() const {
  const CheckInfo& info = info_of(check);
  std::string out = std::string(name_of(role)) + " '" + base::printable(subject, 200) + "': ";
  out += info.id;
  if (!found.empty()) out += ", found " + base::printable(found, 400);
  if (!wanted.empty()) out += ", wanted " + base::printable(wanted, 400);
  return out + " (" + std::string(info.source) + ")";
}

}  // namespace meshtrust::pki
