#include "istio/names.h"
#include "mesh/installed.h"
#include "mesh/plan.h"
#include "profiles/installation.h"
#include "tests/mesh/mesh_builder.h"
#include "tests/support/found.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace meshtrust::mesh {
namespace {

using namespace testing;
using base::Json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Planned destroy(const Scene& scene, std::vector<std::string> clusters = {}) {
  return plan_destroy(scene.mesh, scene.observation, {.clusters = std::move(clusters)});
}

std::vector<std::string> ids(const Planned& planned) {
  std::vector<std::string> ids;
  for (const Step& step : planned.plan.steps) {
    ids.push_back(step.id);
  }
  return ids;
}

/// Everything that would be deleted, "- Kind namespace/name".
std::vector<std::string> doomed(const Planned& planned) {
  std::vector<std::string> all;
  for (const Step& step : planned.plan.steps) {
    all.insert(all.end(), step.diff.begin(), step.diff.end());
  }
  return all;
}

/// What a thing of this mesh bears.
Json labels(const Scene& scene) {
  return {{istio::kMeshLabel, scene.mesh.name},
          {istio::kRootLabel, root_mark("root")},
          {istio::kManagedByLabel, istio::kFieldManager}};
}

/// The cluster `name` with its trust, and its control plane as an installer of ours left it.
void install(Scene& scene, const std::string& name) {
  scene.observation.store = store({"east", "west"});
  ClusterObservation& seen = scene.cluster(name);
  LiveMesh live = seen.live;
  seen = applied(scene.mesh, name);
  seen.live = live;
  seen.cacerts = Absent{};
  const auto wanted = profiles::installations(scene.mesh, *scene.mesh.find(name));
  Json istiod = deployment("istio-system", "istiod");
  istiod.merge_patch(mark(scene.mesh, root_mark("root"), wanted->front(), live.objects));
  put(seen, kDeployments, istiod);
}

TEST(Destroy, TakesAwayNothingWhereThereIsNothing) {
  const Planned planned = destroy(fresh_example("two-networks"));
  EXPECT_EQ(describe(planned.answer), "");
  EXPECT_THAT(planned.plan.steps, IsEmpty());
}

TEST(Destroy, GoesFromGatewaysToTheNamespace) {
  Scene scene = fresh_example("two-networks");
  install(scene, "east");
  Json gateway = deployment("istio-system", "istio-eastwestgateway");
  gateway["metadata"]["labels"] = labels(scene);
  put(scene.cluster("east"), kDeployments, gateway);
  EXPECT_THAT(ids(destroy(scene)),
              ElementsAre("east/gateway-gone", "east/uninstalled", "east/sweep", "east/trust-gone",
                          "east/namespace-gone"));
}

TEST(Destroy, FindsWhatBearsTheLabelThoughTheMeshFileSaysItNoMore) {
  Scene scene = fresh_example("one-network");
  scene.observation.store = store();
  Json gateway = deployment("istio-system", "istio-eastwestgateway");
  gateway["metadata"]["labels"] = labels(scene);
  put(scene.cluster("east"), kDeployments, gateway);
  EXPECT_THAT(doomed(destroy(scene)),
              ElementsAre("- Deployment istio-system/istio-eastwestgateway"));
}

TEST(Destroy, TouchesNoNamespaceOfAnotherMesh) {
  Scene scene = fresh_example("two-networks");
  install(scene, "east");
  scene.mesh.name = "three";
  const Planned planned = destroy(scene);
  EXPECT_TRUE(planned.is_refused());
  EXPECT_THAT(planned.plan.steps, IsEmpty());
  EXPECT_THAT(describe(planned.answer),
              HasSubstr("namespace istio-system is of mesh 'shop' of the root"));
}

TEST(Destroy, LeavesAControlPlaneOfOthersAndItsCaAlone) {
  Scene scene = fresh_example("two-networks");
  put(scene.cluster("east"), kDeployments, deployment("istio-system", "istiod"));
  scene.cluster("east").workload_roots = pem("root");
  scene.cluster("east").system_namespace = NamespaceFacts{};
  const Planned planned = destroy(scene);
  EXPECT_THAT(describe(planned.answer), HasSubstr("[foreign-control-plane]"));
  EXPECT_THAT(planned.plan.steps, IsEmpty());
}

TEST(Destroy, TakesAwayTheWebhooksOfAControlPlaneThatSomebodyDeleted) {
  Scene scene = fresh_example("two-networks");
  scene.observation.store = store({"east", "west"});
  LiveMesh live = scene.cluster("east").live;
  scene.cluster("east") = applied(scene.mesh, "east");
  scene.cluster("east").live = live;
  scene.cluster("east").cacerts = Absent{};
  put(scene.cluster("east"), kMutatingWebhooks,
      {{"metadata", {{"name", "istio-sidecar-injector"}}}});
  EXPECT_THAT(ids(destroy(scene)), ElementsAre("east/uninstalled", "east/sweep", "east/trust-gone",
                                               "east/namespace-gone"));
}

TEST(Destroy, GoesOnFromAnInstallationThatWasCutOffBeforeItsDeployment) {
  Scene scene = fresh_example("two-networks");
  scene.observation.store = store({"east", "west"});
  LiveMesh live = scene.cluster("east").live;
  scene.cluster("east") = applied(scene.mesh, "east");
  scene.cluster("east").live = live;
  scene.cluster("east").cacerts = Absent{};
  put(scene.cluster("east"), kConfigMaps,
      {{"metadata",
        {{"namespace", "istio-system"},
         {"name", "meshtrust-installing"},
         {"labels", labels(scene)}}}});
  EXPECT_THAT(ids(destroy(scene)), Contains("east/uninstalled"));
}

TEST(Destroy, RefusesToLeaveARemoteBehindThatCannotBeReached) {
  Scene scene = fresh_example("primary-remote");
  scene.cluster("west").server = Observed<ServerFacts>::unknown(
      {.code = base::Code::kUnavailable, .message = "connection refused"});
  const Planned planned = destroy(scene, {"east"});
  EXPECT_TRUE(planned.is_refused());
  EXPECT_THAT(describe(planned.answer), HasSubstr("west [remote-left-behind]: 'east' manages it"));
}

TEST(Destroy, SaysWhichSecretStaysInAPeerThatCannotBeReached) {
  Scene scene = fresh_example("two-networks");
  scene.cluster("west").server = Observed<ServerFacts>::unknown(
      {.code = base::Code::kUnavailable, .message = "connection refused"});
  EXPECT_THAT(describe(destroy(scene, {"east"}).answer),
              HasSubstr("west [access-stays]: it cannot be reached, so its secret that holds a "
                        "token of 'east' stays"));
}

TEST(Destroy, LeavesANamespaceThatSomebodyElseCreated) {
  Scene scene = fresh_example("two-networks");
  install(scene, "east");
  NamespaceFacts facts = test::found_in(scene.cluster("east").system_namespace);
  facts.created_by_meshtrust = false;
  scene.cluster("east").system_namespace = facts;
  const Planned planned = destroy(scene);
  EXPECT_THAT(ids(planned), Not(Contains("east/namespace-gone")));
  EXPECT_THAT(ids(planned), Contains("east/namespace-back"));
}

TEST(Destroy, DoesNotGiveBackALabelThatSomebodyElseSet) {
  Scene scene = fresh_example("two-networks");
  scene.cluster("east").system_namespace =
      NamespaceFacts{.network = "network1", .network_set_by_others = true};
  EXPECT_THAT(destroy(scene).plan.steps, IsEmpty());
}

TEST(Destroy, PlansNothingOverWhatIsUnknown) {
  Scene scene = fresh_example("two-networks");
  install(scene, "east");
  scene.cluster("west").live.remote_secrets = Observed<std::vector<RemoteSecretFacts>>::unknown(
      {.code = base::Code::kPermission, .message = "not permitted"});
  const Planned planned = destroy(scene);
  EXPECT_TRUE(planned.is_refused());
  EXPECT_THAT(planned.plan.steps, IsEmpty());
}

}  // namespace
}  // namespace meshtrust::mesh
