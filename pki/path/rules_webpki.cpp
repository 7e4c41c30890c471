#include "base/encoding.h"
#include "pki/path/host_matching.h"
#include "pki/path/rules_table.h"

namespace meshtrust::pki {
namespace {

/// SHA-256, SHA-384 and SHA-512, each with MGF1 of its own, a salt of its length and all NULLs
/// written out: the parameters of RSASSA-PSS are compared as bytes.
constexpr std::array<std::string_view, 3> kPssParameters = {
    "3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d060960864801650304"
    "02010500a203020120",
    "3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d060960864801650304"
    "02020500a203020130",
    "3034a00f300d06096086480165030402030500a11c301a06092a864886f70d010108300d060960864801650304"
    "02030500a203020140"};

bool has_known_parameters(const PathSignature& signature) {
  if (signature.is_pss) {
    return is_one_of(base::to_hex(base::as_bytes(signature.parameters)), kPssParameters);
  }
  const bool may_be_null = signature.key == KeyKind::kRsa && signature.parameters == kDerNull;
  return signature.parameters.empty() || may_be_null;
}

bool webpki_signature_allowed(const PathSignature& signature, const PathKey& issuer) {
  constexpr int kFewestBits = 2048;
  constexpr int kMostBits = 8192;
  if (!has_known_parameters(signature)) return false;
  if (signature.key == KeyKind::kEd25519) return issuer.kind == KeyKind::kEd25519;
  if (!is_sha2(signature.digest)) return false;
  if (issuer.kind == KeyKind::kRsa) {
    constexpr int kOctet = 8;
    const int bits = (issuer.bits + kOctet - 1) / kOctet * kOctet;  // as ring counts
    return bits >= kFewestBits && issuer.bits <= kMostBits && issuer.parameters == kDerNull &&
           issuer.has_sound_numbers && has_exponent_up_to(issuer, kMostOf33Bits);
  }
  return issuer.kind == KeyKind::kEc && signature.digest != Digest::kSha512 &&
         (issuer.text == "ecdsa-p256" || issuer.text == "ecdsa-p384") &&
         issuer.point_form == kUncompressedPoint;
}

bool webpki_understands(const PathFacts& /*certificate*/, const std::string& object) {
  static constexpr std::array<std::string_view, 6> kKnown = {"2.5.29.15", "2.5.29.17", "2.5.29.19",
                                                             "2.5.29.30", "2.5.29.31", "2.5.29.37"};
  return is_one_of(object, kKnown);
}

/// What it decodes; other extensions may hold anything.
constexpr std::array<std::string_view, 5> kSequences = {"subjectAltName", "basicConstraints",
                                                        "nameConstraints", "crlDistributionPoints",
                                                        "extendedKeyUsage"};

/// Constraints of a leaf bind nobody.
bool webpki_overlooks(const Defect& defect, Role role) {
  const std::string_view extension = extension_of(defect);
  const bool is_read =
      is_one_of(extension, kSequences) && (role != Role::kLeaf || extension != "nameConstraints");
  return is_about_an_extension(defect) && !is_read;
}

/// Only version 3 below the anchor, and no extension that it remembers twice.
std::string webpki_unreadable(const PathCertificate& certificate, Role role) {
  const PathFacts& facts = certificate.facts();
  if (facts.version != 3 && (role != Role::kAnchor || facts.version != 1)) {
    return "version " + std::to_string(facts.version);
  }
  if (facts.version == 1 && !facts.extensions.empty()) return "extensions in version 1";
  if (facts.has_unique_ids) return "unique identifiers";
  static constexpr std::array<std::string_view, 6> kRemembered = {
      "2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.30", "2.5.29.31", "2.5.29.37"};
  for (const std::string_view object : kRemembered) {
    if (std::ranges::count(facts.extensions, object) > 1) return "an extension twice";
  }
  // What it remembers, but for keyUsage, has to be a SEQUENCE, in anchors too.
  if (!facts.odd_extension.empty()) return facts.odd_extension;
  for (const Defect& defect : facts.defects) {
    const bool is_unread = is_undecodable(defect) || defect.check == Check::kDerTags;
    if (role == Role::kAnchor && is_unread && defect.found == "nameConstraints") {
      return defect.found;
    }
  }
  constexpr base::Instant kBeginning;  // 1970: its clock knows no time before
  if (role != Role::kAnchor && std::min(facts.not_before, facts.not_after) < kBeginning) {
    return "a time before 1970";
  }
  constexpr long kLongest = 255;
  if (role != Role::kAnchor && facts.path_length.value_or(0) > kLongest) {
    return "path length " + std::to_string(*facts.path_length);
  }
  return {};
}

Rules make_webpki_rules() {
  Rules rules;
  rules.name = "webpki";
  rules.version = "rustls-webpki 0.103 with ring";
  rules.places = table_of({{Check::kDer, kEverywhere},
                           {Check::kDerTags, kBelowAnchor},
                           {Check::kSignatureAlgorithmsEqual, kEverywhere},
                           {Check::kEncodingOfTimes, kBelowAnchor},
                           {Check::kValidityOrder, kBelowAnchor},
                           {Check::kExtensionReadable, kBelowAnchor},
                           {Check::kUnknownCritical, kBelowAnchor},
                           {Check::kCaAsLeaf, kAtLeaf},
                           {Check::kNotYetValid, kBelowAnchor},
                           {Check::kExpired, kBelowAnchor},
                           {Check::kIsCa, kAtIntermediates},
                           {Check::kPathLength, kAtIntermediates},
                           {Check::kExtendedUsage, kBelowAnchor},
                           {Check::kReferenceName, kAtLeaf},
                           {Check::kSignatureAlgorithm, kBelowAnchor},
                           {Check::kSignatureKeyType, kBelowAnchor},
                           {Check::kSignature, kBelowAnchor},
                           {Check::kNamePermitted, kEverywhere},
                           {Check::kNameExcluded, kEverywhere},
                           {Check::kNameUnsupported, kEverywhere}});
  rules.folds_names = false;
  rules.leaf_may_be_anchor = false;
  rules.anchors_may_repeat = true;
  rules.loop = LoopRule::kSameNameAndKey;
  rules.most_intermediates = 6;
  rules.most_candidates = 200'000;
  rules.most_signatures = 100;
  rules.most_comparisons = 250'000;
  rules.signatures_last = true;
  rules.constraints = {.reader = &webpki_names(),
                       .uri_always_violates = true,
                       .directory_always_violates = true,
                       .email_always_violates = true,
                       .subject_counts = false,
                       .bounds_always_violate = true};
  rules.constraints_spare_self_issued = false;
  rules.self_issued_are_free = false;
  rules.any_usage_counts = false;
  rules.usages_must_meet = false;
  rules.any_is_server_or_client = true;
  rules.host_matches = webpki_host_matches;
  rules.address_in = ip_octets;
  rules.signature_allowed = webpki_signature_allowed;
  rules.understands = webpki_understands;
  rules.view = webpki_view;
  rules.unreadable = webpki_unreadable;
  rules.overlooks = webpki_overlooks;
  return rules;
}

}  // namespace

const Rules& webpki_rules() {
  static const Rules rules = make_webpki_rules();
  return rules;
}

}  // namespace meshtrust::pki
