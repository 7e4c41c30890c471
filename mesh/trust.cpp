#include "mesh/trust.h"

#include "istio/acceptance.h"
#include "mesh/check/material.h"
#include "mesh/lists.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace meshtrust::mesh {
namespace {

/// The parsed trust material of every cluster, or why there is none.
class Materials {
 public:
  Materials(const profiles::Mesh& mesh, const Observation& observation) {
    for (const ClusterObservation& cluster : observation.clusters) {
      Entry& entry = parsed_[cluster.name] = parse(cluster);
      const profiles::Cluster* wanted = mesh.find(cluster.name);
      const bool is_unseen = cluster.other_ca.found(Unknown::kTold) != nullptr;
      if (wanted != nullptr && is_unseen) take_published(mesh, observation, *wanted, entry);
    }
  }

  struct Entry {
    std::optional<istio::ParsedBundle> bundle;
    /// What it publishes, where its CA is not for this program to see.
    std::vector<pki::Certificate> published = {};
    std::string root_cert = {};  ///< the roots as they stand in the file
    std::string ca_crl = {};     ///< likewise the lists, if any
    std::string problem = {};
    bool is_unknown = false;

    bool is_judged_by() const { return bundle || !published.empty(); }
    const std::vector<pki::Certificate>& roots() const {
      return bundle ? bundle->roots : published;
    }
  };

  const Entry& of(const std::string& cluster) const {
    static const Entry kNotSeen{
        .bundle = {}, .problem = "the cluster was not observed", .is_unknown = true};
    const auto found = parsed_.find(cluster);
    return found == parsed_.end() ? kNotSeen : found->second;
  }

  /// A mesh of a thousand clusters has a million pairs and one root: each question is asked once.
  const std::vector<pki::Verdict>* judged(const std::string& presenting,
                                          const std::string& roots) const {
    const auto found = judged_.find({presenting, roots});
    return found == judged_.end() ? nullptr : &found->second;
  }
  const std::vector<pki::Verdict>& remember(const std::string& presenting,
                                            const std::string& roots,
                                            std::vector<pki::Verdict> verdicts) {
    return judged_[{presenting, roots}] = std::move(verdicts);
  }

 private:
  static Entry parse(const ClusterObservation& cluster) {
    const Observed<Material> material = material_of(cluster);
    if (const base::Error* why = material.why_unknown()) {
      return {.bundle = {}, .problem = why->message, .is_unknown = true};
    }
    const Material* found = material.found(Unknown::kTold);
    if (found == nullptr) return {.bundle = {}, .problem = "it has no cacerts"};
    auto bundle = istio::parse_bundle(found->certificates);
    if (!bundle) return {.bundle = {}, .problem = bundle.error().message};
    return {.bundle = std::move(*bundle),
            .root_cert = found->certificates.root_cert,
            .ca_crl = found->certificates.ca_crl,
            .problem = {}};
  }

  static void take_published(const profiles::Mesh& mesh,
                             const Observation& observation,
                             const profiles::Cluster& cluster,
                             Entry& entry) {
    const Observed<std::string> pem = roots_published_by(mesh, observation, cluster);
    const std::string* found = pem.found(Unknown::kTold);
    if (found == nullptr) {
      const base::Error* why = pem.why_unknown();
      entry.problem += "; of the roots that it publishes: " +
                       (why == nullptr ? std::string("there are none") : why->message);
      return;
    }
    auto roots = pki::certificates_from_pem(*found);
    if (!roots) {
      entry.problem += "; of the roots that it publishes: " + roots.error().message;
      return;
    }
    entry.published = *std::move(roots);
    entry.root_cert = *found;
  }

  std::map<std::string, Entry> parsed_;
  std::map<std::pair<std::string, std::string>, std::vector<pki::Verdict>> judged_;
};

/// Whether all the roots below which a CA that is not seen may sign, `offered`, are trusted.
/// Nothing where some are and some are not.
std::optional<pki::Verdict> judge_by_roots(const std::vector<pki::Certificate>& offered,
                                           const std::vector<pki::Certificate>& trusted,
                                           base::Instant at) {
  // A root that was made anew with the same key verifies the same chains.
  const auto is_trusted = [&](const pki::Certificate& root) {
    return std::any_of(trusted.begin(), trusted.end(), [&root](const pki::Certificate& one) {
      return root == one || (root.is_self_signed() && root.is_signed_by(one));
    });
  };
  const auto is_good = [&](const pki::Certificate& root) {
    const auto& facts = root.facts();
    return is_trusted(root) && facts.not_before <= at && at <= facts.not_after;
  };
  pki::Verdict verdict{.judge = std::string(kByRootsAlone), .accepted = false, .reason = {}};
  const auto bad = std::find_if_not(offered.begin(), offered.end(), is_good);
  if (bad == offered.end()) {
    verdict.accepted = true;
    verdict.reason = describe(offered.front());
    return verdict;
  }
  if (std::any_of(offered.begin(), offered.end(), is_good)) return std::nullopt;
  verdict.reason = fmt::format("{} is {}", describe(*bad),
                               is_trusted(*bad) ? "not valid at this time" : "not trusted there");
  return verdict;
}

/// Judges the pair that one issuer on each side makes, adding to what is known of it.
void judge_issuers(Materials& materials,
                   const std::string& presenting,
                   const std::string& trusting,
                   base::Instant at,
                   PairVerdict& pair) {
  for (const std::string& name : {presenting, trusting}) {
    const Materials::Entry& entry = materials.of(name);
    if (entry.is_judged_by()) continue;
    pair.problem = fmt::format("{}: {}", name, entry.problem);
    pair.is_unknown = entry.is_unknown;
    return;
  }
  const Materials::Entry& judging = materials.of(trusting);
  const Materials::Entry& judged = materials.of(presenting);
  if (!judged.bundle) {
    if (auto verdict = judge_by_roots(judged.published, judging.roots(), at)) {
      pair.verdicts.push_back(*std::move(verdict));
      return;
    }
    pair.problem = fmt::format(
        "{}: below which of its roots it signs is not seen, and {} does not trust all of them",
        presenting, trusting);
    pair.is_unknown = true;
    return;
  }
  const std::string terms = judging.root_cert + judging.ca_crl;
  const std::vector<pki::Verdict>* known = materials.judged(presenting, terms);
  if (known != nullptr) {
    pair.verdicts.insert(pair.verdicts.end(), known->begin(), known->end());
    return;
  }
  const auto& verdicts = materials.remember(
      presenting, terms, judge_pair(*judged.bundle, judging.roots(), judging.ca_crl, at));
  pair.verdicts.insert(pair.verdicts.end(), verdicts.begin(), verdicts.end());
}

PairVerdict judge_clusters(Materials& materials,
                           const profiles::Cluster& from,
                           const profiles::Cluster& to,
                           base::Instant at) {
  PairVerdict pair{.from = from.name, .to = to.name};
  for (const std::string& presenting : issuers_of(from)) {
    for (const std::string& trusting : issuers_of(to)) {
      judge_issuers(materials, presenting, trusting, at, pair);
    }
  }
  return pair;
}

}  // namespace

std::optional<StoreRoot> root_of(const StoreFacts& store) {
  if (!store.root) return std::nullopt;
  const auto root = pki::certificates_from_pem(*store.root);
  if (!root) return std::nullopt;
  StoreRoot found{.certificate = root->front()};
  if (store.above.empty()) return found;
  auto above = pki::certificates_from_pem(store.above);
  if (!above) return std::nullopt;
  found.above = *std::move(above);
  return found;
}

Observed<Material> material_of(const ClusterObservation& cluster) {
  if (const CaVolume* other = cluster.other_ca.found(Unknown::kTold)) {
    return Observed<Material>::unknown(
        {.code = base::Code::kUnavailable,
         .message = fmt::format("its istiod reads its CA from {}, which is not seen from here",
                                describe(*other))});
  }
  if (const CacertsFacts* cacerts = cluster.cacerts.found(Unknown::kTold)) {
    return Material{.certificates = cacerts->certificates, .source = Source::kCacerts};
  }
  if (cluster.cacerts.is_absent()) return Absent{};
  const base::Error* why = cluster.cacerts.why_unknown();
  const TwinFacts* twin = cluster.twin.found(Unknown::kTold);
  if (why->code == base::Code::kPermission && twin != nullptr) {
    return Material{.certificates = profiles::twin_certificates(twin->data),
                    .source = Source::kTwin};
  }
  return Observed<Material>::unknown(*why);
}

bool lacks_cacerts(const ClusterObservation& cluster) {
  return cluster.cacerts.is_absent() && cluster.other_ca.found(Unknown::kTold) == nullptr;
}

const profiles::Cluster* target_of_istiod(const profiles::Mesh& mesh,
                                          const Observation& observation,
                                          const profiles::Cluster& cluster) {
  if (cluster.role != profiles::Role::kExternal) return &cluster;
  const auto found = std::ranges::find_if(mesh.clusters, [&](const profiles::Cluster& managed) {
    const auto& managers = managed.control_plane;
    return observation.find(managed.name) != nullptr &&
           std::ranges::find(managers, cluster.name) != managers.end();
  });
  return found == mesh.clusters.end() ? nullptr : &*found;
}

Observed<std::string> roots_published_by(const profiles::Mesh& mesh,
                                         const Observation& observation,
                                         const profiles::Cluster& cluster) {
  const profiles::Cluster* target = target_of_istiod(mesh, observation, cluster);
  const ClusterObservation* seen = target == nullptr ? nullptr : observation.find(target->name);
  return seen == nullptr ? Observed<std::string>() : seen->workload_roots;
}

Observed<std::string> roots_of_istiod(const profiles::Mesh& mesh,
                                      const Observation& observation,
                                      const profiles::Cluster& cluster) {
  const ClusterObservation* seen = observation.find(cluster.name);
  if (seen == nullptr) return {};
  if (seen->other_ca.found(Unknown::kTold) != nullptr) {
    return roots_published_by(mesh, observation, cluster);
  }
  const Observed<Material> material = material_of(*seen);
  if (const base::Error* why = material.why_unknown()) return Observed<std::string>::unknown(*why);
  const Material* found = material.found(Unknown::kTold);
  if (found == nullptr) return Absent{};
  return found->certificates.root_cert;
}

std::vector<std::string> issuers_of(const profiles::Cluster& cluster) {
  if (!cluster.runs_istiod()) return cluster.control_plane;
  return {cluster.name};
}

bool PairVerdict::accepted() const {
  return problem.empty() && !verdicts.empty() &&
         std::all_of(verdicts.begin(), verdicts.end(), [](const pki::Verdict& one) {
           return one.accepted || one.judge == kSecondOpinion;
         });
}

bool PairVerdict::is_doubted() const {
  return std::any_of(verdicts.begin(), verdicts.end(), [](const pki::Verdict& one) {
    return !one.accepted && one.judge == kSecondOpinion;
  });
}

std::string PairVerdict::judged_by_roots() const {
  const auto found = std::find_if(verdicts.begin(), verdicts.end(),
                                  [](const auto& one) { return one.judge == kByRootsAlone; });
  return found == verdicts.end() ? std::string() : "by published roots alone: " + found->reason;
}

std::vector<std::string> PairVerdict::refusals() const {
  std::vector<std::string> lines;
  for (const pki::Verdict& one : verdicts) {
    if (!one.accepted) lines.push_back(fmt::format("{}: {}", one.judge, one.reason));
  }
  return lines;
}

std::vector<pki::Verdict> judge_pair(const istio::ParsedBundle& presenting,
                                     const std::vector<pki::Certificate>& roots,
                                     std::string_view crl,
                                     base::Instant at) {
  auto verdicts = istio::judge_workloads(presenting, roots, at);
  verdicts.insert(
      verdicts.begin() + 1,
      pki::judge_with_botan({.chain = presenting.signing_path(), .roots = roots, .at = at}));
  if (auto said = judge_by_lists(presenting.cert_chain, roots, crl, at)) {
    verdicts.push_back(std::move(*said));
  }
  return verdicts;
}

namespace {

/// Where OpenSSL refuses, the models would say the same at more length: people are given the words
/// of the libraries, and `verify -o json` has all.
std::vector<std::string> evidence_of(const PairVerdict& pair) {
  PairVerdict told = pair;
  const auto is_modelled = [](const pki::Verdict& one) {
    return one.judge == "go" || one.judge == "boringssl" || one.judge == "webpki";
  };
  const bool openssl_refuses =
      std::any_of(pair.verdicts.begin(), pair.verdicts.end(),
                  [](const pki::Verdict& one) { return one.judge == "openssl" && !one.accepted; });
  if (openssl_refuses) std::erase_if(told.verdicts, is_modelled);
  return told.refusals();
}

}  // namespace

std::optional<Finding> finding_about(const PairVerdict& pair) {
  if (!pair.problem.empty() || (pair.accepted() && !pair.is_doubted())) return std::nullopt;
  Finding finding{
      .code = "no-mutual-trust",
      .cluster = pair.to,
      .message = fmt::format("'{}' does not accept the workloads of '{}'", pair.to, pair.from),
      .evidence = evidence_of(pair)};
  if (pair.accepted()) {
    finding.code = "no-second-opinion";
    finding.severity = Severity::kWarning;
    finding.message = fmt::format(
        "'{}' accepts the workloads of '{}' by all that runs in a mesh, and Botan would not",
        pair.to, pair.from);
  }
  return finding;
}

std::vector<PairVerdict> judge_pairs(const profiles::Mesh& mesh,
                                     const Observation& observation,
                                     base::Instant at) {
  Materials materials(mesh, observation);
  std::vector<PairVerdict> pairs;
  for (const profiles::Cluster& from : mesh.clusters) {
    for (const profiles::Cluster& to : mesh.clusters) {
      if (from.name == to.name && mesh.clusters.size() != 1) continue;
      pairs.push_back(judge_clusters(materials, from, to, at));
    }
  }
  return pairs;
}

Ownership ownership_of(const CacertsFacts& cacerts,
                       std::string_view cluster,
                       const Observed<StoreFacts>& store) {
  const StoreFacts* known = store.found(Unknown::kTold);
  const auto live = pki::certificates_from_pem(cacerts.certificates.ca_cert);
  if (known == nullptr || !live) return Ownership::kForeign;
  const auto issued =
      std::find_if(known->issued.begin(), known->issued.end(), [&live](const IssuedFacts& entry) {
        return !entry.is_root && entry.fingerprint == live->front().fingerprint();
      });
  if (issued != known->issued.end()) {
    return issued->cluster == cluster ? Ownership::kOurs : Ownership::kOtherCluster;
  }
  const bool claims =
      std::any_of(known->roots.begin(), known->roots.end(), [&live](const std::string& pem) {
        const auto root = pki::certificates_from_pem(pem);
        return root && live->front().is_signed_by(root->front());
      });
  return claims ? Ownership::kClaimsOurRoot : Ownership::kForeign;
}

}  // namespace meshtrust::mesh
