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

Rules make_own_rules() {
  Rules rules;
  rules.name = "meshtrust";
  rules.version = "RFC 5280 and policy";
  rules.places.fill(kEverywhere);
  const auto set = [&rules](Check check, Places places) {
    rules.places[static_cast<std::size_t>(check)] = places;
  };
  // An anchor is its name, key and limits (RFC 5280 6.1.1 (d)): its number is nobody's concern.
  set(Check::kSerialNegative, kBelowAnchor);
  set(Check::kSerialZero, kBelowAnchor);
  set(Check::kSerialLength, kBelowAnchor);
  set(Check::kCaFlagCritical, kAtAnchor);
  set(Check::kConstraintsOnLeaf, kEverywhere);
  set(Check::kCaAsLeaf, kNowhere);
  set(Check::kVersionOfCa, kAtIssuers);
  set(Check::kIsCa, kAtIssuers);
  set(Check::kMaySign, kAtIssuers);
  set(Check::kPathLength, kAtIssuers);
  set(Check::kLeafUsage, kAtLeaf);
  set(Check::kReferenceName, kAtLeaf);
  set(Check::kSignatureAlgorithm, kBelowAnchor);
  set(Check::kSignatureKeyType, kBelowAnchor);
  set(Check::kSignature, kBelowAnchor);
  rules.host_matches = dns_name_matches;
  rules.signature_allowed = own_signature_allowed;
  rules.understands = own_understands;
  rules.unreadable = nothing_else;
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

std::span<const Rules* const> modelled_rules() {
  static const std::array<const Rules*, 3> rules = {&go_rules(), &boringssl_rules(),
                                                    &webpki_rules()};
  return rules;
}

}  // namespace meshtrust::pki
