#include "base/text.h"
#include "istio/names.h"
#include "mesh/condition/asking.h"
#include "mesh/known.h"
#include "profiles/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

// What the istiods of a cluster say of themselves.

namespace meshtrust::mesh {
namespace {

/// What the istiods in this cluster have to know of.
std::set<std::string> expected_ids(const Situation& situation) {
  std::set<std::string> ids{profiles::istiod_cluster_id(situation.mesh, situation.cluster)};
  for (const profiles::RemoteSecretIntent& intent : profiles::remote_secrets(situation.mesh)) {
    if (intent.target == situation.cluster.name) ids.insert(intent.source);
  }
  return ids;
}

/// The clusters of other networks whose gateways the istiods in this one have to know.
std::vector<const profiles::Cluster*> expected_gateways(const Situation& situation) {
  const std::set<std::string> ids = expected_ids(situation);
  std::vector<const profiles::Cluster*> clusters;
  for (const profiles::Cluster& other : situation.mesh.clusters) {
    if (ids.contains(other.name) && other.network != situation.cluster.network &&
        profiles::has_east_west_gateway(situation.mesh, other)) {
      clusters.push_back(&other);
    }
  }
  return clusters;
}

/// The address at which istiods have to know the gateway of a cluster; empty where any will do:
/// they look names up by themselves.
std::string address_of(const profiles::Cluster& cluster, const Situation& situation) {
  const ClusterObservation* seen = situation.observation.find(cluster.name);
  if (seen == nullptr) return {};
  const auto observed = east_west_address(situation.mesh, cluster, seen->live.objects);
  const Address* address = observed.found(Unknown::kTold);
  return address == nullptr || address->is_hostname ? std::string() : address->text;
}

Verdict no_istiod(const Situation& situation) {
  const Condition& ready = condition(kControlPlaneReady);
  const Verdict control_plane = ask(ready, situation);
  return with_hints(no("no istiod is running"),
                    control_plane.state == Verdict::State::kNo
                        ? control_plane.hints
                        : cause_and_look(situation, ready.likely_cause, ready.next_command));
}

std::vector<std::string> unknown_cluster(const Situation& situation) {
  return cause_and_look(situation, "istiod has not read the remote secret of that cluster",
                        "kubectl --context {context} -n {namespace} get secrets -l "
                        "istio/multiCluster=true");
}

/// It is in the cluster `other` that something is missing.
std::vector<std::string> unknown_gateway(const Situation& situation,
                                         const profiles::Cluster& other) {
  return cause_and_look(
      {.mesh = situation.mesh,
       .cluster = other,
       .observation = situation.observation,
       .at = situation.at,
       .namespace_name = situation.namespace_name,
       .revision = situation.revision},
      fmt::format("the Service of {}'s gateway has no address, or lacks the label {}={}",
                  other.name, istio::kNetworkLabel, other.network),
      fmt::format("kubectl --context {{context}} -n {{namespace}} get services -o wide -l {}={}",
                  istio::kNetworkLabel, other.network));
}

}  // namespace

Verdict ask_clusters_synced(const Situation& situation) {
  const auto& istiods = situation.seen().live.istiods;
  if (const auto* why = istiods.why_unknown()) return unknown(*why);
  if (istiods.is_absent()) return no_istiod(situation);
  std::size_t pods = 0;
  const std::set<std::string> expected = expected_ids(situation);
  for (const IstiodView& view : *istiods.found(Unknown::kTold)) {
    if (view.namespace_name != situation.namespace_name) continue;
    ++pods;
    for (const std::string& id : expected) {
      const auto cluster = std::find_if(view.clusters.begin(), view.clusters.end(),
                                        [&id](const auto& one) { return one.id == id; });
      if (cluster == view.clusters.end()) {
        return with_hints(no(fmt::format("{} does not know cluster {} yet", view.pod, id)),
                          unknown_cluster(situation));
      }
      if (cluster->status != "synced") {
        return no(fmt::format("{} says that {} is {}", view.pod, id, cluster->status));
      }
    }
  }
  if (pods == 0) return no_istiod(situation);
  return yes(fmt::format("{} in {}", base::count_of(expected.size(), "cluster"),
                         base::count_of(pods, "istiod")));
}

Verdict ask_networks_known(const Situation& situation) {
  const auto& istiods = situation.seen().live.istiods;
  if (const auto* why = istiods.why_unknown()) return unknown(*why);
  if (istiods.is_absent()) return no_istiod(situation);
  const auto is_of_mesh = [&situation](const IstiodView& view) {
    return view.namespace_name == situation.namespace_name;
  };
  if (std::none_of(istiods.found(Unknown::kTold)->begin(), istiods.found(Unknown::kTold)->end(),
                   is_of_mesh)) {
    return no_istiod(situation);
  }
  std::set<std::string> networks;
  for (const profiles::Cluster* other : expected_gateways(situation)) {
    networks.insert(other->network);
    const std::string address = address_of(*other, situation);
    for (const IstiodView& view : *istiods.found(Unknown::kTold)) {
      if (!is_of_mesh(view)) continue;
      const bool knows = std::any_of(view.gateways.begin(), view.gateways.end(),
                                     [&](const IstiodView::Gateway& gateway) {
                                       return gateway.network == other->network &&
                                              (address.empty() || gateway.address == address);
                                     });
      if (knows) continue;
      return with_hints(no(fmt::format("{} knows no gateway of {}{}{}", view.pod, other->network,
                                       address.empty() ? "" : " at ", address)),
                        unknown_gateway(situation, *other));
    }
  }
  return yes("gateways of " + base::count_of(networks.size(), "other network"));
}

}  // namespace meshtrust::mesh
