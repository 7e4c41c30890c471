#pragma once

#include "base/time.h"
#include "pki/certificate.h"
#include "pki/revocation_list.h"
#include "pki/rule.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::pki {

/// A revocation list that ends sooner than this is warned about.
constexpr base::Seconds kListExpiryWarning = base::days(7);

/// Everything that a rule may look at. `issuer` is null for a root, and where it is not known. With
/// `at`, the rules about expiry apply too: minting does without.
struct LintSubject {
  const Certificate& certificate;
  LintRole role = LintRole::kRoot;
  const Certificate* issuer = nullptr;
  std::optional<base::Instant> at = {};
};

/// A list, and the certificate of its issuer where that is known.
struct ListSubject {
  const RevocationList& list;
  const Certificate* issuer = nullptr;
  std::optional<base::Instant> at = {};
};

/// The table of rules about certificates and revocation lists, in the order in which findings are
/// reported. Those about bundles stand in `istio/lint.h`, which has them all.
std::span<const Rule> lint_rules();

/// Every rule that `subject` breaks.
std::vector<LintFinding> lint(const LintSubject& subject);
std::vector<LintFinding> lint(const ListSubject& subject);

/// What a certificate is for, as far as it says so itself: a CA that its own key signed is a root,
/// another CA an intermediate (be it of its issuer's name), all else a workload.
LintRole role_of(const Certificate& certificate);

}  // namespace meshtrust::pki
