#include "tests/mesh/mesh_builder.h"

#include "istio/names.h"
#include "mesh/installed.h"
#include "profiles/exposure.h"
#include "profiles/gateway.h"
#include "profiles/installation.h"
#include "profiles/load.h"
#include "profiles/reference.h"
#include "profiles/remote_secret.h"
#include "profiles/trust_objects.h"
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

void put_applied(Scene& scene,
                 const std::string& cluster,
                 const std::string& root,
                 const std::vector<profiles::Object>& objects) {
  for (const profiles::Object& object : objects) {
    base::Json live = profiles::resolve(object.body, [&root](const std::string& name) {
      return name == profiles::kRootReference ? std::optional(root) : std::nullopt;
    });
    profiles::leave_out_open_root(live);
    live["metadata"]["name"] = object.name;
    live["metadata"]["namespace"] = object.namespace_name;
    scene.cluster(cluster).live.objects.add(resource_of(object), Objects::List{live});
  }
}

void share(Scene& scene, const std::string& from, const std::string& to, const std::string& root) {
  const profiles::RemoteSecretIntent intent{.source = from, .target = to};
  const std::string account = profiles::service_account_of(scene.mesh, intent);
  scene.cluster(from).live.tokens =
      std::vector<TokenSecretFacts>{{.namespace_name = "istio-system",
                                     .name = istio::token_secret_name(account),
                                     .service_account = account,
                                     .mesh = scene.mesh.name,
                                     .root = root,
                                     .ca = "ca",
                                     .token = "token"}};
  scene.cluster(to).live.remote_secrets =
      std::vector<RemoteSecretFacts>{{.namespace_name = "istio-system",
                                      .name = istio::remote_secret_name(from),
                                      .is_watched = true,
                                      .mesh = scene.mesh.name,
                                      .root = root,
                                      .clusters = {{.cluster = from,
                                                    .server = "https://" + from + ".example:6443",
                                                    .ca = "ca",
                                                    .token = "token"}}}};
}

Scene whole_mesh(const std::string& root,
                 const std::string& certificate,
                 const std::string& anchor) {
  Scene scene = fresh_example("two-networks");
  scene.observation.store = store({"east", "west"});
  for (const std::string name : {"east", "west"}) {
    ClusterObservation& seen = scene.cluster(name);
    const LiveMesh live = seen.live;
    seen =
        name == "east" ? applied(scene.mesh, name, certificate, anchor) : applied(scene.mesh, name);
    seen.live = live;
    NamespaceFacts facts = test::found_in(seen.system_namespace);
    facts.root = root;
    seen.system_namespace = facts;
    TwinFacts twin = test::found_in(seen.twin);
    twin.root = root;
    seen.twin = twin;
    base::Json istiod = deployment("istio-system", "istiod");
    Objects objects = nothing_live().objects;
    objects.add(kDeployments, Objects::List{istiod});
    const auto wanted = profiles::installations(scene.mesh, *scene.mesh.find(name));
    istiod.merge_patch(mark(scene.mesh, root, wanted->front(), objects));
    put(seen, kDeployments, istiod);
    const profiles::Cluster& cluster = *scene.mesh.find(name);
    put_applied(scene, name, root, profiles::east_west_gateway(scene.mesh, cluster));
    put_applied(scene, name, root, profiles::exposure(scene.mesh, cluster));
  }
  share(scene, "east", "west", root);
  share(scene, "west", "east", root);
  return scene;
}

}  // namespace meshtrust::mesh::testing
