#include "pki/path/rules.h"

#include "pki/path/rules_table.h"

namespace meshtrust::pki {
namespace {

bool own_signature_allowed(const PathSignature& signature, const PathKey& /*issuer*/) {
  if (signature.key == KeyKind::kEd25519 || signature.key == KeyKind::kEd448) {
    return signature.parameters.empty();
  }
  if (signature.key == KeyKind::kOther || !is_sha2(signature.digest)) return false;
  if (!signature.is_pss && !has_no_parameters(signature)) return false;
  return !signature.is_pss || signature.pss_regular;
}

/// What is unknown is a defect already.
bool own_understands(const PathFacts& /*certificate*/, const std::string& /*object*/) {
  return true;
}

std::string nothing_else(const PathCertificate& /*certificate*/, Role /*role*/) {
  return {};
}

bool overlooks_nothing(const Defect& /*defect*/, Role /*role*/) {
  return false;
}

/// About the encoding of an extension that no path is decided by: access information, alternative
/// names of issuers, ...
bool is_about_an_unused_extension(const Defect& defect) {
  static constexpr std::array<std::string_view, 12> kUsed = {"keyUsage",
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
                                                             "inhibitAnyPolicy"};
  return is_about_an_extension(defect) && defect.check != Check::kCriticalFlags &&
         !is_one_of(extension_of(defect), kUsed);
}

bool validation_overlooks(const Defect& defect, Role /*role*/) {
  return is_about_an_unused_extension(defect);
}

/// How extensions are encoded that nothing is decided by, which validation overlooks.
constexpr std::array kEncoding = {Check::kDerTags, Check::kDerPadding, Check::kExtensionReadable};

bool profile_overlooks(const Defect& defect, Role /*role*/) {
  return std::ranges::find(kEncoding, defect.check) != kEncoding.end() &&
         !is_about_an_unused_extension(defect);
}

/// Where a check of profile is made. An anchor is its name, key and limits (RFC 5280 6.1.1 (d)):
/// its number is nobody's concern, and that it is a root is for whoever trusts it to say.
constexpr std::array kProfile = {PlacesOfCheck{Check::kSerialNegative, kBelowAnchor},
                                 PlacesOfCheck{Check::kSerialZero, kBelowAnchor},
                                 PlacesOfCheck{Check::kSerialLength, kBelowAnchor},
                                 PlacesOfCheck{Check::kSubjectNamed, kEverywhere},
                                 PlacesOfCheck{Check::kNamesCritical, kEverywhere},
                                 PlacesOfCheck{Check::kListEmpty, kEverywhere},
                                 PlacesOfCheck{Check::kPolicyFlags, kEverywhere},
                                 PlacesOfCheck{Check::kAuthorityKeyForm, kEverywhere},
                                 PlacesOfCheck{Check::kOwnKeyIdentifier, kEverywhere},
                                 PlacesOfCheck{Check::kCaFlagCritical, kAtAnchor},
                                 PlacesOfCheck{Check::kAlternativeNamesForm, kEverywhere},
                                 PlacesOfCheck{Check::kPathLengthWithoutCa, kEverywhere},
                                 PlacesOfCheck{Check::kCertSignWithoutCa, kEverywhere},
                                 PlacesOfCheck{Check::kCaWithoutCertSign, kAtLeaf},
                                 PlacesOfCheck{Check::kConstraintsOnLeaf, kEverywhere},
                                 PlacesOfCheck{Check::kConstraintsBounds, kEverywhere},
                                 PlacesOfCheck{Check::kConstraintsDotted, kEverywhere},
                                 PlacesOfCheck{Check::kLeafUsage, kAtLeaf}};

Places& places_of(Rules& rules, Check check) {
  return rules.places[static_cast<std::size_t>(check)];
}

Rules make_own_rules() {
  Rules rules;
  rules.name = "meshtrust";
  rules.version = "RFC 5280 and policy";
  rules.is_ours = true;
  rules.places.fill(kEverywhere);
  for (const PlacesOfCheck& row : kProfile) {
    places_of(rules, row.check) = kNowhere;
  }
  for (const PlacesOfCheck& row :
       {PlacesOfCheck{Check::kCaAsLeaf, kNowhere}, PlacesOfCheck{Check::kVersionOfCa, kAtIssuers},
        PlacesOfCheck{Check::kIsCa, kAtIssuers}, PlacesOfCheck{Check::kMaySign, kAtIssuers},
        PlacesOfCheck{Check::kPathLength, kAtIssuers},
        PlacesOfCheck{Check::kReferenceName, kAtLeaf},
        PlacesOfCheck{Check::kSignatureAlgorithm, kBelowAnchor},
        PlacesOfCheck{Check::kSignatureKeyType, kBelowAnchor},
        PlacesOfCheck{Check::kSignature, kBelowAnchor}}) {
    places_of(rules, row.check) = row.places;
  }
  rules.constraints.lone_common_names_count = true;
  rules.host_matches = dns_name_matches;
  rules.signature_allowed = own_signature_allowed;
  rules.understands = own_understands;
  rules.unreadable = nothing_else;
  rules.overlooks = validation_overlooks;
  return rules;
}

Rules make_profile_rules() {
  Rules rules = make_own_rules();
  rules.places.fill(kNowhere);
  for (const PlacesOfCheck& row : kProfile) {
    places_of(rules, row.check) = row.places;
  }
  for (const Check check : kEncoding) {
    places_of(rules, check) = kEverywhere;
  }
  rules.overlooks = profile_overlooks;
  return rules;
}

Rules make_strict_rules() {
  Rules rules = make_own_rules();
  for (const PlacesOfCheck& row : kProfile) {
    places_of(rules, row.check) = row.places;
  }
  rules.overlooks = overlooks_nothing;
  return rules;
}

}  // namespace

std::string_view name_of(Purpose purpose) {
  if (purpose == Purpose::kServer) return "server";
  return purpose == Purpose::kClient ? "client" : "any";
}

const Rules& own_rules() {
  static const Rules rules = make_own_rules();
  return rules;
}

const Rules& profile_rules() {
  static const Rules rules = make_profile_rules();
  return rules;
}

const Rules& strict_rules() {
  static const Rules rules = make_strict_rules();
  return rules;
}

std::span<const Rules* const> modelled_rules() {
  static const std::array<const Rules*, 3> rules = {&go_rules(), &boringssl_rules(),
                                                    &webpki_rules()};
  return rules;
}

}  // namespace meshtrust::pki
