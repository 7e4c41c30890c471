#include "k8s/retry.h"

#include "tests/k8s/client_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <future>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Secret;
using std::chrono::milliseconds;
using test::Fault;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const ObjectRef kTwinRef = config_map_ref("istio-system", "meshtrust-trust");

TEST(Backoff, DoublesUpToItsBoundAndEnds) {
  const RetryPolicy policy{.server_errors = 6, .longest_wait = milliseconds(2'000)};
  ZeroRandom random;
  Backoff backoff(policy, random);
  std::vector<long> waits;
  while (const auto wait = backoff.next(Trouble::kServer, std::nullopt)) {
    waits.push_back(wait->count());
  }
  EXPECT_THAT(waits, ElementsAre(100, 200, 400, 800, 1'000, 1'000));
}

TEST(Backoff, WaitsAtLeastAsLongAsTheServerAsksButNeverOverAMinute) {
  const RetryPolicy policy;
  ZeroRandom random;
  Backoff backoff(policy, random);
  EXPECT_EQ(backoff.next(Trouble::kThrottled, base::Seconds(3)), milliseconds(3'100));
  EXPECT_EQ(backoff.next(Trouble::kThrottled, base::Seconds(3'600)), milliseconds(60'200));
}

TEST(CancellablePause, EndsAtOnceWhenCancelled) {
  base::Cancellation cancellation;
  CancellablePause pause(cancellation);
  EXPECT_TRUE(pause.wait(milliseconds(0)));
  auto waiting = std::async(std::launch::async, [&] { return pause.wait(std::chrono::hours(1)); });
  cancellation.cancel();
  EXPECT_EQ(waiting.get().error().code, Code::kCancelled);
}

using RetryTest = ClientTest;

test::FakeReply throttled() {
  return {.status = 429,
          .body = "Too many requests, please try again later.\n",
          .content_type = "text/plain",
          .headers = {{"Retry-After", "1"}}};
}

TEST_F(RetryTest, WaitsOutAThrottlingServer) {
  server().add_fault({.times = 2, .reply = throttled()});
  const auto found = client()->get(kTwinRef);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(pause.waits, ElementsAre(1'100, 1'200));
}

TEST_F(RetryTest, GivesUpOnAServerThatThrottlesForEver) {
  server().add_fault({.times = -1, .reply = throttled()});
  const auto found = client()->get(kTwinRef);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kUnavailable);
  EXPECT_EQ(found.error().message,
            "reading configmap 'istio-system/meshtrust-trust': the server has too much to do (429 "
            "TooManyRequests)");
  EXPECT_THAT(pause.waits, SizeIs(10));
}

TEST_F(RetryTest, RepeatsAReadOfAServerThatIsStarting) {
  server().add_fault(
      {.times = 3, .reply = test::failure_reply(503, "ServiceUnavailable", "starting")});
  EXPECT_TRUE(client()->get(kTwinRef));
  EXPECT_THAT(pause.waits, SizeIs(3));
}

TEST_F(RetryTest, DoesNotRepeatWhatWillNotPass) {
  server().add_fault({.reply = test::failure_reply(500, "InternalError", "broken")});
  EXPECT_FALSE(client()->apply(kTwinRef, {{"data", {{"a", "b"}}}}));
  EXPECT_THAT(pause.waits, IsEmpty());
}

TEST_F(RetryTest, RepeatsAnApplyWhoseConnectionBrokeAfterItsEffect) {
  server().put("east", "/api/v1/namespaces/istio-system", base::Json::object());
  server().add_fault({.kind = Fault::Kind::kCutAfter, .method = "PATCH"});
  const Secret key("key");
  const auto applied =
      client()->apply_secret(secret_ref("istio-system", "cacerts"),
                             {.cluster_uid = uid_of_cluster(), .data = {{"k", &key}}});
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_FALSE(applied->created);  // the first attempt had made it
  EXPECT_THAT(server().writes("east"), SizeIs(2));
}

TEST_F(RetryTest, NamesTheServerWhoseConnectionKeepsBreaking) {
  server().add_fault({.kind = Fault::Kind::kTruncate, .times = -1});
  const auto found = client()->get(kTwinRef);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kUnavailable);
  EXPECT_EQ(without_address(found.error().message),
            "reading configmap 'istio-system/meshtrust-trust': connection with SERVER broke before "
            "the answer was complete");
  EXPECT_THAT(pause.waits, SizeIs(3));
}

TEST_F(RetryTest, StaysWithinTheTimeOfTheCall) {
  server().add_fault({.times = -1, .reply = {.status = 429, .headers = {{"Retry-After", "50"}}}});
  EXPECT_FALSE(client()->get(kTwinRef));
  EXPECT_THAT(pause.waits, SizeIs(2));  // a third wait would end after the 120 seconds of a call
}

}  // namespace
}  // namespace meshtrust::k8s
