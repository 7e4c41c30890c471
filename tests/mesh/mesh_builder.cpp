#include "tests/mesh/mesh_builder.h"

#include "profiles/load.h"
#include "tests/support/golden.h"

#include <gtest/gtest.h>

namespace meshtrust::mesh::testing {

LiveMesh nothing_live() {
  LiveMesh live;
  for (const std::string_view resource :
       {kNamespaces, kServices, kConfigMaps, kServiceAccounts, kNodes, kDeployments,
        kEndpointSlices, kMutatingWebhooks, kValidatingWebhooks, kApiGateways}) {
    live.objects.add(resource, Objects::List{});
  }
  for (const char* resource :
       {"roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io",
        "clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io",
        "horizontalpodautoscalers.autoscaling", "poddisruptionbudgets.policy"}) {
    live.objects.add(resource, Objects::List{});
  }
  // Istio's kinds come with its CRDs.
  for (const std::string_view resource :
       {kIstioGateways, std::string_view("virtualservices.networking.istio.io"),
        std::string_view("destinationrules.networking.istio.io")}) {
    live.objects.add(resource, Absent{});
  }
  live.remote_secrets = std::vector<RemoteSecretFacts>{};
  live.tokens = std::vector<TokenSecretFacts>{};
  live.contents = std::vector<ContentFacts>{};
  return live;
}

Scene fresh_example(const std::string& name) {
  const auto mesh = profiles::load_mesh(
      name + ".yaml", test::content_of(test::test_file("../examples/" + name + ".yaml")));
  if (!mesh) ADD_FAILURE() << mesh.error().front().message;
  Scene scene{.mesh = mesh.value(),
              .observation = {.at = kNow,
                              .mesh = mesh->name,
                              .level = Level::kMesh,
                              .store = Absent{},
                              .clusters = {}}};
  for (const profiles::Cluster& cluster : scene.mesh.clusters) {
    ClusterObservation& seen = scene.observation.clusters.emplace_back(bare(cluster.name));
    seen.context = cluster.context;
    seen.live = nothing_live();
  }
  return scene;
}

base::Json deployment(const std::string& namespace_name,
                      const std::string& name,
                      int replicas,
                      int ready) {
  const bool available = ready >= replicas;
  return {{"metadata", {{"namespace", namespace_name}, {"name", name}, {"generation", 2}}},
          {"spec", {{"replicas", replicas}, {"template", {{"spec", base::Json::object()}}}}},
          {"status",
           {{"observedGeneration", 2},
            {"readyReplicas", ready},
            {"updatedReplicas", replicas},
            {"conditions",
             {{{"type", "Available"},
               {"status", available ? "True" : "False"},
               {"message", available ? "" : "Deployment does not have minimum availability."}}}}}}};
}

void put(ClusterObservation& seen, std::string_view resource, base::Json object) {
  seen.live.objects.add(resource, Objects::List{std::move(object)});
}

Planned plan_whole(const Scene& scene) {
  return plan_mesh(scene.mesh, scene.observation, {.at = scene.at});
}

}  // namespace meshtrust::mesh::testing
