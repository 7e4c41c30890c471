// Create, change, delete, rehearse: what each verb makes of what the server says.

#include "k8s/wait.h"
#include "tests/k8s/client_fixture.h"
#include "tests/support/matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Json;
using test::Fault;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const ObjectRef kTwinRef = config_map_ref("istio-system", "meshtrust-trust");
const Json kTwinObject{{"data", {{"root", "A"}}}};
const std::string kConfigMaps = "/api/v1/namespaces/istio-system/configmaps";

class WritesTest : public ClientTest {
 protected:
  WritesTest() { server().put("east", "/api/v1/namespaces/istio-system", Json::object()); }

  std::string uid_of(const std::string& path) {
    return server().object("east", path)->at("metadata").at("uid").get<std::string>();
  }
};

TEST_F(WritesTest, CreatesAnObjectUnderItsFieldManager) {
  const auto made = client()->create(kTwinRef, kTwinObject);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(made->created);
  EXPECT_EQ(made->uid, uid_of(kTwin));
  const auto seen = server().requests("east");
  ASSERT_THAT(seen, SizeIs(1));
  EXPECT_EQ(seen[0].path, kConfigMaps);
  EXPECT_EQ(seen[0].query, "fieldManager=meshtrust&fieldValidation=Strict");
}

TEST_F(WritesTest, LooksAgainWhenTheAnswerToACreateIsLost) {
  for (const auto kind : {Fault::Kind::kCutAfter, Fault::Kind::kTruncate, Fault::Kind::kShortLength,
                          Fault::Kind::kUnendedChunks, Fault::Kind::kBrokenGzip}) {
    server().remove("east", kTwin);
    server().forget_requests();
    server().clear_faults();
    server().add_fault({.kind = kind, .method = "POST"});
    const auto made = client()->create(kTwinRef, kTwinObject);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_FALSE(made->created);
    EXPECT_EQ(made->uid, uid_of(kTwin));
    EXPECT_THAT(server().writes("east"), SizeIs(1));
  }
}

TEST_F(WritesTest, CreatesAgainWhenTheFirstRequestNeverHadItsEffect) {
  server().add_fault({.kind = Fault::Kind::kCutBefore, .method = "POST"});
  const auto made = client()->create(kTwinRef, kTwinObject);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(made->created);
  EXPECT_THAT(server().writes("east"), SizeIs(2));
}

TEST_F(WritesTest, SaysThatItDoesNotKnowWhenItCannotLookEither) {
  server().add_fault({.kind = Fault::Kind::kCutAfter, .times = -1});
  const auto made = client()->create(kTwinRef, kTwinObject);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kUnavailable);
  EXPECT_THAT(made.error().hints, Contains(std::string(kOutcomeUnknown)));
}

TEST_F(WritesTest, TakesNothingOverThatHasTheNameAlready) {
  server().put("east", kTwin, {{"data", {{"root", "B"}}}});
  const auto made = client()->create(kTwinRef, kTwinObject);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kConflict);
  EXPECT_EQ(made.error().message,
            "creating configmap 'istio-system/meshtrust-trust': one of that name exists already "
            "and is another");
}

TEST_F(WritesTest, TakesNothingOverThatSomebodyElseWroteInTheSameWords) {
  server().put("east", kTwin, kTwinObject, "kubectl-create");
  EXPECT_EQ(client()->create(kTwinRef, kTwinObject).error().code, Code::kConflict);
}

TEST_F(WritesTest, ChangesAnObjectAndKeepsWhatItDoesNotKnow) {
  server().put("east", kTwin, {{"data", {{"root", "A"}, {"other", "B"}}}});
  const auto changed = client()->change(kTwinRef, [](Json& object) {
    object["data"]["root"] = "C";
    return base::Status();
  });
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_EQ(server().object("east", kTwin)->at("data"), (Json{{"root", "C"}, {"other", "B"}}));
}

TEST_F(WritesTest, WritesNothingWhenThereIsNothingToChange) {
  server().put("east", kTwin, kTwinObject);
  ASSERT_TRUE(client()->change(kTwinRef, [](Json&) { return base::Status(); }));
  EXPECT_THAT(server().writes("east"), IsEmpty());
}

TEST_F(WritesTest, RedoesAChangeOnWhatSomebodyElseMadeOfIt) {
  server().put("east", kTwin, kTwinObject);
  int calls = 0;
  const auto changed = client()->change(kTwinRef, [&](Json& object) {
    if (++calls <= 5) server().put("east", kTwin, {{"data", {{"n", std::to_string(calls)}}}});
    object["data"]["root"] = "C";
    return base::Status();
  });
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_EQ(calls, 6);
  EXPECT_THAT(pause.waits, ElementsAre(10, 20, 40, 80, 160));
  EXPECT_EQ(server().object("east", kTwin)->at("data"), (Json{{"n", "5"}, {"root", "C"}}));
}

TEST_F(WritesTest, GivesUpAChangeThatIsAlwaysTooLate) {
  server().put("east", kTwin, kTwinObject);
  int calls = 0;
  const auto changed = client()->change(kTwinRef, [&](Json& object) {
    server().put("east", kTwin, {{"data", {{"n", std::to_string(++calls)}}}});
    object["data"]["root"] = "C";
    return base::Status();
  });
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().message,
            "changing configmap 'istio-system/meshtrust-trust': somebody else changed it each "
            "time, 6 times in a row");
}

TEST_F(WritesTest, ChangesOnceAlthoughTheAnswerWasLost) {
  server().put("east", kTwin, kTwinObject);
  server().add_fault({.kind = Fault::Kind::kCutAfter, .method = "PUT"});
  ASSERT_TRUE(client()->change(kTwinRef, [](Json& object) {
    object["data"]["root"] = "C";
    return base::Status();
  }));
  EXPECT_EQ(server().object("east", kTwin)->at("data").at("root"), "C");
}

TEST_F(WritesTest, DeletesExactlyOneObject) {
  server().put("east", kTwin, kTwinObject);
  const auto removed = client()->remove(kTwinRef, {.uid = uid_of(kTwin)});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(removed->state, Removed::State::kGone);
  EXPECT_FALSE(server().object("east", kTwin));
  EXPECT_EQ(client()->remove(kTwinRef, {.uid = "any"})->state, Removed::State::kWasAbsent);
}

TEST_F(WritesTest, LeavesAnObjectAloneThatTookThePlaceOfAnother) {
  server().put("east", kTwin, kTwinObject);
  const std::string old = uid_of(kTwin);
  server().remove("east", kTwin);
  server().put("east", kTwin, kTwinObject);
  const auto removed = client()->remove(kTwinRef, {.uid = old});
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Code::kConflict);
  EXPECT_TRUE(server().object("east", kTwin));
}

TEST_F(WritesTest, DeletesOnceAlthoughTheAnswerWasLost) {
  server().put("east", kTwin, kTwinObject);
  server().add_fault({.kind = Fault::Kind::kCutAfter, .method = "DELETE"});
  EXPECT_TRUE(client()->remove(kTwinRef, {.uid = uid_of(kTwin)}));
  EXPECT_FALSE(server().object("east", kTwin));
}

TEST_F(WritesTest, ShowsNoValueOfASecretThatItDeletes) {
  server().put("east", kCacerts,
               {{"metadata", {{"finalizers", {"example.test/hold"}}}}, {"data", {{"k", "a2V5"}}}});
  const auto removed =
      client()->remove(secret_ref("istio-system", "cacerts"), {.uid = uid_of(kCacerts)});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(removed->state, Removed::State::kHeld);
  EXPECT_THAT(removed->finalizers, ElementsAre("example.test/hold"));
  EXPECT_THAT(server().requests("east").back().headers.at("accept"),
              HasSubstr("as=PartialObjectMetadata"));
}

TEST_F(WritesTest, NamesTheFinalizersThatHoldWhatIsToGo) {
  server().put("east", kCacerts, {{"metadata", {{"finalizers", {"example.test/hold"}}}}});
  const auto gone =
      remove_and_wait(*client(), secret_ref("istio-system", "cacerts"), {.uid = uid_of(kCacerts)},
                      {.at_most = std::chrono::seconds(5)});
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::kNotYet);
  EXPECT_EQ(gone.error().message,
            "gave up on secret 'istio-system/cacerts' after 5s; last seen: held by "
            "'example.test/hold'");
}

TEST_F(WritesTest, RehearsesWithoutStoringAnything) {
  EXPECT_EQ(client()->rehearse(kTwinRef, kTwinObject).value(), Rehearsed::kAccepted);
  EXPECT_FALSE(server().object("east", kTwin));
  EXPECT_EQ(server().requests("east").back().query,
            "fieldManager=meshtrust&fieldValidation=Strict&dryRun=All");
}

TEST_F(WritesTest, SaysThatNothingCanBeRehearsedInANamespaceThatIsNotThere) {
  EXPECT_EQ(client()->rehearse(config_map_ref("new", "x"), kTwinObject).value(),
            Rehearsed::kNoNamespace);
}

TEST_F(WritesTest, RehearsesConflictsWithOwners) {
  server().put("east", kTwin, {{"data", {{"root", "B"}}}}, "argocd");
  const auto rehearsed = client()->rehearse(kTwinRef, kTwinObject);
  ASSERT_FALSE(rehearsed);
  EXPECT_EQ(rehearsed.error().message,
            "trying to apply configmap 'istio-system/meshtrust-trust': someone else owns what "
            "would change: '.data.root' belongs to 'argocd'");
}

TEST_F(WritesTest, AppliesAgainWhenTheAnswerCannotBeRead) {
  server().add_fault({.kind = Fault::Kind::kShortLength, .method = "PATCH"});
  const auto applied = client()->apply(kTwinRef, kTwinObject);
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(applied->uid, uid_of(kTwin));
}

TEST_F(WritesTest, AppliesASecretAgainWhenTheAnswerCannotBeRead) {
  const base::Secret value("key");
  const SecretContent content{.cluster_uid = uid_of_cluster(), .data = {{"k", &value}}};
  server().add_fault({.kind = Fault::Kind::kShortLength, .method = "PATCH"});
  const auto applied = client()->apply_secret(secret_ref("istio-system", "cacerts"), content);
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(applied->uid, uid_of(kCacerts));
  server().add_fault({.kind = Fault::Kind::kShortLength, .method = "PATCH", .times = -1});
  const auto lost = client()->apply_secret(secret_ref("istio-system", "cacerts"), content);
  ASSERT_FALSE(lost);
  EXPECT_THAT(lost.error().hints, Contains(std::string(kOutcomeUnknown)));
}

TEST_F(WritesTest, WaitsAsLongAsTheAnswerAboutASecretAsks) {
  auto busy = test::failure_reply(429, "TooManyRequests", "later");
  auto status = Json::parse(busy.body);
  status["details"]["retryAfterSeconds"] = 7;
  busy.body = status.dump();
  server().add_fault({.reply = busy});
  ASSERT_TRUE(client()->get_secret(secret_ref("istio-system", "cacerts")));
  EXPECT_THAT(pause.waits, ElementsAre(7'100));
}

TEST_F(WritesTest, DeletesAgainWhenTheAnswerCannotBeRead) {
  server().put("east", kTwin, kTwinObject);
  server().add_fault({.kind = Fault::Kind::kShortLength, .method = "DELETE"});
  const auto removed = client()->remove(kTwinRef, {.uid = uid_of(kTwin)});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(removed->state, Removed::State::kGone);
}

TEST_F(WritesTest, FindsWhatItsOwnLostDeleteHasMarked) {
  server().put("east", kTwin, {{"metadata", {{"finalizers", {"example.test/hold"}}}}});
  const std::string version =
      server().object("east", kTwin)->at("metadata").at("resourceVersion").get<std::string>();
  server().add_fault({.kind = Fault::Kind::kCutAfter, .method = "DELETE"});
  const auto removed =
      client()->remove(kTwinRef, {.uid = uid_of(kTwin), .resource_version = version});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(removed->state, Removed::State::kHeld);
  EXPECT_THAT(removed->finalizers, ElementsAre("example.test/hold"));
}

TEST_F(WritesTest, RepeatsAnApplyWhoseAnswerIsBrokenGzip) {
  server().add_fault({.kind = Fault::Kind::kBrokenGzip, .method = "PATCH"});
  EXPECT_TRUE(client()->apply(kTwinRef, kTwinObject));
}

TEST_F(WritesTest, TakesNoLongerForAllItsRequestsThanACallMay) {
  server().put("east", kTwin, kTwinObject);
  ApiClient api(settings(),
                {.clock = clock,
                 .random = random,
                 .files = files,
                 .processes = processes,
                 .cancellation = cancellation},
                {.call_timeout = std::chrono::seconds(10), .pause = &pause});
  int calls = 0;
  const auto changed = api.change(kTwinRef, [&](Json& object) {
    server().put("east", kTwin, {{"data", {{"n", std::to_string(++calls)}}}});
    clock.advance(std::chrono::seconds(4));
    object["data"]["root"] = "C";
    return base::Status();
  });
  ASSERT_FALSE(changed);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(changed.error().code, Code::kUnavailable);
  EXPECT_THAT(without_address(changed.error().message),
              HasSubstr("the requests to SERVER took longer than 10s together"));
}

TEST_F(WritesTest, TakesNoSuccessForAnAnswerAboutAnotherObject) {
  server().add_fault({.times = -1,
                      .reply = test::json_reply(
                          200, {{"kind", "ConfigMap"},
                                {"metadata", {{"name", "x"}, {"namespace", "istio-system"}}}})});
  EXPECT_EQ(client()->apply(kTwinRef, kTwinObject).error().code, Code::kUnavailable);
  EXPECT_EQ(client()->create(kTwinRef, kTwinObject).error().code, Code::kUnavailable);
}

TEST_F(WritesTest, TakesNoSuccessForAFailureUnderA200) {
  auto reply = test::failure_reply(409, "Conflict", "no");
  reply.status = 200;
  server().add_fault({.times = -1, .reply = reply});
  const auto applied = client()->apply(kTwinRef, kTwinObject);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().message,
            "applying configmap 'istio-system/meshtrust-trust': no (200 Conflict) (answered with "
            "HTTP 200, its status says 409)");
}

}  // namespace
}  // namespace meshtrust::k8s
