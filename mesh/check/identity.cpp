#include "mesh/check/identity.h"

#include "base/text.h"
#include "istio/names.h"
#include "mesh/contents.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace meshtrust::mesh {
namespace {

using base::Error;
using profiles::Cluster;

constexpr int kOldestMinor = 28;
constexpr int kNewestMinor = 36;

/// Says what is unknown about `cluster`, once for a server that does not answer at all.
void report_unknown(const Cluster& cluster,
                    const ClusterObservation& seen,
                    const Error* why,
                    Answer& answer) {
  if (why == nullptr || seen.server.is_unknown()) return;
  answer.unknowns.push_back(with_context(*why, cluster.name));
}

}  // namespace

void check_servers_answer(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr) {
      answer.unknowns.push_back(
          {.code = base::Code::kInvalidInput,
           .message = fmt::format("{}: the observation does not hold this cluster", cluster.name),
           .hints = {"observe again with this mesh file"}});
    } else if (const Error* why = seen->server.why_unknown()) {
      answer.unknowns.push_back(with_context(*why, cluster.name));
    }
  }
}

void check_clusters_distinct(const CheckSubject& subject, Answer& answer) {
  std::map<std::string, const Cluster*> by_uid;
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    const ServerFacts* server = seen == nullptr ? nullptr : seen->server.found(Unknown::kTold);
    if (server == nullptr) continue;
    const auto& uid = server->cluster_uid;
    const auto [entry, is_new] = by_uid.emplace(uid, &cluster);
    if (is_new) continue;
    answer.findings.push_back(
        {.code = "same-cluster",
         .cluster = cluster.name,
         .message = fmt::format("'{}' and '{}' are one and the same cluster, wanted different ones",
                                entry->second->name, cluster.name),
         .evidence = {fmt::format("both have a namespace kube-system with the UID {}", uid)},
         .hints = {fmt::format("give '{}' the context of another cluster", cluster.name)},
         .place = cluster.context_place});
  }
}

void check_kubernetes_supported(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    const ServerFacts* found = seen == nullptr ? nullptr : seen->server.found(Unknown::kTold);
    if (found == nullptr) continue;
    const ServerFacts& server = *found;
    const bool blocks = subject.purpose == Purpose::kChange && !subject.allow_unsupported;
    if (server.major == 1 && server.minor >= kOldestMinor && server.minor <= kNewestMinor) continue;
    answer.findings.push_back({.code = "unsupported-kubernetes",
                               .severity = blocks ? Severity::kCritical : Severity::kWarning,
                               .cluster = cluster.name,
                               .message = fmt::format("its Kubernetes is {}, wanted 1.{} to 1.{}",
                                                      server.version, kOldestMinor, kNewestMinor),
                               .hints = {"go on at your own risk with --allow-unsupported"}});
  }
}

void check_namespace_usable(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr) continue;
    report_unknown(cluster, *seen, seen->system_namespace.why_unknown(), answer);
    const NamespaceFacts* facts = seen->system_namespace.found(Unknown::kTold);
    if (facts == nullptr || !facts->terminating) continue;
    answer.findings.push_back(
        {.code = "namespace-terminating",
         .cluster = cluster.name,
         .message = fmt::format("the namespace '{}' is being deleted, nothing can be created in it",
                                subject.mesh.istio.system_namespace),
         .hints = {"wait until it is gone, then run the same command again",
                   how_to_list(cluster.context, subject.mesh.istio.system_namespace)}});
  }
}

void check_network_agrees(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    const NamespaceFacts* facts =
        seen == nullptr ? nullptr : seen->system_namespace.found(Unknown::kTold);
    if (facts == nullptr || !facts->network || *facts->network == cluster.network) continue;
    answer.findings.push_back(
        {.code = "network-differs",
         .cluster = cluster.name,
         .message = fmt::format("the live network is '{}', the mesh file says '{}'",
                                *facts->network, cluster.network),
         .evidence = {fmt::format("namespace '{}' has the label {}={}",
                                  subject.mesh.istio.system_namespace, istio::kNetworkLabel,
                                  *facts->network)},
         .hints = {fmt::format("write 'network: {}' in the mesh file, or change the label by hand "
                               "once you know that no traffic depends on it",
                               *facts->network)},
         .place = cluster.network_place});
  }
}

namespace {

/// Whether the mesh configuration of some cluster has the trust domain of the mesh file: then it is
/// the others that went astray, and not the mesh file that was changed.
bool is_trust_domain_live(const CheckSubject& subject) {
  return std::ranges::any_of(subject.observation.clusters, [&](const ClusterObservation& seen) {
    const std::string* live = seen.trust_domain.found(Unknown::kTold);
    return live != nullptr && *live == subject.mesh.trust_domain;
  });
}

std::string how_to_agree(const CheckSubject& subject,
                         const Cluster& cluster,
                         const std::string& live) {
  if (!is_trust_domain_live(subject)) {
    return fmt::format(
        "write 'trustDomain: {}' in the mesh file: every workload identity and policy holds the "
        "old one",
        live);
  }
  return fmt::format(
      "others have that of the mesh file: put it back with 'kubectl --context {} -n {} edit "
      "configmap {}'",
      cluster.context, subject.mesh.istio.system_namespace,
      istio::mesh_config_map(subject.mesh.istio.revision));
}

}  // namespace

void check_trust_domain_agrees(const CheckSubject& subject, Answer& answer) {
  const std::string& wanted = subject.mesh.trust_domain;
  const auto compare = [&](const Cluster& cluster, const std::string& live, std::string evidence) {
    if (live.empty() || live == wanted) return;
    answer.findings.push_back(
        {.code = "trust-domain-differs",
         .cluster = cluster.name,
         .message =
             fmt::format("the live trust domain is '{}', the mesh file says '{}'", live, wanted),
         .evidence = {std::move(evidence)},
         .hints = {how_to_agree(subject, cluster, live)},
         .place = subject.mesh.trust_domain_place});
  };
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr) continue;
    if (subject.purpose == Purpose::kChange) {
      report_unknown(cluster, *seen, seen->trust_domain.why_unknown(), answer);
    }
    if (const std::string* live = seen->trust_domain.found(Unknown::kTold)) {
      compare(cluster, *live, "the ConfigMap 'istio' holds trustDomain: " + *live);
    }
    const TwinFacts* twin = seen->twin.found(Unknown::kTold);
    if (twin == nullptr) continue;
    const auto live = twin->data.find(std::string(profiles::kTwinTrustDomain));
    if (live == twin->data.end()) continue;
    compare(cluster, live->second,
            fmt::format("the ConfigMap '{}' was written for trust domain {}", istio::kPublicTwin,
                        live->second));
  }
}

void check_twin_agrees(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr) continue;
    report_unknown(cluster, *seen, seen->twin.why_unknown(), answer);
    const TwinFacts* twin = seen->twin.found(Unknown::kTold);
    if (twin == nullptr) continue;
    const auto compare = [&](std::string_view key, std::string_view code, const std::string& wanted,
                             const base::Place& place) {
      const auto live = twin->data.find(std::string(key));
      if (live == twin->data.end() || live->second == wanted) return;
      answer.findings.push_back(
          {.code = std::string(code),
           .cluster = cluster.name,
           .message = fmt::format("it carries the trust of {} '{}', the mesh file says '{}'", key,
                                  live->second, wanted),
           .evidence = {fmt::format("the ConfigMap '{}/{}' holds {}: {}",
                                    subject.mesh.istio.system_namespace, istio::kPublicTwin, key,
                                    live->second)},
           .hints = {"give the mesh file its old name back, or check which context this is"},
           .place = place});
    };
    compare(profiles::kTwinMesh, "mesh-renamed", subject.mesh.name, {});
    compare(profiles::kTwinCluster, "cluster-renamed", cluster.name, cluster.place);
  }
}

}  // namespace meshtrust::mesh
