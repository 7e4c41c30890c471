#include "mesh/expectation.h"

#include "base/check.h"
#include "profiles/model.h"
#include "profiles/reference.h"

namespace meshtrust::mesh {
namespace {

using profiles::Cluster;
using profiles::Mesh;
using profiles::Role;

/// Collects what is expected of one cluster.
class Collector {
 public:
  Collector(const Mesh& mesh, const Cluster& cluster, std::vector<Expectation>& into)
      : mesh_(mesh), cluster_(cluster), into_(into) {}

  void collect() {
    const std::string& in = mesh_.istio.system_namespace;
    const std::string& revision = mesh_.istio.revision;
    if (cluster_.role == Role::kExternal) {
      const std::string& ingress = mesh_.istio.ingress_namespace;
      add("ingress-control-plane", kControlPlaneReady, ingress, "");
      add("ingress-webhooks", kWebhooksAnswer, ingress, "");
      add("ingress-gateway-up", kIngressUp, ingress, "");
      add("ingress-address", kIngressAddressKnown, ingress, "",
          profiles::ingress_address(cluster_.name));
    }
    if (cluster_.runs_istiod()) add("proved", kTrustProved, in, revision);
    if (cluster_.runs_istiod()) add("control-plane", kControlPlaneReady, in, revision);
    const bool ambient = mesh_.istio.data_plane == profiles::DataPlane::kAmbient;
    if (ambient) add("node-agents", kNodeAgentsReady, in, revision);
    // The control plane of an external one has its webhooks in the clusters that it manages.
    if (cluster_.role == Role::kPrimary) add("webhooks", kWebhooksAnswer, in, revision);
    if (!cluster_.runs_istiod()) add("adopted", kAdopted, in, revision);
    if (cluster_.role == Role::kConfig) add("webhooks", kWebhooksAnswer, in, revision);
    if (profiles::has_east_west_gateway(mesh_, cluster_)) {
      if (!ambient) add("gateway-up", kGatewayUp, in, revision);
      if (is_reached_by_nodes()) {
        add("gateway-address", kGatewayNodesKnown, in, revision);
      } else {
        add("gateway-address", kGatewayAddressKnown, in, revision,
            profiles::gateway_address(cluster_.name));
      }
    }
    if (!cluster_.runs_istiod()) return;
    add("synced", kClustersSynced, in, revision);
    if (profiles::is_multi_network(mesh_)) add("networks", kNetworksKnown, in, revision);
  }

 private:
  /// A Service of type NodePort never gets an address of its own: istiods take those of nodes.
  bool is_reached_by_nodes() const {
    return cluster_.gateway.type == profiles::EastWestGateway::Type::kNodePort &&
           !cluster_.gateway.address;
  }

  void add(std::string_view what,
           std::string_view condition,
           const std::string& namespace_name,
           const std::string& revision,
           std::string gives = {}) {
    into_.push_back({.cluster = cluster_.name,
                     .id = cluster_.name + "/" + std::string(what),
                     .condition = condition,
                     .namespace_name = namespace_name,
                     .revision = revision,
                     .gives = std::move(gives)});
  }

  const Mesh& mesh_;
  const Cluster& cluster_;
  std::vector<Expectation>& into_;
};

}  // namespace

std::vector<Expectation> expectations(const Mesh& mesh) {
  std::vector<Expectation> all;
  for (const Cluster& cluster : mesh.clusters) {
    Collector(mesh, cluster, all).collect();
  }
  return all;
}

Verdict ask(const Expectation& expectation,
            const Mesh& mesh,
            const Observation& observation,
            base::Instant at) {
  const Cluster* cluster = mesh.find(expectation.cluster);
  MESHTRUST_CHECK(cluster != nullptr);
  if (observation.find(expectation.cluster) == nullptr) {
    return {.state = Verdict::State::kUnknown, .why = "it was not looked at"};
  }
  return ask(condition(expectation.condition), {.mesh = mesh,
                                                .cluster = *cluster,
                                                .observation = observation,
                                                .at = at,
                                                .namespace_name = expectation.namespace_name,
                                                .revision = expectation.revision});
}

}  // namespace meshtrust::mesh
