#include "pki/path/name_space.h"

#include "pki/path/name_trees.h"

#include <algorithm>
#include <map>
#include <mutex>

namespace meshtrust::pki {
namespace {

constexpr std::string_view kCannotCompare = "a name that cannot be compared";

bool is_text_form(NameForm form) {
  return form == NameForm::kDns || form == NameForm::kEmail || form == NameForm::kUri;
}

/// Whether this verifier refuses every name of this form below a constraint of its form.
bool is_closed(NameForm form, const ConstraintRules& rules) {
  return (form == NameForm::kUri && rules.uri_always_violates) ||
         (form == NameForm::kDirectory && rules.directory_always_violates) ||
         (form == NameForm::kEmail && rules.email_always_violates) ||
         (form == NameForm::kIp && rules.address_always_violates);
}

NameSpace::Violation unsupported(const std::string& name) {
  return {.check = Check::kNameUnsupported,
          .name = name.empty() ? std::string(kCannotCompare) : name};
}

bool has_form(const PathConstraints& constraints, NameForm form) {
  const auto is_of_it = [form](const PathSubtree& subtree) { return subtree.base.form == form; };
  return std::ranges::any_of(constraints.permitted, is_of_it) ||
         std::ranges::any_of(constraints.excluded, is_of_it);
}

bool has_bounds(const PathConstraints& constraints) {
  return std::ranges::any_of(constraints.permitted, &PathSubtree::has_bounds) ||
         std::ranges::any_of(constraints.excluded, &PathSubtree::has_bounds);
}

}  // namespace

struct NameSpace::Sides {
  NameTrees permitted;
  NameTrees excluded;

  Sides(const PathConstraints& constraints, const NameReader& reader)
      : permitted(constraints.permitted, false, reader),
        excluded(constraints.excluded, true, reader) {}
};

struct NameSpace::Indexes {
  std::mutex making;
  std::map<const NameReader*, Sides> made;
};

NameSpace::NameSpace(PathConstraints constraints)
    : constraints_(std::move(constraints)), indexes_(std::make_shared<Indexes>()) {
  for (const auto* subtrees : {&constraints_.permitted, &constraints_.excluded}) {
    for (const PathSubtree& subtree : *subtrees) {
      const PathGeneralName& base = subtree.base;
      if (base.form == NameForm::kDns && base.value.starts_with('.')) dotted_ = base.value;
    }
  }
}

bool NameSpace::has_minimum_of_zero() const {
  return std::ranges::any_of(constraints_.permitted, &PathSubtree::has_minimum_of_zero) ||
         std::ranges::any_of(constraints_.excluded, &PathSubtree::has_minimum_of_zero);
}

std::string NameSpace::malformed(const NameReader& reader) const {
  if (is_empty()) return "no subtree";
  const Sides& sides = sides_for(reader);
  const std::string& permitted = sides.permitted.malformed();
  return permitted.empty() ? sides.excluded.malformed() : permitted;
}

const NameSpace::Sides& NameSpace::sides_for(const NameReader& reader) const {
  const std::lock_guard guard(indexes_->making);
  return indexes_->made.try_emplace(&reader, constraints_, reader).first->second;
}

std::optional<NameSpace::Violation> NameSpace::check(const Sides& sides,
                                                     const PathGeneralName& name,
                                                     const ConstraintRules& rules,
                                                     bool from_subject) {
  const bool closed = is_closed(name.form, rules);
  if (name.form == NameForm::kDirectory && !rules.directory_counts) return std::nullopt;
  if (rules.reads_every_name && is_text_form(name.form) &&
      !sides.permitted.contains(name, from_subject)) {
    return unsupported(name.text);
  }
  for (const bool excluding : {false, true}) {
    const NameTrees& trees = excluding ? sides.excluded : sides.permitted;
    if (!trees.constrains(name.form)) continue;
    const bool bounded = rules.reader->counts_bounds && trees.has_bounds(name.form);
    if (closed || bounded) return unsupported(name.text);
    const auto inside = trees.contains(name, from_subject);
    const bool saved = rules.reader->match_ends_the_list && !excluding && inside.value_or(false);
    if (!inside || (trees.has_unreadable(name.form) && !saved)) return unsupported(name.text);
    if (*inside == excluding) {
      return Violation{.check = excluding ? Check::kNameExcluded : Check::kNamePermitted,
                       .name = name.text};
    }
  }
  return std::nullopt;
}

std::size_t NameSpace::comparisons(const PathFacts& certificate,
                                   const ConstraintRules& rules) const {
  const std::size_t of_subject = rules.subject_counts ? certificate.subject.rdns.size() : 1;
  const std::size_t names = of_subject + certificate.alternative_names.size();
  return names * (constraints_.permitted.size() + constraints_.excluded.size());
}

std::optional<NameSpace::Violation> NameSpace::violation(const PathFacts& certificate,
                                                         const ConstraintRules& rules) const {
  const bool closed =
      (rules.directory_always_violates && has_form(constraints_, NameForm::kDirectory)) ||
      (rules.bounds_always_violate && has_bounds(constraints_)) ||
      certificate.alternative_names_break_off ||
      comparisons(certificate, rules) > rules.most_comparisons;
  if (closed) return unsupported(certificate.subject.text);
  const Sides& sides = sides_for(*rules.reader);
  if (rules.subject_counts && !certificate.subject.empty()) {
    const PathGeneralName subject{.form = NameForm::kDirectory,
                                  .value = {},
                                  .rdns = certificate.subject.rdns,
                                  .text = certificate.subject.text};
    if (auto found = check(sides, subject, rules, true)) return found;
    if (rules.subject_mail_is_ia5 && !certificate.subject_emails_are_ia5) {
      return unsupported(certificate.subject.text);
    }
    for (const std::string& email : certificate.subject_emails) {
      const PathGeneralName name{
          .form = NameForm::kEmail, .value = email, .rdns = {}, .text = email};
      if (auto found = check(sides, name, rules, true)) return found;
    }
  }
  for (const PathGeneralName& name : certificate.alternative_names) {
    if (auto found = check(sides, name, rules, false)) return found;
  }
  return std::nullopt;
}

std::optional<NameSpace::Violation> NameSpace::violation_of_lone_names(
    const PathFacts& leaf, const ConstraintRules& rules) const {
  if (!rules.lone_common_names_count || !leaf.alternative_names.empty()) return std::nullopt;
  const Sides& sides = sides_for(*rules.reader);
  for (const std::string& name : leaf.common_names) {
    // A single label is a title more often than a host.
    std::string_view labels = name;
    if (labels.ends_with('.')) labels.remove_suffix(1);
    if (!is_dns_name(labels, true) || labels.find('.') == std::string_view::npos) continue;
    const PathGeneralName host{.form = NameForm::kDns, .value = name, .rdns = {}, .text = name};
    if (auto found = check(sides, host, rules, true)) return found;
  }
  return std::nullopt;
}

}  // namespace meshtrust::pki
