#include "mesh/pods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace meshtrust::mesh {
namespace {

using base::Json;

/// A pod with one container, in the state that is given as JSON.
Json pod(const std::string& status_of_container, const std::string& uid = "1") {
  Json status = Json::parse(status_of_container);
  status["name"] = "discovery";
  status["image"] = "mirror.example.com/pilot:1.30.3";
  return {{"metadata", {{"name", "istiod-1"}, {"uid", uid}}},
          {"status", {{"phase", "Pending"}, {"containerStatuses", Json::array({status})}}}};
}

Json waiting(const std::string& reason, int restarts = 0, const std::string& uid = "1") {
  return pod(R"({"restartCount": )" + std::to_string(restarts) +
                 R"(, "state": {"waiting": {"reason": ")" + reason + R"("}}})",
             uid);
}

Json running(int restarts, const std::string& uid = "1") {
  return pod(R"({"restartCount": )" + std::to_string(restarts) + R"(, "state": {"running": {}}})",
             uid);
}

Json ready(Json pod) {
  pod["status"]["conditions"] = Json::parse(R"([{"type": "Ready", "status": "True"}])");
  return pod;
}

std::string exhausted_by(const std::vector<Json>& looks) {
  PodPatience patience;
  for (const Json& look : looks) {
    patience.see(look);
  }
  return patience.exhausted_by() ? describe(*patience.exhausted_by()) : "";
}

TEST(PodTrouble, IsWhatTheFirstContainerSaysThatDoesNotGoOn) {
  Json both = waiting("CrashLoopBackOff", 2);
  both["status"]["initContainerStatuses"] = Json::parse(
      R"([{"name": "istio-init", "state": {"terminated": {"reason": "Completed"}}},
          {"name": "istio-proxy", "state": {"waiting": {"reason": "PodInitializing"}}}])");
  EXPECT_EQ(why_not_ready(both), "discovery: CrashLoopBackOff, restarted 2 times");
  both["status"]["initContainerStatuses"][0]["state"]["terminated"]["reason"] = "Error";
  EXPECT_EQ(why_not_ready(both), "istio-init: Error");
}

TEST(PodTrouble, NamesTheImageThatIsNotToBeHad) {
  EXPECT_EQ(why_not_ready(waiting("ErrImagePull")),
            "discovery: ErrImagePull for image 'mirror.example.com/pilot:1.30.3'");
  EXPECT_EQ(why_not_ready(waiting("ContainerCreating")), "discovery: ContainerCreating");
}

TEST(PodTrouble, IsNoneWhereNothingIsSaid) {
  EXPECT_EQ(trouble_of(running(0)), std::nullopt);
  EXPECT_EQ(trouble_of(Json::object()), std::nullopt);
  EXPECT_EQ(trouble_of(Json::parse(R"({"status": {"containerStatuses": "none"}})")), std::nullopt);
  EXPECT_EQ(why_not_ready(running(0)), "Pending");
}

TEST(RestartedIn, IsAContainerOfAPodThatIsNotReadyWhetherItRunsOrNot) {
  EXPECT_EQ(restarted_in(waiting("ContainerCreating")), std::nullopt);
  EXPECT_EQ(restarted_in(ready(running(2))), std::nullopt);
  EXPECT_EQ(describe(restarted_in(waiting("CrashLoopBackOff", 2)).value()),
            "discovery: CrashLoopBackOff, restarted 2 times");
  EXPECT_EQ(describe(restarted_in(running(1)).value()),
            "discovery: running again, restarted 1 time");
}

/// A ReplicaSet that wants pods, and what is said of it; nothing for "".
struct RefusalCase {
  const char* replica_set;
  const char* said;
};

const RefusalCase kRefusals[] = {
    {R"({"spec": {"replicas": 1}})", ""},
    {R"({"spec": {"replicas": 1}, "status": {"conditions":
         [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
           "message": "exceeded\nquota"}]}})",
     "no pod of istiod-5f7 is created, as it began: exceeded quota"},
    {R"({"status": {"replicas": 0, "conditions":
         [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
           "message": "denied"}]}})",
     "no pod of istiod-5f7 is created, as it began: denied"},
    {R"({"spec": {"replicas": 2}, "status": {"replicas": 1, "conditions":
         [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
           "message": "denied"}]}})",
     "not every pod of istiod-5f7 is created, as it began: denied"},
    {R"({"spec": {"replicas": 0}, "status": {"conditions":
         [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}]}})",
     ""},
    {R"({"spec": {"replicas": 1}, "status": {"conditions":
         [{"type": "ReplicaFailure", "status": "False", "reason": "FailedCreate"}]}})",
     ""},
    {R"({"spec": {"replicas": 1}, "status": {"conditions":
         [{"type": "ReplicaFailure", "status": "True", "reason": "FailedDelete"}]}})",
     ""},
};

TEST(PodRefusal, IsWhatAReplicaSetSaysThatMayNotMakeItsPods) {
  for (const RefusalCase& one : kRefusals) {
    Json set = Json::parse(one.replica_set);
    set["metadata"] = {{"name", "istiod-5f7"}, {"uid", "7"}};
    const auto refusal = refusal_of(set);
    EXPECT_EQ(refusal ? describe(*refusal) : "", one.said) << one.replica_set;
  }
}

Json failed_attempt(const std::string& when, const std::string& message, const char* uid = "7") {
  return {{"metadata", {{"name", "istiod-5f7.18"}}},
          {"involvedObject", {{"kind", "ReplicaSet"}, {"uid", uid}}},
          {"reason", "FailedCreate"},
          {"message", message},
          {"lastTimestamp", when},
          {"count", 4}};
}

TEST(PodRefusal, IsToldInTheWordsOfTheNewestAttemptAndNotOfTheFirst) {
  const Json set = Json::parse(
      R"({"metadata": {"name": "istiod-5f7", "uid": "7"}, "spec": {"replicas": 1},
          "status": {"conditions": [{"type": "ReplicaFailure", "status": "True",
                                     "reason": "FailedCreate", "message": "at first"}]}})");
  const std::vector<Json> events{
      failed_attempt("2026-11-21T10:00:02Z",
                     "(combined from similar events): Error creating: pods \"istiod-5f7-blw89\" is "
                     "forbidden: exceeded quota"),
      failed_attempt("2026-11-21T10:00:01Z", "Error creating: no such service account"),
      failed_attempt("2026-11-21T10:00:09Z", "Error creating: of another", "8")};
  const auto refusal = refusal_of(set, events);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(describe(*refusal),
            "no pod of istiod-5f7 is created: pods \"istiod-5f7-*\" is forbidden: exceeded quota");
  EXPECT_EQ(refusal->attempt, "istiod-5f7.18 2026-11-21T10:00:02Z 4");
  EXPECT_EQ(describe(refusal_of(set, {events[2]}).value()),
            "no pod of istiod-5f7 is created, as it began: at first");
}

TEST(PodPatience, EndsWithTheThirdRestart) {
  EXPECT_EQ(exhausted_by({waiting("CrashLoopBackOff", 1), running(2)}), "");
  EXPECT_EQ(exhausted_by({waiting("CrashLoopBackOff", 1), waiting("CrashLoopBackOff", 3)}),
            "discovery: CrashLoopBackOff, restarted 3 times");
  EXPECT_EQ(exhausted_by({running(0), running(3)}), "discovery: running again, restarted 3 times");
}

TEST(PodPatience, DoesNotCountRestartsOfAPodThatIsReady) {
  EXPECT_EQ(exhausted_by({running(0), ready(running(5))}), "");
}

TEST(PodPatience, DoesNotAddUpTheRestartsOfDifferentPods) {
  EXPECT_EQ(exhausted_by({running(0, "1"), running(2, "1"), running(0, "2"), running(2, "2")}), "");
}

TEST(PodPatience, EndsWhenTwoAttemptsDidNotBringAnImage) {
  const std::string told =
      "discovery: ImagePullBackOff for image 'mirror.example.com/pilot:1.30.3'";
  EXPECT_EQ(exhausted_by({waiting("ErrImagePull"), waiting("ImagePullBackOff"),
                          waiting("ImagePullBackOff"), waiting("ErrImagePull")}),
            "");
  EXPECT_EQ(exhausted_by({waiting("ImagePullBackOff"), waiting("ErrImagePull"),
                          waiting("ImagePullBackOff")}),
            told);
}

TEST(PodPatience, EndsAtOnceWhereAnImageIsNotAskedForAgain) {
  EXPECT_EQ(exhausted_by({waiting("InvalidImageName")}),
            "discovery: InvalidImageName for image 'mirror.example.com/pilot:1.30.3'");
}

}  // namespace
}  // namespace meshtrust::mesh
