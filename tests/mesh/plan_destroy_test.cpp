#include "istio/names.h"
#include "mesh/installed.h"
#include "mesh/plan.h"
#include "mesh/webhooks.h"
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

/// An example of which there is a trust store, and nothing in its clusters.
Scene example(const std::string& name) {
  Scene scene = fresh_example(name);
  scene.observation.store = store();
  return scene;
}

ContentFacts content(std::string kind, std::string name, std::string manager = "kubectl-create") {
  return {.api_version = "v1",
          .kind = kind,
          .resource = "things",
          .namespace_name = "istio-system",
          .name = name,
          .uid = "uid-of-" + name,
          .managers = {std::move(manager)}};
}

/// East with its trust, in a namespace that meshtrust made, and what is in that.
Scene made_by_us(const std::vector<ContentFacts>& contents) {
  Scene scene = example("two-networks");
  scene.observation.store = store({"east"});
  const LiveMesh live = scene.cluster("east").live;
  scene.cluster("east") = applied(scene.mesh, "east");
  scene.cluster("east").live = live;
  scene.cluster("east").live.contents = contents;
  return scene;
}

TEST(Destroy, TakesAwayNothingWhereThereIsNothing) {
  const Planned planned = destroy(example("two-networks"));
  EXPECT_EQ(describe(planned.answer), "");
  EXPECT_THAT(planned.plan.steps, IsEmpty());
}

TEST(Destroy, GoesFromGatewaysToTheNamespace) {
  Scene scene = example("two-networks");
  install(scene, "east");
  Json gateway = deployment("istio-system", "istio-eastwestgateway");
  gateway["metadata"]["labels"] = labels(scene);
  put(scene.cluster("east"), kDeployments, gateway);
  EXPECT_THAT(ids(destroy(scene)),
              ElementsAre("east/gateway-gone", "east/uninstalled", "east/sweep", "east/trust-gone",
                          "east/namespace-gone"));
}

TEST(Destroy, FindsWhatBearsTheLabelThoughTheMeshFileSaysItNoMore) {
  Scene scene = example("one-network");
  Json gateway = deployment("istio-system", "istio-eastwestgateway");
  gateway["metadata"]["labels"] = labels(scene);
  put(scene.cluster("east"), kDeployments, gateway);
  EXPECT_THAT(doomed(destroy(scene)),
              ElementsAre("- Deployment istio-system/istio-eastwestgateway"));
}

TEST(Destroy, TouchesNoNamespaceOfAnotherMesh) {
  Scene scene = example("two-networks");
  install(scene, "east");
  scene.mesh.name = "three";
  const Planned planned = destroy(scene);
  EXPECT_TRUE(planned.is_refused());
  EXPECT_THAT(planned.plan.steps, IsEmpty());
  EXPECT_THAT(describe(planned.answer),
              HasSubstr("namespace istio-system is of mesh 'shop' of the root"));
}

TEST(Destroy, LeavesAControlPlaneOfOthersAndItsCaAlone) {
  Scene scene = example("two-networks");
  put(scene.cluster("east"), kDeployments, deployment("istio-system", "istiod"));
  scene.cluster("east").workload_roots = pem("root");
  scene.cluster("east").system_namespace = NamespaceFacts{};
  const Planned planned = destroy(scene);
  EXPECT_THAT(describe(planned.answer), HasSubstr("[foreign-control-plane]"));
  EXPECT_THAT(planned.plan.steps, IsEmpty());
}

TEST(Destroy, TakesAwayTheWebhooksOfAControlPlaneThatSomebodyDeleted) {
  Scene scene = example("two-networks");
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
  Scene scene = example("two-networks");
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
  Scene scene = example("primary-remote");
  scene.cluster("west").server = Observed<ServerFacts>::unknown(
      {.code = base::Code::kUnavailable, .message = "connection refused"});
  const Planned planned = destroy(scene, {"east"});
  EXPECT_TRUE(planned.is_refused());
  EXPECT_THAT(describe(planned.answer), HasSubstr("west [remote-left-behind]: 'east' manages it"));
}

TEST(Destroy, LetsNoClusterLeaveWhileOneThatStaysCannotBeAsked) {
  Scene scene = example("two-networks");
  install(scene, "east");
  scene.cluster("west").server = Observed<ServerFacts>::unknown(
      {.code = base::Code::kUnavailable, .message = "connection refused"});
  const Planned planned = destroy(scene, {"east"});
  EXPECT_TRUE(planned.is_refused());
  EXPECT_THAT(planned.plan.steps, IsEmpty());
  EXPECT_EQ(describe(planned.answer),
            "unknown (unavailable): west: connection refused\n"
            "  hint: 'west' stays, and what it knows of clusters that leave has to go first\n"
            "  hint: one that will never answer again is given up by 'meshtrust destroy east west "
            "--gone': nothing is taken away in it, and the others forget it\n");
}

/// Two primaries that know each other, of which west does not answer.
Scene with_dead_west(base::Code code = base::Code::kUnavailable) {
  Scene scene = example("two-networks");
  install(scene, "east");
  scene.cluster("east").live.remote_secrets = std::vector<RemoteSecretFacts>{
      {.namespace_name = "istio-system",
       .name = "istio-remote-secret-west",
       .is_watched = true,
       .mesh = scene.mesh.name,
       .root = root_mark("root"),
       .clusters = {{.cluster = "west", .server = "https://west", .ca = "ca", .token = "t"}}}};
  scene.cluster("west").server =
      Observed<ServerFacts>::unknown({.code = code, .message = "connection refused"});
  return scene;
}

TEST(Destroy, SaysHowToGiveUpAClusterThatWillNeverAnswer) {
  const Planned planned = destroy(with_dead_west(), {"west"});
  EXPECT_TRUE(planned.is_refused());
  EXPECT_EQ(describe(planned.answer),
            "unknown (unavailable): west: connection refused\n"
            "  hint: one that will never answer again is given up by 'meshtrust destroy west "
            "--gone': nothing is taken away in it, and the others forget it\n");
}

TEST(Destroy, HasTheOthersForgetAClusterThatIsGivenUp) {
  const Scene scene = with_dead_west();
  const Planned planned =
      plan_destroy(scene.mesh, scene.observation, {.clusters = {"west"}, .given_up = {"west"}});
  EXPECT_EQ(describe(planned.answer),
            "note west [cluster-gone]: it does not answer and is given up: whatever is in it stays "
            "there\n"
            "  seen: connection refused\n"
            "  hint: take 'west' out of the mesh file afterwards\n");
  EXPECT_THAT(ids(planned), ElementsAre("east/forget"));
  EXPECT_THAT(doomed(planned), ElementsAre("- Secret istio-system/istio-remote-secret-west"));
}

TEST(Destroy, CanGiveUpWhatLeavesAndDoesNotAnswer) {
  const auto unanswering = [](const Scene& scene, std::vector<std::string> clusters) {
    return DestroyOptions{.clusters = std::move(clusters)}.unanswering(scene.observation);
  };
  EXPECT_THAT(unanswering(with_dead_west(), {"east", "west"}), ElementsAre("west"));
  EXPECT_THAT(unanswering(with_dead_west(), {"east"}), IsEmpty());
  EXPECT_THAT(unanswering(with_dead_west(base::Code::kPermission), {"west"}), IsEmpty());
}

TEST(Destroy, GivesUpNoClusterThatAnswersOrWasNotGivenUpBefore) {
  const auto give_up = [](const Scene& scene, const std::string& name) {
    return plan_destroy(scene.mesh, scene.observation,
                        {.clusters = {"east", "west"}, .given_up = {name}});
  };
  EXPECT_EQ(describe(give_up(with_dead_west(base::Code::kPermission), "west").answer),
            "unknown (permission): west: connection refused\n");
  const Planned alive = give_up(with_dead_west(), "east");
  EXPECT_TRUE(alive.is_refused());
  EXPECT_THAT(describe(alive.answer),
              HasSubstr("critical east [cluster-not-gone]: it was given up, for it did not answer, "
                        "and it answers now\n"
                        "  hint: run the same command again: then it leaves like any other\n"));
  EXPECT_THAT(describe(alive.answer), HasSubstr("unknown (unavailable): west: "));
}

TEST(Destroy, GivesUpAControlPlaneTogetherWithItsRemotes) {
  Scene scene = example("primary-remote");
  scene.cluster("east").server = Observed<ServerFacts>::unknown(
      {.code = base::Code::kUnavailable, .message = "connection refused"});
  EXPECT_THAT(describe(plan_destroy(scene.mesh, scene.observation,
                                    {.clusters = {"east"}, .given_up = {"east"}})
                           .answer),
              HasSubstr("  hint: destroy them together: 'meshtrust destroy west north east "
                        "--gone'\n"));
  EXPECT_EQ(describe(plan_destroy(scene.mesh, scene.observation,
                                  {.clusters = {"west", "north", "east"}, .given_up = {"east"}})
                         .answer),
            "note east [cluster-gone]: it does not answer and is given up: whatever is in it stays "
            "there\n"
            "  seen: connection refused\n"
            "  hint: take 'east' out of the mesh file afterwards\n");
}

TEST(Destroy, TakesAwayATagThatOutlivedItsControlPlane) {
  Scene scene = made_by_us({});
  const Json service{{"namespace", "istio-system"}, {"name", "istiod"}};
  put(scene.cluster("east"), kMutatingWebhooks,
      {{"metadata",
        {{"name", "istio-revision-tag-default"},
         {"uid", "uid-of-the-tag"},
         {"labels", {{"operator.istio.io/component", "Pilot"}}}}},
       {"webhooks", {{{"clientConfig", {{"service", service}}}}}}});
  const Planned planned = destroy(scene);
  EXPECT_THAT(ids(planned), Contains("east/uninstalled"));
  EXPECT_THAT(doomed(planned),
              Contains("- MutatingWebhookConfiguration istio-revision-tag-default"));
  EXPECT_THAT(to_json(planned.plan).dump(), HasSubstr("uid-of-the-tag"));
  EXPECT_THAT(planned.plan.requires_rights(),
              Contains(::testing::Field(&Right::name, "istio-revision-tag-default")));
}

TEST(Destroy, NeedsToKnowNothingOfServicesOfOthers) {
  Scene scene = made_by_us({});
  scene.cluster("east").live.objects.add(
      key_of_called({.namespace_name = "old-mesh", .service = "istiod"}),
      Observed<Objects::List>::unknown({.code = base::Code::kPermission, .message = "forbidden"}));
  EXPECT_EQ(describe(destroy(scene).answer), "");
}

TEST(Destroy, LeavesANamespaceThatSomebodyElseCreated) {
  Scene scene = example("two-networks");
  install(scene, "east");
  NamespaceFacts facts = test::found_in(scene.cluster("east").system_namespace);
  facts.created_by_meshtrust = false;
  scene.cluster("east").system_namespace = facts;
  const Planned planned = destroy(scene);
  EXPECT_THAT(ids(planned), Not(Contains("east/namespace-gone")));
  EXPECT_THAT(ids(planned), Contains("east/namespace-back"));
}

TEST(Destroy, IsRefusedWhereTheMeshFileDoesNotSayWhatIsInstalled) {
  Scene scene = example("two-networks");
  install(scene, "east");
  scene.mesh.istio.version.reset();
  const Planned planned = destroy(scene);
  EXPECT_THAT(planned.plan.steps, IsEmpty());
  EXPECT_EQ(describe(planned.answer),
            "unknown (invalid-input): east: what is to be uninstalled is not known: nothing says "
            "which Istio to install\n"
            "  hint: write its version, as 'istioctl version' shows it: istio: {version: "
            "\"1.30.3\"}; or stop at trust with '--only trust'\n");
}

TEST(Destroy, LeavesAnIstiodOfOthersAndWhatItNeedsWhereOnlyTrustIsOfThisMesh) {
  Scene scene = made_by_us({});
  scene.mesh.istio.version.reset();
  scene.cluster("east").workload_roots = pem("root");
  EXPECT_THAT(ids(destroy(scene)), Contains("east/sweep")) << "left by an istiod that is gone";
  Json istiod = deployment("istio-system", "istiod");
  istiod["metadata"]["labels"] = {{"app", "istiod"}};
  istiod["spec"]["replicas"] = 0;
  put(scene.cluster("east"), kDeployments, istiod);
  EXPECT_THAT(ids(destroy(scene)), ElementsAre("east/trust-gone", "east/namespace-back"));
}

TEST(Destroy, TouchesNoOtherClusterOfItsMesh) {
  Scene scene = made_by_us({});
  NamespaceFacts facts = test::found_in(scene.cluster("east").system_namespace);
  facts.cluster = "west";
  scene.cluster("east").system_namespace = facts;
  const Planned planned = destroy(scene, {"east"});
  EXPECT_THAT(planned.plan.steps, IsEmpty());
  EXPECT_THAT(describe(planned.answer), HasSubstr("east [another-cluster]: what this mesh made "
                                                  "there says that this is cluster 'west'"));
}

TEST(Destroy, IsRefusedWhereTwoNamesLeadToOneCluster) {
  Scene scene = made_by_us({});
  scene.cluster("west").server = scene.cluster("east").server;
  const Planned planned = destroy(scene, {"east"});
  EXPECT_THAT(planned.plan.steps, IsEmpty());
  EXPECT_THAT(describe(planned.answer), HasSubstr("[same-cluster]"));
}

TEST(Destroy, LeavesTheOwnCaOfAnIstiod) {
  Scene scene = example("two-networks");
  install(scene, "east");
  NamespaceFacts facts = test::found_in(scene.cluster("east").system_namespace);
  facts.created_by_meshtrust = false;
  scene.cluster("east").system_namespace = facts;
  scene.cluster("east").workload_roots = pem("root");
  const auto all = doomed(destroy(scene));
  EXPECT_THAT(all, Contains("- ConfigMap istio-system/istio-leader"));
  EXPECT_THAT(all, Not(Contains("- Secret istio-system/istio-ca-secret")));
}

TEST(Destroy, DoesNotGiveBackAnAnnotationThatSomebodyElseSet) {
  Scene scene = example("two-networks");
  scene.cluster("east").system_namespace =
      NamespaceFacts{.network = {}, .control_planes = "elsewhere"};
  EXPECT_THAT(ids(destroy(scene)), ElementsAre("east/namespace-back"));
  scene.cluster("east").system_namespace = NamespaceFacts{
      .network = {}, .control_planes = "elsewhere", .control_planes_set_by_others = true};
  EXPECT_THAT(destroy(scene).plan.steps, IsEmpty());
}

TEST(Destroy, DoesNotGiveBackALabelThatSomebodyElseSet) {
  Scene scene = example("two-networks");
  scene.cluster("east").system_namespace =
      NamespaceFacts{.network = "network1", .network_set_by_others = true};
  EXPECT_THAT(destroy(scene).plan.steps, IsEmpty());
}

TEST(Destroy, PlansNothingOverWhatIsUnknown) {
  Scene scene = example("two-networks");
  install(scene, "east");
  scene.cluster("west").live.remote_secrets = Observed<std::vector<RemoteSecretFacts>>::unknown(
      {.code = base::Code::kPermission, .message = "not permitted"});
  const Planned planned = destroy(scene);
  EXPECT_TRUE(planned.is_refused());
  EXPECT_THAT(planned.plan.steps, IsEmpty());
}

/// One fact about a cluster, made unknown.
struct Field {
  const char* name;
  void (*forget)(ClusterObservation& seen, const base::Error& why);
};

template <auto Member>
void forget(ClusterObservation& seen, const base::Error& why) {
  auto& fact = seen.*Member;
  fact = std::decay_t<decltype(fact)>::unknown(why);
}
template <auto Member>
void forget_live(ClusterObservation& seen, const base::Error& why) {
  auto& fact = seen.live.*Member;
  fact = std::decay_t<decltype(fact)>::unknown(why);
}

/// Every fact there is. The structured bindings do not compile once a member is added, so that none
/// is forgotten here.
std::vector<Field> all_fields() {
  ClusterObservation whole;
  [[maybe_unused]] auto& [name, context, server, system_namespace, cacerts, twin, istiod, other_ca,
                          workload_roots, trust_domain, live] = whole;
  [[maybe_unused]] auto& [objects, remote_secrets, tokens, istiods, workloads, contents] = live;
  return {{"server", forget<&ClusterObservation::server>},
          {"systemNamespace", forget<&ClusterObservation::system_namespace>},
          {"cacerts", forget<&ClusterObservation::cacerts>},
          {"twin", forget<&ClusterObservation::twin>},
          {"istiod", forget<&ClusterObservation::istiod>},
          {"otherCA", forget<&ClusterObservation::other_ca>},
          {"workloadRoots", forget<&ClusterObservation::workload_roots>},
          {"trustDomain", forget<&ClusterObservation::trust_domain>},
          {"remoteSecrets", forget_live<&LiveMesh::remote_secrets>},
          {"tokens", forget_live<&LiveMesh::tokens>},
          {"contents", forget_live<&LiveMesh::contents>}};
}

void expect_told(const Planned& planned, const std::string& what) {
  EXPECT_TRUE(planned.is_refused()) << what;
  EXPECT_THAT(planned.plan.steps, IsEmpty()) << what;
  EXPECT_THAT(describe(planned.answer), HasSubstr("east: not permitted")) << what;
}

const base::Error kForbidden{.code = base::Code::kPermission, .message = "not permitted"};

TEST(Destroy, IsRefusedOverAnyFactThatIsUnknown) {
  for (const Field& field : all_fields()) {
    Scene scene = made_by_us({});
    field.forget(scene.cluster("east"), kForbidden);
    expect_told(destroy(scene), field.name);
    expect_told(destroy(scene, {"east"}), field.name);
  }
}

TEST(Destroy, IsRefusedOverAnyKindOfObjectThatIsUnknown) {
  const Scene whole = made_by_us({});
  const LiveMesh nothing = nothing_live();
  for (const auto& [resource, list] : nothing.objects.all()) {
    Scene scene = whole;
    scene.cluster("east").live.objects.add(resource, Observed<Objects::List>::unknown(kForbidden));
    expect_told(destroy(scene), resource);
  }
}

TEST(Destroy, IsRefusedOverAStoreThatIsUnknown) {
  Scene scene = made_by_us({});
  scene.observation.store = Observed<StoreFacts>::unknown(
      {.code = base::Code::kCorrupt, .message = "the ledger is damaged"});
  const Planned planned = destroy(scene);
  EXPECT_THAT(planned.plan.steps, IsEmpty());
  EXPECT_EQ(describe(planned.answer), "unknown (corrupt): the ledger is damaged\n");
}

TEST(Destroy, IsRefusedWithoutItsStoreWhereAnythingMayBeOfThisMesh) {
  const auto expect_refused = [](const Scene& scene) {
    const Planned planned = destroy(scene);
    EXPECT_THAT(planned.plan.steps, IsEmpty());
    EXPECT_THAT(describe(planned.answer),
                HasSubstr("[store-missing]: there is no trust store at 'shop.trust', and "
                          "without its ledger nobody knows what in these clusters is of mesh"));
  };
  Scene scene = made_by_us({});
  scene.observation.store = Absent{};
  expect_refused(scene);
  scene.cluster("east").system_namespace = NamespaceFacts{};
  expect_refused(scene);
  scene.cluster("east").twin = Absent{};
  expect_refused(scene);
}

TEST(Destroy, NeedsNoStoreWhereNothingCanBeOfThisMesh) {
  const Planned planned = destroy(fresh_example("two-networks"));
  EXPECT_EQ(describe(planned.answer), "");
}

TEST(Destroy, DeletesByUidAndTheCaByItsFingerprint) {
  Scene scene = made_by_us({});
  CacertsFacts cacerts = test::found_in(scene.cluster("east").cacerts);
  cacerts.uid = "uid-of-cacerts";
  scene.cluster("east").cacerts = cacerts;
  const Json json = to_json(destroy(scene).plan);
  EXPECT_EQ(json["steps"][0]["objects"][0], (Json{{"apiVersion", "v1"},
                                                  {"kind", "Secret"},
                                                  {"namespace", "istio-system"},
                                                  {"name", "cacerts"},
                                                  {"uid", "uid-of-cacerts"},
                                                  {"certificate", issued("east").fingerprint}}));
  cacerts.uid = "uid-of-another";
  scene.cluster("east").cacerts = cacerts;
  EXPECT_NE(to_json(destroy(scene).plan), json);
}

TEST(Destroy, KeepsANamespaceInWhichOthersKeepThings) {
  const Planned planned =
      destroy(made_by_us({content("ConfigMap", "shop-config"), content("Lease", "shop-leader")}));
  EXPECT_THAT(ids(planned), ElementsAre("east/trust-gone", "east/namespace-back"));
  EXPECT_EQ(
      describe(planned.answer),
      "note east [namespace-stays]: namespace 'istio-system' stays: others keep things in it\n"
      "  seen: ConfigMap shop-config\n"
      "  seen: Lease shop-leader\n"
      "  hint: --with-namespace deletes it with all that is in it\n");
}

TEST(Destroy, DeletesWhatOthersKeepOnlyWhenTold) {
  const Scene scene = made_by_us({content("ConfigMap", "shop-config")});
  const Planned planned =
      plan_destroy(scene.mesh, scene.observation, {.clusters = {}, .with_namespace = true});
  EXPECT_EQ(describe(planned.answer), "");
  EXPECT_THAT(ids(planned), ElementsAre("east/trust-gone", "east/namespace-gone"));
  EXPECT_THAT(planned.plan.steps.back().diff,
              ElementsAre("- ConfigMap shop-config (of others)", "- Namespace istio-system"));
}

TEST(Destroy, NeverDeletesANamespaceWithForeignTrust) {
  ContentFacts istiod = content("Deployment", "istiod-canary");
  istiod.labels = {{"app", "istiod"}, {"istio.io/rev", "canary"}};
  for (const auto& [kept, told] :
       {std::pair{content("Secret", "cacerts"), "a cacerts that this trust store did not issue"},
        std::pair{istiod, "control plane istiod-canary, which is not of this mesh"}}) {
    const Scene scene = made_by_us({kept});
    EXPECT_THAT(ids(destroy(scene)), Not(Contains("east/namespace-gone")));
    const Planned planned =
        plan_destroy(scene.mesh, scene.observation, {.clusters = {}, .with_namespace = true});
    EXPECT_THAT(planned.plan.steps, IsEmpty());
    EXPECT_THAT(describe(planned.answer),
                HasSubstr(std::string("namespace 'istio-system' holds ") + told));
  }
}

TEST(Destroy, WaitsForANamespaceThatIsBeingDeletedWhateverIsStillInIt) {
  Scene scene = made_by_us({content("ConfigMap", "held")});
  NamespaceFacts facts = test::found_in(scene.cluster("east").system_namespace);
  facts.terminating = true;
  scene.cluster("east").system_namespace = facts;
  const Planned planned = destroy(scene);
  EXPECT_EQ(describe(planned.answer), "");
  EXPECT_THAT(ids(planned), ElementsAre("east/trust-gone", "east/namespace-gone"));
  EXPECT_EQ(planned.plan.steps.back().reason, "it is being deleted already");
}

TEST(Destroy, NeverDeletesANamespaceThatMeshtrustDidNotMake) {
  Scene scene = made_by_us({});
  NamespaceFacts facts = test::found_in(scene.cluster("east").system_namespace);
  facts.created_by_meshtrust = false;
  scene.cluster("east").system_namespace = facts;
  const Planned planned =
      plan_destroy(scene.mesh, scene.observation, {.clusters = {}, .with_namespace = true});
  EXPECT_THAT(ids(planned), Not(Contains("east/namespace-gone")));
  EXPECT_THAT(describe(planned.answer),
              HasSubstr("namespace 'istio-system' stays: meshtrust did not create it"));
}

}  // namespace
}  // namespace meshtrust::mesh
