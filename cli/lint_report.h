#pragma once

#include "base/json.h"
#include "base/time.h"
#include "cli/papers.h"
#include "cli/waivers.h"
#include "pki/rule.h"

#include <optional>
#include <string>
#include <vector>

namespace meshtrust::cli {

/// A finding about something that was read.
struct LintEntry {
  pki::LintFinding finding;
  pki::LintRole role = pki::LintRole::kRoot;
  std::string source;       ///< where it was found
  std::string subject;      ///< of the certificate, or the issuer of the list; empty for a bundle
  std::string fingerprint;  ///< likewise; of a bundle that of its ca-cert.pem
  std::string waived_because;  ///< the reason of a waiver; empty when none meets it
};

/// What lint says about all that was read.
struct LintReport {
  std::vector<LintEntry> entries;
  std::size_t certificates = 0;  ///< that were looked at; likewise
  std::size_t lists = 0;
  std::size_t bundles = 0;

  std::size_t looked_at() const { return certificates + lists + bundles; }

  /// The worst severity that no waiver meets.
  std::optional<pki::Severity> worst() const;
};

/// Applies every rule. Each certificate is judged once, as what it says it is or as `role`; its
/// issuer is looked for among the others. Files called ca-cert.pem, cert-chain.pem and
/// root-cert.pem in one place are judged as a bundle as well, by their bytes; tls.crt and ca.crt
/// where the first is of a CA. Of a bundle that is not whole, each file is looked through for
/// foreign blocks.
LintReport lint_papers(const Papers& papers, std::optional<pki::LintRole> role, base::Instant at);

/// Marks what waivers meet, and adds a finding for each that has expired or meets nothing.
void apply_waivers(LintReport& report,
                   std::vector<Waiver>& waivers,
                   const std::string& file,
                   base::Instant at);

std::string render(const LintReport& report);
/// `kind: LintReport`.
base::Json to_json(const LintReport& report);

/// The table of rules, and one rule in full.
std::string render_rules(const std::vector<pki::Rule>& rules);
std::string explain(const pki::Rule& rule);
base::Json to_json(const pki::Rule& rule);

}  // namespace meshtrust::cli
