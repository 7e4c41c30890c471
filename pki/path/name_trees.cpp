#include "pki/path/name_trees.h"

#include <algorithm>

namespace meshtrust::pki {
namespace {

std::string_view behind_first_label(std::string_view name) {
  const auto dot = name.find('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
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

bool is_text_form(NameForm form) {
  return form == NameForm::kDns || form == NameForm::kEmail || form == NameForm::kUri;
}

/// Either part may hold an '@'.
std::string joined(const MailText& mail) {
  std::string text;
  append_with_length(text, mail.local);
  return text + mail.domain;
}

}  // namespace

void HostTrees::add(const std::string& host, bool with_subdomains, bool everything) {
  if (host.empty()) {
    all_ = all_ || everything;
  } else if (host == ".") {  // the root, which has no name
    hosts_.emplace();
    domains_.emplace();
  } else if (host.starts_with('.')) {
    domains_.insert(host.substr(1));
  } else {
    hosts_.insert(host);
    if (!with_subdomains) return;
    domains_.insert(host);
    const std::string_view parent = behind_first_label(host);
    if (!parent.empty()) parents_.emplace(parent);
  }
}

bool HostTrees::contains(std::string_view host) const {
  if (all_ || hosts_.contains(std::string(host))) return true;
  if (domains_.empty()) return false;
  for (auto dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.')) {
    host.remove_prefix(dot + 1);
    if (domains_.contains(std::string(host))) return true;
  }
  return false;
}

bool HostTrees::contains_child_of(std::string_view domain) const {
  return parents_.contains(std::string(domain));
}

NameTrees::NameTrees(const std::vector<PathSubtree>& subtrees,
                     bool excluding,
                     const NameReader& reader)
    : reader_(&reader), excluding_(excluding) {
  for (const PathSubtree& subtree : subtrees) {
    const NameForm form = subtree.base.form;
    forms_.insert(form);
    const bool is_over = reader.match_ends_the_list && !excluding && has_unreadable(form);
    if (is_over) continue;
    std::string problem = add(subtree);
    if (problem.empty()) continue;
    unreadable_.insert(form);
    if (malformed_.empty()) malformed_ = std::move(problem);
  }
}

std::string NameTrees::add_text(NameForm form, const std::string& text) {
  const auto problem = [form, &text] {
    return text.empty() ? std::string(name_of(form)) + " of nothing" : text;
  };
  const bool own_subdomains = reader_->hosts_have_subdomains;
  const bool all = reader_->empty_hosts_are_all;
  if (form == NameForm::kDns) {
    const auto host = reader_->dns_constraint(text);
    if (!host) return problem();
    dns_.add(*host, true, true);
  } else if (form == NameForm::kUri) {
    const auto host = reader_->uri_constraint(text);
    if (!host) return problem();
    uris_.add(*host, own_subdomains, all);
  } else if (text.find('@') != std::string::npos) {
    const auto mail = reader_->mail(text);
    if (!mail) return problem();
    mailboxes_.insert(joined(*mail));
    folded_mailboxes_.insert(lower(joined(*mail)));
  } else {
    const auto host = reader_->mail_constraint(text);
    if (!host) return problem();
    mail_hosts_.add(*host, own_subdomains, all);
  }
  return {};
}

std::string NameTrees::add_ip(const std::string& octets) {
  const std::size_t half = octets.size() / 2;
  const bool sized = octets.size() == 8 || octets.size() == 32;
  if (!sized || !is_mask(std::string_view(octets).substr(half))) return "iPAddress";
  const std::string mask = octets.substr(half);
  masks_.insert(mask);
  networks_.emplace(mask, masked(octets.substr(0, half), mask));
  return {};
}

/// What is malformed about `subtree`; empty when nothing.
std::string NameTrees::add(const PathSubtree& subtree) {
  const PathGeneralName& base = subtree.base;
  if (subtree.has_bounds && reader_->counts_bounds) {
    return "minimum or maximum with " + std::string(name_of(base.form));
  }
  if (is_text_form(base.form)) return add_text(base.form, base.value);
  if (base.form == NameForm::kIp) return add_ip(base.value);
  if (base.form == NameForm::kDirectory) {
    const PathName name{.raw = {}, .rdns = base.rdns, .text = {}};
    any_directory_ = any_directory_ || name.empty();
    directories_.insert(name.key());
    directory_depths_.insert(base.rdns.size());
  }
  return {};
}

bool NameTrees::contains_host(const HostTrees& hosts, const std::string& host) const {
  if (hosts.contains(host)) return true;
  // "*.example.com" also stands for the excluded "www.example.com".
  return excluding_ && host.starts_with(reader_->wildcard) &&
         hosts.contains_child_of(behind_first_label(host));
}

bool NameTrees::contains_mail(const MailText& mail, bool from_subject) const {
  if (contains_host(mail_hosts_, mail.domain) || mailboxes_.contains(joined(mail))) return true;
  const bool folds = excluding_ && (from_subject || reader_->folds_excluded_mail);
  return folds && folded_mailboxes_.contains(lower(joined(mail)));
}

bool NameTrees::contains_ip(const std::string& octets) const {
  return std::ranges::any_of(masks_, [this, &octets](const std::string& mask) {
    return mask.size() == octets.size() && networks_.contains({mask, masked(octets, mask)});
  });
}

bool NameTrees::contains_directory(const std::vector<std::string>& rdns) const {
  if (any_directory_) return true;
  std::string prefix;
  std::size_t depth = 0;
  for (const std::string& rdn : rdns) {
    append_with_length(prefix, rdn);
    if (directory_depths_.contains(++depth) && directories_.contains(prefix)) return true;
  }
  return false;
}

std::optional<bool> NameTrees::contains(const PathGeneralName& name, bool from_subject) const {
  switch (name.form) {
    case NameForm::kDns: {
      const auto host = reader_->dns(name.value);
      if (!host) return std::nullopt;
      return contains_host(dns_, *host);
    }
    case NameForm::kEmail: {
      const auto mail = reader_->mail(name.value);
      if (!mail) return std::nullopt;
      return contains_mail(*mail, from_subject);
    }
    case NameForm::kUri: {
      const auto host = reader_->uri(name.value);
      if (!host) return std::nullopt;
      return contains_host(uris_, *host);
    }
    case NameForm::kIp:
      if (name.value.size() != 4 && name.value.size() != 16) return std::nullopt;
      return contains_ip(name.value);
    case NameForm::kDirectory:
      return contains_directory(name.rdns);
    default:
      return std::nullopt;
  }
}

}  // namespace meshtrust::pki
