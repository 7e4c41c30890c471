#include "pki/path/path_extensions.h"

#include "base/encoding.h"
#include "base/text.h"
#include "pki/der.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"
#include "pki/path/der_reader.h"

#include <algorithm>
#include <array>
#include <unordered_set>

namespace meshtrust::pki {
namespace {

using DistributionPoints = Handle<CRL_DIST_POINTS, CRL_DIST_POINTS_free>;
using Policies = Handle<CERTIFICATEPOLICIES, CERTIFICATEPOLICIES_free>;
inline void free_mappings(POLICY_MAPPINGS* mappings) {
  sk_POLICY_MAPPING_pop_free(mappings, POLICY_MAPPING_free);
}
using Mappings = Handle<POLICY_MAPPINGS, free_mappings>;
using PolicyLimits = Handle<POLICY_CONSTRAINTS, POLICY_CONSTRAINTS_free>;
using Subtrees = Handle<NAME_CONSTRAINTS, NAME_CONSTRAINTS_free>;

/// Where extensions are read, and what is read of them.
struct Reading {
  const X509& certificate;
  PathFacts& facts;

  void defect(Check check, std::string found, std::string wanted = {}) const {
    facts.defects.push_back(
        {.check = check, .found = std::move(found), .wanted = std::move(wanted)});
  }
};

/// Names for people: "basicConstraints", or dotted numbers.
std::string extension_text(const X509_EXTENSION* extension) {
  return object_text(X509_EXTENSION_get_object(const_cast<X509_EXTENSION*>(extension)));  // NOLINT
}

void read_basic_constraints(const Reading& reading, const BASIC_CONSTRAINTS& value, bool critical) {
  PathFacts& facts = reading.facts;
  facts.has_basic_constraints = true;
  facts.basic_constraints_critical = critical;
  facts.is_ca = value.ca != 0;
  if (value.pathlen == nullptr) return;
  if ((value.pathlen->type & V_ASN1_NEG) != 0) {
    reading.defect(Check::kExtensionReadable, "basicConstraints with a path length below zero");
    return;
  }
  constexpr long kMost = 1'000'000;  // more than any chain has
  std::int64_t length = 0;
  const bool fits = ASN1_INTEGER_get_int64(&length, value.pathlen) == 1;
  const bool small = fits && length < kMost;
  forget_openssl_errors();
  if (!fits) reading.defect(Check::kExtensionReadable, std::string(kHugePathLength));
  facts.path_length = small ? static_cast<long>(length) : kMost;
  if (!facts.is_ca) {
    reading.defect(Check::kPathLengthWithoutCa, "CA:FALSE, pathlen:" + std::to_string(length));
  }
}

void read_key_usage(const Reading& reading, const ASN1_BIT_STRING& value) {
  unsigned bits = 0;
  constexpr unsigned kBits = 9;
  for (unsigned bit = 0; bit < kBits; ++bit) {
    if (ASN1_BIT_STRING_get_bit(&value, static_cast<int>(bit)) == 1) bits |= 1U << bit;
  }
  reading.facts.key_usage = bits;
  if (bits == 0) reading.defect(Check::kKeyUsageEmpty, "no bit");
}

void read_extended_usage(const Reading& reading, const EXTENDED_KEY_USAGE* objects) {
  PathExtendedUsage usage;
  for (int i = 0; i < sk_ASN1_OBJECT_num(objects); ++i) {
    const ASN1_OBJECT* object = sk_ASN1_OBJECT_value(objects, i);
    usage.objects.push_back(dotted_text(object));
    switch (OBJ_obj2nid(object)) {
      case NID_server_auth:
        usage.purposes |= kServerAuth;
        break;
      case NID_client_auth:
        usage.purposes |= kClientAuth;
        break;
      case NID_anyExtendedKeyUsage:
        usage.purposes |= kAnyUsage;
        break;
      default:
        break;
    }
  }
  if (usage.objects.empty()) reading.defect(Check::kExtensionEmpty, "extendedKeyUsage");
  reading.facts.extended_usage = std::move(usage);
}

/// Null for a name of another form.
const X509_NAME* directory_of(const GENERAL_NAME* name) {
  int type = 0;
  const void* value = GENERAL_NAME_get0_value(name, &type);
  return type == GEN_DIRNAME ? static_cast<const X509_NAME*>(value) : nullptr;
}

void read_authority_key(const Reading& reading, const AUTHORITY_KEYID& value) {
  PathFacts& facts = reading.facts;
  if (value.keyid != nullptr) {
    facts.authority_key_id = std::string(base::as_text(content_of(value.keyid)));
  }
  if (value.serial != nullptr) {
    facts.authority_serial = std::string(base::as_text(content_of(value.serial)));
  }
  for (int i = 0; i < sk_GENERAL_NAME_num(value.issuer); ++i) {
    const X509_NAME* name = directory_of(sk_GENERAL_NAME_value(value.issuer, i));
    if (name == nullptr) continue;
    facts.authority_name = path_name(name);
    break;
  }
  const bool has_issuer = value.issuer != nullptr;
  if (has_issuer != (value.serial != nullptr)) {
    reading.defect(Check::kAuthorityKeyForm, has_issuer ? "an issuer alone" : "a serial alone",
                   "both or neither");
  } else if (!has_issuer && value.keyid == nullptr) {
    reading.defect(Check::kAuthorityKeyForm, "nothing in it", "a key identifier");
  }
}

bool has_minimum_of_zero(const GENERAL_SUBTREE& subtree) {
  return subtree.minimum != nullptr && subtree.maximum == nullptr &&
         ASN1_INTEGER_get(subtree.minimum) == 0;
}

std::vector<PathSubtree> subtrees_of(const STACK_OF(GENERAL_SUBTREE) * stack) {
  std::vector<PathSubtree> out;
  for (int i = 0; i < sk_GENERAL_SUBTREE_num(stack); ++i) {
    const GENERAL_SUBTREE* subtree = sk_GENERAL_SUBTREE_value(stack, i);
    PathSubtree tree{.base = path_general_name(*subtree->base),
                     .has_bounds = subtree->minimum != nullptr || subtree->maximum != nullptr,
                     .has_minimum_of_zero = has_minimum_of_zero(*subtree)};
    if (tree.base.form == NameForm::kIp) {
      tree.base.text = base::to_hex(base::as_bytes(tree.base.value));
    }
    out.push_back(std::move(tree));
  }
  return out;
}

/// There, and of none. Two of them are a defect of form.
bool is_empty(const STACK_OF(GENERAL_SUBTREE) * stack) {
  return stack != nullptr && sk_GENERAL_SUBTREE_num(stack) == 0;
}

void read_distribution_points(const Reading& reading, const CRL_DIST_POINTS* points) {
  for (int i = 0; i < sk_DIST_POINT_num(points); ++i) {
    DIST_POINT* point = sk_DIST_POINT_value(points, i);
    const X509_NAME* crl_issuer = X509_get_issuer_name(&reading.certificate);
    for (int k = 0; k < sk_GENERAL_NAME_num(point->CRLissuer); ++k) {
      const X509_NAME* name = directory_of(sk_GENERAL_NAME_value(point->CRLissuer, k));
      if (name != nullptr) crl_issuer = name;
    }
    reading.facts.distribution_points.push_back(
        path_distribution_point(point->distpoint, point->reasons, point->CRLissuer, crl_issuer));
  }
}

std::optional<int> small_number(const ASN1_INTEGER* number, PathPolicies& policies) {
  if (number == nullptr) return std::nullopt;
  constexpr std::int64_t kMost = 1'000'000;
  std::int64_t value = 0;
  const bool fits = ASN1_INTEGER_get_int64(&value, number) == 1;
  forget_openssl_errors();
  policies.has_huge_number = policies.has_huge_number || !fits;
  return static_cast<int>(fits ? std::clamp<std::int64_t>(value, -1, kMost) : kMost);
}

void read_policies(const Reading& reading, const CERTIFICATEPOLICIES* policies) {
  std::vector<std::string> objects;
  objects.reserve(static_cast<std::size_t>(std::max(sk_POLICYINFO_num(policies), 0)));
  for (int i = 0; i < sk_POLICYINFO_num(policies); ++i) {
    objects.push_back(dotted_text(sk_POLICYINFO_value(policies, i)->policyid));
  }
  std::vector<std::string> sorted = objects;
  std::ranges::sort(sorted);
  if (objects.empty()) reading.defect(Check::kListEmpty, "certificatePolicies");
  if (std::ranges::adjacent_find(sorted) != sorted.end()) {
    reading.defect(Check::kExtensionReadable, "certificatePolicies with one twice");
  }
  reading.facts.policies.policies = std::move(objects);
}

void read_policy_limits(const Reading& reading, const POLICY_CONSTRAINTS& limits) {
  PathPolicies& policies = reading.facts.policies;
  policies.require_explicit = small_number(limits.requireExplicitPolicy, policies);
  policies.inhibit_mapping = small_number(limits.inhibitPolicyMapping, policies);
  if (policies.require_explicit.value_or(0) < 0 || policies.inhibit_mapping.value_or(0) < 0) {
    reading.defect(Check::kExtensionReadable, "policyConstraints below zero");
  }
  if (!policies.require_explicit && !policies.inhibit_mapping) {
    reading.defect(Check::kExtensionEmpty, "policyConstraints");
  }
}

void read_mappings(const Reading& reading, const POLICY_MAPPINGS* mappings) {
  for (int i = 0; i < sk_POLICY_MAPPING_num(mappings); ++i) {
    const POLICY_MAPPING* mapping = sk_POLICY_MAPPING_value(mappings, i);
    reading.facts.policies.mappings.emplace_back(dotted_text(mapping->issuerDomainPolicy),
                                                 dotted_text(mapping->subjectDomainPolicy));
  }
}

/// Whether `name` has the form that its kind asks for, whatever it names.
bool is_well_formed(const PathGeneralName& name) {
  const auto printable = [](char c) { return c > ' ' && c < 0x7f; };
  const auto printable_or_blank = [](char c) { return c >= ' ' && c < 0x7f; };  // in quotes
  switch (name.form) {
    case NameForm::kIp:
      return name.value.size() == 4 || name.value.size() == 16;
    case NameForm::kEmail:
      return !name.value.empty() && std::ranges::all_of(name.value, printable_or_blank);
    case NameForm::kDns:
      return is_dns_name(name.value, true);
    case NameForm::kUri:
      return !name.value.empty() && std::ranges::all_of(name.value, printable);
    default:
      return true;
  }
}

void read_alternative_names(const Reading& reading, const GENERAL_NAMES* names, bool critical) {
  PathFacts& facts = reading.facts;
  facts.has_alternative_names = true;
  facts.alternative_names_critical = critical;
  facts.alternative_names = path_general_names(names);
  if (facts.alternative_names.empty()) {
    reading.defect(Check::kAlternativeNamesForm, "subjectAltName of none");
  }
  for (const PathGeneralName& name : facts.alternative_names) {
    if (is_well_formed(name)) continue;
    reading.defect(Check::kAlternativeNamesForm,
                   std::string(name_of(name.form)) + " '" + base::printable(name.text, 80) + "'");
    return;
  }
}

/// Takes what `decoded` holds; owns it.
void take(const Reading& reading, int nid, bool critical, void* decoded) {
  PathFacts& facts = reading.facts;
  switch (nid) {
    case NID_basic_constraints:
      read_basic_constraints(
          reading, *ConstraintsExtension(static_cast<BASIC_CONSTRAINTS*>(decoded)), critical);
      break;
    case NID_key_usage:
      read_key_usage(reading, *BitString(static_cast<ASN1_BIT_STRING*>(decoded)));
      break;
    case NID_ext_key_usage:
      read_extended_usage(reading, ObjectList(static_cast<EXTENDED_KEY_USAGE*>(decoded)).get());
      break;
    case NID_subject_key_identifier:
      facts.subject_key_id = std::string(
          base::as_text(content_of(OctetString(static_cast<ASN1_OCTET_STRING*>(decoded)).get())));
      break;
    case NID_authority_key_identifier:
      read_authority_key(reading, *AuthorityKeyId(static_cast<AUTHORITY_KEYID*>(decoded)));
      break;
    case NID_subject_alt_name:
      read_alternative_names(reading, AlternativeNames(static_cast<GENERAL_NAMES*>(decoded)).get(),
                             critical);
      break;
    case NID_name_constraints: {
      const Subtrees owned(static_cast<NAME_CONSTRAINTS*>(decoded));
      facts.constraints = PathConstraints{.critical = critical,
                                          .permitted = subtrees_of(owned->permittedSubtrees),
                                          .excluded = subtrees_of(owned->excludedSubtrees)};
      if (is_empty(owned->permittedSubtrees) != is_empty(owned->excludedSubtrees)) {
        reading.defect(Check::kListEmpty, "nameConstraints with a list of none");
      }
      break;
    }
    case NID_crl_distribution_points:
      read_distribution_points(reading,
                               DistributionPoints(static_cast<CRL_DIST_POINTS*>(decoded)).get());
      break;
    case NID_certificate_policies:
      read_policies(reading, Policies(static_cast<CERTIFICATEPOLICIES*>(decoded)).get());
      break;
    case NID_policy_mappings:
      read_mappings(reading, Mappings(static_cast<POLICY_MAPPINGS*>(decoded)).get());
      break;
    case NID_policy_constraints:
      read_policy_limits(reading, *PolicyLimits(static_cast<POLICY_CONSTRAINTS*>(decoded)));
      break;
    case NID_inhibit_any_policy:
      facts.policies.inhibit_any =
          small_number(Integer(static_cast<ASN1_INTEGER*>(decoded)).get(), facts.policies);
      if (facts.policies.inhibit_any.value_or(0) < 0) {
        reading.defect(Check::kExtensionReadable, "inhibitAnyPolicy below zero");
      }
      break;
    default:
      break;
  }
}

/// Those that `take` takes.
bool is_taken(int nid) {
  static constexpr std::array kTaken = {NID_basic_constraints,
                                        NID_key_usage,
                                        NID_ext_key_usage,
                                        NID_subject_key_identifier,
                                        NID_authority_key_identifier,
                                        NID_subject_alt_name,
                                        NID_name_constraints,
                                        NID_crl_distribution_points,
                                        NID_certificate_policies,
                                        NID_policy_mappings,
                                        NID_policy_constraints,
                                        NID_inhibit_any_policy};
  return std::ranges::find(kTaken, nid) != kTaken.end();
}

/// Those that are processed when they are critical.
bool is_understood(int nid) {
  return is_taken(nid) && nid != NID_subject_key_identifier && nid != NID_authority_key_identifier;
}

void check_flag(const Reading& reading, int nid, const std::string& name, bool critical) {
  static constexpr std::array kNever = {NID_subject_key_identifier, NID_authority_key_identifier,
                                        NID_info_access, NID_freshest_crl, NID_sinfo_access};
  static constexpr std::array kAlways = {NID_policy_constraints, NID_inhibit_any_policy};
  if (critical && std::ranges::find(kNever, nid) != kNever.end()) {
    reading.defect(Check::kCriticalFlags, name + " critical", "not critical");
  } else if (!critical && std::ranges::find(kAlways, nid) != kAlways.end()) {
    reading.defect(Check::kPolicyFlags, name + " not critical", "critical");
  } else if (critical && !is_understood(nid)) {
    reading.defect(Check::kUnknownCritical, name);
  }
}

/// Whether `value` is a SEQUENCE with an element that says it is primitive.
bool has_primitive_part(base::ByteView value) {
  constexpr unsigned kConstructedBit = 0x20;
  const auto whole = first_element(value);
  base::ByteView rest = whole ? whole->content : base::ByteView();
  while (!rest.empty()) {
    const auto part = first_element(rest);
    if (!part) return false;
    if ((rest.front() & kConstructedBit) == 0) return true;
    rest = rest.subspan(part->whole.size());
  }
  return false;
}

/// Whether it is a list (SIZE 1..MAX) of none. Those that are taken are looked at there.
bool is_empty_list(int nid, base::ByteView value) {
  static constexpr std::array kLists = {NID_policy_mappings, NID_crl_distribution_points,
                                        NID_freshest_crl,    NID_info_access,
                                        NID_sinfo_access,    NID_issuer_alt_name};
  const auto whole = first_element(value);
  return whole && value.front() == kSequenceTag && whole->content.empty() &&
         std::ranges::find(kLists, nid) != kLists.end();
}

/// Whether what rustls-webpki remembers of a certificate is one SEQUENCE and no more.
bool is_one_sequence(int nid, const std::optional<DerElement>& first, base::ByteView value) {
  static constexpr std::array kRemembered = {NID_basic_constraints, NID_subject_alt_name,
                                             NID_name_constraints, NID_crl_distribution_points,
                                             NID_ext_key_usage};
  if (std::ranges::find(kRemembered, nid) == kRemembered.end()) return true;
  return first && value.front() == kSequenceTag && first->whole.size() == value.size();
}

/// What the tags inside of distribution points hide from `flaws_of_der`: lists that say they are
/// primitive, and the padding of reasons.
void look_at_points(base::ByteView value, DerFlaws& flaws) {
  constexpr unsigned kConstructedBit = 0x20;
  const auto whole = first_element(value);
  DerReader points(whole ? whole->content : base::ByteView());
  while (const auto point = points.take(kSequenceTag)) {
    DerReader parts(point->content);
    while (const auto part = parts.take()) {
      const unsigned tag = part->whole.front();
      if (tag == kContextTag || tag == (kContextTag | 2U)) flaws.tags = true;
      if (tag == (kContextTag | 1U) && !has_clean_padding(part->content)) flaws.padding = true;
      const auto name = DerReader(part->content).take();
      const bool is_name = tag == kConstructedContextTag && name;
      if (is_name && (name->whole.front() & kConstructedBit) == 0) flaws.tags = true;
    }
  }
}

/// Whether a name that is a text or address says that it is made of parts (X.690 10.2).
bool is_in_parts(const DerElement& name) {
  constexpr unsigned kNumber = 0x1f;
  const unsigned tag = name.whole.front();
  const auto form = static_cast<NameForm>(tag & kNumber);
  const bool is_plain = form == NameForm::kEmail || form == NameForm::kDns ||
                        form == NameForm::kUri || form == NameForm::kIp ||
                        form == NameForm::kRegisteredId;
  return (tag & ~kNumber) == kConstructedContextTag && is_plain;
}

/// Whether one is among the alternative names, or the bases of constraints.
bool has_name_in_parts(int nid, base::ByteView value) {
  const auto whole = first_element(value);
  DerReader outer(whole ? whole->content : base::ByteView());
  while (const auto part = outer.take()) {
    if (nid == NID_subject_alt_name && is_in_parts(*part)) return true;
    if (nid != NID_name_constraints) continue;
    DerReader trees(part->content);
    while (const auto tree = trees.take()) {
      const auto base = DerReader(tree->content).take();
      if (base && is_in_parts(*base)) return true;
    }
  }
  return false;
}

/// Nothing but all of `value`; null for what is malformed.
void* decode(const X509V3_EXT_METHOD* method, base::ByteView value) {
  const unsigned char* next = value.data();
  ASN1_VALUE* decoded =
      ASN1_item_d2i(nullptr, &next, static_cast<long>(value.size()), ASN1_ITEM_ptr(method->it));
  forget_openssl_errors();
  const DerFlaws flaws = flaws_of_der(value);
  const bool is_whole = next == value.data() + value.size();
  if (decoded != nullptr && (!is_whole || flaws.lengths || flaws.contents)) {
    ASN1_item_free(decoded, ASN1_ITEM_ptr(method->it));
    return nullptr;
  }
  return decoded;
}

/// Known ones that nothing is taken of are decoded all the same.
void read_one(const Reading& reading, const X509_EXTENSION* extension) {
  const bool critical = X509_EXTENSION_get_critical(extension) == 1;
  const std::string name = extension_text(extension);
  auto* const mutable_extension = const_cast<X509_EXTENSION*>(extension);  // NOLINT: OpenSSL's API
  const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(mutable_extension));
  check_flag(reading, nid, name, critical);
  const X509V3_EXT_METHOD* method = X509V3_EXT_get(mutable_extension);
  if (method == nullptr || method->it == nullptr) return;
  const base::ByteView value = content_of(X509_EXTENSION_get_data(mutable_extension));
  DerFlaws flaws = flaws_of_der(value);
  if (nid == NID_crl_distribution_points) look_at_points(value, flaws);
  if (flaws.tags || (nid == NID_name_constraints && has_primitive_part(value)) ||
      has_name_in_parts(nid, value)) {
    reading.defect(Check::kDerTags, name);
  }
  if (flaws.padding) reading.defect(Check::kDerPadding, name);
  if (is_empty_list(nid, value)) reading.defect(Check::kListEmpty, name);
  const auto first = first_element(value);
  if (!is_one_sequence(nid, first, value)) reading.facts.odd_extension = name;
  const bool has_more = first && first->whole.size() < value.size();
  void* decoded = decode(method, has_more ? first->whole : value);
  if (has_more && decoded != nullptr) {
    reading.defect(Check::kExtensionReadable, name + std::string(kBytesBehind));
  }
  if (decoded == nullptr) {
    reading.defect(Check::kExtensionReadable, name);
  } else if (is_taken(nid)) {
    take(reading, nid, critical, decoded);
  } else {
    ASN1_item_free(static_cast<ASN1_VALUE*>(decoded), ASN1_ITEM_ptr(method->it));
  }
}

}  // namespace

void* decode_to_end(const X509_EXTENSION* extension) {
  auto* const mutable_extension = const_cast<X509_EXTENSION*>(extension);  // NOLINT: OpenSSL's API
  return decode(X509V3_EXT_get(mutable_extension),
                content_of(X509_EXTENSION_get_data(mutable_extension)));
}

void read_path_extensions(const X509& certificate, PathFacts& facts) {
  const Reading reading{certificate, facts};
  std::unordered_set<std::string> seen;
  for (int i = 0; i < X509_get_ext_count(&certificate); ++i) {
    const X509_EXTENSION* extension = X509_get_ext(&certificate, i);
    auto* const mutable_extension = const_cast<X509_EXTENSION*>(extension);  // NOLINT
    std::string object = dotted_text(X509_EXTENSION_get_object(mutable_extension));
    if (X509_EXTENSION_get_critical(extension) == 1) facts.critical_extensions.push_back(object);
    const bool is_first = seen.insert(object).second;
    facts.extensions.push_back(std::move(object));
    if (!is_first) {
      reading.defect(Check::kDuplicateExtension, extension_text(extension));
      continue;  // the first one counts
    }
    if (OBJ_obj2nid(X509_EXTENSION_get_object(mutable_extension)) == NID_subject_alt_name) {
      facts.alternative_names_der =
          std::string(base::as_text(content_of(X509_EXTENSION_get_data(mutable_extension))));
    }
    read_one(reading, extension);
  }
}

}  // namespace meshtrust::pki
