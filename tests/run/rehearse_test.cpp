#include "run/rehearse.h"

#include "tests/run/run_fixture.h"

namespace meshtrust::run {
namespace {

using namespace testing;
using test::Fault;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> rehearsed(const MeshWorld& world, const std::string& cluster) {
  std::vector<std::string> paths;
  for (const auto& request : world.server.requests(cluster)) {
    if (request.query.find("dryRun=All") != std::string::npos) paths.push_back(request.path);
  }
  return paths;
}

TEST(Rehearse, TriesEveryObjectButSecretsAndStoresNothing) {
  MeshWorld world({"east"});
  world.server.put("east", kNamespacePath, base::Json::object());
  const auto result = rehearse(world.mesh, world.plan().plan, world.world());
  EXPECT_THAT(result.refusals, IsEmpty());
  EXPECT_THAT(rehearsed(world, "east"), ElementsAre(kNamespacePath, kTwinPath));
  EXPECT_THAT(world.server.writes(), IsEmpty());
  EXPECT_FALSE(world.server.object("east", kTwinPath));
}

TEST(Rehearse, SaysWhatCouldNotBeTriedYet) {
  MeshWorld world({"east"});
  const auto result = rehearse(world.mesh, world.plan().plan, world.world());
  EXPECT_THAT(result.refusals, IsEmpty());
  EXPECT_THAT(result.untried,
              ElementsAre("east/meshtrust-trust: its namespace does not exist yet"));
}

TEST(Rehearse, StopsEverythingWhenOneServerSaysNo) {
  MeshWorld world({"east", "west"});
  world.server.put("west", kNamespacePath, base::Json::object());
  world.server.add_fault(
      {.cluster = "west",
       .method = "PATCH",
       .path_contains = "/configmaps/",
       .reply = test::failure_reply(403, "Forbidden",
                                    "admission webhook \"p.example.test\" denied the request: no "
                                    "ConfigMaps on Fridays")});
  EXPECT_FALSE(world.apply());
  ASSERT_THAT(world.rehearsal.refusals, SizeIs(1));
  EXPECT_EQ(world.rehearsal.refusals[0].code, base::Code::kRefused);
  EXPECT_EQ(world.rehearsal.refusals[0].message,
            "west: trying to apply configmap 'istio-system/meshtrust-trust': admission webhook "
            "\"p.example.test\" denied the request: no ConfigMaps on Fridays");
  EXPECT_THAT(world.server.writes(), IsEmpty());
}

TEST(Rehearse, DoesNotInsistWhereAWebhookTakesNoPart) {
  MeshWorld world({"east"});
  world.server.put("east", kNamespacePath, base::Json::object());
  world.server.add_fault(
      {.method = "PATCH",
       .path_contains = "/configmaps/",
       .reply = test::failure_reply(
           400, "BadRequest", "admission webhook \"p.example.test\" does not support dry run")});
  ASSERT_TRUE(world.apply());
  EXPECT_THAT(world.rehearsal.untried,
              ElementsAre("east/meshtrust-trust: a webhook of the cluster does not take part in "
                          "it"));
}

TEST(Rehearse, IsEndedByAServerThatIsGone) {
  MeshWorld world({"east"});
  const auto plan = world.plan().plan;
  world.server.add_fault({.kind = Fault::Kind::kCutBefore, .times = -1});
  const auto result = rehearse(world.mesh, plan, world.world());
  ASSERT_THAT(result.refusals, SizeIs(1));
  EXPECT_THAT(result.refusals[0].message, HasSubstr("east: trying to apply namespace"));
}

}  // namespace
}  // namespace meshtrust::run
