#include "pki/path/name_trees.h"
#include "pki/path/rules_table.h"

namespace meshtrust::pki {
namespace {

constexpr std::string_view kGoVersion = "Go 1.26 crypto/x509";

bool go_signature_allowed(const PathSignature& signature, const PathKey& issuer) {
  constexpr int kFewestBits = 1024;  // crypto/rsa's own bound
  constexpr std::uint64_t kLargestExponent = (1ULL << 31U) - 1;
  if (signature.key == KeyKind::kEd25519) {
    return issuer.kind == KeyKind::kEd25519 && signature.parameters.empty();
  }
  if (!is_sha2(signature.digest) || (signature.is_pss && !signature.pss_regular)) return false;
  if (issuer.kind == KeyKind::kRsa) {
    return issuer.bits >= kFewestBits && has_exponent_up_to(issuer, kLargestExponent);
  }
  return issuer.kind == KeyKind::kEc;
}

bool go_understands(const PathFacts& certificate, const std::string& object) {
  static constexpr std::array<std::string_view, 9> kKnown = {"2.5.29.15", "2.5.29.19", "2.5.29.31",
                                                             "2.5.29.32", "2.5.29.33", "2.5.29.36",
                                                             "2.5.29.37", "2.5.29.54", "2.5.29.30"};
  const auto is_text_or_ip = [](NameForm form) {
    return form == NameForm::kDns || form == NameForm::kEmail || form == NameForm::kUri ||
           form == NameForm::kIp;
  };
  if (object == "2.5.29.17") {
    return std::ranges::any_of(certificate.alternative_names, [&](const PathGeneralName& name) {
      return is_text_or_ip(name.form);
    });
  }
  if (object == "2.5.29.30" && certificate.constraints) {
    const auto known = [&](const PathSubtree& tree) { return is_text_or_ip(tree.base.form); };
    return std::ranges::all_of(certificate.constraints->permitted, known) &&
           std::ranges::all_of(certificate.constraints->excluded, known);
  }
  return is_one_of(object, kKnown);
}

bool go_reads_name(const PathGeneralName& name) {
  const bool is_text =
      name.form == NameForm::kUri || name.form == NameForm::kDns || name.form == NameForm::kEmail;
  if (is_text && std::ranges::any_of(name.value, [](char c) { return (c & 0x80) != 0; })) {
    return false;
  }
  if (name.form == NameForm::kUri) return go_reads_uri(name.value);
  return name.form != NameForm::kIp || name.value.size() == 4 || name.value.size() == 16;
}

bool go_reads_constraints(const PathConstraints& constraints) {
  if (constraints.permitted.empty() && constraints.excluded.empty()) return false;
  return NameTrees(constraints.permitted, false, go_names()).malformed().empty() &&
         NameTrees(constraints.excluded, true, go_names()).malformed().empty();
}

bool go_reads_key(const PathKey& key) {
  static constexpr std::array<std::string_view, 4> kCurves = {"ecdsa-secp224r1", "ecdsa-p256",
                                                              "ecdsa-p384", "ecdsa-p521"};
  if (key.kind == KeyKind::kEc) {
    return is_one_of(key.text, kCurves) && key.point_form == kUncompressedPoint;
  }
  return key.kind != KeyKind::kRsa || (key.exponent > 0 && key.exponent <= INT64_MAX);
}

std::string go_unreadable(const PathFacts& certificate, Role /*role*/) {
  if (certificate.version > 3) return "version " + std::to_string(certificate.version);
  for (const PathGeneralName& name : certificate.alternative_names) {
    if (!go_reads_name(name)) return std::string(name_of(name.form)) + " '" + name.text + "'";
  }
  if (certificate.constraints && !go_reads_constraints(*certificate.constraints)) {
    return "nameConstraints";
  }
  return go_reads_key(certificate.key) ? "" : "key " + certificate.key.text;
}

/// Extensions that it does not decode may hold anything. What is wrong with policies only by their
/// numbers or flags is not seen, and a UTCTime may lack its seconds.
bool go_overlooks(const Defect& defect, Role /*role*/) {
  static constexpr std::array<std::string_view, 13> kDecoded = {"keyUsage",
                                                                "basicConstraints",
                                                                "subjectAltName",
                                                                "nameConstraints",
                                                                "crlDistributionPoints",
                                                                "authorityKeyIdentifier",
                                                                "subjectKeyIdentifier",
                                                                "extendedKeyUsage",
                                                                "certificatePolicies",
                                                                "policyMappings",
                                                                "policyConstraints",
                                                                "inhibitAnyPolicy",
                                                                "authorityInfoAccess"};
  static constexpr std::array<std::string_view, 2> kLimits = {"policyConstraints",
                                                              "inhibitAnyPolicy"};
  const std::string_view extension = extension_of(defect);
  switch (defect.check) {
    case Check::kEncodingOfTimes:
      return defect.found == kUtcTimeWithoutSeconds;
    case Check::kCriticalFlags:
      return is_one_of(extension, kLimits) || !is_one_of(extension, kDecoded);
    case Check::kExtensionReadable:
      return is_undecodable(defect) ? !is_one_of(extension, kDecoded)
                                    : is_one_of(extension, kLimits);
    default:
      return false;
  }
}

Rules make_go_rules() {
  Rules rules;
  rules.name = "go";
  rules.version = kGoVersion;
  rules.places = table_of({{Check::kDer, kEverywhere},
                           {Check::kDerTags, kEverywhere},
                           {Check::kDerPadding, kEverywhere},
                           {Check::kSerialNegative, kEverywhere},
                           {Check::kSignatureAlgorithmsEqual, kEverywhere},
                           {Check::kEncodingOfTimes, kEverywhere},
                           {Check::kDuplicateExtension, kEverywhere},
                           {Check::kExtensionReadable, kEverywhere},
                           {Check::kUnknownCritical, kEverywhere},
                           {Check::kCriticalFlags, kEverywhere},
                           {Check::kNotYetValid, kEverywhere},
                           {Check::kExpired, kEverywhere},
                           {Check::kIsCa, kAtIssuers},
                           {Check::kMaySign, kAtIssuers},
                           {Check::kPathLength, kAtIssuers},
                           {Check::kExtendedUsage, kEverywhere},
                           {Check::kReferenceName, kAtLeaf},
                           {Check::kSignatureAlgorithm, kBelowAnchor},
                           {Check::kSignatureKeyType, kBelowAnchor},
                           {Check::kSignature, kBelowAnchor},
                           {Check::kNamePermitted, kEverywhere},
                           {Check::kNameExcluded, kEverywhere},
                           {Check::kNameUnsupported, kEverywhere},
                           {Check::kPolicy, kEverywhere}});
  rules.folds_names = false;
  rules.loop = LoopRule::kSameNameKeyAndNames;
  rules.most_candidates = 100;
  rules.constraints = {.reader = &go_names(),
                       .uri_always_violates = false,
                       .directory_always_violates = false,
                       .email_always_violates = false,
                       .address_always_violates = false,
                       .subject_counts = false,
                       .directory_counts = false,
                       .reads_every_name = true};
  rules.constraints_spare_self_issued = false;
  rules.constraints_spare_without_names = true;
  rules.self_issued_are_free = false;
  rules.usages_must_meet = false;
  rules.labels_behind_wildcard = 1;
  rules.old_versions_are_bare = true;
  rules.reads_the_whole_chain = true;
  rules.signature_allowed = go_signature_allowed;
  rules.understands = go_understands;
  rules.unreadable = go_unreadable;
  rules.overlooks = go_overlooks;
  return rules;
}

}  // namespace

const Rules& go_rules() {
  static const Rules rules = make_go_rules();
  return rules;
}

}  // namespace meshtrust::pki
