#include "pki/path/name_trees.h"

#include <algorithm>

namespace meshtrust::pki {
namespace {

std::string_view behind_first_label(std::string_view name) {
  const auto dot = name.find('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
}

bool is_text_form(NameForm form) {
  return form == NameForm::kDns || form == NameForm::kEmail || form == NameForm::kUri;
}

/// Whether a minimum or maximum of `subtree` means something to this verifier.
bool is_bounded(const PathSubtree& subtree, const NameReader& reader) {
  return subtree.has_bounds && !(subtree.has_minimum_of_zero && reader.takes_minimum_of_zero);
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
    : reader_(&reader), excluding_(excluding), networks_(reader.networks) {
  for (const PathSubtree& subtree : subtrees) {
    const NameForm form = subtree.base.form;
    forms_.insert(form);
    if (is_bounded(subtree, reader)) bounded_.insert(form);
    const bool is_over = reader.match_ends_the_list && !excluding && has_unreadable(form);
    if (is_over) continue;
    std::string problem = add(subtree);
    if (problem.empty()) continue;
    unreadable_.insert(form);
    if (malformed_.empty()) malformed_ = std::move(problem);
  }
  networks_.finish();
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

/// What is malformed about `subtree`; empty when nothing.
std::string NameTrees::add(const PathSubtree& subtree) {
  const PathGeneralName& base = subtree.base;
  if (is_bounded(subtree, *reader_) && reader_->counts_bounds) {
    return "minimum or maximum with " + std::string(name_of(base.form));
  }
  if (is_text_form(base.form)) return add_text(base.form, base.value);
  if (base.form == NameForm::kIp) return networks_.add(base.value) ? "" : "iPAddress";
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
      return networks_.contain(name.value);
    case NameForm::kDirectory:
      return contains_directory(name.rdns);
    default:
      return std::nullopt;
  }
}

}  // namespace meshtrust::pki
