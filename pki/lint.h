#pragma once

#include "pki/certificate.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::pki {

/// What a certificate is for decides which rules apply to it.
enum class CertificateRole { kRoot, kIntermediate };

enum class Severity { kWarning, kError };

/// A rule that a certificate breaks.
struct LintFinding {
  std::string rule;  ///< stable id, e.g. "ca_outlives_issuer"
  Severity severity = Severity::kError;
  std::string source;   ///< the clause: "RFC 5280 4.2.1.9", "mesh policy: ..."
  std::string message;  ///< found versus wanted
};

/// Everything that a rule may look at. `issuer` is null for a root.
struct LintSubject {
  const Certificate& certificate;
  CertificateRole role = CertificateRole::kRoot;
  const Certificate* issuer = nullptr;
};

struct LintRule {
  std::string_view id;
  Severity severity;
  std::string_view source;
  std::string_view summary;
  bool (*applies)(const LintSubject&);
  /// Empty when the rule holds, else found versus wanted.
  std::string (*check)(const LintSubject&);
};

/// The table of rules, in the order in which findings are reported.
std::span<const LintRule> lint_rules();

/// Every rule that `subject` breaks.
std::vector<LintFinding> lint(const LintSubject& subject);

}  // namespace meshtrust::pki
