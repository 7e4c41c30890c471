#include "mesh/trust.h"

#include "istio/acceptance.h"
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
  explicit Materials(const Observation& observation) {
    for (const ClusterObservation& cluster : observation.clusters) {
      parsed_.emplace(cluster.name, parse(cluster));
    }
  }

  struct Entry {
    std::optional<istio::ParsedBundle> bundle;
    std::string root_cert = {};  ///< the roots as they stand in the file
    std::string ca_crl = {};     ///< likewise the lists, if any
    std::string problem = {};
    bool is_unknown = false;
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

  std::map<std::string, Entry> parsed_;
  std::map<std::pair<std::string, std::string>, std::vector<pki::Verdict>> judged_;
};

/// Judges the pair that one issuer on each side makes, adding to what is known of it.
void judge_issuers(Materials& materials,
                   const std::string& presenting,
                   const std::string& trusting,
                   base::Instant at,
                   PairVerdict& pair) {
  for (const std::string& name : {presenting, trusting}) {
    const Materials::Entry& entry = materials.of(name);
    if (entry.bundle) continue;
    pair.problem = fmt::format("{}: {}", name, entry.problem);
    pair.is_unknown = entry.is_unknown;
    return;
  }
  const Materials::Entry& judging = materials.of(trusting);
  const std::string terms = judging.root_cert + judging.ca_crl;
  const std::vector<pki::Verdict>* known = materials.judged(presenting, terms);
  if (known != nullptr) {
    pair.verdicts.insert(pair.verdicts.end(), known->begin(), known->end());
    return;
  }
  const auto& verdicts = materials.remember(
      presenting, terms,
      judge_pair(*materials.of(presenting).bundle, *judging.bundle, judging.ca_crl, at));
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

std::vector<std::string> PairVerdict::refusals() const {
  std::vector<std::string> lines;
  for (const pki::Verdict& one : verdicts) {
    if (!one.accepted) lines.push_back(fmt::format("{}: {}", one.judge, one.reason));
  }
  return lines;
}

std::vector<pki::Verdict> judge_pair(const istio::ParsedBundle& presenting,
                                     const istio::ParsedBundle& trusting,
                                     std::string_view crl,
                                     base::Instant at) {
  auto verdicts = istio::judge_workloads(presenting, trusting.roots, at);
  verdicts.insert(verdicts.begin() + 1,
                  pki::judge_with_botan(
                      {.chain = presenting.signing_path(), .roots = trusting.roots, .at = at}));
  if (auto said = judge_by_lists(presenting.cert_chain, trusting.roots, crl, at)) {
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
  Materials materials(observation);
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
