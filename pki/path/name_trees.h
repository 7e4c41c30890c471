#pragma once

#include "pki/path/name_reader.h"
#include "pki/path/networks.h"
#include "pki/path/path_certificate.h"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace meshtrust::pki {

/// Hosts of constraints, so that a host is looked up once for each of its labels.
class HostTrees {
 public:
  /// "host", ".domain" for all below it, and with `everything` "" for all there are.
  void add(const std::string& host, bool with_subdomains, bool everything);
  bool contains(std::string_view host) const;
  /// Whether one label before `domain` makes a host that is in here.
  bool contains_child_of(std::string_view domain) const;

 private:
  bool all_ = false;
  std::unordered_set<std::string> hosts_;
  std::unordered_set<std::string> domains_;  // all below them
  std::unordered_set<std::string> parents_;  // of hosts with subdomains
};

/// The permitted or the excluded subtrees of a certificate as one verifier reads them.
class NameTrees {
 public:
  NameTrees(const std::vector<PathSubtree>& subtrees, bool excluding, const NameReader& reader);

  /// What is malformed in the subtrees; empty when nothing.
  const std::string& malformed() const { return malformed_; }
  bool constrains(NameForm form) const { return forms_.contains(form); }
  /// Whether a subtree of this form could not be read.
  bool has_unreadable(NameForm form) const { return unreadable_.contains(form); }
  /// Whether a subtree of this form has a minimum or maximum.
  bool has_bounds(NameForm form) const { return bounded_.contains(form); }
  /// Nothing when the name has no form that could be compared.
  std::optional<bool> contains(const PathGeneralName& name, bool from_subject) const;

 private:
  std::string add(const PathSubtree& subtree);
  std::string add_text(NameForm form, const std::string& text);
  bool contains_host(const HostTrees& hosts, const std::string& host) const;
  bool contains_mail(const MailText& mail, bool from_subject) const;
  bool contains_directory(const std::vector<std::string>& rdns) const;

  const NameReader* reader_;
  bool excluding_;
  std::string malformed_;
  std::set<NameForm> forms_;
  std::set<NameForm> unreadable_;
  std::set<NameForm> bounded_;
  HostTrees dns_;
  HostTrees uris_;
  HostTrees mail_hosts_;
  std::unordered_set<std::string> mailboxes_;         // see `joined`
  std::unordered_set<std::string> folded_mailboxes_;  // in lower case
  Networks networks_;
  std::unordered_set<std::string> directories_;  // prefixes of names, as keys
  std::set<std::size_t> directory_depths_;       // how many RDNs those have
  bool any_directory_ = false;
};

}  // namespace meshtrust::pki
