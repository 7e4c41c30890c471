// To which servers a plan belongs.

#include "base/encoding.h"
#include "istio/names.h"
#include "mesh/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace meshtrust::mesh {
namespace {

using base::Json;

/// Every cluster that a request of the plan goes to.
std::set<std::string> touched_by(const Plan& plan) {
  std::set<std::string> clusters;
  for (const Step& step : plan.steps) {
    if (!step.cluster.empty()) clusters.insert(step.cluster);
    if (const auto* share = std::get_if<ShareAccess>(&step.action)) {
      clusters.insert(share->intent.source);
    }
  }
  return clusters;
}

PlannedServer server_in(const Json& json) {
  return {.cluster = base::string_at(json, "cluster"),
          .url = base::string_at(json, "url"),
          .ca = base::string_at(json, "ca"),
          .cluster_uid = base::string_at(json, "clusterUID")};
}

/// Of `kind: Plan`, wherever it comes from.
std::map<std::string, PlannedServer> servers_in(const Json& plan) {
  std::map<std::string, PlannedServer> servers;
  const Json& list = base::at_path(plan, {"servers"});
  if (!list.is_array()) return servers;
  for (const Json& one : list) {
    PlannedServer server = server_in(one);
    servers.emplace(server.cluster, std::move(server));
  }
  return servers;
}

}  // namespace

void note_servers(Planned& planned, const profiles::Mesh& mesh, const Observation& observation) {
  Plan& plan = planned.plan;
  plan.lease = istio::lease_name(mesh.istio.system_namespace);
  plan.servers.clear();
  for (const std::string& cluster : touched_by(plan)) {
    const ClusterObservation* seen = observation.find(cluster);
    MESHTRUST_CHECK(seen != nullptr);
    Unknowns unknowns(planned.answer.unknowns, cluster);
    const ServerFacts* server = seen->server.found(unknowns);
    if (server == nullptr) continue;
    plan.servers.push_back({.cluster = cluster,
                            .url = server->url,
                            .ca = server->ca,
                            .cluster_uid = server->cluster_uid});
  }
  if (planned.answer.unknowns.empty()) return;
  // Nothing is planned for a server of which nobody knows which it is.
  plan.steps.clear();
  plan.servers.clear();
}

void forget_untouched_servers(Plan& plan) {
  const std::set<std::string> touched = touched_by(plan);
  std::erase_if(plan.servers, [&touched](const PlannedServer& server) {
    return !touched.contains(server.cluster);
  });
}

std::string describe(const PlannedServer& server) {
  constexpr std::string_view kDigest = "sha256:";
  constexpr std::size_t kShown = 16;  // enough for eyes; comparing is done with all of it
  const bool is_digest = server.ca.starts_with(kDigest);
  const std::string ca =
      is_digest ? "CA " + base::group_hex(server.ca.substr(kDigest.size(), kShown)) : server.ca;
  return fmt::format("{} ({}, kube-system {})", server.url, ca, server.cluster_uid);
}

std::vector<std::string> changed_servers(const Json& planned, const Json& found) {
  std::vector<std::string> changes;
  const auto now = servers_in(found);
  for (const auto& [cluster, before] : servers_in(planned)) {
    const auto after = now.find(cluster);
    if (after == now.end() || after->second == before) continue;
    changes.push_back(fmt::format("{} was planned for {}, found {}", cluster, describe(before),
                                  describe(after->second)));
  }
  return changes;
}

const PlannedServer& Plan::server_of(std::string_view cluster) const {
  const auto found =
      std::find_if(servers.begin(), servers.end(),
                   [cluster](const PlannedServer& one) { return one.cluster == cluster; });
  MESHTRUST_CHECK(found != servers.end());
  return *found;
}

}  // namespace meshtrust::mesh
