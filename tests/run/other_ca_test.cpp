// Istiods whose CA is mounted from elsewhere than the Secret `cacerts`: never taken for clusters
// without a CA, and nothing is written that would not be read.

#include "mesh/trust.h"
#include "tests/run/run_fixture.h"
#include "tests/support/found.h"

#include <nlohmann/json.hpp>

#include <string>

namespace meshtrust::run {
namespace {

using namespace testing;
using base::Json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kDeployment = "/apis/apps/v1/namespaces/istio-system/deployments/istiod";
const std::string kPod = kNamespacePath + "/pods/istiod-5f7";

Json spec_with(Json volume) {
  volume["name"] = "cacerts";
  return {{"containers",
           {{{"name", "discovery"},
             {"image", "pilot:1.30.3"},
             {"volumeMounts", {{{"name", "cacerts"}, {"mountPath", "/etc/cacerts"}}}}}}},
          {"volumes", {std::move(volume)}}};
}
Json usual() {
  return spec_with({{"secret", {{"secretName", "cacerts"}, {"optional", true}}}});
}
Json csi() {
  return spec_with({{"csi", {{"driver", "secrets-store.csi.k8s.io"}}}});
}

class OtherCaTest : public ::testing::Test {
 protected:
  void put_deployment(Json spec) {
    world.server.put("west", kDeployment,
                     {{"metadata", {{"name", "istiod"}, {"labels", {{"app", "istiod"}}}}},
                      {"spec", {{"template", {{"spec", std::move(spec)}}}}}});
  }
  void put_pod(Json spec, const char* phase = "Running") {
    world.server.put("west", kPod,
                     {{"metadata", {{"name", "istiod-5f7"}, {"labels", {{"app", "istiod"}}}}},
                      {"spec", std::move(spec)},
                      {"status", {{"phase", phase}}}});
  }
  void publish(const std::string& pem) {
    world.server.put("west", kNamespacePath + "/configmaps/istio-ca-root-cert",
                     {{"data", {{"root-cert.pem", pem}}}});
  }
  /// What is seen in west: the volume, "absent" or "unknown".
  std::string seen() {
    world.reconnect();
    const auto other = world.observe().clusters.back().other_ca;
    if (other.is_unknown()) return "unknown";
    return other.is_absent() ? "absent" : mesh::describe(test::found_in(other));
  }
  void expect_nothing_is_written() {
    world.server.forget_requests();
    EXPECT_FALSE(world.apply().has_value());
    EXPECT_THAT(world.server.writes(), IsEmpty());
  }

  MeshWorld world{{"east", "west"}};
};

TEST_F(OtherCaTest, IsSeenInTheDeployment) {
  put_deployment(csi());
  EXPECT_EQ(seen(),
            "csi volume 'cacerts' (driver 'secrets-store.csi.k8s.io') of deployment 'istiod', "
            "mounted at /etc/cacerts");
}

TEST_F(OtherCaTest, IsSeenInAPodThatAWebhookChanged) {
  put_deployment(usual());
  EXPECT_EQ(seen(), "absent");
  put_pod(usual());
  EXPECT_EQ(seen(), "absent");
  put_pod(csi());
  EXPECT_EQ(seen(),
            "csi volume 'cacerts' (driver 'secrets-store.csi.k8s.io') of pod 'istiod-5f7', "
            "mounted at /etc/cacerts");
  put_pod(csi(), "Failed");
  EXPECT_EQ(seen(), "absent");
}

TEST_F(OtherCaTest, IsUnknownWherePodsMayNotBeListed) {
  put_deployment(usual());
  world.server.deny("west", "list", "pods");
  EXPECT_EQ(seen(), "unknown");
  expect_nothing_is_written();
}

TEST_F(OtherCaTest, AsksForNoPodsWhereNoIstiodIs) {
  EXPECT_EQ(seen(), "absent");
  for (const auto& request : world.server.requests()) {
    EXPECT_THAT(request.path, Not(HasSubstr("/pods")));
  }
}

TEST_F(OtherCaTest, KeepsApplyFromWritingWhatWouldNotBeRead) {
  put_deployment(csi());
  const mesh::Planned planned = world.plan();
  ASSERT_TRUE(planned.is_refused());
  ASSERT_EQ(planned.answer.findings.size(), 1U);
  EXPECT_EQ(planned.answer.findings.front().code, "ca-from-elsewhere");
  expect_nothing_is_written();
}

TEST_F(OtherCaTest, KeepsApplyFromLeaningOnACacertsThatIsNoLongerRead) {
  ASSERT_TRUE(world.apply()->succeeded());
  put_deployment(csi());
  world.reconnect();
  EXPECT_TRUE(world.plan().is_refused());
  expect_nothing_is_written();
}

TEST_F(OtherCaTest, IsTrustedByItsPublishedRoot) {
  ASSERT_TRUE(world.apply()->succeeded());
  world.server.remove("west", kCacertsPath);
  world.server.remove("west", kTwinPath);
  put_deployment(csi());
  publish(world.store().root()->certificate.pem());
  world.reconnect();
  const auto pairs = judge_pairs(world.mesh, world.observe(), world.clock.now());
  ASSERT_EQ(pairs.size(), 2U);
  EXPECT_TRUE(pairs[0].accepted());
  EXPECT_EQ(pairs[0].judged_by_roots(), "");
  EXPECT_TRUE(pairs[1].accepted());
  EXPECT_THAT(pairs[1].judged_by_roots(), ::testing::StartsWith("by published roots alone: "));
}

TEST_F(OtherCaTest, LeavesWithItsCluster) {
  ASSERT_TRUE(world.apply()->succeeded());
  put_deployment(csi());
  world.reconnect();
  const mesh::Planned planned = world.plan_destroy();
  EXPECT_FALSE(planned.is_refused());
  bool takes_trust = false;
  for (const mesh::Step& step : planned.plan.steps) {
    takes_trust = takes_trust || step.id == "west/trust-gone" || step.id == "west/namespace-gone";
  }
  EXPECT_TRUE(takes_trust);
}

}  // namespace
}  // namespace meshtrust::run
