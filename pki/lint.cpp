#include "pki/lint.h"

#include "pki/lint_rules.h"

#include <algorithm>
#include <array>

namespace meshtrust::pki {
namespace {

struct RoleName {
  LintRole role;
  std::string_view name;
};
constexpr std::array kRoleNames = {
    RoleName{LintRole::kRoot, "root"}, RoleName{LintRole::kIntermediate, "intermediate"},
    RoleName{LintRole::kWorkload, "workload"}, RoleName{LintRole::kList, "crl"},
    RoleName{LintRole::kBundle, "bundle"}};

constexpr std::array<std::string_view, 3> kSeverityNames = {"note", "warning", "critical"};

/// The chapters, in the order of the table.
constexpr std::array kChapters = {&rules_of_encoding, &rules_of_keys, &rules_of_authorities,
                                  &rules_of_workloads, &rules_of_time};

std::vector<Rule> make_table() {
  std::vector<Rule> table;
  for (const auto chapter : kChapters) {
    for (const CertificateRule& each : chapter()) {
      table.push_back(each.rule);
    }
  }
  for (const ListRule& each : rules_of_lists()) {
    table.push_back(each.rule);
  }
  return table;
}

template <class Subject>
void apply(std::span<const Checked<Subject>> rules,
           const Subject& subject,
           LintRole role,
           std::vector<LintFinding>& findings) {
  for (const Checked<Subject>& each : rules) {
    if (!each.rule.roles.has(role)) continue;
    std::string message = each.check(subject);
    if (message.empty()) continue;
    findings.push_back({.rule = std::string(each.rule.id),
                        .severity = each.rule.severity,
                        .source = std::string(each.rule.source),
                        .message = std::move(message)});
  }
}

}  // namespace

std::string_view name_of(Severity severity) {
  return kSeverityNames.at(static_cast<std::size_t>(severity));
}

std::optional<Severity> severity_from_name(std::string_view name) {
  const auto* const found = std::ranges::find(kSeverityNames, name);
  if (found == kSeverityNames.end()) return std::nullopt;
  return static_cast<Severity>(found - kSeverityNames.begin());
}

std::string_view name_of(LintRole role) {
  return std::ranges::find(kRoleNames, role, &RoleName::role)->name;
}

std::optional<LintRole> lint_role_from_name(std::string_view name) {
  const auto* const found = std::ranges::find(kRoleNames, name, &RoleName::name);
  if (found == kRoleNames.end()) return std::nullopt;
  return found->role;
}

std::vector<LintRole> LintRoles::list() const {
  std::vector<LintRole> roles;
  for (const RoleName& each : kRoleNames) {
    if (has(each.role)) roles.push_back(each.role);
  }
  return roles;
}

std::span<const Rule> lint_rules() {
  static const std::vector<Rule> table = make_table();
  return table;
}

std::vector<LintFinding> lint(const LintSubject& subject) {
  std::vector<LintFinding> findings;
  for (const auto chapter : kChapters) {
    apply(chapter(), subject, subject.role, findings);
  }
  return findings;
}

std::vector<LintFinding> lint(const ListSubject& subject) {
  std::vector<LintFinding> findings;
  apply(rules_of_lists(), subject, LintRole::kList, findings);
  return findings;
}

LintRole role_of(const Certificate& certificate) {
  const auto& facts = certificate.facts();
  // A version 1 certificate has no way to say that it is a CA; one that signed itself claims it.
  const bool is_authority =
      certificate.is_ca() || (facts.version == 1 && certificate.is_self_signed());
  if (!is_authority) return LintRole::kWorkload;
  return certificate.is_self_signed() ? LintRole::kRoot : LintRole::kIntermediate;
}

}  // namespace meshtrust::pki
