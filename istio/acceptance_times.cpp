#include "base/text.h"
#include "istio/acceptance_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace meshtrust::istio {
namespace {

using base::Instant;
using pki::Certificate;
using Problems = std::vector<BundleProblem>;

struct FoundCertificate {
  std::string_view file;
  const Certificate* certificate;
};

/// Every CA of the bundle once.
std::vector<FoundCertificate> authorities_of(const JudgedBundle& bundle) {
  std::vector<FoundCertificate> found;
  std::set<std::string> seen;
  const auto take = [&](std::string_view file, const Certificate& one) {
    if (seen.insert(one.fingerprint()).second) found.push_back({file, &one});
  };
  take(bundle.files().ca_cert, bundle.certificates.ca_cert);
  for (const Certificate& root : bundle.certificates.roots) {
    take(bundle.files().root_cert, root);
  }
  for (const Certificate& one : bundle.certificates.cert_chain) {
    take(bundle.files().cert_chain, one);
  }
  return found;
}

/// Where all verify, what has ended is on nobody's way: advice. Else, on the way, it is the reason.
void judge_ended(const JudgedBundle& bundle, const FoundCertificate& found, Problems& problems) {
  const Certificate& one = *found.certificate;
  const std::string what = fmt::format("'{}' ended on {}", one.facts().subject,
                                       base::format_date(one.facts().not_after));
  if (!bundle.works && holds(bundle.path, one)) {
    BundleProblem problem =
        bundle_problem("expired", fmt::format("{}: {}", found.file, what), false);
    problem.breaks_workloads = !pki::all_accept(bundle.said);
    problems.push_back(std::move(problem));
  } else if (holds(bundle.certificates.roots, one)) {
    report(problems, "root-holds-expired",
           fmt::format("{}: {}: take it out once nothing is left below it", found.file, what));
  } else {
    report(problems, "chain-holds-expired", fmt::format("{}: {}", found.file, what));
  }
}

void judge_ends(const JudgedBundle& bundle,
                const std::vector<FoundCertificate>& authorities,
                Problems& problems) {
  for (const FoundCertificate& found : authorities) {
    const auto& facts = found.certificate->facts();
    const Instant at = bundle.question.at;
    if (facts.not_after < at) {
      judge_ended(bundle, found, problems);
    } else if (facts.not_after - at < bundle.question.warn_before) {
      report(problems, "expires-soon",
             fmt::format("{}: '{}' expires {} ({})", found.file, facts.subject,
                         base::format_relative(facts.not_after, at),
                         base::format_date(facts.not_after)));
    }
  }
}

/// Of the CAs that `one` may have been issued by, going by the name, the one that ends last: where
/// a CA has been renewed, verifiers go on to the certificate that is still valid.
const Certificate* last_issuer(const std::vector<FoundCertificate>& authorities,
                               const Certificate& one) {
  const Certificate* last = nullptr;
  for (const FoundCertificate& found : authorities) {
    const Certificate& candidate = *found.certificate;
    if (candidate.facts().subject_der != one.facts().issuer_der || candidate == one) continue;
    if (last == nullptr || candidate.facts().not_after > last->facts().not_after) {
      last = &candidate;
    }
  }
  return last;
}

void judge_nesting(const JudgedBundle& bundle,
                   const std::vector<FoundCertificate>& authorities,
                   Problems& problems) {
  const Certificate& ca_cert = bundle.certificates.ca_cert;
  const Instant own_end = ca_cert.facts().not_after;
  std::set<std::string> climbed;
  const Certificate* above = last_issuer(authorities, ca_cert);
  while (above != nullptr && climbed.insert(above->fingerprint()).second) {
    if (const Instant end = above->facts().not_after; own_end > end) {
      report(problems, "outlives-its-root",
             fmt::format("{} is valid until {}, longer than '{}' above it ({})",
                         bundle.files().ca_cert, base::format_date(own_end), above->facts().subject,
                         base::format_date(end)));
    }
    above = above->is_self_signed() ? nullptr : last_issuer(authorities, *above);
  }
}

}  // namespace

Problems problems_of_times(const JudgedBundle& bundle) {
  Problems problems;
  const auto authorities = authorities_of(bundle);
  judge_ends(bundle, authorities, problems);
  judge_nesting(bundle, authorities, problems);
  return problems;
}

}  // namespace meshtrust::istio
