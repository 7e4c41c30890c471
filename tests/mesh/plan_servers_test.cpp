// To which servers a plan belongs.

#include "mesh/plan.h"
#include "tests/mesh/trust_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace meshtrust::mesh {
namespace {

using namespace testing;
using base::Json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> clusters_of(const Plan& plan) {
  std::vector<std::string> names;
  for (const PlannedServer& server : plan.servers) {
    names.push_back(server.cluster);
  }
  return names;
}

TEST(PlannedServers, AreThoseOfTheClustersThatStepsTouch) {
  Scene scene = applied_scene({"east", "west"});
  EXPECT_THAT(plan(scene).plan.servers, IsEmpty());
  scene.cluster("west").twin = Absent{};
  const Plan made = plan(scene).plan;
  ASSERT_THAT(clusters_of(made), ElementsAre("west"));
  const ServerFacts facts = test::found_in(scene.cluster("west").server);
  EXPECT_EQ(
      made.server_of("west"),
      (PlannedServer{
          .cluster = "west", .url = facts.url, .ca = facts.ca, .cluster_uid = facts.cluster_uid}));
}

TEST(PlannedServers, AreThoseThatGiveTokensAsWell) {
  Plan made{.mesh = "shop", .steps = {}};
  Step share;
  share.id = "west/access-east";
  share.cluster = "west";
  share.action = ShareAccess{.intent = {.source = "east", .target = "west"},
                             .namespace_name = "istio-system",
                             .server = {},
                             .account = {}};
  made.steps.push_back(std::move(share));
  Planned planned{.plan = std::move(made), .answer = {}};
  const Scene scene = applied_scene({"east", "west", "north"});
  note_servers(planned, scene.mesh, scene.observation);
  EXPECT_THAT(clusters_of(planned.plan), ElementsAre("east", "west"));
  EXPECT_EQ(planned.plan.lease, "meshtrust-istio-system");
}

TEST(PlannedServers, AreKnownOrNothingIsPlanned) {
  Planned planned = plan(fresh_scene({"east", "west"}));
  ASSERT_FALSE(planned.plan.is_empty());
  Scene scene = fresh_scene({"east", "west"});
  scene.cluster("west").server = Observed<ServerFacts>::unknown(
      {.code = base::Code::kPermission, .message = "reading namespace 'kube-system': forbidden"});
  note_servers(planned, scene.mesh, scene.observation);
  EXPECT_TRUE(planned.is_refused());
  EXPECT_TRUE(planned.plan.is_empty());
  EXPECT_THAT(planned.plan.servers, IsEmpty());
  ASSERT_EQ(planned.answer.unknowns.size(), 1U);
  EXPECT_EQ(planned.answer.unknowns[0].message, "west: reading namespace 'kube-system': forbidden");
}

TEST(PlannedServers, AreForgottenWithTheStepsThatTouchThem) {
  Plan made = plan(fresh_scene({"east", "west"})).plan;
  std::erase_if(made.steps, [](const Step& step) { return step.cluster == "west"; });
  forget_untouched_servers(made);
  EXPECT_THAT(clusters_of(made), ElementsAre("east"));
}

TEST(PlannedServers, MakePlansDifferAndAreToldWhereTheyDo) {
  Scene scene = fresh_scene({"east", "west"});
  const Json before = to_json(plan(scene).plan);
  EXPECT_THAT(changed_servers(before, before), IsEmpty());

  ServerFacts moved = test::found_in(scene.cluster("west").server);
  moved.url = "https://elsewhere.example:6443";
  moved.ca = "system roots";
  moved.cluster_uid = "another-uid";
  const std::string uid = test::found_in(scene.cluster("west").server).cluster_uid;
  scene.cluster("west").server = moved;
  const Json after = to_json(plan(scene).plan);
  EXPECT_NE(before, after);
  EXPECT_THAT(changed_servers(before, after),
              ElementsAre("west was planned for https://west.example:6443 (CA cccc cccc cccc cccc, "
                          "kube-system " +
                          uid +
                          "), found https://elsewhere.example:6443 (system roots, kube-system "
                          "another-uid)"));
}

TEST(PlannedServers, OfAFileThatIsNoPlanAreNone) {
  for (const Json& odd :
       {Json(), Json::array(), Json{{"servers", 7}}, Json{{"servers", {1, "x"}}}}) {
    EXPECT_THAT(changed_servers(odd, odd), IsEmpty());
  }
}

}  // namespace
}  // namespace meshtrust::mesh
