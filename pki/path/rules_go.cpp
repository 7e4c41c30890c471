#include "pki/path/host_matching.h"
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

bool go_reads_key(const PathKey& key) {
  static constexpr std::array<std::string_view, 4> kCurves = {"ecdsa-secp224r1", "ecdsa-p256",
                                                              "ecdsa-p384", "ecdsa-p521"};
  constexpr std::string_view kDsa = "1.2.840.10040.4.1";
  constexpr char kSequence = 0x30;
  // Of those that it knows, what OpenSSL cannot decode, it cannot decode either.
  static constexpr std::array<std::string_view, 4> kDecoded = {
      "1.2.840.113549.1.1.1", "1.2.840.10045.2.1", "1.3.101.112", kDsa};
  if (!key.is_whole_octets && is_one_of(key.algorithm, kDecoded)) return false;
  if (key.algorithm == kDsa) {
    return key.parameters.starts_with(kSequence) && key.text != kUnreadableKey;
  }
  if (key.kind == KeyKind::kEc) {
    return is_one_of(key.text, kCurves) && key.point_form == kUncompressedPoint;
  }
  if (key.kind == KeyKind::kRsa) {
    return key.exponent > 0 && key.exponent <= INT64_MAX && key.has_sound_numbers &&
           key.parameters == kDerNull;
  }
  if (key.kind == KeyKind::kEd25519) return key.parameters.empty();
  return key.kind != KeyKind::kOther || !is_one_of(key.algorithm, kDecoded);
}

/// Its numbers of objects are of 31 bits; a policy's are longer.
bool go_reads_object(std::string_view dotted) {
  constexpr std::size_t kMostDigits = 10;
  constexpr std::string_view kTooLarge = "2147483648";
  while (true) {
    const auto dot = dotted.find('.');
    const std::string_view arc = dotted.substr(0, dot);
    if (arc.size() > kMostDigits || (arc.size() == kMostDigits && arc >= kTooLarge)) return false;
    if (dot == std::string_view::npos) return true;
    dotted.remove_prefix(dot + 1);
  }
}

bool go_reads_objects(const PathFacts& certificate) {
  return std::ranges::all_of(certificate.extensions, go_reads_object) &&
         (!certificate.extended_usage ||
          std::ranges::all_of(certificate.extended_usage->objects, go_reads_object));
}

std::string go_unreadable(const PathCertificate& certificate, Role /*role*/) {
  const PathFacts& facts = certificate.facts();
  if (facts.version < 1 || facts.version > 3) {
    return "version " + std::to_string(facts.version);
  }
  for (const PathGeneralName& name : facts.alternative_names) {
    if (!go_reads_name(name)) return std::string(name_of(name.form)) + " '" + name.text + "'";
  }
  const NameSpace* space = certificate.name_space();
  if (space != nullptr && !space->malformed(go_names()).empty()) return "nameConstraints";
  if (!facts.issuer.has_sound_texts) return "issuer '" + facts.issuer.text + "'";
  if (!facts.subject.has_sound_texts) return "subject '" + facts.subject.text + "'";
  if (std::ranges::any_of(facts.distribution_points, &PathDistributionPoint::has_relative_name)) {
    return "crlDistributionPoints with a name relative to the issuer";
  }
  if (facts.policies.has_huge_number) return "a limit of policies beyond 2^63";
  if (!go_reads_objects(facts)) return "an object identifier with a long number";
  return go_reads_key(facts.key) ? "" : "key " + facts.key.text;
}

/// Extensions that it does not decode may hold anything. What is wrong with policies only by their
/// numbers is not seen, a UTCTime may lack its seconds, and times may have an offset.
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
  static constexpr std::array kTimes = {kUtcTimeWithoutSeconds, kUtcTimeWithOffset,
                                        kTimeWithOffset};
  const std::string_view extension = extension_of(defect);
  if (is_about_an_extension(defect) && !is_one_of(extension, kDecoded)) return true;
  switch (defect.check) {
    case Check::kEncodingOfTimes:
      return is_one_of(defect.found, kTimes);
    case Check::kExtensionReadable:
      return !is_undecodable(defect) && is_one_of(extension, kLimits);
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
                       .subject_counts = false,
                       .directory_counts = false,
                       .reads_every_name = true};
  rules.constraints_spare_self_issued = false;
  rules.constraints_spare_without_names = true;
  rules.self_issued_are_free = false;
  rules.usages_must_meet = false;
  rules.idle_mappings_count = false;
  rules.host_matches = go_host_matches;
  rules.address_in = go_address_in;
  rules.maps_addresses = true;
  rules.empty_usage_denies = false;
  rules.old_versions_are_bare = true;
  rules.reads_the_whole_chain = true;
  rules.signature_allowed = go_signature_allowed;
  rules.understands = go_understands;
  rules.view = go_view;
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
