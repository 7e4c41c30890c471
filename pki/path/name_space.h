#pragma once

#include "pki/path/name_reader.h"
#include "pki/path/path_certificate.h"

#include <memory>
#include <optional>
#include <string>

namespace meshtrust::pki {

/// Where verifiers part about name constraints.
struct ConstraintRules {
  const NameReader* reader = &own_names();  ///< how texts are read and compared
  bool uri_always_violates = false;         ///< rustls-webpki: any URI under any URI constraint
  bool directory_always_violates = false;   ///< rustls-webpki: likewise, even without a subject
  bool email_always_violates = false;       ///< rustls-webpki
  bool address_always_violates = false;     ///< BoringSSL
  bool subject_counts = true;               ///< the subject's own name and mail addresses
  bool subject_mail_is_ia5 = false;         ///< BoringSSL: one in another string type is refused
  bool directory_counts = true;             ///< false: Go does not compare them at all
  /// Go: under constraints of whatever form, all texts have to be names that could be compared.
  bool reads_every_name = false;
  bool bounds_always_violate = false;  ///< rustls-webpki: whatever the form of the names
  /// In a certificate without alternative names a common name that is the name of a host stands for
  /// one (OpenSSL, GnuTLS, Botan): somebody may still take it for the name of the server.
  bool lone_common_names_count = false;
  std::size_t most_comparisons = SIZE_MAX;  ///< names times constraints, for one pair
};

/// The name constraints of one certificate (RFC 5280 4.2.1.10), indexed so that ten thousand
/// constraints and ten thousand names meet in a moment: a name is looked up once for each of its
/// own labels or prefixes, never compared with every constraint.
class NameSpace {
 public:
  explicit NameSpace(PathConstraints constraints);

  /// What is malformed in the constraints themselves, as `reader` reads them; empty when nothing.
  std::string malformed(const NameReader& reader) const;

  /// Neither permits nor excludes anything.
  bool is_empty() const { return constraints_.permitted.empty() && constraints_.excluded.empty(); }
  bool has_minimum_of_zero() const;

  /// A DNS constraint that begins with a dot, which everybody takes for "below"; empty when none.
  const std::string& dotted() const { return dotted_; }

  struct Violation {
    Check check = Check::kNamePermitted;
    std::string name;
  };
  /// How often a name of `certificate` meets a constraint.
  std::size_t comparisons(const PathFacts& certificate, const ConstraintRules& rules) const;
  /// The first name of `certificate` that may not stand below these constraints.
  std::optional<Violation> violation(const PathFacts& certificate,
                                     const ConstraintRules& rules) const;
  /// The same of the names of hosts that stand in its subject alone, see `ConstraintRules`. Asked
  /// of leaves: the common name of a CA is nobody's host.
  std::optional<Violation> violation_of_lone_names(const PathFacts& leaf,
                                                   const ConstraintRules& rules) const;

 private:
  struct Sides;    // permitted and excluded, as one reader reads them
  struct Indexes;  // of every reader that asked so far
  const Sides& sides_for(const NameReader& reader) const;
  static std::optional<Violation> check(const Sides& sides,
                                        const PathGeneralName& name,
                                        const ConstraintRules& rules,
                                        bool from_subject);

  PathConstraints constraints_;
  std::shared_ptr<Indexes> indexes_;
  std::string dotted_;
};

}  // namespace meshtrust::pki
