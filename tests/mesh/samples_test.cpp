#include "mesh/samples.h"

#include "profiles/load.h"
#include "tests/mesh/trust_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace meshtrust::mesh {
namespace {

using base::Json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::shop;
using ::testing::SizeIs;

/// A pod that runs, with the proxy in `list` ("containers" or "initContainers").
Json pod(const std::string& list, Json proxy) {
  Json made = Json::parse(R"({"metadata": {"name": "curl-1", "labels": {"app": "curl"}},
                              "spec": {"containers": [{"name": "curl"}], "initContainers": []},
                              "status": {"conditions": [{"type": "Ready", "status": "True"}]}})");
  proxy["name"] = "istio-proxy";
  proxy["env"] = Json::parse(R"([{"name": "ISTIO_META_CLUSTER_ID", "value": "east"},
                                 {"name": "ISTIO_META_NETWORK", "value": "east"}])");
  made["spec"][list].push_back(std::move(proxy));
  return made;
}

SampleSite site(const std::string& cluster) {
  SampleSite made{.cluster = cluster};
  for (const std::string_view app : {kSampleServer, kSampleClient}) {
    made.pods.push_back(
        {.name = std::string(app) + "-" + cluster,
         .app = std::string(app),
         .is_ready = true,
         .sidecar = SamplePod::Sidecar{
             .cluster_id = cluster, .network = cluster, .is_running = true, .is_ready = true}});
  }
  made.calls = {.made = 20, .answers = {{"helloworld-east", 11}, {"helloworld-west", 9}}};
  return made;
}

/// Codes with their evidence: "sample-misplaced east: ...".
std::vector<std::string> found(const profiles::Mesh& mesh, const std::vector<SampleSite>& sites) {
  std::vector<std::string> lines;
  for (const Finding& finding : judge_samples(mesh, sites).findings) {
    for (const std::string& fact : finding.evidence) {
      lines.push_back(finding.code + " " + finding.cluster + ": " + fact);
    }
  }
  return lines;
}

TEST(SamplePods, HaveTheirSidecarAmongTheContainers) {
  const auto read = sample_pod(pod("containers", {}));
  ASSERT_TRUE(read && read->sidecar);
  EXPECT_TRUE(read->is_ready);
  EXPECT_EQ(read->sidecar->cluster_id, "east");
  EXPECT_EQ(read->sidecar->network, "east");
}

TEST(SamplePods, HaveTheirSidecarAmongWhatStartsBeforeAndGoesOn) {
  const auto native = sample_pod(pod("initContainers", {{"restartPolicy", "Always"}}));
  EXPECT_TRUE(native && native->sidecar);
  const auto once = sample_pod(pod("initContainers", Json::object()));
  EXPECT_TRUE(once && !once->sidecar);
}

TEST(SamplePods, DoNotCountWhenTheyAreBeingDeleted) {
  Json going = pod("containers", {});
  going["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z";
  EXPECT_FALSE(sample_pod(going));
}

TEST(SamplePods, SayWhyTheyAreNotReady) {
  Json waiting = pod("containers", {});
  waiting["status"] = Json::parse(
      R"({"phase": "Pending", "containerStatuses": [
            {"name": "istio-proxy", "ready": false, "state": {"running": {"startedAt": "x"}}},
            {"name": "curl", "image": "docker.io/curlimages/curl:8.16.0",
             "state": {"waiting": {"reason": "ImagePullBackOff"}}}]})");
  const auto read = sample_pod(waiting);
  ASSERT_TRUE(read && read->sidecar);
  EXPECT_EQ(read->state, "curl: ImagePullBackOff for image 'docker.io/curlimages/curl:8.16.0'");
  EXPECT_EQ(read->unpulled, "docker.io/curlimages/curl:8.16.0");
  EXPECT_TRUE(read->sidecar->is_running);
  EXPECT_FALSE(read->sidecar->is_ready);

  waiting["status"] = Json::parse(
      R"({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
          "message": "0/3 nodes are available"}]})");
  EXPECT_EQ(sample_pod(waiting)->state, "0/3 nodes are available");
}

TEST(Samples, ProveEveryWay) {
  const auto mesh = shop({"east", "west"});
  const std::vector sites{site("east"), site("west")};
  EXPECT_THAT(found(mesh, sites), IsEmpty());
  EXPECT_THAT(judge_samples(mesh, sites).ways, SizeIs(4));
}

TEST(Samples, ExpectNoMoreThanWhatIstiodsRead) {
  const auto mesh = profiles::load_mesh("mesh.yaml", R"(
apiVersion: meshtrust/v1
kind: Mesh
metadata: {name: shop}
spec:
  discovery: none
  clusters:
  - {name: east, network: east}
  - {name: west, network: west}
  - {name: far, network: far, role: remote, controlPlane: [west]}
)");
  ASSERT_TRUE(mesh);
  EXPECT_THAT(reachable_from(*mesh, *mesh->find("east")), ElementsAre("east"));
  EXPECT_THAT(reachable_from(*mesh, *mesh->find("west")), ElementsAre("west", "far"));
  EXPECT_THAT(reachable_from(*mesh, *mesh->find("far")), ElementsAre("west", "far"));
}

TEST(Samples, AreConfiguredWhereTheirIstiodsReadIt) {
  const auto mesh = profiles::load_mesh("mesh.yaml", R"(
apiVersion: meshtrust/v1
kind: Mesh
metadata: {name: shop}
spec:
  clusters:
  - {name: hub, network: hub, role: external}
  - {name: east, network: east, role: config, controlPlane: [hub]}
  - {name: west, network: east, role: remote, controlPlane: [hub]}
)");
  ASSERT_TRUE(mesh);
  EXPECT_THAT(configured_by(*mesh, *mesh->find("east")), ElementsAre("east"));
  EXPECT_THAT(configured_by(*mesh, *mesh->find("west")), ElementsAre("east"));
  const auto two = shop({"east", "west"});
  EXPECT_THAT(configured_by(two, *two.find("west")), ElementsAre("west"));
}

TEST(Samples, FindCallsThatGetLostWhereEveryPodAnswers) {
  const auto mesh = shop({"east", "west"});
  std::vector sites{site("east"), site("west")};
  sites[0].calls.settled = 60;
  sites[0].calls.lost = 4;
  sites[0].calls.other = "HTTP 503";
  EXPECT_THAT(found(mesh, sites),
              ElementsAre("sample-calls-lost east: 4 of 60 calls lost, with retries off; last "
                          "seen: HTTP 503"));
}

TEST(Samples, NameWhoNeverAnswered) {
  const auto mesh = shop({"east", "west"});
  std::vector sites{site("east"), site("west")};
  sites[0].calls = {.made = 600, .answers = {{"helloworld-east", 600}}, .other = "HTTP 503"};
  EXPECT_THAT(found(mesh, sites),
              ElementsAre("sample-no-answer east: west answered none of 600 calls; last seen: "
                          "HTTP 503"));
}

TEST(Samples, DoNotBlameTheMeshForPodsThatCannotRun) {
  const auto mesh = shop({"east", "west"});
  std::vector sites{site("east"), site("west")};
  for (SamplePod& pod : sites[1].pods) {
    pod.is_ready = false;
    pod.state = pod.app + ": ImagePullBackOff";
  }
  sites[0].calls.answers.erase("helloworld-west");
  sites[1].calls = {};
  const SampleVerdict verdict = judge_samples(mesh, sites);
  EXPECT_FALSE(has_severity(verdict.findings, Severity::kCritical));
  EXPECT_THAT(found(mesh, sites),
              ElementsAre("sample-not-proved east: pod helloworld-west of west is not ready: "
                          "helloworld: ImagePullBackOff",
                          "sample-not-proved west: pod curl-west of west is not ready: curl: "
                          "ImagePullBackOff"));
}

TEST(Samples, FindPodsThatDidNotJoin) {
  const auto mesh = shop({"east", "west"});
  std::vector sites{site("east"), site("west")};
  sites[0].pods[0].sidecar.reset();
  sites[0].pods[1].sidecar->cluster_id = "west";
  sites[1].pods[0].sidecar->network = "east";
  sites[1].pods[1].sidecar->is_ready = false;
  EXPECT_THAT(
      found(mesh, sites),
      ElementsAre("sample-not-injected east: pod helloworld-east has no container istio-proxy",
                  "sample-misplaced east: pod curl-east believes to be in cluster 'west', not in "
                  "'east'",
                  "sample-misplaced west: pod helloworld-west believes to be on network 'east', "
                  "not on 'west'",
                  "sample-proxy-not-ready west: the proxy of pod curl-west runs and is not ready"));
}

TEST(Samples, TellWhyThereAreNoPods) {
  const auto mesh = shop({"east"});
  SampleSite none{.cluster = "east", .no_pods = "failed calling webhook"};
  EXPECT_THAT(found(mesh, {none}),
              ElementsAre("sample-not-created east: failed calling webhook",
                          "sample-not-proved east: east has no pod of curl: failed calling "
                          "webhook"));
}

}  // namespace
}  // namespace meshtrust::mesh
