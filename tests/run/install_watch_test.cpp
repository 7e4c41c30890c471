// What is told while an installer waits, and when its wait is ended, against a server in this
// process.
#include "run/install_watch.h"

#include "tests/run/run_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <mutex>
#include <set>
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
const std::string kReplicaSets = "/apis/apps/v1/namespaces/istio-system/replicasets/istiod-";
const std::string kWebhooks =
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/";

/// An API server's words.
const std::string kQuota =
    "pods \"istiod-new-*\" is forbidden: exceeded quota: none, requested: pods=1, used: "
    "pods=0, "
    "limited: pods=0";
const std::string kPodSecurity =
    "pods \"istiod-new-*\" is forbidden: violates PodSecurity \"restricted:latest\": "
    "allowPrivilegeEscalation != false";
const std::string kDenied =
    "admission webhook \"pods.policies.example\" denied the request: no pod without a team";
const std::string kNotCalled =
    "Internal error occurred: failed calling webhook \"pods.policies.example\": failed to call "
    "webhook: Post \"https://judge.policies.svc:443/?timeout=10s\": service \"judge\" not found";

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
        "east", kReplicaSets + hash,
        {{"metadata",
          {{"name", "istiod-" + hash},
           {"labels", of_istiod(hash)},
           {"annotations", {{"deployment.kubernetes.io/revision", std::to_string(revision)}}},
           {"ownerReferences", {{{"kind", "Deployment"}, {"uid", "istiod"}}}}}}});
  }
  /// As the controller notes it of a ReplicaSet that has `pods` of the two that it wants.
  void refuse_pods(const std::string& hash, const std::string& answer, int pods = 0) {
    Json set = *mesh.server.object("east", kReplicaSets + hash);
    // The event first, for a look may come between.
    mesh.server.put("east", kNamespacePath + "/events/" + hash,
                    {{"metadata", {{"name", hash}}},
                     {"involvedObject", {{"kind", "ReplicaSet"}, {"uid", set["metadata"]["uid"]}}},
                     {"reason", "FailedCreate"},
                     {"message", "Error creating: " + answer},
                     {"lastTimestamp", "2026-11-21T10:00:00Z"},
                     {"count", ++attempts}});
    set["spec"] = {{"replicas", 2}};
    set["status"] = {{"replicas", pods},
                     {"conditions",
                      {{{"type", "ReplicaFailure"},
                        {"status", "True"},
                        {"reason", "FailedCreate"},
                        {"message", "what stood in the way at first"}}}}};
    mesh.server.put("east", kReplicaSets + hash, set);
  }
  void put_webhook(const std::string& name, Json called) {
    mesh.server.put(
        "east", kWebhooks + "policies",
        {{"metadata", {{"name", "policies"}}},
         {"webhooks", {{{"name", name}, {"clientConfig", {{"service", std::move(called)}}}}}}});
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
    InstallWatch watch(
        **mesh.world().clusters.client("east"), installation, tell,
        {.interval = interval, .patience_with_old = patience, .patience_with_refusals = patience});
    return watch.beside([&](const base::Cancellation& stop) -> base::Status {
      if (begins) begins();
      while (!stop.is_cancelled() && !mesh.cancellation.is_cancelled()) {
        if (is_done && is_done()) return {};
        std::this_thread::sleep_for(milliseconds(1));
      }
      return base::fail(Code::kCancelled, "interrupted");
    });
  }
  /// So many times, since requests were last forgotten.
  bool has_looked(int times) const {
    const auto requests = mesh.server.requests("east");
    return std::count_if(requests.begin(), requests.end(), [](const auto& request) {
             return request.path == kNamespacePath + "/pods";
           }) > times;
  }
  int logs_read() const {
    const auto requests = mesh.server.requests("east");
    return static_cast<int>(std::count_if(
        requests.begin(), requests.end(),
        [](const auto& request) { return request.path.find("/log") != std::string::npos; }));
  }
  bool has_told() {
    const std::lock_guard guard(mutex);
    return !told.empty();
  }

  milliseconds interval{5};
  milliseconds patience{0};
  int attempts = 0;
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
  interval = std::chrono::hours(1);
  EXPECT_TRUE(run([] { return true; }));
  EXPECT_THAT(mesh.server.requests("east"), SizeIs(2));
}

TEST_F(InstallWatchTest, TellsTheLastLineOfAContainerThatIsRestartedOnceForEachRestart) {
  put_istiod(1);
  answer_log(200, "starting\n\x1b[31mError: unknown flag: --nonsense\x1b[0m " +
                      std::string(200, 'x') + "\n\n");
  patience = std::chrono::hours(1);
  EXPECT_TRUE(run([this] { return has_looked(4); }));
  EXPECT_THAT(
      told, ElementsAre("not ready: istiod-1 (discovery: CrashLoopBackOff, restarted 1 time; last "
                        "words: ?[31mError: unknown flag: --nonsense?[0m " +
                        std::string(79, 'x') + "...)"));
  EXPECT_EQ(logs_read(), 1);
}

TEST_F(InstallWatchTest, ReadsTheLogsOfAtMostTwoPodsALook) {
  for (const char* name : {"istiod-1", "istiod-2", "istiod-3"}) {
    put_pod(name, of_istiod("new"), 1);
  }
  patience = std::chrono::hours(1);
  EXPECT_TRUE(run([this] { return has_looked(4); }));
  std::set<std::string> pods;
  std::size_t most = 0;
  for (const auto& request : mesh.server.requests("east")) {
    if (request.path == kNamespacePath + "/pods") pods.clear();
    if (request.path.find("/log") != std::string::npos) pods.insert(request.path);
    most = std::max(most, pods.size());
  }
  EXPECT_EQ(most, 2U);
  EXPECT_EQ(logs_read(), 6) << "of each pod the last run and the one before, once";
}

/// Why pods are refused, what is told of it while there is patience, and the end without.
struct Refusal {
  const char* name;
  std::string answer;
  Json called;  ///< by the webhook 'pods.policies.example'; null without one
  std::string told;
  std::vector<std::string> hints;
};

const std::string kAgain =
    "once its cause is mended, 'kubectl --context east --namespace istio-system rollout restart "
    "deployment/istiod' has Kubernetes try again at once, and 'meshtrust apply' goes on";
const std::string kItsWebhook =
    "it is of validatingwebhookconfiguration 'policies', which calls service 'policies/judge'";

const Refusal kRefusals[] = {
    {"a-quota", kQuota, nullptr, "", {kAgain}},
    {"pod-security", kPodSecurity, nullptr, "", {kAgain}},
    {"a-webhook-that-denies",
     kDenied,
     {{"namespace", "policies"}, {"name", "judge"}},
     "; " + kItsWebhook,
     {"of the webhook: " + kItsWebhook, kAgain}},
    {"a-webhook-that-nobody-answers-for",
     kNotCalled,
     {{"namespace", "gone"}, {"name", "judge"}},
     "; it is of validatingwebhookconfiguration 'policies', which calls service 'gone/judge', "
     "which does not exist",
     {"of the webhook: it is of validatingwebhookconfiguration 'policies', which calls service "
      "'gone/judge', which does not exist",
      kAgain}},
    {"a-webhook-that-nobody-knows", kNotCalled, nullptr, "", {kAgain}},
};

TEST_F(InstallWatchTest, TellsWhatRefusesPodsInTheWordsOfTheApiServerAndOnce) {
  mesh.server.put("east", "/api/v1/namespaces/policies/services/judge", Json::object());
  patience = std::chrono::hours(1);
  for (const Refusal& one : kRefusals) {
    told.clear();
    mesh.server.forget_requests();
    mesh.server.remove("east", kWebhooks + "policies");
    if (!one.called.is_null()) put_webhook("pods.policies.example", one.called);
    refuse_pods("new", one.answer);
    EXPECT_TRUE(run([this] { return has_looked(4); }));
    EXPECT_THAT(told, ElementsAre("no pod of istiod-new is created: " + one.answer + one.told))
        << one.name;
  }
}

TEST_F(InstallWatchTest, EndsTheWaitForPodsThatAreNotCreated) {
  mesh.server.put("east", "/api/v1/namespaces/policies/services/judge", Json::object());
  for (const Refusal& one : kRefusals) {
    mesh.server.remove("east", kWebhooks + "policies");
    if (!one.called.is_null()) put_webhook("pods.policies.example", one.called);
    put_replica_set("new", 10);
    const auto ended = run({}, [&] { refuse_pods("new", one.answer); });
    ASSERT_FALSE(ended) << one.name;
    EXPECT_EQ(ended.error().code, Code::kInternal);
    EXPECT_EQ(ended.error().message,
              "in namespace istio-system no pod of istiod-new is created: " + one.answer);
    EXPECT_EQ(ended.error().hints, one.hints) << one.name;
  }
}

TEST_F(InstallWatchTest, EndsTheWaitForARefusalFromBeforeThatWasTriedAgain) {
  refuse_pods("new", kQuota);
  const auto ended = run({}, [this] { refuse_pods("new", kDenied); });
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().message,
            "in namespace istio-system no pod of istiod-new is created: " + kDenied);
}

TEST_F(InstallWatchTest, SaysThatItTellsHowARefusalBeganWhereEventsMayNotBeListed) {
  refuse_pods("new", kQuota);
  mesh.server.deny("east", "list", "events");
  EXPECT_TRUE(run([this] { return has_looked(2); }));
  EXPECT_THAT(told, ElementsAre("no pod of istiod-new is created, as it began: what stood in the "
                                "way at first"));
}

TEST_F(InstallWatchTest, EndsNothingForARefusalFromBefore) {
  refuse_pods("new", kQuota);
  EXPECT_TRUE(run([this] { return has_looked(4); }));
  EXPECT_THAT(told, ElementsAre("no pod of istiod-new is created: " + kQuota));
}

TEST_F(InstallWatchTest, EndsNothingWhereSomePodsAreThere) {
  refuse_pods("new", kQuota, 1);
  EXPECT_TRUE(run([this] { return has_looked(4); }, [this] { refuse_pods("new", kDenied, 1); }));
  ASSERT_FALSE(told.empty());
  EXPECT_THAT(told, Each(::testing::StartsWith("not every pod of istiod-new is created: ")));
}

TEST_F(InstallWatchTest, LeavesRefusalsAloneThatAreOfNoConcern) {
  refuse_pods("old", kQuota);
  EXPECT_TRUE(run([this] { return has_looked(4); }));
  EXPECT_THAT(told, IsEmpty());
}

TEST_F(InstallWatchTest, TellsRefusalsAndPodsTogether) {
  put_pod("istiod-0", of_istiod("old"), 0, "ContainerCreating");
  refuse_pods("new", kQuota);
  EXPECT_TRUE(run([this] { return has_looked(4); }));
  EXPECT_THAT(told, ElementsAre("no pod of istiod-new is created: " + kQuota +
                                "; not ready: istiod-0 (discovery: ContainerCreating)"));
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
