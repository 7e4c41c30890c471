#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::pki {

enum class Severity {
  kNote,     ///< worth knowing
  kWarning,  ///< works now and will not for ever, or not everywhere
  kError,    ///< refused by somebody who matters in a mesh
};
/// "note", "warning", "critical".
std::string_view name_of(Severity severity);
std::optional<Severity> severity_from_name(std::string_view name);

/// What something is for decides which rules apply to it.
enum class LintRole : std::uint8_t {
  kRoot = 1,
  kIntermediate = 2,
  kWorkload = 4,
  kList = 8,     ///< a certificate revocation list
  kBundle = 16,  ///< the files that istiod reads, together
};
/// "root", "intermediate", "workload", "crl", "bundle".
std::string_view name_of(LintRole role);
std::optional<LintRole> lint_role_from_name(std::string_view name);

/// A set of roles.
struct LintRoles {
  std::uint8_t bits = 0;

  constexpr bool has(LintRole role) const { return (bits & static_cast<std::uint8_t>(role)) != 0; }
  std::vector<LintRole> list() const;
};
constexpr LintRoles only(LintRole role) {
  return {static_cast<std::uint8_t>(role)};
}
constexpr LintRoles operator|(LintRoles a, LintRoles b) {
  return {static_cast<std::uint8_t>(a.bits | b.bits)};
}
inline constexpr LintRoles kRoots = only(LintRole::kRoot);
inline constexpr LintRoles kIntermediates = only(LintRole::kIntermediate);
inline constexpr LintRoles kAuthorities = kRoots | kIntermediates;
inline constexpr LintRoles kWorkloads = only(LintRole::kWorkload);
inline constexpr LintRoles kCertificates = kAuthorities | kWorkloads;
inline constexpr LintRoles kLists = only(LintRole::kList);
inline constexpr LintRoles kBundles = only(LintRole::kBundle);

/// A row of the table of rules. Everything about a rule but how it is found broken.
struct Rule {
  std::string_view id;
  Severity severity;
  LintRoles roles;
  std::string_view source;      ///< the clause: "RFC 5280 4.2.1.9", "mesh policy: ..."
  std::string_view summary;     ///< what holds where the rule is kept
  std::string_view refused_by;  ///< who refuses where it is broken; empty for nobody
  std::string_view why;         ///< what happens, and what to do about it
};

/// A rule that something breaks.
struct LintFinding {
  std::string rule;
  Severity severity = Severity::kError;
  std::string source;
  std::string message;  ///< found versus wanted
};

}  // namespace meshtrust::pki
