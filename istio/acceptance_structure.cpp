#include "base/bytes.h"
#include "base/text.h"
#include "istio/acceptance_parts.h"
#include "istio/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace meshtrust::istio {
namespace {

using base::Instant;
using pki::Certificate;
using Problems = std::vector<BundleProblem>;

void report(Problems& problems, std::string_view code, std::string message) {
  problems.push_back(bundle_problem(code, std::move(message), false));
}

void judge_bridges(const std::vector<Certificate>& chain, Instant at, Problems& problems) {
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const Certificate& one = chain[i];
    if (one.facts().not_after < at && i > 0) {
      report(problems, "chain-holds-expired",
             fmt::format("{}: '{}' ended on {}", kCertChainFile, one.facts().subject,
                         base::format_date(one.facts().not_after)));
    }
    const bool has_bridge_behind =
        one.is_self_signed() &&
        std::any_of(chain.begin() + static_cast<std::ptrdiff_t>(i), chain.end(),
                    [&one](const Certificate& other) {
                      return other.facts().subject_der == one.facts().subject_der &&
                             !other.is_self_signed();
                    });
    if (has_bridge_behind) {
      report(problems, "root-before-bridge",
             fmt::format("{}: the self-signed '{}' stands before its bridge", kCertChainFile,
                         one.facts().subject));
    }
  }
}

void check_room(const Certificate& authority, std::size_t authorities_below, Problems& problems) {
  const auto& constraints = authority.facts().basic_constraints;
  if (!constraints || !constraints->path_length) return;
  if (*constraints->path_length >= static_cast<int>(authorities_below)) return;
  report(problems, "path-too-long",
         fmt::format("'{}' allows {} below it, found {}", authority.facts().subject,
                     base::count_of(static_cast<std::size_t>(*constraints->path_length), "CA"),
                     authorities_below));
}

/// The signing certificate is judged as the end of a path elsewhere, while in use it has workloads
/// below it: whether every CA above leaves room for it has to be counted.
void judge_path_lengths(const ParsedBundle& bundle, Problems& problems) {
  const std::vector<Certificate>& chain = bundle.cert_chain;
  if (chain.empty()) return;
  constexpr std::ptrdiff_t kMost = 6;
  const auto between =
      std::ranges::count_if(chain, [](const Certificate& one) { return !one.is_self_issued(); });
  if (between > kMost) {
    report(problems, "chain-too-long",
           fmt::format("{}: {} between a workload and the root, wanted at most {}", kCertChainFile,
                       base::count_of(static_cast<std::size_t>(between), "CA"), kMost));
  }
  for (std::size_t above = 1; above < chain.size(); ++above) {
    check_room(chain[above], above, problems);
  }
  for (const Certificate& root : bundle.roots) {
    const bool issues = chain.back().facts().issuer_der == root.facts().subject_der;
    if (issues && chain.back() != root) check_room(root, chain.size(), problems);
  }
}

void judge_names_of_roots(const std::vector<Certificate>& roots, Problems& problems) {
  std::set<std::string_view> names;
  std::set<std::string> seen;
  for (const Certificate& root : roots) {
    if (!seen.insert(root.fingerprint()).second) continue;  // a repeated root is harmless
    if (names.insert(base::as_text(root.facts().subject_der)).second) continue;
    report(problems, "equal-root-subjects",
           fmt::format("{}: several roots are called '{}'", kRootCertFile, root.facts().subject));
  }
}

struct FoundCertificate {
  std::string_view file;
  const Certificate* certificate;
};

/// Every CA of the bundle once.
std::vector<FoundCertificate> authorities_of(const ParsedBundle& bundle) {
  std::vector<FoundCertificate> found;
  std::set<std::string> seen;
  const auto take = [&](std::string_view file, const Certificate& one) {
    if (seen.insert(one.fingerprint()).second) found.push_back({file, &one});
  };
  take(kCaCertFile, bundle.ca_cert);
  for (const Certificate& root : bundle.roots) {
    take(kRootCertFile, root);
  }
  for (const Certificate& one : bundle.cert_chain) {
    take(kCertChainFile, one);
  }
  return found;
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

void judge_times(const BundleQuestion& question, const ParsedBundle& bundle, Problems& problems) {
  const Instant own_end = bundle.ca_cert.facts().not_after;
  const auto authorities = authorities_of(bundle);
  for (const auto& [file, one] : authorities) {
    const Instant end = one->facts().not_after;
    if (end <= question.at || end - question.at >= question.warn_before) continue;
    report(problems, "expires-soon",
           fmt::format("{}: '{}' expires {} ({})", file, one->facts().subject,
                       base::format_relative(end, question.at), base::format_date(end)));
  }
  std::set<std::string> climbed;
  const Certificate* above = last_issuer(authorities, bundle.ca_cert);
  while (above != nullptr && climbed.insert(above->fingerprint()).second) {
    if (const Instant end = above->facts().not_after; own_end > end) {
      report(
          problems, "outlives-its-root",
          fmt::format("{} is valid until {}, longer than '{}' above it ({})", kCaCertFile,
                      base::format_date(own_end), above->facts().subject, base::format_date(end)));
    }
    above = above->is_self_signed() ? nullptr : last_issuer(authorities, *above);
  }
}

}  // namespace

Problems problems_of_chain(const BundleQuestion& question, const ParsedBundle& bundle) {
  Problems problems;
  judge_bridges(bundle.cert_chain, question.at, problems);
  judge_path_lengths(bundle, problems);
  return problems;
}

Problems problems_of_roots(const BundleQuestion& question, const ParsedBundle& bundle) {
  Problems problems;
  judge_names_of_roots(bundle.roots, problems);
  judge_times(question, bundle, problems);
  return problems;
}

}  // namespace meshtrust::istio
