#include "k8s/watch.h"

#include "base/text.h"
#include "k8s/line_splitter.h"
#include "k8s/wait.h"
#include "tests/k8s/client_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <future>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Json;
using std::chrono::milliseconds;
using test::Fault;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Type = WatchEvent::Type;

Json object_of(const std::string& name, const std::string& version) {
  return {
      {"metadata", {{"name", name}, {"namespace", "istio-system"}, {"resourceVersion", version}}}};
}

std::string event(const char* type, const Json& object) {
  return base::compact({{"type", type}, {"object", object}}) + "\n";
}

const Json kExpiredStatus{
    {"kind", "Status"}, {"status", "Failure"}, {"code", 410}, {"reason", "Expired"}};

/// Answers to lists and streams, one after the other.
class WatchTest : public ClientTest {
 protected:
  void lists(const std::string& version, const std::vector<Json>& items) {
    server().add_fault(
        {.path_contains = "/pods",
         .reply = test::json_reply(200, {{"kind", "PodList"},
                                         {"metadata", {{"resourceVersion", version}}},
                                         {"items", items}})});
  }
  void streams(std::string lines) {
    server().add_fault({.path_contains = "/pods", .reply = {.body = std::move(lines)}});
  }
  void refuses(const test::FakeReply& reply) {
    server().add_fault({.path_contains = "/pods", .reply = reply});
  }

  /// Watches until an object `last` is there; every state that was told, as names.
  base::Result<WatchEnd> watch_until(const std::string& last, WatchOptions how = {}) {
    return watch(*client(), pods_ref("istio-system"), how, [&](const Objects& objects) {
      std::vector<std::string> names;
      for (const auto& [key, object] : objects) {
        names.push_back(key.substr(key.find('/') + 1) + "@" +
                        object["metadata"]["resourceVersion"].get<std::string>());
      }
      told.push_back(base::join(names, " "));
      return objects.contains("istio-system/" + last) ? Watching::kEnough : Watching::kGoOn;
    });
  }

  std::vector<std::string> queries() {
    std::vector<std::string> out;
    for (const auto& request : server().requests("east")) {
      out.push_back(test::query_value(request.query, "watch").empty()
                        ? "list"
                        : "watch " + test::query_value(request.query, "resourceVersion"));
    }
    return out;
  }

  std::vector<std::string> told;
};

TEST_F(WatchTest, ListsAndThenTellsEveryChange) {
  lists("10", {object_of("a", "9")});
  streams(event("MODIFIED", object_of("a", "11")) + event("DELETED", object_of("a", "12")) +
          event("ADDED", object_of("z", "13")));
  const auto end = watch_until("z");
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_TRUE(end->enough);
  EXPECT_THAT(told, ElementsAre("a@9", "a@11", "", "z@13"));
  EXPECT_EQ(server().requests("east")[1].query,
            "watch=1&resourceVersion=10&allowWatchBookmarks=true&timeoutSeconds=300");
}

TEST_F(WatchTest, ResumesAtOnceFromTheLastVersionIncludingBookmarks) {
  lists("10", {});
  streams(event("ADDED", object_of("a", "11")));
  streams(event("BOOKMARK", Json{{"kind", "Pod"}, {"metadata", {{"resourceVersion", "50"}}}}));
  streams(event("ADDED", object_of("z", "51")));
  ASSERT_TRUE(watch_until("z"));
  EXPECT_THAT(queries(), ElementsAre("list", "watch 10", "watch 11", "watch 50"));
  EXPECT_THAT(pause.waits, IsEmpty());
}

TEST_F(WatchTest, ListsAgainWhenTheVersionIsTooOld) {
  lists("10", {object_of("a", "9")});
  refuses(test::failure_reply(410, "Expired", "too old"));
  lists("20", {object_of("a", "9")});
  streams(event("ERROR", kExpiredStatus));
  lists("30", {object_of("z", "29")});
  ASSERT_TRUE(watch_until("z"));
  EXPECT_THAT(queries(), ElementsAre("list", "watch 10", "list", "watch 20", "list"));
  EXPECT_THAT(told, ElementsAre("a@9", "z@29"));  // what did not change is not told again
  EXPECT_THAT(pause.waits, ElementsAre(400));
}

TEST_F(WatchTest, DoesNotHammerAServerToWhichEveryVersionIsTooOld) {
  for (const char* version : {"10", "20", "30", "40"}) {
    lists(version, {});
    refuses(test::failure_reply(410, "Expired", "too old"));
  }
  lists("50", {});
  streams(event("ADDED", object_of("a", "51")));
  refuses(test::failure_reply(410, "Expired", "too old"));
  lists("60", {object_of("z", "59")});
  ASSERT_TRUE(watch_until("z"));
  EXPECT_THAT(pause.waits, ElementsAre(400, 800, 1'600));
}

TEST_F(WatchTest, BacksOffFromFailuresAndForgetsThemOnSuccess) {
  lists("10", {});
  for (int i = 0; i < 7; ++i) {
    server().add_fault({.kind = Fault::Kind::kCutBefore, .path_contains = "/pods"});
  }
  streams(event("ADDED", object_of("a", "11")));
  refuses(test::failure_reply(503, "ServiceUnavailable", "starting"));
  streams(event("ADDED", object_of("z", "12")));
  ASSERT_TRUE(watch_until("z"));
  EXPECT_THAT(pause.waits, ElementsAre(400, 800, 1'600, 3'200, 6'400, 12'800, 15'000, 400));
}

TEST_F(WatchTest, DoesNotHammerAServerThatEndsEveryStreamAtOnce) {
  lists("10", {});
  streams("");
  streams("");
  streams(event("ADDED", object_of("z", "12")));
  ASSERT_TRUE(watch_until("z"));
  EXPECT_THAT(pause.waits, ElementsAre(400, 800));
}

TEST_F(WatchTest, StartsAfreshAfterAPageThatIsNoEvent) {
  lists("10", {});
  refuses({.status = 200, .body = "<html>\nlogin\n</html>\n", .content_type = "text/html"});
  lists("20", {object_of("z", "19")});
  ASSERT_TRUE(watch_until("z"));
  EXPECT_THAT(queries(), ElementsAre("list", "watch 10", "list"));
  EXPECT_THAT(pause.waits, ElementsAre(400));
}

TEST_F(WatchTest, PassesOverWhatIsNewToIt) {
  lists("10", {});
  streams(event("HIBERNATED", Json::object()) + "\n" + event("ADDED", object_of("z", "12")));
  ASSERT_TRUE(watch_until("z"));
  EXPECT_THAT(pause.waits, IsEmpty());
}

TEST_F(WatchTest, TakesLinesOfMegabytes) {
  Json large = object_of("z", "12");
  large["metadata"]["annotations"]["big"] = std::string(5U << 20U, 'x');
  lists("10", {});
  streams(event("ADDED", large));
  EXPECT_TRUE(watch_until("z"));
}

TEST_F(WatchTest, BoundsALine) {
  http.answer_limit_bytes = 1U << 20U;
  Json large = object_of("a", "12");
  large["metadata"]["annotations"]["big"] = std::string(2U << 20U, 'x');
  lists("10", {});
  streams(event("ADDED", large));
  streams(event("ADDED", object_of("z", "12")));
  ASSERT_TRUE(watch_until("z"));
  EXPECT_THAT(told, ElementsAre("", "z@12"));
}

TEST_F(WatchTest, DropsHalfALine) {
  lists("10", {});
  streams(event("ADDED", object_of("a", "11")) + R"({"type":"ADDED","object":{"meta)");
  streams(event("ADDED", object_of("z", "12")));
  ASSERT_TRUE(watch_until("z"));
  EXPECT_THAT(queries(), ElementsAre("list", "watch 10", "watch 11"));
}

TEST_F(WatchTest, TakesAStreamThatStallsForDead) {
  lists("10", {});
  server().add_fault({.kind = Fault::Kind::kStall, .path_contains = "/pods"});
  streams(event("ADDED", object_of("z", "12")));
  ASSERT_TRUE(watch_until("z", {.lasting = base::Seconds(0), .stall = milliseconds(50)}));
  EXPECT_THAT(pause.waits, ElementsAre(400));
}

TEST_F(WatchTest, EndsAtOnceWhenCancelled) {
  lists("10", {});
  server().add_fault({.kind = Fault::Kind::kStall, .path_contains = "/pods"});
  auto waiting = std::async(std::launch::async, [&] { return watch_until("z"); });
  server().wait_for_stalled(1);
  cancellation.cancel();
  const auto end = waiting.get();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::kCancelled);
}

TEST_F(WatchTest, LeavesTheOtherConnectionsFree) {
  http.connections = 1;
  lists("10", {});
  server().add_fault({.kind = Fault::Kind::kStall, .path_contains = "/pods"});
  const auto api = client();
  auto waiting = std::async(std::launch::async, [&] {
    return watch(*api, pods_ref("istio-system"), {},
                 [](const Objects&) { return Watching::kGoOn; });
  });
  server().wait_for_stalled(1);
  EXPECT_TRUE(api->server_version());
  cancellation.cancel();
  EXPECT_FALSE(waiting.get());
}

class WaitTest : public WatchTest {
 protected:
  base::Status wait(const ObjectRef& ref, const WaitOptions& how = {}) {
    return wait_for(
        *client(), ref,
        [](const Objects& objects) {
          if (objects.empty()) return Verdict{.holds = false, .seen = "absent"};
          const std::string phase =
              base::string_at(base::at_path(objects.begin()->second, {"status"}), "phase");
          return Verdict{.holds = phase == "Running", .seen = "phase '" + phase + "'"};
        },
        how);
  }
  ObjectRef pod() {
    ObjectRef ref = pods_ref("istio-system");
    ref.name = "istiod";
    return ref;
  }
  Json pod_in(const std::string& phase, const std::string& version) {
    Json object = object_of("istiod", version);
    object["apiVersion"] = "v1";
    object["kind"] = "Pod";
    object["status"]["phase"] = phase;
    return object;
  }
};

TEST_F(WaitTest, WatchesOneObjectUntilItIsAsItShouldBe) {
  lists("10", {});
  streams(event("ADDED", pod_in("Pending", "11")) + event("MODIFIED", pod_in("Running", "12")));
  std::vector<std::string> seen;
  const auto done =
      wait(pod(), {.on_seen = [&](std::string_view text) { seen.emplace_back(text); }});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(seen, ElementsAre("absent", "phase 'Pending'", "phase 'Running'"));
  EXPECT_EQ(test::query_value(server().requests("east")[0].query, "fieldSelector"),
            "metadata.name=istiod");
}

TEST_F(WaitTest, LooksAgainAndAgainWhereItMayNotWatch) {
  refuses(test::failure_reply(403, "Forbidden", "User \"eve\" cannot list resource \"pods\""));
  for (const char* phase : {"Pending", "Pending", "Running"}) {
    refuses(test::json_reply(200, pod_in(phase, "1")));
  }
  const auto done = wait(pod());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(pause.waits, ElementsAre(2'000, 2'000));
  EXPECT_EQ(server().requests("east").back().path, "/api/v1/namespaces/istio-system/pods/istiod");
}

TEST_F(WaitTest, SaysWhatItSawLastAndWhatWentWrongLast) {
  lists("10", {pod_in("Pending", "9")});
  server().add_fault({.kind = Fault::Kind::kCutBefore, .path_contains = "/pods", .times = -1});
  const auto done = wait(pod(), {.at_most = milliseconds(20'000)});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kNotYet);
  EXPECT_EQ(done.error().message,
            "gave up on pod 'istio-system/istiod' after 20s; last seen: phase 'Pending'");
  ASSERT_THAT(done.error().hints, SizeIs(1));
  EXPECT_THAT(done.error().hints[0], HasSubstr("the last attempt failed: watching pod"));
}

TEST_F(WaitTest, DoesNotWaitForWhatItMayNotSee) {
  server().add_fault({.path_contains = "/pods",
                      .times = -1,
                      .reply = test::failure_reply(403, "Forbidden", "User \"eve\" cannot get")});
  EXPECT_EQ(wait(pod()).error().code, Code::kPermission);
}

TEST(LineSplitter, GivesTheSameLinesWhereverThePiecesEnd) {
  const std::string text = "one\n\ntwo\nthree\nrest";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    std::vector<std::string> lines;
    LineSplitter splitter(16, [&](std::string_view line) {
      lines.emplace_back(line);
      return true;
    });
    for (std::size_t at = 0; at < text.size(); at += size) {
      EXPECT_TRUE(splitter.take(std::string_view(text).substr(at, size)));
    }
    EXPECT_THAT(lines, ElementsAre("one", "two", "three")) << size;
  }
}

}  // namespace
}  // namespace meshtrust::k8s
