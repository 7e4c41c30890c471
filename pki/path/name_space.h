#pragma once

#include "pki/path/path_certificate.h"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace meshtrust::pki {

/// Where verifiers part about name constraints.
struct ConstraintRules {
  bool uri_always_violates = false;        ///< rustls-webpki: any URI under any URI constraint
  bool directory_always_violates = false;  ///< rustls-webpki: likewise, even without a subject
  bool email_always_violates = false;      ///< rustls-webpki
  bool address_always_violates = false;    ///< BoringSSL
  bool subject_counts = true;              ///< the subject's own name and mail addresses
  bool directory_counts = true;            ///< false: Go does not compare them at all
  /// Go: under constraints of whatever form, all texts have to be names that could be compared.
  bool reads_every_name = false;
};

/// The name constraints of one certificate (RFC 5280 4.2.1.10), indexed so that ten thousand
/// constraints and ten thousand names meet in a moment: a name is looked up once for each of its
/// own labels or prefixes, never compared with every constraint.
class NameSpace {
 public:
  explicit NameSpace(const PathConstraints& constraints);

  /// What is malformed in the constraints themselves; empty when nothing.
  const std::string& malformed() const { return malformed_; }

  /// A DNS constraint that begins with a dot, which everybody takes for "below"; empty when none.
  const std::string& dotted() const { return dotted_; }

  struct Violation {
    Check check = Check::kNamePermitted;
    std::string name;
  };
  /// The first name of `certificate` that may not stand below these constraints.
  std::optional<Violation> violation(const PathFacts& certificate,
                                     const ConstraintRules& rules) const;

 private:
  /// The subtrees of one kind, for one form of name each.
  struct Trees {
    bool has_dns = false;
    bool has_email = false;
    bool has_uri = false;
    bool has_ip = false;
    bool has_directory = false;
    bool any_dns = false;                              // the empty constraint
    std::unordered_set<std::string> dns;               // a name and all below it
    std::unordered_set<std::string> below_dns;         // ".name": only below it
    std::unordered_set<std::string> dns_parents;       // of `dns`, for wildcards
    std::unordered_set<std::string> mailboxes;         // "local@domain"
    std::unordered_set<std::string> folded_mailboxes;  // in lower case
    std::unordered_set<std::string> mail_hosts;
    std::unordered_set<std::string> below_mail;
    std::unordered_set<std::string> uri_hosts;
    std::unordered_set<std::string> below_uri;
    std::set<std::pair<std::string, std::string>> networks;  // mask, masked address
    std::set<std::string> masks;
    std::unordered_set<std::string> directories;  // prefixes of names, as keys
    std::set<std::size_t> directory_depths;       // how many RDNs those have
    bool any_directory = false;
    std::set<NameForm> unsupported;

    std::string add(const PathSubtree& subtree);
    std::string add_text(NameForm form, const std::string& text);
    std::string add_ip(const std::string& octets);
    bool constrains(NameForm form) const;
    bool matches_dns(const std::string& name, bool excluding) const;
    bool matches_email(const std::string& address, bool fold_local) const;
    bool matches_host(const std::string& host) const;
    bool matches_ip(const std::string& octets) const;
    bool matches_directory(const std::vector<std::string>& rdns) const;
  };

  std::optional<Violation> check(const PathGeneralName& name, const ConstraintRules& rules) const;
  static std::optional<bool> within(const Trees& trees,
                                    const PathGeneralName& name,
                                    bool excluding);

  Trees permitted_;
  Trees excluded_;
  std::string malformed_;
  std::string dotted_;
};

}  // namespace meshtrust::pki
