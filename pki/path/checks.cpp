#include "pki/path/checks.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace meshtrust::pki {
namespace {

/// Where a defect is only one for its place: a CA flag that is not critical, an unknown critical
/// extension that a verifier knows, ...
bool counts(const Defect& defect, Role role, const Rules& rules) {
  return rules.minds(defect, role) && defect.check != Check::kUnknownCritical;
}

std::optional<PathFailure> check_critical(const PathCertificate& certificate,
                                          Role role,
                                          std::size_t depth,
                                          const Rules& rules) {
  if (!rules.checks(Check::kUnknownCritical, role)) return std::nullopt;
  const PathFacts& facts = certificate.facts();
  for (const Defect& defect : facts.defects) {
    if (defect.check == Check::kUnknownCritical && rules.understands == own_rules().understands) {
      return failure_of(defect.check, certificate, role, depth, defect.found);
    }
  }
  for (const std::string& object : facts.critical_extensions) {
    if (rules.understands(facts, object)) continue;
    return failure_of(Check::kUnknownCritical, certificate, role, depth, object);
  }
  return std::nullopt;
}

unsigned bit_of(Purpose purpose) {
  return purpose == Purpose::kServer ? kServerAuth : kClientAuth;
}

std::string usages_text(const PathFacts& facts) {
  return base::join(facts.extended_usage->objects, ", ");
}

/// What the extended key usages of a path have in common, for no purpose in particular.
std::optional<PathFailure> check_common_usage(const Path& path,
                                              std::size_t untrusted,
                                              const Rules& rules) {
  std::vector<std::string> common;
  bool limited = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const PathFacts& facts = path[i]->facts();
    const Role role = role_below(i, untrusted);
    if (!facts.extended_usage || !rules.checks(Check::kExtendedUsage, role)) continue;
    if ((facts.extended_usage->purposes & kAnyUsage) != 0) continue;
    const auto& objects = facts.extended_usage->objects;
    if (!limited) {
      common = objects;
    } else {
      std::erase_if(common, [&objects](const std::string& one) {
        return std::ranges::find(objects, one) == objects.end();
      });
    }
    limited = true;
    if (common.empty()) {
      return failure_of(Check::kExtendedUsage, *path[i], role, i, usages_text(facts),
                        "a usage that the certificates below share");
    }
  }
  return std::nullopt;
}

std::size_t issuers_between(const Path& below, const Rules& rules) {
  std::size_t count = 0;
  for (std::size_t i = 1; i < below.size(); ++i) {
    if (!rules.self_issued_are_free || !below[i]->facts().is_self_issued()) ++count;
  }
  return count;
}

/// An IPv4 address in the form of IPv6, if it can be.
std::string mapped(const std::string& octets) {
  constexpr std::string_view kPrefix("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  return octets.size() == 4 ? std::string(kPrefix) + octets : octets;
}

bool is_named(const PathFacts& leaf, const ReferenceName& wanted, const Rules& rules) {
  if (wanted.form == NameForm::kDns && rules.address_in != nullptr) {
    const auto octets = rules.address_in(wanted.value);
    if (octets) return is_named(leaf, {.form = NameForm::kIp, .value = *octets}, rules);
  }
  return std::ranges::any_of(leaf.alternative_names, [&](const PathGeneralName& name) {
    if (name.form != wanted.form) return false;
    if (wanted.form == NameForm::kDns) return rules.host_matches(name.value, wanted.value);
    if (wanted.form == NameForm::kIp && rules.maps_addresses) {
      return mapped(name.value) == mapped(wanted.value);
    }
    return names(name, wanted);
  });
}

std::string names_text(const PathFacts& leaf) {
  std::vector<std::string> all;
  constexpr std::size_t kShown = 8;
  for (const PathGeneralName& name : leaf.alternative_names) {
    if (all.size() == kShown) {
      all.emplace_back("...");
      break;
    }
    all.push_back(name.text);
  }
  return all.empty() ? "no alternative name" : base::join(all, ", ");
}

}  // namespace

PathFailure failure_of(Check check,
                       const PathCertificate& certificate,
                       Role role,
                       std::size_t depth,
                       std::string found,
                       std::string wanted) {
  return {.check = check,
          .role = role,
          .depth = depth,
          .subject = certificate.facts().subject.text,
          .fingerprint = certificate.facts().fingerprint,
          .found = std::move(found),
          .wanted = std::move(wanted)};
}

std::optional<PathFailure> check_alone(const PathCertificate& certificate,
                                       Role role,
                                       std::size_t depth,
                                       base::Instant at,
                                       const Rules& rules) {
  const PathFacts& facts = certificate.facts();
  if (std::string problem = rules.unreadable(certificate, role); !problem.empty()) {
    return failure_of(Check::kExtensionReadable, certificate, role, depth, std::move(problem));
  }
  for (const Defect& defect : facts.defects) {
    if (!counts(defect, role, rules)) continue;
    return failure_of(defect.check, certificate, role, depth, defect.found, defect.wanted);
  }
  if (auto failure = check_critical(certificate, role, depth, rules)) return failure;
  if (rules.checks(Check::kNotYetValid, role) && at < facts.not_before) {
    return failure_of(Check::kNotYetValid, certificate, role, depth,
                      "not before " + base::format_rfc3339(facts.not_before),
                      "at or before " + base::format_rfc3339(at));
  }
  const bool is_over = at > facts.not_after || (at == facts.not_after && !rules.last_second_counts);
  if (rules.checks(Check::kExpired, role) && is_over) {
    return failure_of(Check::kExpired, certificate, role, depth,
                      "not after " + base::format_rfc3339(facts.not_after),
                      "at or after " + base::format_rfc3339(at));
  }
  return std::nullopt;
}

bool is_readable(const PathCertificate& certificate, Role role, const Rules& rules) {
  static constexpr std::array kReading = {Check::kDer,
                                          Check::kDerTags,
                                          Check::kDerPadding,
                                          Check::kSerialNegative,
                                          Check::kSignatureAlgorithmsEqual,
                                          Check::kEncodingOfTimes,
                                          Check::kDuplicateExtension,
                                          Check::kExtensionReadable,
                                          Check::kCriticalFlags};
  const PathFacts& facts = certificate.facts();
  const auto hinders = [&rules, role](const Defect& defect) {
    return rules.minds(defect, role) && std::ranges::find(kReading, defect.check) != kReading.end();
  };
  if (rules.reads_names != nullptr && !rules.reads_names(facts)) return false;
  if (rules.reads_extensions_late) {
    return std::ranges::none_of(facts.defects, [&rules, role](const Defect& defect) {
      const bool is_of_frame =
          defect.check == Check::kVersion || defect.check == Check::kEncodingOfTimes;
      return is_of_frame && rules.minds(defect, role);
    });
  }
  return rules.unreadable(certificate, role).empty() &&
         std::ranges::none_of(facts.defects, hinders);
}

std::optional<PathFailure> check_as_issuer(const PathCertificate& issuer,
                                           Role role,
                                           const Path& below,
                                           const Rules& rules) {
  const PathFacts& facts = issuer.facts();
  const std::size_t depth = below.size();
  const bool may_be_old = role == Role::kAnchor && facts.version == 1 && facts.is_self_issued();
  if (rules.checks(Check::kVersionOfCa, role) && facts.version != 3 && !may_be_old) {
    return failure_of(Check::kVersionOfCa, issuer, role, depth,
                      "version " + std::to_string(facts.version), "version 3");
  }
  const bool old_anchor =
      role == Role::kAnchor && facts.version < 3 && !facts.has_basic_constraints;
  if (rules.checks(Check::kIsCa, role) && !facts.is_ca && !old_anchor) {
    return failure_of(Check::kIsCa, issuer, role, depth,
                      facts.has_basic_constraints ? "CA:FALSE" : "no basicConstraints", "CA:TRUE");
  }
  const bool denied = facts.key_usage && (*facts.key_usage & kKeyCertSign) == 0 &&
                      (*facts.key_usage != 0 || rules.empty_usage_denies);
  if (rules.checks(Check::kMaySign, role) && denied) {
    return failure_of(Check::kMaySign, issuer, role, depth, "keyUsage without keyCertSign",
                      "keyCertSign");
  }
  const std::size_t between = issuers_between(below, rules);
  if (rules.checks(Check::kPathLength, role) && facts.path_length &&
      between > static_cast<std::size_t>(*facts.path_length)) {
    return failure_of(Check::kPathLength, issuer, role, depth,
                      base::count_of(between, "CA") + " below",
                      "at most " + std::to_string(*facts.path_length));
  }
  return std::nullopt;
}

std::optional<PathFailure> check_usages(const Path& path,
                                        std::size_t untrusted,
                                        Purpose purpose,
                                        const Rules& rules) {
  if (purpose == Purpose::kAny) {
    return rules.usages_must_meet ? check_common_usage(path, untrusted, rules) : std::nullopt;
  }
  for (std::size_t i = 0; i < path.size(); ++i) {
    const PathFacts& facts = path[i]->facts();
    const Role role = role_below(i, untrusted);
    if (!facts.extended_usage || !rules.checks(Check::kExtendedUsage, role)) continue;
    const unsigned purposes = facts.extended_usage->purposes;
    const bool any = rules.any_usage_counts && (purposes & kAnyUsage) != 0;
    // Go takes an empty list for none.
    const bool empty = facts.extended_usage->objects.empty() && rules.any_usage_counts;
    if (any || empty || (purposes & bit_of(purpose)) != 0) continue;
    return failure_of(Check::kExtendedUsage, *path[i], role, i, usages_text(facts),
                      purpose == Purpose::kServer ? "serverAuth" : "clientAuth");
  }
  return std::nullopt;
}

std::optional<PathFailure> check_leaf_usage(const PathCertificate& leaf,
                                            Purpose purpose,
                                            Role role,
                                            const Rules& rules) {
  const std::optional<unsigned>& usage = leaf.facts().key_usage;
  const unsigned bits = purpose == Purpose::kServer ? rules.server_bits : rules.client_bits;
  if (purpose == Purpose::kAny || !rules.checks(Check::kLeafUsage, role) || !usage ||
      (*usage & bits) != 0) {
    return std::nullopt;
  }
  return failure_of(Check::kLeafUsage, leaf, role, 0, "a keyUsage for other things",
                    purpose == Purpose::kServer
                        ? "digitalSignature, keyEncipherment or keyAgreement"
                        : "digitalSignature or keyAgreement");
}

std::vector<PathFailure> check_leaf(const PathCertificate& leaf,
                                    const ChainQuestion& question,
                                    Purpose purpose,
                                    Role role,
                                    const Rules& rules) {
  std::vector<PathFailure> failures;
  if (auto failure = check_alone(leaf, role, 0, question.at, rules)) {
    failures.push_back(*std::move(failure));
  }
  if (auto failure = check_leaf_usage(leaf, purpose, role, rules)) {
    failures.push_back(*std::move(failure));
  }
  const PathFacts& facts = leaf.facts();
  if (question.name && rules.checks(Check::kReferenceName, Role::kLeaf) &&
      !is_named(facts, *question.name, rules)) {
    const bool is_ip = question.name->form == NameForm::kIp;
    failures.push_back(
        failure_of(Check::kReferenceName, leaf, Role::kLeaf, 0, names_text(facts),
                   std::string(name_of(question.name->form)) + " " +
                       (is_ip ? ip_text(question.name->value) : question.name->value)));
  }
  return failures;
}

std::optional<PathFailure> check_algorithm(const PathCertificate& child,
                                           Role child_role,
                                           std::size_t child_depth,
                                           const PathCertificate& issuer,
                                           const Rules& rules) {
  const PathSignature& signature = child.facts().signature;
  const PathKey& key = issuer.facts().key;
  if (rules.checks(Check::kSignatureAlgorithm, child_role) &&
      !rules.signature_allowed(signature, key)) {
    return failure_of(Check::kSignatureAlgorithm, child, child_role, child_depth,
                      signature.text + " with " + key.text, "SHA-256 or better");
  }
  const bool rsa_pss = signature.key == KeyKind::kRsaPss && key.kind == KeyKind::kRsa;
  if (rules.checks(Check::kSignatureKeyType, child_role) && signature.key != key.kind && !rsa_pss) {
    return failure_of(Check::kSignatureKeyType, child, child_role, child_depth,
                      signature.text + " with " + key.text, "an algorithm of the key's own kind");
  }
  return std::nullopt;
}

bool identifiers_agree(const PathFacts& child, const PathFacts& issuer) {
  if (child.authority_key_id && issuer.subject_key_id &&
      *child.authority_key_id != *issuer.subject_key_id) {
    return false;
  }
  if (child.authority_serial && *child.authority_serial != issuer.serial_bytes) return false;
  return !child.authority_name || child.authority_name->rdns == issuer.issuer.rdns;
}

bool looks_self_signed(const PathFacts& certificate) {
  const bool denied = certificate.key_usage && (*certificate.key_usage & kKeyCertSign) == 0;
  return certificate.is_self_issued() && identifiers_agree(certificate, certificate) && !denied;
}

}  // namespace meshtrust::pki
