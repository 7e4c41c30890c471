#include "mesh/condition.h"

#include "base/bytes.h"
#include "base/encoding.h"
#include "mesh/expectation.h"
#include "profiles/gateway.h"
#include "tests/mesh/mesh_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {
namespace {

using namespace testing;
using base::Json;
using ::testing::ElementsAre;

Verdict ask_in(std::string_view id,
               const Scene& scene,
               const std::string& cluster,
               const std::string& namespace_name = "istio-system") {
  return mesh::ask({.cluster = cluster,
                    .id = {},
                    .condition = id,
                    .namespace_name = namespace_name,
                    .revision = scene.mesh.istio.revision},
                   scene.mesh, scene.observation, scene.at);
}

/// "yes: ...", "no: ...", "unknown: ..." of one condition in a cluster.
std::string answer(std::string_view id, const Scene& scene, const std::string& cluster) {
  const Verdict verdict = ask_in(id, scene, cluster);
  const char* word = verdict.state == Verdict::State::kYes  ? "yes: "
                     : verdict.state == Verdict::State::kNo ? "no: "
                                                            : "unknown: ";
  return word + verdict.why;
}

TEST(ControlPlaneReady, CountsReplicasOfTheCurrentGeneration) {
  Scene scene = fresh_example("two-networks");
  EXPECT_EQ(answer(kControlPlaneReady, scene, "east"),
            "no: there is no deployment istio-system/istiod");
  put(scene.cluster("east"), kDeployments, deployment("istio-system", "istiod", 2, 1));
  EXPECT_EQ(answer(kControlPlaneReady, scene, "east"), "no: 1 of 2 replicas ready");
  Json stale = deployment("istio-system", "istiod");
  stale["metadata"]["generation"] = 3;
  put(scene.cluster("west"), kDeployments, stale);
  EXPECT_EQ(answer(kControlPlaneReady, scene, "west"),
            "no: its last change has not been taken up yet");
}

TEST(ControlPlaneReady, NamesTheCommandThatUndoesAScalingToNothing) {
  Scene scene = fresh_example("two-networks");
  put(scene.cluster("east"), kDeployments, deployment("istio-system", "istiod", 0, 0));
  EXPECT_EQ(answer(kControlPlaneReady, scene, "east"),
            "no: deployment istio-system/istiod is scaled to 0 replicas");
  const auto hints = ElementsAre(
      "nobody but a person brings it back: 'kubectl --context kind-east -n istio-system scale "
      "deployment/istiod --replicas=1'");
  EXPECT_THAT(ask_in(kControlPlaneReady, scene, "east").hints, hints);
  scene.cluster("east").live.istiods = std::vector<IstiodView>();
  EXPECT_EQ(answer(kClustersSynced, scene, "east"), "no: no istiod is running");
  EXPECT_THAT(ask_in(kClustersSynced, scene, "east").hints, hints);
}

TEST(ControlPlaneReady, IsYesWhenAllReplicasAre) {
  Scene scene = fresh_example("two-networks");
  put(scene.cluster("east"), kDeployments, deployment("istio-system", "istiod"));
  EXPECT_EQ(answer(kControlPlaneReady, scene, "east"), "yes: 1 replica ready");
}

TEST(ControlPlaneReady, IsUnknownWhereDeploymentsMayNotBeRead) {
  Scene scene = fresh_example("two-networks");
  scene.cluster("east").live.objects.add(
      kDeployments, Observed<Objects::List>::unknown(
                        {.code = base::Code::kPermission, .message = "not permitted"}));
  EXPECT_EQ(answer(kControlPlaneReady, scene, "east"), "unknown: not permitted");
}

Json webhook(const std::string& name, const std::string& bundle, const std::string& policy) {
  return {{"metadata", {{"name", name}, {"labels", {{"istio.io/rev", "default"}}}}},
          {"webhooks",
           {{{"failurePolicy", policy},
             {"clientConfig",
              {{"caBundle", bundle},
               {"service", {{"namespace", "istio-system"}, {"name", "istiod"}}}}}}}}};
}

TEST(WebhooksAnswer, WhenIstiodHasTakenThemIntoService) {
  Scene scene = fresh_example("two-networks");
  EXPECT_EQ(answer(kWebhooksAnswer, scene, "east"),
            "no: there is no validating webhook of this control plane");
  const std::string name = "istio-validator-istio-system";
  put(scene.cluster("east"), kValidatingWebhooks, webhook(name, "", "Ignore"));
  EXPECT_EQ(answer(kWebhooksAnswer, scene, "east"), "no: " + name + " has no CA bundle yet");
  put(scene.cluster("west"), kValidatingWebhooks, webhook(name, "Y2E=", "Ignore"));
  EXPECT_EQ(answer(kWebhooksAnswer, scene, "west"),
            "no: istiod has not taken " + name + " into service yet");
}

TEST(WebhooksAnswer, LeavesThoseOfOtherRevisionsAlone) {
  Scene scene = fresh_example("two-networks");
  Json other = webhook("istio-validator-canary-istio-system", "", "Ignore");
  other["metadata"]["labels"]["istio.io/rev"] = "canary";
  put(scene.cluster("east"), kValidatingWebhooks, other);
  put(scene.cluster("east"), kValidatingWebhooks,
      webhook("istio-validator-istio-system", "Y2E=", "Fail"));
  EXPECT_EQ(answer(kWebhooksAnswer, scene, "east"), "no: it has no injection webhook");
  put(scene.cluster("east"), kMutatingWebhooks,
      webhook("istio-sidecar-injector", base::to_base64(base::as_bytes(pem("root"))), "Fail"));
  EXPECT_EQ(answer(kWebhooksAnswer, scene, "east"), "yes: in service");
}

Json daemon_set(const std::string& name, int wanted, int ready) {
  return {
      {"metadata", {{"namespace", "istio-system"}, {"name", name}, {"generation", 1}}},
      {"status",
       {{"observedGeneration", 1}, {"desiredNumberScheduled", wanted}, {"numberReady", ready}}}};
}

TEST(NodeAgentsReady, MeansTunnelAndCniOnEveryNode) {
  Scene scene = fresh_example("ambient");
  put(scene.cluster("east"), kDaemonSets, daemon_set("istio-cni-node", 3, 3));
  EXPECT_EQ(answer(kNodeAgentsReady, scene, "east"), "no: there is no ztunnel");
  put(scene.cluster("east"), kDaemonSets, daemon_set("ztunnel", 3, 2));
  EXPECT_EQ(answer(kNodeAgentsReady, scene, "east"), "no: ztunnel is ready on 2 of 3 nodes");
  put(scene.cluster("west"), kDaemonSets, daemon_set("ztunnel", 3, 3));
  put(scene.cluster("west"), kDaemonSets, daemon_set("somebody-elses", 3, 0));
  EXPECT_EQ(answer(kNodeAgentsReady, scene, "west"), "yes: on 3 nodes");
}

Json service(Json ingress) {
  return {{"metadata", {{"namespace", "istio-system"}, {"name", "istio-eastwestgateway"}}},
          {"status", {{"loadBalancer", {{"ingress", std::move(ingress)}}}}}};
}

TEST(GatewayAddress, IsAnAddressOrElseAName) {
  Scene scene = fresh_example("two-networks");
  EXPECT_EQ(answer(kGatewayAddressKnown, scene, "east"),
            "no: there is no service istio-system/istio-eastwestgateway");
  EXPECT_THAT(ask_in(kGatewayAddressKnown, scene, "east").hints,
              ElementsAre("'meshtrust apply' makes it"));
  put(scene.cluster("east"), kServices, service(Json::array()));
  EXPECT_EQ(answer(kGatewayAddressKnown, scene, "east"),
            "no: its east-west gateway has no address yet");
  scene = fresh_example("two-networks");
  put(scene.cluster("east"), kServices, service(Json::array({{{"hostname", "lb.example"}}})));
  EXPECT_EQ(answer(kGatewayAddressKnown, scene, "east"), "yes: lb.example");
  put(scene.cluster("west"), kServices,
      service(Json::array({{{"hostname", "lb.example"}}, {{"ip", "172.18.1.100"}}})));
  EXPECT_EQ(answer(kGatewayAddressKnown, scene, "west"), "yes: 172.18.1.100");
}

TEST(ClustersSynced, MeansInEveryIstiod) {
  Scene scene = fresh_example("two-networks");
  const auto view = [](const std::string& pod, const std::string& west) {
    return IstiodView{.namespace_name = "istio-system",
                      .pod = pod,
                      .clusters = {{.id = "east", .secret = "", .status = "synced"},
                                   {.id = "west", .secret = "s", .status = west}}};
  };
  EXPECT_EQ(answer(kClustersSynced, scene, "east"), "unknown: it was not looked at");
  scene.cluster("east").live.istiods = std::vector{view("a", "synced"), view("b", "timeout")};
  EXPECT_EQ(answer(kClustersSynced, scene, "east"), "no: b says that west is timeout");
  scene.cluster("east").live.istiods = std::vector{view("a", "synced"), view("b", "synced")};
  EXPECT_EQ(answer(kClustersSynced, scene, "east"), "yes: 2 clusters in 2 istiods");
  scene.cluster("west").live.istiods =
      std::vector{IstiodView{.namespace_name = "istio-system",
                             .pod = "c",
                             .clusters = {{.id = "west", .secret = "", .status = "synced"}}}};
  EXPECT_EQ(answer(kClustersSynced, scene, "west"), "no: c does not know cluster east yet");
}

TEST(NetworksKnown, MeansTheLiveGatewaysOfAllOthersInEveryIstiod) {
  Scene scene = fresh_example("two-networks");
  put(scene.cluster("west"), kServices, service(Json::array({{{"ip", "172.18.1.100"}}})));
  const auto view = [](const std::string& pod, const std::string& address) {
    return IstiodView{.namespace_name = "istio-system",
                      .pod = pod,
                      .gateways = {{.network = "network2", .address = address}}};
  };
  scene.cluster("east").live.istiods =
      std::vector{view("a", "172.18.1.100"), view("b", "172.18.1.99")};
  EXPECT_EQ(answer(kNetworksKnown, scene, "east"),
            "no: b knows no gateway of network2 at 172.18.1.100");
  scene.cluster("east").live.istiods =
      std::vector{view("a", "172.18.1.100"), view("b", "172.18.1.100")};
  EXPECT_EQ(answer(kNetworksKnown, scene, "east"), "yes: gateways of 1 other network");
}

TEST(Adopted, WantsTheMeshsRootInWebhooksAndForWorkloads) {
  Scene scene = fresh_example("primary-remote");
  const profiles::Mesh& mesh = scene.mesh;
  ClusterObservation east = applied(mesh, "east");
  east.live = nothing_live();
  scene.cluster("east") = east;
  ClusterObservation& west = scene.cluster("west");
  EXPECT_EQ(answer(kAdopted, scene, "west"), "no: it has no injection webhook");

  const auto with_bundle = [](const std::string& pem) {
    return webhook("istio-sidecar-injector", base::to_base64(base::as_bytes(pem)), "Fail");
  };
  put(west, kMutatingWebhooks, with_bundle(""));
  EXPECT_EQ(answer(kAdopted, scene, "west"), "no: istio-sidecar-injector has no CA bundle yet");
  west.live = nothing_live();
  put(west, kMutatingWebhooks, with_bundle(pem("other-root")));
  EXPECT_EQ(answer(kAdopted, scene, "west"),
            "no: the CA bundle of istio-sidecar-injector is not the mesh's root");
  west.live = nothing_live();
  put(west, kMutatingWebhooks, with_bundle(pem("root")));
  EXPECT_EQ(answer(kAdopted, scene, "west"),
            "no: there is no configmap istio-system/istio-ca-root-cert yet");
  west.workload_roots = pem("root");
  EXPECT_EQ(answer(kAdopted, scene, "west"), "yes: webhooks and roots are the mesh's");
}

/// Of one cluster what a wait for this condition looks at, and of others only their trust.
Scene as_a_wait_sees(const Scene& scene, const Condition& condition, const std::string& cluster) {
  Scene seen = scene;
  for (ClusterObservation& one : seen.observation.clusters) {
    const ClusterObservation whole = one;
    if (!condition.look.trust) one = ClusterObservation();
    one.name = whole.name;
    one.live = {};
    if (one.name != cluster) continue;
    for (const std::string_view resource : condition.look.resources) {
      one.live.objects.add(resource, whole.live.objects.list(resource));
    }
    if (condition.look.secrets) one.live.tokens = whole.live.tokens;
    if (condition.look.istiods) one.live.istiods = whole.live.istiods;
  }
  return seen;
}

TEST(Conditions, LookAtAllThatTheyAskFor) {
  Scene scene = fresh_example("primary-remote");
  ClusterObservation east = applied(scene.mesh, "east");
  east.live = nothing_live();
  scene.cluster("east") = east;
  for (const char* name : {"east", "west"}) {
    ClusterObservation& cluster = scene.cluster(name);
    cluster.workload_roots = pem("root");
    cluster.live.istiods = std::vector<IstiodView>{};
    put(cluster, kDeployments, deployment("istio-system", "istiod"));
    put(cluster, kDeployments, deployment("istio-system", "istio-eastwestgateway"));
    put(cluster, kDaemonSets, daemon_set("istio-cni-node", 1, 1));
    put(cluster, kServices, service(Json::array({{{"ip", "172.18.1.100"}}})));
    put(cluster, kValidatingWebhooks, webhook("istio-validator-istio-system", "Y2E=", "Fail"));
    put(cluster, kMutatingWebhooks,
        webhook("istio-sidecar-injector", base::to_base64(base::as_bytes(pem("root"))), "Fail"));
  }
  for (const Condition& condition : conditions()) {
    if (condition.id == kNetworksKnown) continue;  // about all clusters, and nothing waits for it
    for (const char* name : {"east", "west"}) {
      const Scene seen = as_a_wait_sees(scene, condition, name);
      EXPECT_EQ(answer(condition.id, seen, name), answer(condition.id, scene, name))
          << condition.id << " in " << name;
    }
  }
}

/// What is told beside a no.
std::vector<std::string> hints(std::string_view id,
                               const Scene& scene,
                               const std::string& cluster,
                               const std::string& namespace_name = "istio-system") {
  return ask_in(id, scene, cluster, namespace_name).hints;
}

TEST(Conditions, AllSayWhatHelpsOrWhatToLookAt) {
  std::set<std::string_view> ids;
  Scene scene = fresh_example("two-networks");
  for (ClusterObservation& cluster : scene.observation.clusters) {
    cluster.live.istiods = Absent{};
    cluster.live.objects.add(kDaemonSets, Objects::List{});
  }
  for (const Condition& condition : conditions()) {
    EXPECT_TRUE(ids.insert(condition.id).second) << condition.id;
    const auto told = hints(condition.id, scene, "east");
    ASSERT_FALSE(told.empty()) << condition.id;
    for (const std::string& hint : told) {
      for (const char* place : {"context}", "{namespace}", "{istiod}", "{gateway}"}) {
        EXPECT_EQ(hint.find(place), std::string::npos) << hint;
      }
    }
  }
}

TEST(Conditions, NameTheClusterInWhichSomethingIsMissing) {
  Scene scene = fresh_example("two-networks");
  put(scene.cluster("west"), kServices, service(Json::array({{{"ip", "172.18.1.100"}}})));
  scene.cluster("east").live.istiods =
      std::vector{IstiodView{.namespace_name = "istio-system",
                             .pod = "a",
                             .clusters = {{.id = "east", .secret = "", .status = "synced"}}}};
  const std::string east = scene.mesh.find("east")->context;
  const std::string west = scene.mesh.find("west")->context;
  EXPECT_THAT(
      hints(kNetworksKnown, scene, "east"),
      ElementsAre("likely cause: the Service of west's gateway has no address, or lacks the label "
                  "topology.istio.io/network=network2",
                  "look with 'kubectl --context " + west +
                      " -n istio-system get services -o wide -l "
                      "topology.istio.io/network=network2'"));
  EXPECT_THAT(hints(kClustersSynced, scene, "east"),
              ElementsAre("likely cause: istiod has not read the remote secret of that cluster",
                          "look with 'kubectl --context " + east +
                              " -n istio-system get secrets -l istio/multiCluster=true'"));
}

TEST(GatewayAddress, TellsWhatToDoWithoutALoadBalancer) {
  Scene scene = fresh_example("two-networks");
  put(scene.cluster("east"), kServices, service(Json::array()));
  EXPECT_THAT(hints(kGatewayAddressKnown, scene, "east"),
              ElementsAre("likely cause: nothing in the cluster gives load balancers an address: "
                          "MetalLB, cloud-provider-kind or a cloud's controller",
                          "look with 'kubectl --context " + scene.mesh.find("east")->context +
                              " -n istio-system describe service istio-eastwestgateway'",
                          "without a load balancer: which address leads to the nodes of east? "
                          "Write it as its 'eastWestGateway: {type: NodePort, address: ADDRESS}'"));
  Scene ambient = fresh_example("ambient");
  put(ambient.cluster("east"), kApiGateways,
      {{"metadata", {{"namespace", "istio-system"}, {"name", "istio-eastwestgateway"}}}});
  EXPECT_EQ(hints(kGatewayAddressKnown, ambient, "east").size(), 2U);
}

Json node(const std::string& type, const std::string& address) {
  return {{"metadata", {{"name", "node-1"}}},
          {"status", {{"addresses", {{{"type", type}, {"address", address}}}}}}};
}

TEST(GatewayNodes, AreWaitedForInsteadOfAnAddressThatNeverComes) {
  Scene scene = fresh_example("two-networks");
  profiles::EastWestGateway& gateway = scene.mesh.clusters.front().gateway;
  gateway.type = profiles::EastWestGateway::Type::kNodePort;
  const auto expected = [&scene] {
    const auto all = expectations(scene.mesh);
    return *std::ranges::find(all, "east/gateway-address", &Expectation::id);
  };
  EXPECT_EQ(expected().condition, kGatewayNodesKnown);
  EXPECT_EQ(expected().gives, "");
  EXPECT_EQ(answer(kGatewayNodesKnown, scene, "east"), "no: no node has an external address");
  EXPECT_EQ(hints(kGatewayNodesKnown, scene, "east").back(),
            "which address leads to the nodes of east? Write it as its 'eastWestGateway.address'");
  put(scene.cluster("east"), kNodes, node("InternalIP", "10.0.0.7"));
  EXPECT_EQ(answer(kGatewayNodesKnown, scene, "east"), "no: no node has an external address");
  put(scene.cluster("east"), kNodes, node("ExternalIP", "203.0.113.7"));
  EXPECT_EQ(answer(kGatewayNodesKnown, scene, "east"), "yes: 1 node with an external address");
  gateway.annotations[std::string(profiles::kNodeSelectorAnnotation)] = R"({"edge": ""})";
  EXPECT_EQ(answer(kGatewayNodesKnown, scene, "east"),
            "no: no node that its nodeSelector means has an external address");
  Json edge = node("ExternalIP", "203.0.113.8");
  edge["metadata"]["labels"] = {{"edge", ""}, {"other", "label"}};
  put(scene.cluster("east"), kNodes, edge);
  EXPECT_EQ(answer(kGatewayNodesKnown, scene, "east"), "yes: 1 node with an external address");
  gateway.address = "203.0.113.9";
  EXPECT_EQ(expected().condition, kGatewayAddressKnown);
}

TEST(GatewayNodes, ThatMayNotBeListedAreNotWaitedFor) {
  Scene scene = fresh_example("two-networks");
  scene.cluster("east").live.objects.add(
      kNodes, Observed<Objects::List>::unknown({.code = base::Code::kPermission,
                                                .message = "not permitted to list nodes",
                                                .hints = {"ask for the right"}}));
  const Verdict verdict = ask_in(kGatewayNodesKnown, scene, "east");
  EXPECT_TRUE(verdict.is_forbidden);
  EXPECT_THAT(verdict.hints, ElementsAre("ask for the right"));
}

TEST(Conditions, LookAtTheIstiodThatThereIs) {
  const Scene scene = fresh_example("external-control-plane");
  const profiles::Mesh& mesh = scene.mesh;
  const auto config =
      std::ranges::find(mesh.clusters, profiles::Role::kConfig, &profiles::Cluster::role);
  ASSERT_NE(config, mesh.clusters.end());
  const profiles::Cluster& host = *mesh.find(config->control_plane.front());
  EXPECT_THAT(hints(kWebhooksAnswer, scene, config->name, mesh.istio.system_namespace).back(),
              ::testing::StartsWith("look with 'kubectl --context " + host.context + " "));
}

}  // namespace
}  // namespace meshtrust::mesh
