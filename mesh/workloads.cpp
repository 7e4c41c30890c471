#include "mesh/workloads.h"

#include "istio/names.h"
#include "mesh/objects.h"
#include "mesh/pods.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

namespace meshtrust::mesh {
namespace {

using base::Json;

/// The controller above a pod; of a ReplicaSet the Deployment that named it after the template of
/// its pods.
std::string workload_of(const Json& pod) {
  const Json& metadata = base::at_path(pod, {"metadata"});
  for (const Json& owner : list_at(metadata, {"ownerReferences"})) {
    if (base::at_path(owner, {"controller"}) != Json(true)) continue;
    const std::string kind = base::string_at(owner, "kind");
    const std::string name = base::string_at(owner, "name");
    const std::string end =
        "-" + base::string_at(base::at_path(metadata, {"labels"}), "pod-template-hash");
    if (kind == "ReplicaSet" && end.size() > 1 && name.ends_with(end)) {
      return "Deployment/" + name.substr(0, name.size() - end.size());
    }
    return fmt::format("{}/{}", kind, name);
  }
  return "Pod/" + name_of(pod);
}

/// `proxyAdminPort` of the configuration that istiod gave to the proxy.
std::uint16_t admin_port_of(const Json& container) {
  const auto config = base::parse_json(variable_of(container, "PROXY_CONFIG"), "PROXY_CONFIG");
  if (!config) return istio::kProxyAdminPort;
  const Json& port = base::at_path(*config, {"proxyAdminPort"});
  const bool is_port = port.is_number_unsigned() && port.get<std::uint64_t>() > 0 &&
                       port.get<std::uint64_t>() <= std::numeric_limits<std::uint16_t>::max();
  return is_port ? port.get<std::uint16_t>() : std::uint16_t{istio::kProxyAdminPort};
}

/// The place of each pod in its own workload: 0 for the newest, 1 for the oldest, then from new to
/// old.
std::vector<std::size_t> ranks_of(const std::vector<WorkloadPod>& all) {
  std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> workloads;
  for (std::size_t index = 0; index < all.size(); ++index) {
    workloads[{all[index].namespace_name, all[index].workload}].push_back(index);
  }
  std::vector<std::size_t> ranks(all.size());
  for (auto& [workload, pods] : workloads) {
    std::sort(pods.begin(), pods.end(), [&all](std::size_t a, std::size_t b) {
      return std::tie(all[b].created, all[b].name) < std::tie(all[a].created, all[a].name);
    });
    for (std::size_t place = 0; place < pods.size(); ++place) {
      const bool is_oldest = place + 1 == pods.size();
      ranks[pods[place]] = place == 0 ? 0 : is_oldest ? 1 : place + 1;
    }
  }
  return ranks;
}

}  // namespace

std::optional<WorkloadPod> workload_pod(const Json& pod, std::string_view revision) {
  const Json& metadata = base::at_path(pod, {"metadata"});
  const Json* proxy = proxy_container(pod);
  if (proxy == nullptr || metadata.contains("deletionTimestamp")) return std::nullopt;
  // Written by whoever injected the proxy, whatever the pod or its namespace asked for.
  const std::string its =
      base::string_at(base::at_path(metadata, {"annotations"}), istio::kRevisionLabel);
  if (!its.empty() && its != istio::revision_label_value(revision)) return std::nullopt;
  const auto created = base::parse_rfc3339(base::string_at(metadata, "creationTimestamp"));
  return WorkloadPod{
      .namespace_name = base::string_at(metadata, "namespace"),
      .name = base::string_at(metadata, "name"),
      .workload = workload_of(pod),
      .service_account = base::string_at(base::at_path(pod, {"spec"}), "serviceAccountName"),
      .created = created ? *created : base::Instant(),
      .admin_port = admin_port_of(*proxy)};
}

WorkloadFacts choose_pods(std::vector<WorkloadPod> all, std::size_t most) {
  struct Candidate {
    std::size_t rank;  ///< in its workload
    std::size_t turn;  ///< in its namespace, among those of one rank
    WorkloadPod pod;
  };
  std::sort(all.begin(), all.end(), [](const WorkloadPod& a, const WorkloadPod& b) {
    return std::tie(a.namespace_name, a.workload, a.name) <
           std::tie(b.namespace_name, b.workload, b.name);
  });
  const std::vector<std::size_t> ranks = ranks_of(all);
  std::map<std::pair<std::string, std::size_t>, std::size_t> turns;
  std::vector<Candidate> candidates;
  candidates.reserve(all.size());
  for (std::size_t index = 0; index < all.size(); ++index) {
    const std::size_t turn = turns[{all[index].namespace_name, ranks[index]}]++;
    candidates.push_back({ranks[index], turn, std::move(all[index])});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) {
                     return std::tie(a.rank, a.turn) < std::tie(b.rank, b.turn);
                   });
  WorkloadFacts facts{.pods = candidates.size(), .chosen = {}};
  candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(std::min(most, facts.pods)),
                   candidates.end());
  facts.chosen.reserve(candidates.size());
  for (Candidate& one : candidates) {
    facts.chosen.push_back(std::move(one.pod));
  }
  return facts;
}

const pki::Certificate* issuer_in(const istio::Credential& credential) {
  return credential.chain.size() < 2 ? nullptr : &credential.chain[1];
}

WorkloadSummary summary_of(const WorkloadFacts& facts) {
  WorkloadSummary summary{.pods = facts.pods};
  for (const WorkloadPod& pod : facts.chosen) {
    if (pod.credentials.is_unknown()) ++summary.unread;
    if (pod.credentials.is_absent()) --summary.pods;
    const auto* credentials = pod.credentials.found(Unknown::kTold);
    if (credentials == nullptr) continue;
    ++summary.read;
    for (const istio::Credential& one : *credentials) {
      const base::Instant end = one.chain.front().facts().not_after;
      summary.last_end = std::max(end, summary.last_end.value_or(end));
      if (const auto* issuer = issuer_in(one)) summary.issuers.insert(issuer->fingerprint());
      for (const pki::Certificate& root : one.roots) {
        summary.roots.insert(root.fingerprint());
      }
    }
  }
  return summary;
}

}  // namespace meshtrust::mesh
