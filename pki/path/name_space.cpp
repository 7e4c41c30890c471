#include "pki/path/name_space.h"

#include "base/text.h"

#include <algorithm>

namespace meshtrust::pki {
namespace {

constexpr std::string_view kCannotCompare = "a name that cannot be compared";

std::string_view behind_first_label(std::string_view name) {
  const auto dot = name.find('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
}

/// Whether `name`, or a parent of it when `include_self` is false, is in `set`.
bool has_suffix_in(std::string_view name,
                   const std::unordered_set<std::string>& set,
                   bool include_self) {
  if (set.empty()) return false;
  if (!include_self) name = behind_first_label(name);
  while (!name.empty()) {
    if (set.contains(std::string(name))) return true;
    name = behind_first_label(name);
  }
  return false;
}

/// RFC 4632: ones, then zeros.
bool is_mask(std::string_view mask) {
  bool ended = false;
  for (const char c : mask) {
    const auto octet = static_cast<unsigned char>(c);
    for (int bit = 7; bit >= 0; --bit) {
      const bool one = ((octet >> static_cast<unsigned>(bit)) & 1U) != 0;
      if (one && ended) return false;
      ended = ended || !one;
    }
  }
  return true;
}

std::string masked(std::string_view octets, std::string_view mask) {
  std::string out(octets);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] =
        static_cast<char>(static_cast<unsigned char>(out[i]) & static_cast<unsigned char>(mask[i]));
  }
  return out;
}

/// A constraint of a host, "host" or ".domain".
bool is_host_constraint(std::string_view text) {
  if (text.starts_with('.')) text.remove_prefix(1);
  return is_dns_name(text, false);
}

bool is_text_form(NameForm form) {
  return form == NameForm::kDns || form == NameForm::kEmail || form == NameForm::kUri;
}

}  // namespace

std::string NameSpace::Trees::add_text(NameForm form, const std::string& text) {
  const std::string folded = lower(text);
  if (form == NameForm::kDns) {
    has_dns = true;
    if (folded.empty()) {
      any_dns = true;
    } else if (!is_host_constraint(folded)) {
      return text;
    } else if (folded.starts_with('.')) {
      below_dns.insert(folded.substr(1));
    } else {
      dns.insert(folded);
      dns_parents.insert(std::string(behind_first_label(folded)));
    }
  } else if (form == NameForm::kUri) {
    has_uri = true;
    if (!is_host_constraint(folded)) return text;
    (folded.starts_with('.') ? below_uri : uri_hosts)
        .insert(folded.starts_with('.') ? folded.substr(1) : folded);
  } else {
    has_email = true;
    if (const auto box = mailbox_of(text)) {
      mailboxes.insert(std::string(box->local) + "@" + lower(box->domain));
      folded_mailboxes.insert(folded);
      return {};
    }
    if (!is_host_constraint(folded)) return text;
    (folded.starts_with('.') ? below_mail : mail_hosts)
        .insert(folded.starts_with('.') ? folded.substr(1) : folded);
  }
  return {};
}

std::string NameSpace::Trees::add_ip(const std::string& octets) {
  has_ip = true;
  const std::size_t half = octets.size() / 2;
  const bool sized = octets.size() == 8 || octets.size() == 32;
  if (!sized || !is_mask(std::string_view(octets).substr(half))) return "iPAddress";
  const std::string mask = octets.substr(half);
  masks.insert(mask);
  networks.emplace(mask, masked(octets.substr(0, half), mask));
  return {};
}

/// What is malformed about `subtree`; empty when nothing.
std::string NameSpace::Trees::add(const PathSubtree& subtree) {
  const PathGeneralName& base = subtree.base;
  if (subtree.has_bounds) return "minimum or maximum with " + std::string(name_of(base.form));
  if (is_text_form(base.form)) return add_text(base.form, base.value);
  if (base.form == NameForm::kIp) return add_ip(base.value);
  if (base.form == NameForm::kDirectory) {
    has_directory = true;
    const PathName name{.raw = {}, .rdns = base.rdns, .text = {}};
    any_directory = any_directory || name.empty();
    directories.insert(name.key());
    directory_depths.insert(base.rdns.size());
    return {};
  }
  unsupported.insert(base.form);
  return {};
}

bool NameSpace::Trees::constrains(NameForm form) const {
  switch (form) {
    case NameForm::kDns:
      return has_dns;
    case NameForm::kEmail:
      return has_email;
    case NameForm::kUri:
      return has_uri;
    case NameForm::kIp:
      return has_ip;
    case NameForm::kDirectory:
      return has_directory;
    default:
      return unsupported.contains(form);
  }
}

bool NameSpace::Trees::matches_dns(const std::string& name, bool excluding) const {
  if (any_dns || has_suffix_in(name, dns, true) || has_suffix_in(name, below_dns, false)) {
    return true;
  }
  // "*.example.com" also stands for the excluded "www.example.com".
  return excluding && name.starts_with("*.") && dns_parents.contains(name.substr(2));
}

bool NameSpace::Trees::matches_email(const std::string& address, bool fold_local) const {
  const auto box = mailbox_of(address);
  if (!box) return false;
  const std::string domain = lower(box->domain);
  if (mail_hosts.contains(domain) || has_suffix_in(domain, below_mail, false)) return true;
  if (mailboxes.contains(std::string(box->local) + "@" + domain)) return true;
  return fold_local && folded_mailboxes.contains(lower(address));
}

bool NameSpace::Trees::matches_host(const std::string& host) const {
  return uri_hosts.contains(host) || has_suffix_in(host, below_uri, false);
}

bool NameSpace::Trees::matches_ip(const std::string& octets) const {
  return std::ranges::any_of(masks, [this, &octets](const std::string& mask) {
    return mask.size() == octets.size() && networks.contains({mask, masked(octets, mask)});
  });
}

bool NameSpace::Trees::matches_directory(const std::vector<std::string>& rdns) const {
  if (any_directory) return true;
  std::string prefix;
  std::size_t depth = 0;
  for (const std::string& rdn : rdns) {
    append_with_length(prefix, rdn);
    if (directory_depths.contains(++depth) && directories.contains(prefix)) return true;
  }
  return false;
}

NameSpace::NameSpace(const PathConstraints& constraints) {
  if (constraints.permitted.empty() && constraints.excluded.empty()) malformed_ = "no subtree";
  const auto take = [this](const std::vector<PathSubtree>& subtrees, Trees& trees) {
    for (const PathSubtree& subtree : subtrees) {
      std::string problem = trees.add(subtree);
      if (malformed_.empty()) malformed_ = std::move(problem);
      const PathGeneralName& base = subtree.base;
      if (base.form == NameForm::kDns && base.value.starts_with('.')) dotted_ = base.value;
    }
  };
  take(constraints.permitted, permitted_);
  take(constraints.excluded, excluded_);
}

/// Nothing when the name has no form that could be compared.
std::optional<bool> NameSpace::within(const Trees& trees,
                                      const PathGeneralName& name,
                                      bool excluding) {
  switch (name.form) {
    case NameForm::kDns:
      if (!is_dns_name(name.value, true)) return std::nullopt;
      return trees.matches_dns(lower(name.value), excluding);
    case NameForm::kEmail:
      if (!mailbox_of(name.value)) return std::nullopt;
      return trees.matches_email(name.value, excluding);
    case NameForm::kUri: {
      const auto host = constrained_host(name.value);
      if (!host) return std::nullopt;
      return trees.matches_host(lower(*host));
    }
    case NameForm::kIp:
      if (name.value.size() != 4 && name.value.size() != 16) return std::nullopt;
      return trees.matches_ip(name.value);
    case NameForm::kDirectory:
      return trees.matches_directory(name.rdns);
    default:
      return std::nullopt;
  }
}

namespace {

/// Whether this verifier refuses every name of this form below a constraint of its form.
bool is_closed(NameForm form, const ConstraintRules& rules) {
  return (form == NameForm::kUri && rules.uri_always_violates) ||
         (form == NameForm::kDirectory && rules.directory_always_violates) ||
         (form == NameForm::kEmail && rules.email_always_violates) ||
         (form == NameForm::kIp && rules.address_always_violates);
}

}  // namespace

std::optional<NameSpace::Violation> NameSpace::check(const PathGeneralName& name,
                                                     const ConstraintRules& rules) const {
  const bool closed = is_closed(name.form, rules);
  if (name.form == NameForm::kDirectory && !rules.directory_counts) return std::nullopt;
  if (rules.reads_every_name && is_text_form(name.form) && !within(permitted_, name, false)) {
    return Violation{.check = Check::kNameUnsupported,
                     .name = name.text.empty() ? std::string(kCannotCompare) : name.text};
  }
  for (const bool excluding : {false, true}) {
    const Trees& trees = excluding ? excluded_ : permitted_;
    if (!trees.constrains(name.form)) continue;
    const auto inside = within(trees, name, excluding);
    if (closed || !inside) {
      return Violation{.check = Check::kNameUnsupported,
                       .name = name.text.empty() ? std::string(kCannotCompare) : name.text};
    }
    if (*inside == excluding) {
      return Violation{.check = excluding ? Check::kNameExcluded : Check::kNamePermitted,
                       .name = name.text};
    }
  }
  return std::nullopt;
}

std::optional<NameSpace::Violation> NameSpace::violation(const PathFacts& certificate,
                                                         const ConstraintRules& rules) const {
  if (rules.directory_always_violates && (permitted_.has_directory || excluded_.has_directory)) {
    return Violation{.check = Check::kNameUnsupported, .name = certificate.subject.text};
  }
  if (rules.subject_counts && !certificate.subject.empty()) {
    const PathGeneralName subject{.form = NameForm::kDirectory,
                                  .value = {},
                                  .rdns = certificate.subject.rdns,
                                  .text = certificate.subject.text};
    if (auto found = check(subject, rules)) return found;
    for (const std::string& email : certificate.subject_emails) {
      const PathGeneralName name{
          .form = NameForm::kEmail, .value = email, .rdns = {}, .text = email};
      if (auto found = check(name, rules)) return found;
    }
  }
  for (const PathGeneralName& name : certificate.alternative_names) {
    if (auto found = check(name, rules)) return found;
  }
  return std::nullopt;
}

}  // namespace meshtrust::pki
