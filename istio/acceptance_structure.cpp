#include "base/bytes.h"
#include "base/text.h"
#include "istio/acceptance_parts.h"
#include "pki/chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

namespace meshtrust::istio {
namespace {

using pki::Certificate;
using Problems = std::vector<BundleProblem>;

/// A CA that stands before one that it issued, or null. Going by names is enough: what is wrong
/// with signatures is told elsewhere.
const Certificate* first_before_its_child(const std::vector<Certificate>& chain) {
  for (auto above = chain.begin(); above != chain.end(); ++above) {
    const bool has_child = std::any_of(above + 1, chain.end(), [&above](const Certificate& below) {
      return below.facts().issuer_der == above->facts().subject_der &&
             below.facts().subject_der != above->facts().subject_der;
    });
    if (has_child) return &*above;
  }
  return nullptr;
}

/// Whether the chain file holds the signing certificate decides; where in it is advice.
void judge_order(const JudgedBundle& bundle, Problems& problems) {
  const auto& chain = bundle.certificates.cert_chain;
  const Certificate& ca_cert = bundle.certificates.ca_cert;
  const FileNames& files = bundle.files();
  const std::string& subject = ca_cert.facts().subject;
  if (chain.empty()) {
    if (holds(bundle.certificates.roots, ca_cert)) return;
    problems.push_back(
        problem_in_use("chain-empty",
                       fmt::format("{} is empty, wanted the certificate in {} ('{}')",
                                   files.cert_chain, files.ca_cert, subject),
                       bundle.said));
    return;
  }
  if (!holds(chain, ca_cert)) {
    BundleProblem problem = problem_in_use(
        "chain-does-not-begin-with-ca-cert",
        fmt::format("{} begins with '{}', wanted the certificate in {} ('{}')", files.cert_chain,
                    chain.front().facts().subject, files.ca_cert, subject),
        bundle.said);
    if (problem.breaks_workloads) {
      problem.message += ": istiod loads it, and every new workload certificate is unverifiable";
    }
    problems.push_back(std::move(problem));
    return;
  }
  const std::string why = fmt::format(
      "{}strict TLS 1.2 stacks want every certificate to be followed by its issuer, and istiod "
      "cuts "
      "the life of workload certificates by the first one",
      bundle.works ? "it works, but " : "");
  if (chain.front() != ca_cert) {
    const auto place = std::ranges::find(chain, ca_cert) - chain.begin() + 1;
    report(problems, "chain-order",
           fmt::format("{} begins with '{}', and the certificate in {} is number {} in it: {}",
                       files.cert_chain, chain.front().facts().subject, files.ca_cert, place, why));
  } else if (const Certificate* early = first_before_its_child(chain)) {
    report(problems, "chain-order",
           fmt::format("{}: '{}' stands before a certificate that it issued: {}", files.cert_chain,
                       early->facts().subject, why));
  }
}

void judge_bridges(const JudgedBundle& bundle, Problems& problems) {
  const auto& chain = bundle.certificates.cert_chain;
  for (auto one = chain.begin(); one != chain.end(); ++one) {
    const bool has_bridge_behind =
        one->is_self_signed() && std::any_of(one, chain.end(), [&one](const Certificate& other) {
          return other.facts().subject_der == one->facts().subject_der && !other.is_self_signed();
        });
    if (!has_bridge_behind) continue;
    problems.push_back(
        problem_in_use("root-before-bridge",
                       fmt::format("{}: the self-signed '{}' stands before its bridge",
                                   bundle.files().cert_chain, one->facts().subject),
                       bundle.said));
  }
}

/// Whether every CA above leaves room for the ones below it, the signing certificate among them: it
/// has workloads below it, while istiod's own check takes it for the end of a path.
void judge_path_lengths(const JudgedBundle& bundle, Problems& problems) {
  for (std::size_t below = 1; below < bundle.path.size(); ++below) {
    const auto& facts = bundle.path[below].facts();
    if (!facts.basic_constraints || !facts.basic_constraints->path_length) continue;
    const int room = *facts.basic_constraints->path_length;
    if (room >= static_cast<int>(below)) continue;
    BundleProblem problem = problem_in_use(
        "path-too-long",
        fmt::format("'{}' allows {} below it, found {}", facts.subject,
                    base::count_of(static_cast<std::size_t>(std::max(room, 0)), "CA"), below),
        bundle.said);
    // Nobody who accepts has gone this way.
    if (problem.breaks_workloads) problems.push_back(std::move(problem));
  }
}

void judge_depth(const JudgedBundle& bundle, Problems& problems) {
  constexpr std::size_t kMost = 6;
  std::set<std::string> between;
  for (const Certificate& one : bundle.certificates.cert_chain) {
    if (!one.is_self_issued()) between.insert(one.fingerprint());
  }
  if (between.size() <= kMost) return;
  problems.push_back(problem_in_use(
      "chain-too-long",
      fmt::format("{}: {} between a workload and the root, wanted at most {}",
                  bundle.files().cert_chain, base::count_of(between.size(), "CA"), kMost),
      bundle.said));
}

void judge_names_of_roots(const JudgedBundle& bundle, Problems& problems) {
  std::set<std::string_view> names;
  std::set<std::string> seen;
  for (const Certificate& root : bundle.certificates.roots) {
    if (!seen.insert(root.fingerprint()).second) continue;  // a repeated root is harmless
    if (names.insert(base::as_text(root.facts().subject_der)).second) continue;
    report(problems, "equal-root-subjects",
           fmt::format("{}: several roots are called '{}'", bundle.files().root_cert,
                       root.facts().subject));
  }
}

/// A cluster that signs with the root itself holds the key of the whole mesh.
void judge_whose_key(const JudgedBundle& bundle, Problems& problems) {
  const Certificate& own = bundle.certificates.ca_cert;
  const bool is_of_root =
      std::ranges::any_of(bundle.certificates.roots, [&own](const Certificate& root) {
        return root.is_self_signed() && root.facts().key_id == own.facts().key_id;
      });
  if (!is_of_root) return;
  const FileNames& files = bundle.files();
  report(problems, "root-key-in-cluster",
         fmt::format("{}: '{}' has the key of a root, so {} is that root's own key", files.ca_cert,
                     own.facts().subject, files.ca_key));
}

void judge_anchors(const JudgedBundle& bundle, Problems& problems) {
  std::set<std::string> seen;
  for (const Certificate& root : bundle.certificates.roots) {
    if (!seen.insert(root.fingerprint()).second || root.is_self_signed()) continue;
    const bool is_own = root == bundle.certificates.ca_cert;
    report(
        problems, "anchor-is-no-root",
        fmt::format("{} holds {}'{}', which '{}' issued: it is no root, and who trusts it trusts "
                    "what is below it alone",
                    bundle.files().root_cert, is_own ? "the cluster's own intermediate " : "",
                    root.facts().subject, root.facts().issuer));
  }
}

}  // namespace

std::vector<Certificate> path_of(const ParsedBundle& bundle, base::Instant at) {
  const auto is_over = [at](const Certificate& one) { return one.facts().not_after < at; };
  ParsedBundle sorted = bundle;
  for (auto* certificates : {&sorted.cert_chain, &sorted.roots}) {
    std::stable_partition(certificates->begin(), certificates->end(), std::not_fn(is_over));
  }
  std::vector<Certificate> path{bundle.ca_cert};
  while (!holds(bundle.roots, path.back())) {
    const Certificate* root = pki::find_issuer(path.back(), sorted.roots);
    const bool is_good_root = root != nullptr && !is_over(*root);
    const Certificate* issuer = is_good_root ? root : issuer_in(sorted, path.back());
    if (issuer == nullptr || holds(path, *issuer)) break;
    path.push_back(*issuer);
  }
  return path;
}

Problems problems_of_chain(const JudgedBundle& bundle) {
  Problems problems;
  judge_order(bundle, problems);
  judge_bridges(bundle, problems);
  judge_path_lengths(bundle, problems);
  judge_depth(bundle, problems);
  return problems;
}

Problems problems_of_roots(const JudgedBundle& bundle) {
  Problems problems;
  judge_whose_key(bundle, problems);
  judge_anchors(bundle, problems);
  judge_names_of_roots(bundle, problems);
  return problems;
}

}  // namespace meshtrust::istio
