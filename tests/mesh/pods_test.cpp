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
