#include "mesh/plan.h"

#include "profiles/trust_objects.h"
#include "tests/mesh/trust_builder.h"
#include "tests/support/found.h"
#include "tests/support/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

namespace meshtrust::mesh {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

void expect_plan(const std::string& name, const Scene& scene) {
  const Planned planned = plan(scene);
  EXPECT_EQ(describe(planned.answer), "");
  test::expect_golden("golden/plan/" + name + ".json", base::pretty(to_json(planned.plan)));
}

std::vector<std::string> ids(const Plan& plan) {
  std::vector<std::string> out;
  for (const Step& step : plan.steps) {
    out.push_back(step.id);
  }
  return out;
}

TEST(PlanTrust, OfANewMeshMintsARootAndPushesToEveryCluster) {
  expect_plan("new-mesh", fresh_scene({"east", "west"}));
}

TEST(PlanTrust, OfAThirdClusterTouchesTheThirdAlone) {
  Scene scene = applied_scene({"east", "west", "north"});
  scene.observation.store = store({"east", "west"});
  scene.cluster("north") = bare("north");
  expect_plan("third-joins", scene);
  const Plan made = plan(scene).plan;
  for (const Step& step : made.steps) {
    EXPECT_EQ(step.cluster, "north");
  }
}

TEST(PlanTrust, GivesARemoteItsNamespaceAndNoCa) {
  Scene scene = applied_scene({"east"});
  scene.mesh =
      shop({"east"}, "", "  - {name: far, network: far, role: remote, controlPlane: [east]}\n");
  scene.observation.clusters.push_back(bare("far"));
  expect_plan("remote-cluster", scene);
}

TEST(PlanTrust, WritesATwinThatIsMissing) {
  Scene scene = applied_scene({"east", "west"});
  scene.cluster("west").twin = Absent{};
  expect_plan("twin-missing", scene);
}

TEST(PlanTrust, MendsATwinThatTellsOfAnotherCertificate) {
  Scene scene = applied_scene({"east", "west"});
  TwinFacts twin = test::found_in(applied(scene.mesh, "west", "north").twin);
  twin.data["note"] = "by hand";
  scene.cluster("west").twin = twin;
  expect_plan("twin-differs", scene);
}

TEST(PlanTrust, LabelsANamespaceThatTheUserMade) {
  Scene scene = applied_scene({"east", "west"});
  scene.cluster("west").system_namespace = NamespaceFacts{};
  expect_plan("label-missing", scene);
  const Plan made = plan(scene).plan;
  EXPECT_EQ(base::compact(std::get<ApplyObjects>(made.steps.front().action).objects.front().body),
            R"({"metadata":{"labels":{"topology.istio.io/network":"west"}}})")
      << "what the user made is not marked as ours";
}

TEST(PlanTrust, NotesAnArrivalThatAKilledRunCouldNot) {
  Scene scene = applied_scene({"east", "west"});
  StoreFacts facts = store({"east"});
  facts.issued.push_back(issued("west", "pushing"));
  scene.observation.store = facts;
  expect_plan("arrival", scene);
}

TEST(PlanTrust, TakesUpARootThatWasMintedAndNeverUsed) {
  Scene scene = fresh_scene({"east"});
  scene.observation.store = store();
  const Planned planned = plan(scene);
  EXPECT_THAT(ids(planned.plan),
              ElementsAre("east/namespace", "east/cacerts", "east/meshtrust-trust"));
}

TEST(PlanTrust, MintsARootIntoAStoreThatHasNoneYet) {
  Scene scene = fresh_scene({"east"});
  scene.observation.store = StoreFacts{};
  EXPECT_EQ(ids(plan(scene).plan).front(), "store/root");
}

TEST(PlanTrust, IsEmptyWhenNothingIsLeftToDo) {
  const Planned planned = plan(applied_scene({"east", "west"}));
  EXPECT_TRUE(planned.plan.is_empty());
  EXPECT_FALSE(planned.is_refused());
  EXPECT_FALSE(planned.plan.requires_root_key());
  EXPECT_THAT(planned.plan.requires_rights(), IsEmpty());
}

TEST(PlanTrust, WritesNothingWhereTrustIsOnlyObserved) {
  Scene scene = fresh_scene({"east", "west"});
  scene.mesh = shop({"east", "west"}, "mode: observed");
  EXPECT_TRUE(plan(scene).plan.is_empty());
}

/// Others may have their style: their trust is proved, with advice.
TEST(PlanTrust, GoesOnWhereTrustOfOthersWorks) {
  Scene scene = applied_scene({"east", "west"});
  scene.mesh = shop({"east", "west"}, "mode: observed");
  CacertsFacts facts = test::found_in(scene.cluster("west").cacerts);
  facts.certificates.cert_chain = pem("root") + pem("west");
  scene.cluster("west").cacerts = facts;
  const Planned planned = plan(scene);
  EXPECT_FALSE(planned.is_refused());
  EXPECT_FALSE(has_severity(planned.answer.findings, Severity::kCritical));
  EXPECT_THAT(describe(planned.answer), ::testing::HasSubstr("warning west [chain-order]: "));
}

TEST(PlanTrust, GoesOnWhereTrustOfOthersIsMountedByADriver) {
  Scene scene = applied_scene({"east", "west"});
  scene.mesh = shop({"east", "west"}, "mode: observed");
  mount_ca(scene, "west");
  const Planned planned = plan(scene);
  EXPECT_FALSE(planned.is_refused());
  EXPECT_THAT(describe(planned.answer),
              ::testing::StartsWith("warning west [ca-from-elsewhere]: "));
}

TEST(PlanTrust, WarnsOfARunningIstiodAndGoesOn) {
  Scene scene = fresh_scene({"east"});
  scene.cluster("east").istiod = IstiodFacts{.deployments = {"istiod"}, .image = "pilot:1.30.3"};
  const Planned planned = plan(scene);
  EXPECT_FALSE(planned.is_refused());
  EXPECT_FALSE(planned.plan.is_empty());
  ASSERT_EQ(planned.answer.findings.size(), 1U);
  EXPECT_EQ(planned.answer.findings.front().code, "istiod-without-cacerts");
}

/// Something that forbids every change, in one cluster of two that would have work to do.
struct Refusal {
  const char* code;
  std::function<void(Scene&)> change;
};

const Refusal kRefusals[] = {
    {"foreign-cacerts",
     [](Scene& s) { s.cluster("west") = applied(s.mesh, "west", "foreign", "other-root"); }},
    {"cacerts-of-another-cluster",
     [](Scene& s) { s.cluster("west") = applied(s.mesh, "west", "north"); }},
    {"unknown-issue-of-our-root",
     [](Scene& s) { s.cluster("west") = applied(s.mesh, "west", "west"); }},
    {"ca-from-elsewhere", [](Scene& s) { mount_ca(s, "west"); }},
    {"network-differs",
     [](Scene& s) { s.cluster("west").system_namespace = NamespaceFacts{.network = "other"}; }},
    {"namespace-terminating",
     [](Scene& s) {
       s.cluster("west").system_namespace = NamespaceFacts{.network = {}, .terminating = true};
     }},
    {"same-cluster", [](Scene& s) { s.cluster("west").server = s.cluster("east").server; }},
    {"live-root-differs", [](Scene& s) { s.cluster("west").workload_roots = pem("other-root"); }},
    {"trust-domain-differs",
     [](Scene& s) { s.cluster("west").trust_domain = std::string("old.example"); }},
    {"root-differs", [](Scene& s) { s.mesh.trust.root.key = pki::KeyAlgorithm::kRsa4096; }},
    {"mesh-renamed",
     [](Scene& s) {
       s.cluster("west").twin = TwinFacts{.data = {{std::string(profiles::kTwinMesh), "old"}}};
     }},
    {"unsupported-kubernetes",
     [](Scene& s) {
       s.cluster("west").server = ServerFacts{
           .url = "", .version = "v1.20.0", .major = 1, .minor = 20, .cluster_uid = "uid-west"};
     }},
};

TEST(PlanTrust, IsRefusedWholeWhateverIsCritical) {
  for (const Refusal& refusal : kRefusals) {
    Scene scene = fresh_scene({"east", "west"});
    scene.observation.store = store({"north"});
    ASSERT_FALSE(plan(scene).plan.is_empty());
    refusal.change(scene);
    const Planned planned = plan(scene);
    EXPECT_TRUE(planned.is_refused()) << refusal.code;
    EXPECT_THAT(planned.plan.steps, IsEmpty()) << refusal.code;
    EXPECT_THAT(describe(planned.answer), ::testing::HasSubstr(refusal.code));
  }
}

TEST(PlanTrust, NeedsTheRootKeyOnlyToMint) {
  EXPECT_TRUE(plan(fresh_scene({"east"})).plan.requires_root_key());
  Scene scene = applied_scene({"east"});
  scene.cluster("east").twin = Absent{};
  EXPECT_FALSE(plan(scene).plan.requires_root_key());
}

TEST(PlanTrust, NamesEveryRightThatItsStepsUse) {
  std::vector<std::string> rights;
  const Plan made = plan(fresh_scene({"east"})).plan;
  for (const Right& right : made.requires_rights()) {
    rights.push_back(right.cluster + " " + right.verb + " " + right.resource + " " +
                     right.namespace_name + "/" + right.name);
  }
  EXPECT_THAT(
      rights,
      ElementsAre("east get namespaces /istio-system", "east create namespaces /istio-system",
                  "east patch namespaces /istio-system", "east get secrets istio-system/cacerts",
                  "east create secrets istio-system/cacerts",
                  "east get configmaps istio-system/meshtrust-trust",
                  "east create configmaps istio-system/meshtrust-trust",
                  "east patch configmaps istio-system/meshtrust-trust",
                  "east get leases kube-system/meshtrust-istio-system",
                  "east create leases kube-system/meshtrust-istio-system",
                  "east update leases kube-system/meshtrust-istio-system",
                  "east delete leases kube-system/meshtrust-istio-system"));
}

}  // namespace
}  // namespace meshtrust::mesh
