#include "istio/names.h"
#include "mesh/access.h"
#include "mesh/check/installation.h"
#include "mesh/drift.h"
#include "mesh/installed.h"
#include "profiles/installation.h"
#include "profiles/istioctl.h"
#include "tests/mesh/mesh_builder.h"
#include "tests/support/found.h"
#include "tests/support/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace meshtrust::mesh {
namespace {

using namespace testing;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class PlanOfAModel : public ::testing::TestWithParam<const char*> {};

TEST_P(PlanOfAModel, IsTheWholeWayInTheOrderThatWorks) {
  const Planned planned = plan_whole(fresh_example(GetParam()));
  EXPECT_EQ(describe(planned.answer), "");
  test::expect_golden(std::string("golden/plan/models/") + GetParam() + ".json",
                      base::pretty(to_json(planned.plan)));
}

TEST_P(PlanOfAModel, NamesNoStepThatItDoesNotHave) {
  const Plan plan = plan_whole(fresh_example(GetParam())).plan;
  std::vector<std::string> done;
  for (const Step& step : plan.steps) {
    for (const std::string& need : step.needs) {
      EXPECT_THAT(done, Contains(need)) << step.id;
    }
    done.push_back(step.id);
  }
}

INSTANTIATE_TEST_SUITE_P(Examples,
                         PlanOfAModel,
                         ::testing::Values("two-networks",
                                           "one-network",
                                           "primary-remote",
                                           "primary-remote-one-network",
                                           "external-control-plane",
                                           "external-control-plane-by-address",
                                           "ambient",
                                           "two-primaries-and-a-remote",
                                           "two-networks-of-two"),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::replace(text.begin(), text.end(), '-', '_');
                           return text;
                         });

const Step& step_of(const Plan& plan, const std::string& id) {
  const auto found = std::find_if(plan.steps.begin(), plan.steps.end(),
                                  [&id](const Step& step) { return step.id == id; });
  if (found == plan.steps.end()) {
    ADD_FAILURE() << "there is no step " << id;
    return plan.steps.front();
  }
  return *found;
}

TEST(PlanMesh, InstallsNoControlPlaneBeforeItsTrustIsProved) {
  const Plan plan = plan_whole(fresh_example("two-networks")).plan;
  EXPECT_THAT(step_of(plan, "east/istiod").needs, Contains("east/proved"));
  EXPECT_THAT(step_of(plan, "east/proved").needs, Contains("east/cacerts"));
}

TEST(PlanMesh, AnnotatesARemoteBeforeAnyIstiodLearnsOfIt) {
  const Plan plan = plan_whole(fresh_example("primary-remote")).plan;
  EXPECT_THAT(step_of(plan, "east/access-west").needs, Contains("west/namespace"));
  EXPECT_THAT(step_of(plan, "west/namespace").diff,
              Contains("+ annotation topology.istio.io/controlPlaneClusters: east"));
}

TEST(PlanMesh, ShowsAnAddressThatIsNotKnownYet) {
  const Plan plan = plan_whole(fresh_example("primary-remote")).plan;
  EXPECT_THAT(step_of(plan, "west/remote").diff,
              Contains("+ global.remotePilotAddress: (known after east/gateway-address)"));
}

TEST(PlanMesh, SharesNoTokenThatAPersonCouldRead) {
  const std::string text = base::pretty(to_json(plan_whole(fresh_example("two-networks")).plan));
  EXPECT_THAT(text, HasSubstr("never shown"));
}

/// The control plane of `east` as it was installed, marked.
void install_east(Scene& scene) {
  scene.observation.store = store({"east", "west"});
  ClusterObservation& seen = scene.cluster("east");
  auto wanted = profiles::installations(scene.mesh, *scene.mesh.find("east"));
  const profiles::Installation& installation = wanted->front();
  base::Json live = deployment("istio-system", "istiod");
  Objects objects = nothing_live().objects;
  objects.add(kDeployments, Objects::List{live});
  live.merge_patch(mark(scene.mesh, root_mark("root"), installation, objects));
  put(seen, kDeployments, live);
}

/// What the plan asks the server of `east` about the Secret with the token of its reader.
std::vector<std::string> rights_to_the_token(const Scene& scene) {
  std::vector<std::string> verbs;
  for (const Right& right : plan_whole(scene).plan.requires_rights()) {
    const bool is_token = right.resource == "secrets" &&
                          right.name == istio::token_secret_name("istio-reader-service-account");
    if (is_token && right.cluster == "east") verbs.push_back(right.verb);
  }
  return verbs;
}

TEST(PlanMesh, NamesTheRightToListNodesThatAreWaitedFor) {
  Scene scene = fresh_example("two-networks");
  const auto is_asked_for = [&scene] {
    const auto rights = plan_whole(scene).plan.requires_rights();
    return std::ranges::count_if(rights, [](const Right& right) {
      return right.verb == "list" && right.resource == "nodes" && right.cluster == "east";
    });
  };
  EXPECT_EQ(is_asked_for(), 0);
  scene.mesh.clusters.front().gateway.type = profiles::EastWestGateway::Type::kNodePort;
  EXPECT_EQ(is_asked_for(), 1);
}

TEST(PlanMesh, NamesTheRightsToATokenInTheClusterThatGivesIt) {
  Scene scene = fresh_example("two-networks");
  EXPECT_THAT(rights_to_the_token(scene), ElementsAre("get", "create"));
  TokenSecretFacts token{.namespace_name = "istio-system",
                         .name = istio::token_secret_name("istio-reader-service-account"),
                         .service_account = "istio-reader-service-account",
                         .mesh = {},
                         .ca = "ca",
                         .token = "token"};
  scene.cluster("east").live.tokens = std::vector<TokenSecretFacts>{token};
  EXPECT_THAT(rights_to_the_token(scene), ElementsAre("get"));
}

TEST(PlanMesh, LeavesAnInstalledControlPlaneAlone) {
  Scene scene = fresh_example("two-networks");
  install_east(scene);
  for (const Step& step : plan_whole(scene).plan.steps) {
    EXPECT_NE(step.id, "east/istiod");
  }
}

TEST(PlanMesh, InstallsNothingWhereAPartOfAnInstallationIsUnknown) {
  for (const auto kind : {kMutatingWebhooks, kClusterRoles, kClusterRoleBindings, kConfigMaps}) {
    Scene scene = fresh_example("two-networks");
    install_east(scene);
    scene.cluster("east").live.objects.add(
        kind, Observed<Objects::List>::unknown(
                  {.code = base::Code::kPermission, .message = "forbidden"}));
    const Planned planned = plan_whole(scene);
    EXPECT_TRUE(planned.plan.is_empty()) << kind;
    EXPECT_THAT(planned.answer.unknowns,
                Contains(::testing::Field(&base::Error::message, "east: forbidden")))
        << kind;
  }
}

TEST(PlanMesh, InstallsAgainWhatSomebodyChanged) {
  Scene scene = fresh_example("two-networks");
  install_east(scene);
  Objects::List changed = test::found_in(scene.cluster("east").live.objects.list(kDeployments));
  changed.front()["spec"]["template"]["spec"]["hostNetwork"] = true;
  scene.cluster("east").live = nothing_live();
  put(scene.cluster("east"), kDeployments, changed.front());
  EXPECT_EQ(step_of(plan_whole(scene).plan, "east/istiod").reason,
            "somebody changed it after it was installed");
}

TEST(PlanMesh, InstallsAgainWhereSomebodyChangedWhatIstiodGoesBy) {
  for (const char* name : {"values", "istio", "istio-sidecar-injector"}) {
    Scene scene = fresh_example("two-networks");
    install_east(scene);
    put(scene.cluster("east"), kConfigMaps,
        {{"metadata", {{"namespace", "istio-system"}, {"name", name}}},
         {"data", {{"mesh", "trustDomain: other"}}}});
    EXPECT_EQ(step_of(plan_whole(scene).plan, "east/istiod").reason,
              "somebody changed it after it was installed")
        << name;
  }
}

TEST(PlanMesh, TakesARestartForNoChange) {
  Scene scene = fresh_example("two-networks");
  install_east(scene);
  Objects::List restarted = test::found_in(scene.cluster("east").live.objects.list(kDeployments));
  restarted
      .front()["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] =
      "2026-11-21T10:00:00Z";
  scene.cluster("east").live = nothing_live();
  put(scene.cluster("east"), kDeployments, restarted.front());
  for (const Step& step : plan_whole(scene).plan.steps) {
    EXPECT_NE(step.id, "east/istiod");
  }
}

TEST(PlanMesh, ChangesTrustAndNothingElseWhileARevokedCaGoesOnSigning) {
  Scene scene = fresh_example("two-networks");
  scene.mesh.trust.root = shop({"east"}).trust.root;
  StoreFacts facts = store({"east"});
  facts.issued.back().revoked = true;
  scene.observation.store = facts;
  ClusterObservation& east = scene.cluster("east");
  const LiveMesh live = east.live;
  east = applied(scene.mesh, "east");
  east.live = live;
  const Planned planned = plan_whole(scene);
  EXPECT_FALSE(planned.is_refused());
  EXPECT_THAT(describe(planned.answer), HasSubstr("critical east [live-ca-revoked]"));
  std::vector<std::string> ids;
  for (const Step& step : planned.plan.steps) {
    ids.push_back(step.id);
  }
  EXPECT_THAT(ids, ElementsAre("west/namespace", "west/cacerts", "west/meshtrust-trust"));
}

TEST(PlanMesh, RefusesAnotherVersionOnALiveControlPlane) {
  Scene scene = fresh_example("two-networks");
  install_east(scene);
  scene.mesh.istio.version = istio::Version{.major = 1, .minor = 30, .patch = 4};
  const Planned planned = plan_whole(scene);
  EXPECT_TRUE(planned.is_refused());
  EXPECT_THAT(planned.plan.steps, IsEmpty());
  EXPECT_THAT(describe(planned.answer), HasSubstr("[other-istio-version]"));
}

TEST(PlanMesh, RefusesAControlPlaneThatSomebodyElseInstalled) {
  Scene scene = fresh_example("two-networks");
  base::Json live = deployment("istio-system", "istiod");
  live["metadata"]["labels"] = {{"operator.istio.io/version", "1.30.3"}};
  put(scene.cluster("east"), kDeployments, live);
  const std::string found =
      "critical east [foreign-control-plane]: deployment istio-system/istiod was not installed by "
      "meshtrust; it is never taken over\n"
      "  seen: it has the label operator.istio.io/version=1.30.3\n"
      "  hint: take it away with 'istioctl --context " +
      scene.mesh.find("east")->context + " uninstall --revision default'\n";
  EXPECT_EQ(describe(plan_whole(scene).answer),
            found +
                "  hint: does it sign below this mesh's root? It has no cacerts. Another "
                "'istio.revision' beside it helps only then: both write the root that they know "
                "into the ConfigMap istio-ca-root-cert\n");
  const ClusterObservation with_ca = applied(scene.mesh, "east");
  scene.cluster("east").cacerts = with_ca.cacerts;
  scene.observation.store = store({"east"});
  EXPECT_THAT(describe(plan_whole(scene).answer),
              HasSubstr(found + "  hint: or leave it alone and write another 'istio.revision' in "
                                "the mesh file\n"));
}

/// A primary whose gateway the mesh file says to be at `stated`, and whose Service has `live`.
std::string told_of_addresses(const std::string& stated, const base::Json& live) {
  Scene scene = fresh_example("primary-remote");
  scene.mesh.clusters.front().gateway.address = stated;
  put(scene.cluster("east"), kServices,
      {{"metadata", {{"namespace", "istio-system"}, {"name", "istio-eastwestgateway"}}},
       {"spec", {{"type", "LoadBalancer"}}},
       {"status", {{"loadBalancer", {{"ingress", live}}}}}});
  Answer answer;
  const CheckSubject subject{.mesh = scene.mesh, .observation = scene.observation, .at = scene.at};
  const auto checks = mesh_checks();
  std::ranges::find(checks, "gateway-addresses-agree", &Check::id)->ask(subject, answer);
  return describe(answer);
}

TEST(GatewayAddressesAgree, UnlessTheServiceHasOthers) {
  const auto at = [](const char* ip) { return base::Json::array({{{"ip", ip}}}); };
  EXPECT_EQ(told_of_addresses("192.0.2.7", at("192.0.2.7")), "");
  EXPECT_EQ(told_of_addresses("2001:DB8:0:0::7", at("2001:db8::7")), "") << "the same address";
  EXPECT_EQ(told_of_addresses("192.0.2.7", base::Json::array()), "") << "it is waited for";
  EXPECT_EQ(told_of_addresses("192.0.2.7", base::Json::array({{{"hostname", "lb.example"}}})), "");
  EXPECT_EQ(told_of_addresses("192.0.2.7", at("192.0.2.8")),
            "note east [gateway-address-differs]: others are told to call its gateway at "
            "192.0.2.7, and its Service has 192.0.2.8\n"
            "  seen: service istio-system/istio-eastwestgateway\n"
            "  hint: does something outside of Kubernetes lead 192.0.2.7 to it? If not, write "
            "192.0.2.8 as its 'eastWestGateway.address', or leave that out\n"
            "  at primary-remote.yaml:13:14 '    - {name: east, context: kind-east, network: "
            "network1, role: primary}'\n");
}

TEST(PlanMesh, GoesOnWithAnInstallationOfItsOwnThatWasCutOff) {
  Scene scene = fresh_example("two-networks");
  put(scene.cluster("east"), kDeployments, deployment("istio-system", "istiod"));
  put(scene.cluster("east"), kConfigMaps,
      {{"metadata",
        {{"namespace", "istio-system"},
         {"name", "meshtrust-installing"},
         {"labels", {{istio::kMeshLabel, scene.mesh.name}}}}}});
  EXPECT_EQ(step_of(plan_whole(scene).plan, "east/istiod").reason,
            "an earlier installation did not come to its end");
}

TEST(PlanMesh, RefusesAnApiServerThatPeersCannotReach) {
  Scene scene = fresh_example("two-networks");
  ServerFacts server = test::found_in(scene.cluster("east").server);
  server.url = "https://127.0.0.1:41234";
  scene.cluster("east").server = server;
  put(scene.cluster("east"), kNodes,
      {{"metadata",
        {{"name", "east-control-plane"},
         {"labels", {{"node-role.kubernetes.io/control-plane", ""}}}}},
       {"status", {{"addresses", {{{"type", "InternalIP"}, {"address", "172.18.0.3"}}}}}}});
  const std::string said = describe(plan_whole(scene).answer);
  EXPECT_THAT(said, HasSubstr("[api-server-loopback]: its API server is https://127.0.0.1:41234"));
  EXPECT_THAT(said, HasSubstr("hint: write 'apiServer: https://172.18.0.3:6443' for it"));
}

TEST(PlanMesh, RefusesAnAddressOfWhichNobodySaysWhetherItTakesAProxy) {
  Scene scene = fresh_example("two-networks");
  ServerFacts server = test::found_in(scene.cluster("east").server);
  server.proxy = "http://proxy.example:3128";
  scene.cluster("east").server = server;
  EXPECT_THAT(describe(plan_whole(scene).answer),
              HasSubstr("[api-server-behind-proxy]: its API server is reached through the proxy "
                        "http://proxy.example:3128"));
  scene.mesh.clusters.front().api_server = server.url;
  EXPECT_EQ(describe(plan_whole(scene).answer), "");
}

TEST(PlanMesh, RefusesOneNetworkOnWhichPodsShareAddresses) {
  Scene scene = fresh_example("one-network");
  for (ClusterObservation& seen : scene.observation.clusters) {
    put(seen, kNodes,
        {{"metadata", {{"name", "node"}}}, {"spec", {{"podCIDRs", {"10.244.0.0/24"}}}}});
  }
  EXPECT_THAT(describe(plan_whole(scene).answer), HasSubstr("[pod-addresses-overlap]"));
}

TEST(PlanMesh, RefusesARemoteThatAnotherPrimaryManages) {
  Scene scene = fresh_example("primary-remote");
  scene.cluster("west").system_namespace = NamespaceFacts{.network = "network2",
                                                          .control_planes = "elsewhere",
                                                          .terminating = false,
                                                          .created_by_meshtrust = false};
  EXPECT_THAT(describe(plan_whole(scene).answer),
              HasSubstr("[managed-by-others]: 'elsewhere' manages it, the mesh file says 'east'"));
}

TEST(PlanMesh, SaysHowToInstallTheGatewayApi) {
  Scene scene = fresh_example("ambient");
  LiveMesh live;
  for (const auto& [resource, list] : scene.cluster("east").live.objects.all()) {
    if (resource != kApiGateways) live.objects.add(resource, list);
  }
  live.objects.add(kApiGateways, Absent{});
  live.remote_secrets = std::vector<RemoteSecretFacts>{};
  live.tokens = std::vector<TokenSecretFacts>{};
  scene.cluster("east").live = live;
  EXPECT_THAT(describe(plan_whole(scene).answer),
              HasSubstr("gateway-api/releases/download/v1.5.1/standard-install.yaml"));
}

TEST(PlanMesh, PlansNothingOverWhatIsUnknown) {
  Scene scene = fresh_example("two-networks");
  scene.cluster("west").live.remote_secrets = Observed<std::vector<RemoteSecretFacts>>::unknown(
      {.code = base::Code::kPermission, .message = "not permitted"});
  const Planned planned = plan_whole(scene);
  EXPECT_TRUE(planned.is_refused());
  EXPECT_THAT(planned.plan.steps, IsEmpty());
}

RemoteSecretFacts secret_for(const std::string& cluster, const std::string& mesh) {
  return {.namespace_name = "istio-system",
          .name = "istio-remote-secret-" + cluster,
          .is_watched = true,
          .mesh = mesh,
          .clusters = {{.cluster = cluster,
                        .server = "https://" + cluster + ".example:6443",
                        .ca = "ca",
                        .token = "token"}}};
}

TEST(PlanMesh, TakesAwayWhatMadeAClusterKnownThatLeft) {
  Scene scene = fresh_example("two-networks");
  scene.observation.store = store();
  RemoteSecretFacts ours = secret_for("north", scene.mesh.name);
  ours.root = root_mark("root");
  // Nothing says yet whose one is that bears the name alone.
  scene.cluster("east").live.remote_secrets = std::vector<RemoteSecretFacts>{
      ours, secret_for("south", scene.mesh.name), secret_for("elsewhere", "another mesh")};
  EXPECT_THAT(step_of(plan_whole(scene).plan, "east/forget").diff,
              ElementsAre("- Secret istio-system/istio-remote-secret-north"));
}

TEST(PlanMesh, InstallsAgainWhatLostItsWebhook) {
  Scene scene = fresh_example("two-networks");
  install_east(scene);
  // A webhook that was not there when it was marked: any difference counts.
  put(scene.cluster("east"), kMutatingWebhooks,
      {{"metadata", {{"name", "istio-sidecar-injector"}}}});
  EXPECT_EQ(step_of(plan_whole(scene).plan, "east/istiod").reason,
            "somebody changed it after it was installed");
}

/// East as an installer left it, whose parts are there as well.
Scene installed_with_parts() {
  Scene scene = fresh_example("two-networks");
  scene.observation.store = store({"east", "west"});
  ClusterObservation& seen = scene.cluster("east");
  const auto called = [](const char* name, const char* tag) {
    const base::Json service{{"namespace", "istio-system"}, {"name", "istiod"}};
    return base::Json{
        {"metadata",
         {{"name", name},
          {"labels", {{"operator.istio.io/component", "Pilot"}, {"istio.io/tag", tag}}}}},
        {"webhooks", {{{"clientConfig", {{"service", service}}}}}}};
  };
  put(seen, kServices, {{"metadata", {{"namespace", "istio-system"}, {"name", "istiod"}}}});
  put(seen, kServiceAccounts,
      {{"metadata", {{"namespace", "istio-system"}, {"name", "istio-reader-service-account"}}}});
  put(seen, kDaemonSets, {{"metadata", {{"namespace", "istio-system"}, {"name", "ztunnel"}}}});
  put(seen, kMutatingWebhooks, called("istio-revision-tag-default", "default"));
  put(seen, kMutatingWebhooks, called("istio-revision-tag-prod", "prod"));
  put(seen, kValidatingWebhooks, called("istiod-default-validator", "default"));
  base::Json live = deployment("istio-system", "istiod");
  const auto wanted = profiles::installations(scene.mesh, *scene.mesh.find("east"));
  Objects objects = seen.live.objects;
  objects.add(kDeployments, Objects::List{live});
  live.merge_patch(mark(scene.mesh, root_mark("root"), wanted->front(), objects));
  put(seen, kDeployments, live);
  return scene;
}

void lose(ClusterObservation& seen, std::string_view resource, std::string_view name) {
  Objects rest;
  for (const auto& [kind, list] : seen.live.objects.all()) {
    const auto* found = list.found(Unknown::kTold);
    if (kind != resource || found == nullptr) {
      rest.add(kind, list);
      continue;
    }
    Objects::List kept = *found;
    std::erase_if(kept, [name](const base::Json& one) { return name_of(one) == name; });
    rest.add(kind, kept);
  }
  seen.live.objects = rest;
}

/// Why the control plane of east is to be installed again; empty where it is not.
std::string why_again(const Scene& scene) {
  for (const Step& step : plan_whole(scene).plan.steps) {
    if (step.id == "east/istiod") return step.reason;
  }
  return {};
}

TEST(PlanMesh, PutsBackWhatTheInstallerMakesEveryTime) {
  EXPECT_EQ(why_again(installed_with_parts()), "");
  struct Part {
    std::string_view resource;
    std::string_view name;
    std::string why;
  };
  const Part parts[] = {
      {kServices, "istiod", "of what was installed this is gone: service/istiod"},
      {kServiceAccounts, "istio-reader-service-account",
       "of what was installed this is gone: serviceaccount/istio-reader-service-account"},
      {kDaemonSets, "ztunnel", "of what was installed this is gone: daemonset/ztunnel"},
      {kMutatingWebhooks, "istio-revision-tag-default",
       "of what was installed this is gone: "
       "mutatingwebhookconfiguration/istio-revision-tag-default"},
      {kValidatingWebhooks, "istiod-default-validator",
       "of what was installed this is gone: "
       "validatingwebhookconfiguration/istiod-default-validator"},
      {kMutatingWebhooks, "istio-revision-tag-prod", ""}};  // which a person made
  for (const Part& part : parts) {
    Scene scene = installed_with_parts();
    lose(scene.cluster("east"), part.resource, part.name);
    EXPECT_EQ(why_again(scene), part.why) << part.name;
  }
}

TEST(Status, MissesWhatTheInstallerMade) {
  Scene scene = installed_with_parts();
  lose(scene.cluster("east"), kMutatingWebhooks, "istio-revision-tag-default");
  lose(scene.cluster("east"), kValidatingWebhooks, "istiod-default-validator");
  Answer answer;
  check_installations({.mesh = scene.mesh, .observation = scene.observation, .at = scene.at},
                      answer);
  EXPECT_THAT(describe(answer),
              HasSubstr("critical east [missing]: of what was installed these are gone: "
                        "mutatingwebhookconfiguration/istio-revision-tag-default, "
                        "validatingwebhookconfiguration/istiod-default-validator\n"
                        "  hint: run 'meshtrust apply'\n"));
}

class WithoutAFact : public ::testing::TestWithParam<std::string_view> {};

TEST_P(WithoutAFact, NothingIsPlanned) {
  Scene scene = fresh_example("two-networks");
  install_east(scene);
  LiveMesh& live = scene.cluster("east").live;
  Objects objects;
  for (const auto& [resource, list] : live.objects.all()) {
    if (resource != GetParam()) objects.add(resource, list);
  }
  live.objects = objects;  // what was not read is unknown
  const Planned planned = plan_whole(scene);
  EXPECT_TRUE(planned.is_refused());
  EXPECT_THAT(planned.plan.steps, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Kinds,
                         WithoutAFact,
                         ::testing::Values(kServices,
                                           kServiceAccounts,
                                           kDeployments,
                                           kConfigMaps,
                                           kIstioGateways,
                                           kMutatingWebhooks,
                                           kValidatingWebhooks,
                                           kClusterRoles,
                                           kClusterRoleBindings),
                         [](const auto& kind) {
                           std::string name(kind.param);
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(Drift, IsWhatApplyWouldMendBeyondControlPlanes) {
  Scene scene = fresh_example("two-networks");
  std::string said;
  for (const Finding& finding : drift(scene.mesh, scene.observation, scene.at, {})) {
    said += finding.cluster + " " + finding.code + ": " + finding.message + "\n";
  }
  EXPECT_EQ(said,
            "east missing: secret istio-system/istio-remote-secret-west: its istiod is to read "
            "west\n"
            "west missing: secret istio-system/istio-remote-secret-east: its istiod is to read "
            "east\n"
            "east missing: east-west gateway: it does not exist\n"
            "east missing: what the east-west gateways let in: it does not exist\n"
            "west missing: east-west gateway: it does not exist\n"
            "west missing: what the east-west gateways let in: it does not exist\n");
}

TEST(Drift, IsToldAsFarAsRightsGo) {
  Scene scene = fresh_example("two-networks");
  const base::Error forbidden{.code = base::Code::kPermission, .message = "not permitted"};
  for (ClusterObservation& seen : scene.observation.clusters) {
    seen.cacerts = Observed<CacertsFacts>::unknown(forbidden);
    seen.live.remote_secrets = Observed<std::vector<RemoteSecretFacts>>::unknown(forbidden);
  }
  std::vector<std::string> said;
  for (const Finding& finding : drift(scene.mesh, scene.observation, scene.at, {})) {
    said.push_back(finding.cluster + " " + finding.code);
  }
  EXPECT_THAT(said, ElementsAre(" not-compared", " not-compared", "east missing", "east missing",
                                "west missing", "west missing"));
}

TEST(AccessState, KnowsASecretByServerTokenAndCa) {
  Scene scene = fresh_example("two-networks");
  const profiles::RemoteSecretIntent intent{.source = "west", .target = "east"};
  using Kind = AccessState::Kind;
  const auto kind = [&] {
    return state_of(scene.mesh, scene.observation, OwnerJudge(scene.mesh, scene.observation),
                    intent)
        .kind;
  };
  EXPECT_EQ(kind(), Kind::kAbsent);

  scene.cluster("east").live.remote_secrets =
      std::vector<RemoteSecretFacts>{secret_for("west", scene.mesh.name)};
  EXPECT_EQ(kind(), Kind::kDiffers) << "its token is gone";
  const TokenSecretFacts token{.namespace_name = "istio-system",
                               .name = "istio-reader-service-account-istio-remote-secret-token",
                               .service_account = "istio-reader-service-account",
                               .mesh = scene.mesh.name,
                               .ca = "ca",
                               .token = "token"};
  scene.cluster("west").live.tokens = std::vector{token};
  EXPECT_EQ(kind(), Kind::kAsWanted);

  TokenSecretFacts other = token;
  other.token = "another";
  scene.cluster("west").live.tokens = std::vector{other};
  EXPECT_EQ(kind(), Kind::kDiffers);

  scene.cluster("east").live.remote_secrets =
      std::vector<RemoteSecretFacts>{secret_for("west", "another mesh")};
  EXPECT_EQ(kind(), Kind::kForeign);
}

TEST(Snapshot, OfAWholeMeshIsReadAsItWasWritten) {
  Scene scene = fresh_example("primary-remote");
  scene.observation.level = Level::kDeep;
  ClusterObservation& seen = scene.cluster("east");
  put(seen, kDeployments, deployment("istio-system", "istiod"));
  RemoteSecretFacts secret = secret_for("west", "shop");
  secret.clusters.front().trial = AccessTrial{.result = AccessTrial::Result::kElsewhere,
                                              .why = "it is another",
                                              .cluster_uid = "1",
                                              .username = "reader",
                                              .missing = {"list nodes"},
                                              .reads_secrets = true};
  seen.live.remote_secrets = std::vector<RemoteSecretFacts>{secret};
  seen.live.istiods = std::vector<IstiodView>{
      {.namespace_name = "istio-system",
       .pod = "istiod-1",
       .clusters = {{.id = "west", .secret = "istio-system/s", .status = "synced"}},
       .gateways = {{.network = "network2", .address = "172.18.1.100"}}}};
  const base::Json written = to_json(scene.observation);
  const auto read = observation_from_json(written);
  ASSERT_TRUE(read);
  EXPECT_EQ(to_json(*read), written);
  EXPECT_EQ(read->level, Level::kDeep);
}

}  // namespace
}  // namespace meshtrust::mesh
