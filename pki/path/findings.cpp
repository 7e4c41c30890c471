#include "pki/path/findings.h"

#include "pki/path/checks.h"

#include <algorithm>

namespace meshtrust::pki {
namespace {

void find_on(const PathCertificate& certificate,
             Role role,
             std::size_t depth,
             std::vector<PathFailure>& findings) {
  const auto first = static_cast<std::ptrdiff_t>(findings.size());
  for (const Defect& defect : certificate.facts().defects) {
    if (!profile_rules().minds(defect, role)) continue;
    const bool is_told = std::any_of(
        findings.begin() + first, findings.end(),
        [&defect](const PathFailure& finding) { return finding.check == defect.check; });
    if (is_told) continue;
    findings.push_back(
        failure_of(defect.check, certificate, role, depth, defect.found, defect.wanted));
  }
}

}  // namespace

std::vector<PathFailure> findings_on(std::span<const PathCertificate> path,
                                     const ChainQuestion& question) {
  std::vector<PathFailure> findings;
  for (std::size_t depth = 0; depth < path.size(); ++depth) {
    const Role role = depth == 0 ? Role::kLeaf : role_at(depth, path.size(), true);
    find_on(path[depth], role, depth, findings);
    if (depth != 0) continue;
    auto usage = check_leaf_usage(path[depth], question.purpose, role, profile_rules());
    if (usage) findings.push_back(*std::move(usage));
  }
  return findings;
}

}  // namespace meshtrust::pki
