#include "pki/path/der_reader.h"
#include "pki/path/host_matching.h"
#include "pki/path/rules_table.h"

namespace meshtrust::pki {
namespace {

bool boringssl_signature_allowed(const PathSignature& signature, const PathKey& issuer) {
  constexpr int kMostBits = 16384;
  constexpr unsigned char kHybridPoint = 6;
  static constexpr std::array<std::string_view, 4> kCurves = {"ecdsa-secp224r1", "ecdsa-p256",
                                                              "ecdsa-p384", "ecdsa-p521"};
  if (issuer.kind == KeyKind::kRsa &&
      (issuer.bits > kMostBits || issuer.parameters != kDerNull || !issuer.has_sound_numbers ||
       !has_exponent_up_to(issuer, kMostOf33Bits))) {
    return false;
  }
  if (issuer.kind == KeyKind::kEc &&
      (issuer.point_form >= kHybridPoint || !is_one_of(issuer.text, kCurves))) {
    return false;
  }
  if (signature.key == KeyKind::kEd25519) return signature.parameters.empty();
  if (!signature.is_pss && !has_no_parameters(signature)) return false;
  if (signature.key == KeyKind::kOther || signature.key == KeyKind::kEd448) return false;
  if (signature.is_pss) return signature.pss_regular && is_sha2(signature.digest);
  return is_sha2(signature.digest) || signature.digest == Digest::kSha1 ||
         signature.digest == Digest::kSha224;
}

bool boringssl_understands(const PathFacts& /*certificate*/, const std::string& object) {
  static constexpr std::array<std::string_view, 9> kKnown = {"2.5.29.15", "2.5.29.17", "2.5.29.19",
                                                             "2.5.29.30", "2.5.29.32", "2.5.29.33",
                                                             "2.5.29.36", "2.5.29.37", "2.5.29.54"};
  return is_one_of(object, kKnown);
}

constexpr std::array<std::string_view, 4> kDecodedLate = {"certificatePolicies", "policyMappings",
                                                          "policyConstraints", "inhibitAnyPolicy"};

/// Policies are decoded when a path is complete, those of its anchor never, and mappings of issuers
/// alone.
bool is_ever_decoded(std::string_view late, Role role) {
  return role == Role::kIntermediate || (role == Role::kLeaf && late != "policyMappings");
}

/// A time that it decodes, and cannot compare.
bool is_odd_time(const Defect& defect) {
  return defect.found == kUtcTimeWithOffset || defect.found == kUtcTimeWithNoOffset;
}

/// What BoringSSL takes for a truth value, crypto/asn1/tasn_dec.cc: any octet but zero is true.
std::optional<ViewedExtension> boringssl_view(std::string_view object, base::ByteView value) {
  if (object != "2.5.29.19") return std::nullopt;
  DerReader reader(value);
  const auto whole = reader.take(kSequenceTag);
  const auto flag = whole ? DerReader(whole->content).take(kBooleanTag) : std::nullopt;
  if (!flag || flag->content.size() != 1) return std::nullopt;
  base::Bytes seen(value.begin(), value.end());
  std::uint8_t& truth = seen[static_cast<std::size_t>(flag->content.data() - value.data())];
  truth = truth == 0 ? 0 : 0xff;
  return ViewedExtension{.value = std::move(seen)};
}

/// An RDN of no attribute is none (X.501 9.2).
bool boringssl_reads_names(const PathFacts& certificate) {
  return !certificate.subject.has_empty_rdn && !certificate.issuer.has_empty_rdn;
}

std::string boringssl_unreadable(const PathCertificate& certificate, Role role) {
  const PathFacts& facts = certificate.facts();
  for (const Defect& defect : facts.defects) {
    const std::string_view extension = extension_of(defect);
    const bool is_late = is_one_of(extension, kDecodedLate) && is_ever_decoded(extension, role);
    if ((is_late && is_undecodable(defect)) || is_odd_time(defect)) return defect.found;
  }
  if (role == Role::kAnchor) return {};
  const PathPolicies& policies = facts.policies;
  std::vector<std::string> sorted = policies.policies.value_or(std::vector<std::string>());
  std::ranges::sort(sorted);
  const bool twice = std::ranges::adjacent_find(sorted) != sorted.end();
  if (has_extension(facts, "2.5.29.32") && (sorted.empty() || twice)) {
    return "certificatePolicies";
  }
  const bool maps = role == Role::kIntermediate && has_extension(facts, "2.5.29.33");
  if (maps && policies.mappings.empty()) return "policyMappings";
  const bool unlimited = !policies.require_explicit && !policies.inhibit_mapping;
  const bool below_zero =
      policies.require_explicit.value_or(0) < 0 || policies.inhibit_mapping.value_or(0) < 0;
  if (has_extension(facts, "2.5.29.36") && (unlimited || below_zero)) {
    return "policyConstraints";
  }
  const bool inhibits = has_extension(facts, "2.5.29.54");
  return inhibits && policies.inhibit_any.value_or(-1) < 0 ? "inhibitAnyPolicy" : "";
}

/// Extensions that it does not decode, or not yet, may hold anything.
bool boringssl_overlooks(const Defect& defect, Role role) {
  static constexpr std::array<std::string_view, 8> kDecoded = {
      "basicConstraints",       "keyUsage",       "extendedKeyUsage", "subjectKeyIdentifier",
      "authorityKeyIdentifier", "subjectAltName", "nameConstraints",  "crlDistributionPoints"};
  const std::string_view extension = extension_of(defect);
  const bool is_decoded = is_one_of(extension, kDecoded);
  const bool is_late = is_one_of(extension, kDecodedLate) && is_ever_decoded(extension, role);
  if (defect.check == Check::kDuplicateExtension) {
    return !is_decoded && !is_one_of(extension, kDecodedLate);
  }
  if (defect.found == kHugePathLength || is_odd_time(defect)) return true;  // or later
  if (defect.check == Check::kExtensionReadable) return !is_decoded;
  return is_about_an_extension(defect) && !is_decoded && !is_late;
}

Rules make_boringssl_rules() {
  Rules rules;
  rules.name = "boringssl";
  rules.version = "BoringSSL of boring 5.4, set as Envoy sets it";
  rules.places = table_of({{Check::kDerTags, kEverywhere},
                           {Check::kDerPadding, kEverywhere},
                           {Check::kVersion, kEverywhere},
                           {Check::kSignatureAlgorithmsEqual, kBelowAnchor},
                           {Check::kEncodingOfTimes, kEverywhere},
                           {Check::kPathLengthWithoutCa, kEverywhere},
                           {Check::kDuplicateExtension, kEverywhere},
                           {Check::kExtensionReadable, kEverywhere},
                           {Check::kUnknownCritical, kBelowAnchor},
                           {Check::kNotYetValid, kEverywhere},
                           {Check::kExpired, kEverywhere},
                           {Check::kIsCa, kAtIntermediates},
                           {Check::kMaySign, kAtIssuers},
                           {Check::kPathLength, kAtIntermediates},
                           {Check::kExtendedUsage, kBelowAnchor},
                           {Check::kLeafUsage, kAtLeaf},
                           {Check::kReferenceName, kAtLeaf},
                           {Check::kSignatureAlgorithm, kBelowAnchor},
                           {Check::kSignatureKeyType, kBelowAnchor},
                           {Check::kSignature, kBelowAnchor},
                           {Check::kNamePermitted, kEverywhere},
                           {Check::kNameExcluded, kEverywhere},
                           {Check::kNameUnsupported, kEverywhere},
                           {Check::kPolicy, kEverywhere}});
  rules.turns_back = false;
  rules.loop = LoopRule::kSameCertificate;
  rules.any_usage_counts = false;
  rules.usages_must_meet = false;
  rules.any_is_server_or_client = true;
  rules.host_matches = boringssl_host_matches;
  rules.last_second_counts = false;
  rules.reads_the_whole_chain = true;
  rules.reads_extensions_late = true;
  rules.constraints.reader = &boringssl_names();
  rules.constraints.subject_mail_is_ia5 = true;
  rules.constraints.address_always_violates = true;
  rules.constraints.most_comparisons = 1U << 20U;
  rules.refused_common_name = boringssl_takes_for_host;
  rules.signature_allowed = boringssl_signature_allowed;
  rules.understands = boringssl_understands;
  rules.view = boringssl_view;
  rules.reads_names = boringssl_reads_names;
  rules.unreadable = boringssl_unreadable;
  rules.overlooks = boringssl_overlooks;
  return rules;
}

}  // namespace

const Rules& boringssl_rules() {
  static const Rules rules = make_boringssl_rules();
  return rules;
}

}  // namespace meshtrust::pki
