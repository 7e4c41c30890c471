#include "pki/path/rules.h"

#include <algorithm>
#include <initializer_list>

namespace meshtrust::pki {
namespace {

using Table = std::array<Places, kCheckCount>;

struct Row {
  Check check;
  Places places;
};

Table table_of(std::initializer_list<Row> rows) {
  Table table{};
  for (const Row& row : rows) {
    table[static_cast<std::size_t>(row.check)] = row.places;
  }
  return table;
}

bool is_sha2(Digest digest) {
  return digest == Digest::kSha256 || digest == Digest::kSha384 || digest == Digest::kSha512;
}

bool is_one_of(const std::string& object, std::span<const std::string_view> objects) {
  return std::ranges::find(objects, object) != objects.end();
}

constexpr std::string_view kPolicies = "2.5.29.32";

// --- ours ---------------------------------------------------------------------------------------

bool own_signature_allowed(const PathSignature& signature, const PathKey& /*issuer*/) {
  if (signature.key == KeyKind::kEd25519 || signature.key == KeyKind::kEd448) return true;
  if (signature.key == KeyKind::kOther || !is_sha2(signature.digest)) return false;
  return !signature.is_pss || signature.pss_regular;
}

/// What is unknown is a defect already.
bool own_understands(const PathFacts& /*certificate*/, const std::string& /*object*/) {
  return true;
}

std::string nothing_else(const PathFacts& /*certificate*/, Role /*role*/) {
  return {};
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
  set(Check::kKeyIdentifiers, kNowhere);
  rules.signature_allowed = own_signature_allowed;
  rules.understands = own_understands;
  rules.unreadable = nothing_else;
  return rules;
}

// --- Go -----------------------------------------------------------------------------------------

constexpr std::string_view kGoVersion = "Go 1.26 crypto/x509";

bool go_signature_allowed(const PathSignature& signature, const PathKey& issuer) {
  constexpr int kFewestBits = 1024;  // crypto/rsa's own bound
  if (signature.key == KeyKind::kEd25519) return issuer.kind == KeyKind::kEd25519;
  if (!is_sha2(signature.digest) || (signature.is_pss && !signature.pss_regular)) return false;
  if (issuer.kind == KeyKind::kRsa) return issuer.bits >= kFewestBits;
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

/// Hosts that end in a dot, or hold what is no part of a name, keep Go from reading a certificate.
bool go_reads_host(std::string_view uri) {
  const auto slashes = uri.find("://");
  if (slashes == std::string_view::npos) return true;
  std::string_view host = uri.substr(slashes + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  host = host.substr(host.rfind('@') + 1);
  if (host.empty()) return true;
  if (host.find('%') != std::string_view::npos || host.back() == '.') return false;
  return host.find("..") == std::string_view::npos && host.front() != '.';
}

std::string go_unreadable(const PathFacts& certificate, Role /*role*/) {
  for (const PathGeneralName& name : certificate.alternative_names) {
    if (name.form == NameForm::kUri && !go_reads_host(name.value)) return "URI '" + name.text + "'";
    const bool is_ip = name.value.size() == 4 || name.value.size() == 16;
    if (name.form == NameForm::kIp && !is_ip) return "address " + name.text;
    const bool is_text =
        name.form == NameForm::kUri || name.form == NameForm::kDns || name.form == NameForm::kEmail;
    if (is_text && std::ranges::any_of(name.value, [](char c) { return (c & 0x80) != 0; })) {
      return "a name that is not ASCII";
    }
  }
  static constexpr std::array<std::string_view, 4> kCurves = {"ecdsa-secp224r1", "ecdsa-p256",
                                                              "ecdsa-p384", "ecdsa-p521"};
  if (certificate.key.kind == KeyKind::kEc && !is_one_of(certificate.key.text, kCurves)) {
    return "key " + certificate.key.text;
  }
  return {};
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
                           {Check::kConstraintsForm, kEverywhere},
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
  rules.constraints = {.uri_always_violates = false,
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
  return rules;
}

// --- BoringSSL ----------------------------------------------------------------------------------

bool boringssl_signature_allowed(const PathSignature& signature, const PathKey& /*issuer*/) {
  if (signature.key == KeyKind::kEd25519) return true;
  if (signature.key == KeyKind::kOther || signature.key == KeyKind::kEd448) return false;
  if (signature.is_pss) return signature.pss_regular && is_sha2(signature.digest);
  return is_sha2(signature.digest) || signature.digest == Digest::kSha1 ||
         signature.digest == Digest::kSha224;
}

bool boringssl_understands(const PathFacts& /*certificate*/, const std::string& object) {
  static constexpr std::array<std::string_view, 9> kKnown = {"2.5.29.15", "2.5.29.17", "2.5.29.19",
                                                             "2.5.29.30", kPolicies,   "2.5.29.33",
                                                             "2.5.29.36", "2.5.29.37", "2.5.29.54"};
  return is_one_of(object, kKnown);
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
                           {Check::kKeyIdentifiers, kBelowAnchor},
                           {Check::kNamePermitted, kEverywhere},
                           {Check::kNameExcluded, kEverywhere},
                           {Check::kNameUnsupported, kEverywhere},
                           {Check::kPolicy, kEverywhere}});
  rules.turns_back = false;
  rules.identifiers_bind = true;
  rules.anchors_may_continue = true;
  rules.self_signed_ends = true;
  rules.loop = LoopRule::kSameCertificate;
  rules.any_usage_counts = false;
  rules.usages_must_meet = false;
  rules.any_is_server_or_client = true;
  rules.labels_behind_wildcard = 2;
  rules.rooted_names_match = false;
  rules.last_second_counts = false;
  rules.constraints.address_always_violates = true;
  rules.constraints_refuse_lone_common_name = true;
  rules.signature_allowed = boringssl_signature_allowed;
  rules.understands = boringssl_understands;
  rules.unreadable = nothing_else;
  return rules;
}

// --- rustls-webpki ------------------------------------------------------------------------------

bool webpki_signature_allowed(const PathSignature& signature, const PathKey& issuer) {
  constexpr int kFewestBits = 2048;
  constexpr int kMostBits = 8192;
  if (signature.key == KeyKind::kEd25519) return issuer.kind == KeyKind::kEd25519;
  if (!is_sha2(signature.digest) || (signature.is_pss && !signature.pss_regular)) return false;
  if (issuer.kind == KeyKind::kRsa) {
    return issuer.bits >= kFewestBits && issuer.bits <= kMostBits;
  }
  return issuer.kind == KeyKind::kEc && signature.digest != Digest::kSha512 &&
         (issuer.text == "ecdsa-p256" || issuer.text == "ecdsa-p384");
}

bool webpki_understands(const PathFacts& /*certificate*/, const std::string& object) {
  static constexpr std::array<std::string_view, 6> kKnown = {"2.5.29.15", "2.5.29.17", "2.5.29.19",
                                                             "2.5.29.30", "2.5.29.31", "2.5.29.37"};
  return is_one_of(object, kKnown);
}

/// Only version 3 below the anchor, and no extension that it remembers twice.
std::string webpki_unreadable(const PathFacts& certificate, Role role) {
  if (certificate.version != 3 && (role != Role::kAnchor || certificate.version != 1)) {
    return "version " + std::to_string(certificate.version);
  }
  if (certificate.version == 1 && !certificate.extensions.empty()) return "extensions in version 1";
  static constexpr std::array<std::string_view, 6> kRemembered = {
      "2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.30", "2.5.29.31", "2.5.29.37"};
  for (const std::string_view object : kRemembered) {
    if (std::ranges::count(certificate.extensions, object) > 1) return "an extension twice";
  }
  // What it remembers, but for keyUsage, has to be a SEQUENCE, in anchors too.
  static constexpr std::array<std::string_view, 5> kSequences = {
      "subjectAltName", "basicConstraints", "nameConstraints", "crlDistributionPoints",
      "extendedKeyUsage"};
  for (const Defect& defect : certificate.defects) {
    if (defect.check == Check::kDerTags && is_one_of(defect.found, kSequences)) return defect.found;
  }
  constexpr long kLongest = 255;
  if (role != Role::kAnchor && certificate.path_length.value_or(0) > kLongest) {
    return "path length " + std::to_string(*certificate.path_length);
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
  rules.signatures_last = true;
  rules.constraints = {.uri_always_violates = true,
                       .directory_always_violates = true,
                       .email_always_violates = true,
                       .address_always_violates = false,
                       .subject_counts = false,
                       .directory_counts = true};
  rules.constraints_spare_self_issued = false;
  rules.self_issued_are_free = false;
  rules.any_usage_counts = false;
  rules.usages_must_meet = false;
  rules.any_is_server_or_client = true;
  rules.labels_behind_wildcard = 2;
  rules.signature_allowed = webpki_signature_allowed;
  rules.understands = webpki_understands;
  rules.unreadable = webpki_unreadable;
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

const Rules& go_rules() {
  static const Rules rules = make_go_rules();
  return rules;
}

const Rules& boringssl_rules() {
  static const Rules rules = make_boringssl_rules();
  return rules;
}

const Rules& webpki_rules() {
  static const Rules rules = make_webpki_rules();
  return rules;
}

std::span<const Rules* const> modelled_rules() {
  static const std::array<const Rules*, 3> rules = {&go_rules(), &boringssl_rules(),
                                                    &webpki_rules()};
  return rules;
}

}  // namespace meshtrust::pki
