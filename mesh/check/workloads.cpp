#include "mesh/check/workloads.h"

#include "base/text.h"
#include "istio/acceptance.h"
#include "mesh/check/material.h"
#include "mesh/trust.h"
#include "mesh/workloads.h"
#include "pki/path/imagined_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace meshtrust::mesh {
namespace {

using istio::Credential;
using pki::Certificate;
using profiles::Cluster;

/// As many examples as a person wants to read.
constexpr std::size_t kMostExamples = 5;

/// What one workload presents and trusts.
struct Seen {
  const WorkloadPod* pod;
  const Credential* credential;

  const pki::CertificateFacts& own() const { return credential->chain.front().facts(); }
  bool is_over() const { return own().not_after <= pod->read_at; }
};

/// Of all workloads of a cluster that told.
std::vector<Seen> seen_in(const ClusterObservation& cluster) {
  std::vector<Seen> all;
  if (!cluster.live.workloads) return all;
  const auto* facts = cluster.live.workloads->found(Unknown::kTold);
  if (facts == nullptr) return all;
  for (const WorkloadPod& pod : facts->chosen) {
    const auto* credentials = pod.credentials.found(Unknown::kTold);
    if (credentials == nullptr) continue;
    for (const Credential& one : *credentials) {
      all.push_back({&pod, &one});
    }
  }
  return all;
}

/// Calls `ask` with every cluster of which workloads were seen.
template <class Ask>
void for_each_cluster(const CheckSubject& subject, Ask ask) {
  if (subject.purpose != Purpose::kProve) return;
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* observed = subject.observed(cluster);
    if (observed == nullptr) continue;
    const std::vector<Seen> seen = seen_in(*observed);
    if (!seen.empty()) ask(cluster, *observed, seen);
  }
}

/// "shop/web-1"; of a ztunnel also which of the identities that it has.
std::string who(const Seen& seen) {
  const std::string pod = fmt::format("{}/{}", seen.pod->namespace_name, seen.pod->name);
  const bool has_one = seen.pod->credentials.found(Unknown::kTold)->size() == 1;
  if (has_one || seen.own().uris.empty()) return base::printable(pod);
  return base::printable(fmt::format("{} ({})", pod, seen.own().uris.front()));
}

/// The first of them, one a line.
template <class Items, class Write>
std::vector<std::string> examples_of(const Items& items, Write write) {
  std::vector<std::string> lines;
  for (const auto& item : items) {
    if (lines.size() == kMostExamples) {
      lines.push_back(fmt::format("and {} more", items.size() - kMostExamples));
      break;
    }
    lines.push_back(write(item));
  }
  return lines;
}

std::vector<std::string> names_of(std::span<const Seen> some) {
  return examples_of(some, [](const Seen& one) { return who(one); });
}

base::Instant last_end_of(std::span<const Seen> some) {
  base::Instant last = some.front().own().not_after;
  for (const Seen& one : some) {
    last = std::max(last, one.own().not_after);
  }
  return last;
}

std::string count_workloads(std::size_t number) {
  return base::count_of(number, "workload");
}

std::set<std::string> fingerprints_of(const std::vector<Certificate>& certificates) {
  std::set<std::string> all;
  for (const Certificate& one : certificates) {
    all.insert(one.fingerprint());
  }
  return all;
}

/// "'O=Shop,CN=Root' (5f3a ...) and 'O=Shop,CN=Next' (91c0 ...)".
std::string describe_all(const std::vector<Certificate>& certificates) {
  std::vector<std::string> words;
  for (const Certificate& one : certificates) {
    std::string text = describe(one);
    if (std::find(words.begin(), words.end(), text) == words.end()) words.push_back(text);
  }
  return base::join(words, " and ");
}

/// The bundles with which the istiods of `cluster` sign now; nothing unless all are known.
std::optional<std::vector<istio::ParsedBundle>> signers_of(const CheckSubject& subject,
                                                           const Cluster& cluster) {
  std::vector<istio::ParsedBundle> bundles;
  for (const std::string& name : issuers_of(cluster)) {
    const ClusterObservation* observed = subject.observation.find(name);
    if (observed == nullptr) return std::nullopt;
    const Observed<Material> material = material_of(*observed);
    const Material* found = material.found(Unknown::kNothingFollows);
    if (found == nullptr) return std::nullopt;
    auto bundle = istio::parse_bundle(found->certificates);
    if (!bundle) return std::nullopt;
    bundles.push_back(*std::move(bundle));
  }
  return bundles;
}

std::vector<std::string> refusals_in(const std::vector<pki::Verdict>& verdicts) {
  return PairVerdict{.from = {}, .to = {}, .verdicts = verdicts}.refusals();
}

// What an issuer is compared with.

bool is_signed_by_any(const Seen& seen, const std::vector<istio::ParsedBundle>& signers) {
  const Certificate* issuer = issuer_in(*seen.credential);
  return issuer == nullptr || std::ranges::any_of(signers, [issuer](const auto& bundle) {
           return bundle.ca_cert == *issuer;
         });
}

// What roots are compared with.

/// What the istiods of `observed` publish; nothing where that is not known.
std::optional<std::vector<Certificate>> published_roots(const ClusterObservation& observed) {
  const std::string* pem = observed.workload_roots.found(Unknown::kNothingFollows);
  if (pem == nullptr) return std::nullopt;
  auto roots = pki::certificates_from_pem(*pem);
  if (!roots) return std::nullopt;  // another check tells
  return *std::move(roots);
}

/// Whether who trusts `roots` would refuse workloads that istiods of this mesh sign now, and why.
/// Nothing where none of them is known.
std::optional<std::vector<std::string>> refusals_of_new_workloads(
    const CheckSubject& subject, const std::vector<Certificate>& roots, base::Instant at) {
  std::optional<std::vector<std::string>> refusals;
  for (const Cluster& cluster : subject.mesh.clusters) {
    if (!cluster.runs_istiod()) continue;
    const auto signers = signers_of(subject, cluster);
    if (!signers) continue;
    if (!refusals) refusals.emplace();
    const auto said = refusals_in(istio::judge_workloads(signers->front(), roots, at));
    if (!said.empty()) {
      refusals->push_back(fmt::format("they would refuse what the istiod of '{}' signs now: {}",
                                      cluster.name, said.front()));
    }
  }
  return refusals;
}

/// Workloads of one cluster that trust the same, and not what is published there.
Finding other_roots(const CheckSubject& subject,
                    const Cluster& cluster,
                    const std::vector<Seen>& some,
                    const std::vector<Certificate>& published) {
  const std::vector<Certificate>& theirs = some.front().credential->roots;
  const auto refusals = refusals_of_new_workloads(subject, theirs, some.front().pod->read_at);
  const bool share_one = std::ranges::any_of(theirs, [&published](const Certificate& one) {
    return std::ranges::find(published, one) != published.end();
  });
  const bool breaks = refusals ? !refusals->empty() : !share_one;
  Finding finding{
      .code = "workload-roots-differ",
      .severity = breaks ? Severity::kCritical : Severity::kWarning,
      .cluster = cluster.name,
      .message = fmt::format("{} {} {}, the cluster publishes {}", count_workloads(some.size()),
                             some.size() == 1 ? "trusts" : "trust", describe_all(theirs),
                             describe_all(published)),
      .evidence = names_of(some)};
  if (refusals) {
    finding.evidence.insert(finding.evidence.end(), refusals->begin(), refusals->end());
  }
  finding.hints.push_back(
      fmt::format("a proxy takes what is published when it renews its certificate, these by {} at "
                  "the latest{}",
                  base::format_rfc3339(last_end_of(some)),
                  breaks ? "; a restart of their pods hurries it" : ""));
  return finding;
}

// Who accepts whom.

/// Between "spiffe://" and the next "/" of its own name: what constraints of names are about.
std::string trust_domain_of(const pki::CertificateFacts& own) {
  constexpr std::string_view kScheme = "spiffe://";
  if (own.uris.empty() || !own.uris.front().starts_with(kScheme)) return {};
  const std::string rest = own.uris.front().substr(kScheme.size());
  return rest.substr(0, rest.find('/'));
}

/// Chains with the same key differ in nothing that a verifier asks about: not in what stands above
/// the workload, nor in the form of its own certificate. What its issuer did not sign is by itself.
std::string key_of_chain(const Seen& seen) {
  const std::vector<Certificate>& chain = seen.credential->chain;
  const pki::CertificateFacts& own = seen.own();
  const Certificate* issuer = issuer_in(*seen.credential);
  if (issuer == nullptr || !chain.front().is_signed_by(*issuer)) return own.fingerprint;
  const bool is_ca = own.basic_constraints && own.basic_constraints->is_ca;
  std::string key = fmt::format(
      "v{} {} {} usage {}{} for {} ca {} named {}.{}.{}.{} in {} unknown {} early {}", own.version,
      own.key_type, own.signature_algorithm,
      own.key_usage ? base::join(own.key_usage->bits, ",") : "any",
      own.has_name_constraints ? " constrained" : "", base::join(own.extended_key_usage, ","),
      is_ca, own.uris.size(), own.dns_names.size(), own.ip_addresses.size(), own.emails.size(),
      trust_domain_of(own), base::join(own.unknown_critical_extensions, ","),
      own.not_before > seen.pod->read_at);
  for (const Certificate& one : std::span(chain).subspan(1)) {
    key += " " + one.fingerprint();
  }
  return key;
}

std::string key_of_roots(const Seen& seen) {
  std::string key;
  for (const Certificate& one : seen.credential->roots) {
    key += one.fingerprint();
  }
  return key;
}

/// Workloads of a cluster that all others have to judge alike, or that judge alike.
using Alike = std::map<std::string, std::vector<Seen>>;

struct Sides {
  const Cluster* cluster;
  Alike presenting = {};  ///< by chain; what is over is told by itself
  Alike trusting = {};    ///< by roots
};

std::vector<Sides> sides_of(const CheckSubject& subject) {
  std::vector<Sides> all;
  for_each_cluster(subject, [&all](const Cluster& cluster, const ClusterObservation& /*observed*/,
                                   const std::vector<Seen>& seen) {
    Sides sides{.cluster = &cluster};
    for (const Seen& one : seen) {
      if (!one.is_over()) sides.presenting[key_of_chain(one)].push_back(one);
      sides.trusting[key_of_roots(one)].push_back(one);
    }
    all.push_back(std::move(sides));
  });
  return all;
}

/// Asks each question once: a mesh has many workloads, few CAs and fewer roots.
class Court {
 public:
  /// Why who trusts what `trusting` does refuses `presenting`; empty where nobody does.
  const std::vector<std::string>& refusals(const Alike::value_type& presenting,
                                           const Alike::value_type& trusting) {
    const auto [place, is_new] = known_.try_emplace({presenting.first, trusting.first});
    if (is_new) {
      const Seen& example = presenting.second.front();
      place->second = refusals_in(
          pki::judge_presented_workload({.chain = example.credential->chain,
                                         .roots = trusting.second.front().credential->roots,
                                         .at = example.pod->read_at}));
    }
    return place->second;
  }

 private:
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> known_;
};

/// What the workloads of `to` do not accept of those of `from`.
std::optional<Finding> refused_between(const Sides& from, const Sides& to, Court& court) {
  std::vector<std::string> lines;
  std::size_t refused = 0;
  for (const auto& presenting : from.presenting) {
    bool is_refused = false;
    for (const auto& trusting : to.trusting) {
      const std::vector<std::string>& why = court.refusals(presenting, trusting);
      if (why.empty()) continue;
      is_refused = true;
      lines.push_back(fmt::format("{} refuses {}: {}", who(trusting.second.front()),
                                  who(presenting.second.front()), why.front()));
    }
    refused += is_refused ? presenting.second.size() : 0;
  }
  if (refused == 0) return std::nullopt;
  return Finding{.code = "workload-refused",
                 .cluster = to.cluster->name,
                 .message = fmt::format("its workloads do not accept {} of '{}'",
                                        count_workloads(refused), from.cluster->name),
                 .evidence = examples_of(lines, [](const std::string& line) { return line; }),
                 .hints = {"'meshtrust observe --level deep -o json' has the chains and roots of "
                           "both, below live.workloads"}};
}

/// What of the pods that were asked is not known, and what would help.
Finding unread(const Cluster& cluster, const WorkloadFacts& facts) {
  std::vector<std::string> reasons;
  Finding finding{.code = "workloads-unread",
                  .severity = Severity::kNote,
                  .cluster = cluster.name,
                  .message = {}};
  for (const WorkloadPod& pod : facts.chosen) {
    const base::Error* why = pod.credentials.why_unknown();
    if (why == nullptr) continue;
    reasons.push_back(why->message);  // each names its pod
    for (const std::string& hint : why->hints) {
      const bool is_known = std::ranges::find(finding.hints, hint) != finding.hints.end();
      if (!is_known) finding.hints.push_back(hint);
    }
  }
  finding.message = fmt::format("{} of {} did not tell what they present and trust", reasons.size(),
                                base::count_of(facts.chosen.size(), "pod"));
  finding.evidence =
      examples_of(reasons, [](const std::string& reason) { return base::printable(reason); });
  return finding;
}

}  // namespace

void check_workloads_told(const CheckSubject& subject, Answer& answer) {
  if (subject.purpose != Purpose::kProve) return;
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* observed = subject.observed(cluster);
    if (observed == nullptr || !observed->live.workloads) continue;
    if (const base::Error* why = observed->live.workloads->why_unknown()) {
      answer.findings.push_back(
          {.code = "workloads-unseen",
           .severity = Severity::kNote,
           .cluster = cluster.name,
           .message = "what its workloads present and trust was not looked at: " + why->message,
           .hints = why->hints});
      continue;
    }
    const WorkloadFacts* facts = observed->live.workloads->found(Unknown::kTold);
    if (facts != nullptr && summary_of(*facts).unread != 0) {
      answer.findings.push_back(unread(cluster, *facts));
    }
  }
}

void check_workloads_renew(const CheckSubject& subject, Answer& answer) {
  for_each_cluster(subject, [&answer](const Cluster& cluster, const ClusterObservation& observed,
                                      std::vector<Seen> seen) {
    std::erase_if(seen, [](const Seen& one) { return !one.is_over(); });
    if (seen.empty()) return;
    const WorkloadPod& example = *seen.front().pod;
    answer.findings.push_back(
        {.code = "workload-expired",
         .cluster = cluster.name,
         .message = fmt::format("{} {} a certificate that is over", count_workloads(seen.size()),
                                seen.size() == 1 ? "presents" : "present"),
         .evidence = examples_of(seen,
                                 [](const Seen& one) {
                                   return fmt::format("{} since {}", who(one),
                                                      base::format_rfc3339(one.own().not_after));
                                 }),
         .hints = {fmt::format("its agent gets no new one from istiod: 'kubectl --context {} -n {} "
                               "logs {} -c istio-proxy' says why",
                               observed.context, example.namespace_name, example.name)}});
  });
}

void check_workloads_moved(const CheckSubject& subject, Answer& answer) {
  for_each_cluster(subject, [&](const Cluster& cluster, const ClusterObservation& /*observed*/,
                                const std::vector<Seen>& seen) {
    const auto signers = signers_of(subject, cluster);
    if (!signers) return;
    std::map<std::string, std::vector<Seen>> left;  // by what they present
    for (const Seen& one : seen) {
      if (one.is_over() || is_signed_by_any(one, *signers)) continue;
      left[issuer_in(*one.credential)->fingerprint()].push_back(one);
    }
    std::vector<Certificate> now;
    for (const istio::ParsedBundle& bundle : *signers) {
      now.push_back(bundle.ca_cert);
    }
    for (const auto& [issuer, some] : left) {
      answer.findings.push_back(
          {.code = "workload-of-earlier-ca",
           .severity = Severity::kNote,
           .cluster = cluster.name,
           .message =
               fmt::format("{} {} a certificate of {}, istiod is to sign with {}",
                           count_workloads(some.size()), some.size() == 1 ? "presents" : "present",
                           describe(*issuer_in(*some.front().credential)), describe_all(now)),
           .evidence = names_of(some),
           .hints = {fmt::format("each gets a new one when it renews; the last of these ends at {}",
                                 base::format_rfc3339(last_end_of(some)))}});
    }
  });
}

void check_workload_roots(const CheckSubject& subject, Answer& answer) {
  for_each_cluster(subject, [&](const Cluster& cluster, const ClusterObservation& observed,
                                const std::vector<Seen>& seen) {
    const auto published = published_roots(observed);
    if (!published) return;
    std::map<std::set<std::string>, std::vector<Seen>> others;
    for (const Seen& one : seen) {
      const auto theirs = fingerprints_of(one.credential->roots);
      if (theirs != fingerprints_of(*published)) others[theirs].push_back(one);
    }
    for (const auto& [roots, some] : others) {
      answer.findings.push_back(other_roots(subject, cluster, some, *published));
    }
  });
}

void check_workloads_accepted(const CheckSubject& subject, Answer& answer) {
  const std::vector<Sides> all = sides_of(subject);
  Court court;
  for (const Sides& from : all) {
    for (const Sides& to : all) {
      if (auto finding = refused_between(from, to, court)) {
        answer.findings.push_back(*std::move(finding));
      }
    }
  }
}

}  // namespace meshtrust::mesh
