// What is told while an installer waits, and when its wait is ended, against a server in this
// process.
#include "run/install_watch.h"

#include "tests/run/run_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <mutex>
#include <thread>

namespace meshtrust::run {
namespace {

using namespace testing;
using base::Code;
using base::Json;
using std::chrono::milliseconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kPods = kNamespacePath + "/pods/";

class InstallWatchTest : public ::testing::Test {
 protected:
  InstallWatchTest() {
    put_replica_set("old", 9);
    put_replica_set("new", 10);
  }

  void put_pod(const std::string& name,
               Json labels,
               int restarts,
               const char* reason = "CrashLoopBackOff") {
    mesh.server.put("east", kPods + name,
                    {{"metadata", {{"name", name}, {"uid", name}, {"labels", std::move(labels)}}},
                     {"status",
                      {{"containerStatuses",
                        {{{"name", "discovery"},
                          {"image", "pilot:1"},
                          {"restartCount", restarts},
                          {"state", {{"waiting", {{"reason", reason}}}}}}}}}}});
  }
  /// A pod of the control plane, by the template that its Deployment has.
  void put_istiod(int restarts, const char* reason = "CrashLoopBackOff") {
    put_pod("istiod-1", of_istiod("new"), restarts, reason);
  }
  static Json of_istiod(const std::string& hash, const char* revision = "default") {
    return {{"app", "istiod"}, {"istio.io/rev", revision}, {"pod-template-hash", hash}};
  }
  void put_replica_set(const std::string& hash, int revision) {
    mesh.server.put(
        "east", "/apis/apps/v1/namespaces/istio-system/replicasets/istiod-" + hash,
        {{"metadata",
          {{"name", "istiod-" + hash},
           {"labels", {{"pod-template-hash", hash}}},
           {"annotations", {{"deployment.kubernetes.io/revision", std::to_string(revision)}}},
           {"ownerReferences", {{{"kind", "Deployment"}, {"uid", "istiod"}}}}}}});
  }
  /// Every request for a log is answered so.
  void answer_log(int status, const std::string& text) {
    mesh.server.add_fault(
        {.kind = test::Fault::Kind::kAnswer,
         .cluster = "east",
         .path_contains = kPods + "istiod-1/log",
         .times = -1,
         .reply = {.status = status, .body = text, .content_type = "text/plain"}});
  }

  /// An installer that waits until it is told to stop, or until `is_done` after a look.
  base::Status run(const std::function<bool()>& is_done = {},
                   const std::function<void()>& begins = {}) {
    const Tell tell = [this](std::string_view why) {
      const std::lock_guard guard(mutex);
      told.emplace_back(why);
    };
    profiles::Installation installation{};
    installation.cluster = "east";
    installation.namespace_name = "istio-system";
    InstallWatch watch(**mesh.world().clusters.client("east"), installation, tell,
                       {.interval = milliseconds(5), .patience_with_old = patience});
    return watch.beside([&](const base::Cancellation& stop) -> base::Status {
      if (begins) begins();
      while (!stop.is_cancelled() && !mesh.cancellation.is_cancelled()) {
        if (is_done && is_done()) return {};
        std::this_thread::sleep_for(milliseconds(1));
      }
      return base::fail(Code::kCancelled, "interrupted");
    });
  }
  bool has_told() {
    const std::lock_guard guard(mutex);
    return !told.empty();
  }

  milliseconds patience{0};
  MeshWorld mesh{{"east"}};
  std::mutex mutex;
  std::vector<std::string> told;
};

TEST_F(InstallWatchTest, TellsWhatPodsLack) {
  put_istiod(0, "ContainerCreating");
  EXPECT_TRUE(run([this] { return has_told(); }));
  EXPECT_EQ(told.front(), "not ready: istiod-1 (discovery: ContainerCreating)");
}

TEST_F(InstallWatchTest, EndsTheWaitForAPodThatCrashesAgainAndAgainWithItsLastWords) {
  put_istiod(0);
  answer_log(200, "starting\n\nreading flags\nError: unknown flag: --nonsense\nusage\n");
  const auto ended = run([this] {
    if (has_told()) put_istiod(3);
    return false;
  });
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Code::kInternal);
  EXPECT_EQ(
      ended.error().message,
      "pod istio-system/istiod-1 crashes again and again (restarted 3 times); its last words: "
      "reading flags / Error: unknown flag: --nonsense / usage");
  EXPECT_THAT(ended.error().hints,
              ElementsAre("'kubectl --context east --namespace istio-system logs istiod-1 "
                          "--container discovery' shows all of its log; 'meshtrust apply' goes on "
                          "once its cause is mended"));
}

TEST_F(InstallWatchTest, SaysThatItCrashesWhereItsLogCannotBeRead) {
  put_istiod(0);
  answer_log(500, "no");
  const auto ended = run([this] {
    if (has_told()) put_istiod(3);
    return false;
  });
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().message,
            "pod istio-system/istiod-1 crashes again and again (restarted 3 times)");
}

TEST_F(InstallWatchTest, EndsTheWaitForAnImageThatIsNotToBeHad) {
  const auto ended = run({}, [this] { put_istiod(0, "InvalidImageName"); });
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().message,
            "pod istio-system/istiod-1 does not get image 'pilot:1': InvalidImageName");
}

TEST_F(InstallWatchTest, LeavesPodsAloneThatAreNotIstios) {
  put_pod("kiali", {{"app", "kiali"}}, 7);
  put_istiod(0, "ContainerCreating");
  EXPECT_TRUE(run([this] { return has_told(); }));
  EXPECT_THAT(told, Each("not ready: istiod-1 (discovery: ContainerCreating)"));
}

TEST_F(InstallWatchTest, EndsNothingWherePodsMayNotBeListed) {
  put_istiod(9, "InvalidImageName");
  mesh.server.deny("east", "list", "pods");
  int looks = 0;
  EXPECT_TRUE(run([&looks] { return ++looks > 30; }));
  EXPECT_THAT(told, IsEmpty());
}

TEST_F(InstallWatchTest, LeavesAnInterruptionWhatItIs) {
  put_istiod(0, "ContainerCreating");
  const auto ended = run([this] {
    mesh.cancellation.cancel();
    return false;
  });
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Code::kCancelled);
}

TEST_F(InstallWatchTest, LooksOnceWhileAnInstallerIsQuick) {
  EXPECT_TRUE(run([] { return true; }));
  EXPECT_THAT(mesh.server.requests("east"), SizeIs(1));
}

TEST_F(InstallWatchTest, LeavesAPodAloneThatTheInstallerIsAboutToReplace) {
  put_istiod(7, "InvalidImageName");
  patience = std::chrono::hours(1);
  int looks = 0;
  EXPECT_TRUE(run([&looks] { return ++looks > 30; }));
}

TEST_F(InstallWatchTest, EndsTheWaitForAPodFromBeforeThatNothingReplaces) {
  put_istiod(7);
  const auto ended = run();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().message,
            "pod istio-system/istiod-1 crashes again and again (restarted 7 times)");
}

TEST_F(InstallWatchTest, LeavesPodsAloneThatTheDeploymentNoLongerWants) {
  int looks = 0;
  EXPECT_TRUE(run([&looks] { return ++looks > 30; },
                  [this] { put_pod("istiod-0", of_istiod("old"), 7, "InvalidImageName"); }));
}

TEST_F(InstallWatchTest, LeavesAnotherRevisionAlone) {
  int looks = 0;
  EXPECT_TRUE(run([&looks] { return ++looks > 30; },
                  [this] { put_pod("istiod-0", of_istiod("new", "two"), 7, "InvalidImageName"); }));
  EXPECT_THAT(told, IsEmpty());
}

}  // namespace
}  // namespace meshtrust::run
