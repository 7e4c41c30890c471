// From observation to proof against API servers in this process.

#include "base/encoding.h"
#include "mesh/trust.h"
#include "tests/run/run_fixture.h"
#include "tests/support/found.h"
#include "tests/support/golden.h"

#include <nlohmann/json.hpp>

#include <set>

namespace meshtrust::run {
namespace {

using base::Json;
using namespace testing;
using test::Fault;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string file_of(const Json& secret, const std::string& name) {
  const auto bytes = base::from_base64(base::string_at(base::at_path(secret, {"data"}), name));
  return bytes ? std::string(base::as_text(*bytes)) : "(not base64)";
}

void expect_proved(const MeshWorld& world) {
  const auto observation = world.observe();
  for (const auto& pair : judge_pairs(world.mesh, observation, world.clock.now())) {
    EXPECT_TRUE(pair.accepted()) << pair.from << " " << pair.to << " " << pair.problem;
  }
  const auto planned = world.plan();
  EXPECT_FALSE(planned.is_refused());
  EXPECT_TRUE(planned.plan.is_empty());
}

TEST(TrustFlow, GoesFromNothingToProvedTrust) {
  MeshWorld world({"east", "west"});
  const auto report = world.apply();
  ASSERT_TRUE(report.has_value());
  ASSERT_TRUE(report->succeeded()) << states(*report) << report->errors().front().message;
  expect_proved(world);
  for (const char* name : {"east", "west"}) {
    const auto secret = world.server.object(name, kCacertsPath);
    ASSERT_TRUE(secret.has_value());
    EXPECT_EQ((*secret)["type"], "Opaque");
    EXPECT_THAT((*secret)["data"], SizeIs(4));
    EXPECT_THAT(file_of(*secret, "ca-key.pem"), HasSubstr("PRIVATE KEY"));
    const auto twin = world.server.object(name, kTwinPath);
    ASSERT_TRUE(twin.has_value());
    EXPECT_EQ(twin->dump().find("PRIVATE KEY"), std::string::npos);
    EXPECT_EQ((*world.server.object(
                  name, kNamespacePath))["metadata"]["labels"]["topology.istio.io/network"],
              name);
  }
  EXPECT_THAT(world.store().undelivered(), IsEmpty());
}

/// The value of a label of a live object; "" without it.
std::string label_of(const MeshWorld& world, const std::string& path, const std::string& label) {
  const auto object = world.server.object("east", path);
  return object ? base::string_at(base::at_path(*object, {"metadata", "labels"}), label) : "";
}

TEST(TrustFlow, PutsTheRootThatItMintsOnEverythingThatItMakes) {
  MeshWorld world({"east"});
  ASSERT_TRUE(world.apply()->succeeded());
  const std::string root = world.store().root()->certificate.fingerprint().substr(0, 40);
  for (const std::string& path : {kNamespacePath, kCacertsPath, kTwinPath}) {
    EXPECT_EQ(label_of(world, path, "meshtrust.io/root"), root) << path;
  }
}

TEST(TrustFlow, CompletesTheMarksOfAnEarlierVersionAndWritesNoKeyForIt) {
  MeshWorld world({"east"});
  ASSERT_TRUE(world.apply()->succeeded());
  for (const std::string& path : {kNamespacePath, kCacertsPath, kTwinPath}) {
    Json object = *world.server.object("east", path);
    object["metadata"]["labels"].erase("meshtrust.io/root");
    world.server.put("east", path, object);
  }
  world.server.forget_requests();
  ASSERT_TRUE(world.apply()->succeeded());
  std::vector<std::string> written;
  for (const auto& request : world.server.writes()) {
    written.push_back(request.path);
  }
  EXPECT_THAT(written, ElementsAre(kNamespacePath, kTwinPath));
  expect_proved(world);
}

TEST(TrustFlow, RefusesAClusterOfAMeshOfTheSameNameAndAnotherRoot) {
  MeshWorld theirs({"east"});
  ASSERT_TRUE(theirs.apply()->succeeded());
  MeshWorld ours({"east"});
  ours.server.put("east", kNamespacePath, *theirs.server.object("east", kNamespacePath));
  const mesh::Planned planned = ours.plan();
  ASSERT_EQ(planned.answer.findings.size(), 1U);
  EXPECT_EQ(planned.answer.findings.front().code, "other-mesh");
  EXPECT_THAT(planned.plan.steps, IsEmpty());
}

TEST(TrustFlow, WritesNothingTheSecondTime) {
  MeshWorld world({"east", "west"});
  ASSERT_TRUE(world.apply()->succeeded());
  world.server.forget_requests();
  world.reconnect();
  const auto report = world.apply();
  ASSERT_TRUE(report.has_value());
  EXPECT_THAT(report->steps, IsEmpty());
  EXPECT_THAT(world.server.writes(), IsEmpty());
}

TEST(TrustFlow, GivesEveryClusterACaOfItsOwnUnderOneRoot) {
  MeshWorld world({"east", "west"});
  ASSERT_TRUE(world.apply()->succeeded());
  const Json east = *world.server.object("east", kCacertsPath);
  const Json west = *world.server.object("west", kCacertsPath);
  EXPECT_EQ(file_of(east, "root-cert.pem"), file_of(west, "root-cert.pem"));
  for (const char* file : {"ca-cert.pem", "ca-key.pem", "cert-chain.pem"}) {
    EXPECT_NE(file_of(east, file), file_of(west, file)) << file;
  }
}

TEST(TrustFlow, WritesOneSecretUpdateWithAllFourFiles) {
  MeshWorld world({"east"});
  ASSERT_TRUE(world.apply()->succeeded());
  std::vector<std::string> written;
  for (const auto& request : world.server.writes()) {
    EXPECT_THAT(request.query, HasSubstr("fieldManager=meshtrust"));
    EXPECT_EQ(request.query.find("force=true"), std::string::npos) << request.path;
    EXPECT_EQ(request.body.find("stringData"), std::string::npos);
    EXPECT_EQ(request.body.find("last-applied"), std::string::npos);
    written.push_back(request.method + " " + request.path);
  }
  EXPECT_THAT(written, ElementsAre("PATCH " + kNamespacePath, "POST " + kNamespacePath + "/secrets",
                                   "PATCH " + kTwinPath));
}

TEST(TrustFlow, LetsAThirdClusterJoinWithNoWriteToTheOthers) {
  MeshWorld world({"east", "west", "north"});
  const profiles::Mesh whole = world.mesh;
  world.mesh.clusters.pop_back();
  ASSERT_TRUE(world.apply()->succeeded());
  world.server.forget_requests();
  world.mesh = whole;
  ASSERT_TRUE(world.apply()->succeeded());
  EXPECT_THAT(world.server.writes("east"), IsEmpty());
  EXPECT_THAT(world.server.writes("west"), IsEmpty());
  EXPECT_THAT(world.server.writes("north"), SizeIs(3));
  expect_proved(world);
}

TEST(TrustFlow, ConvergesWhenTheAnswerToAnyWriteIsLost) {
  for (const auto kind :
       {Fault::Kind::kCutAfter, Fault::Kind::kCutBefore, Fault::Kind::kTruncate}) {
    for (int write = 0; write <= 4; ++write) {  // two of the patches are rehearsals
      MeshWorld world({"east"});
      if (write == 0)
        world.server.add_fault({.kind = kind, .method = "POST", .path_contains = "/secrets"});
      if (write > 0) world.server.add_fault({.kind = kind, .method = "PATCH", .from = write});
      (void)world.apply();
      world.server.clear_faults();
      world.reconnect();
      const auto report = world.apply();
      ASSERT_TRUE(report.has_value()) << write;
      EXPECT_TRUE(report->succeeded()) << write << ": " << states(*report);
      expect_proved(world);
      EXPECT_EQ(world.store().roots().size(), 1U) << "the root is taken up, not minted twice";
      const auto live = world.observe().clusters.front().cacerts;
      EXPECT_EQ(test::found_in(live).key, istio::KeyMatch::kMatches) << "two CAs in one secret";
    }
  }
}

TEST(TrustFlow, NeverTouchesACacertsOfSomebodyElse) {
  MeshWorld world({"east", "west"});
  world.server.put("west", kCacertsPath,
                   {{"type", "Opaque"},
                    {"data", {{"ca-cert.pem", base::to_base64(base::as_bytes("by hand"))}}}});
  world.server.forget_requests();
  EXPECT_FALSE(world.apply().has_value());
  EXPECT_THAT(world.server.writes(), IsEmpty());
}

TEST(TrustFlow, PutsNoListsBesideARootThatAppearedAfterThePlan) {
  MeshWorld world({"east"});
  ASSERT_TRUE(world.apply()->succeeded());
  Json secret = *world.server.object("east", kCacertsPath);
  const std::string roots = file_of(secret, "root-cert.pem") +
                            test::content_of(test::test_file("data/trust/other-root.pem"));
  secret["data"]["root-cert.pem"] = base::to_base64(base::as_bytes(roots));
  world.server.put("east", kCacertsPath, secret);
  const Json before = *world.server.object("east", kCacertsPath);
  auto store = world.store();
  const auto lock = store.lock("a test").value();
  const mesh::MakeLists make{.lifetime = base::days(60)};
  const mesh::Step step{.id = "east/lists",
                        .cluster = "east",
                        .title = {},
                        .reason = {},
                        .needs = {},
                        .diff = {},
                        .action = make};
  mesh::Planned planned{.plan = {.mesh = "shop", .steps = {step}}, .answer = {}};
  mesh::note_servers(planned, world.mesh, world.observe());
  const mesh::Plan& plan = planned.plan;
  TrustSteps steps(world.mesh, world.world(), plan, store, lock,
                   {.passphrase = {}, .clear_text = true});
  ASSERT_TRUE(steps.unlock());
  ASSERT_TRUE(std::holds_alternative<Done>(steps.make_lists(make)));
  const Outcome outcome = steps.push_lists(step, {.namespace_name = "istio-system"});
  ASSERT_TRUE(std::holds_alternative<Failed>(outcome));
  EXPECT_EQ(std::get<Failed>(outcome).why.message,
            "east: cacerts is another than when the plan was made");
  EXPECT_EQ(*world.server.object("east", kCacertsPath), before);
}

TEST(TrustFlow, WritesNothingWhereARightIsMissing) {
  MeshWorld world({"east", "west"});
  world.server.deny("west", "create", "secrets");
  world.server.deny("east", "create", "configmaps");
  const auto missing = check_rights(world.plan().plan, world.world());
  ASSERT_EQ(missing.size(), 2U) << "all that is missing is told at once";
  EXPECT_EQ(missing[0].code, base::Code::kPermission);
  EXPECT_EQ(missing[0].message,
            "east: not permitted to create configmap 'istio-system/meshtrust-trust'");
  EXPECT_EQ(missing[1].message, "west: not permitted to create secret 'istio-system/cacerts'");
  EXPECT_FALSE(world.apply().has_value());
  EXPECT_THAT(world.server.writes(), IsEmpty());
}

TEST(TrustFlow, FinishesOneClusterWhenTheOtherFails) {
  MeshWorld world({"east", "west"});
  world.server.add_fault({.kind = Fault::Kind::kAnswer,
                          .cluster = "west",
                          .method = "POST",
                          .path_contains = "/secrets",
                          .times = -1,
                          .reply = test::failure_reply(403, "Forbidden", "quota")});
  const auto report = world.apply();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->left(), (std::vector<std::string>{"west/cacerts", "west/meshtrust-trust"}));
  EXPECT_TRUE(world.server.object("east", kTwinPath).has_value());
  world.server.clear_faults();
  ASSERT_TRUE(world.apply()->succeeded());
  expect_proved(world);
}

TEST(Clusters, KeepTheReasonWhyAClusterCannotBeReached) {
  MeshWorld world({"east"});
  world.mesh.clusters.front().context = "no-such-context";
  world.reconnect();
  const auto client = world.world().clusters.client("east");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, base::Code::kInvalidInput);
  EXPECT_THAT(client.error().message, HasSubstr("no-such-context"));
  EXPECT_TRUE(world.plan().is_refused());
}

}  // namespace
}  // namespace meshtrust::run
