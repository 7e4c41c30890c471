// The samples from the first object to the last deletion, against API servers in this process.
#include "run/samples.h"

#include "mesh/ownership.h"
#include "tests/run/run_fixture.h"
#include "tests/support/fake_tunnel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <map>

namespace meshtrust::run {
namespace {

using namespace testing;
using base::Code;
using base::Json;
using test::FakeTunnel;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kSample = "/api/v1/namespaces/sample";

Json running_pod(const std::string& app, const std::string& name, const std::string& cluster) {
  const Json env{{{"name", "ISTIO_META_CLUSTER_ID"}, {"value", cluster}},
                 {{"name", "ISTIO_META_NETWORK"}, {"value", cluster}}};
  return {{"metadata", {{"name", name}, {"labels", {{"app", app}}}}},
          {"spec", {{"containers", {{{"name", app}}, {{"name", "istio-proxy"}, {"env", env}}}}}},
          {"status", {{"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}}};
}

/// Plays the controllers: as soon as somebody waits for the pods of a cluster, they are there.
class Controllers final : public Events {
 public:
  explicit Controllers(test::FakeApiServer& server) : server_(server) {}

  void started(const mesh::Step& /*step*/) override {}
  void waiting(const mesh::Step& step, std::string_view why) override {
    if (on_look && step.id.ends_with("/samples")) on_look(step.cluster);
    if (why != "no pods yet") return;
    if (on_wait) on_wait();
    if (!makes_pods) return;
    for (const char* app : {"curl", "helloworld"}) {
      const std::string name = std::string(app) + "-" + step.cluster;
      // What the fake keeps of a status is what a pod was put with.
      server_.put(step.cluster, kSample + "/pods/" + name, running_pod(app, name, step.cluster));
    }
  }
  void finished(const mesh::Step& step, const StepReport& report) override {
    states[step.id] = report.state;
    details[step.id] = report.detail;
  }

  bool makes_pods = true;
  std::function<void()> on_wait;
  std::function<void(const std::string& cluster)> on_look;  ///< each time something else is seen
  std::map<std::string, StepState> states;
  std::map<std::string, std::string> details;

 private:
  test::FakeApiServer& server_;
};

/// How many URLs the curl of a command is given.
std::size_t calls_in(std::string_view query) {
  std::size_t calls = 0;
  for (auto at = query.find("command=http"); at != std::string_view::npos;
       at = query.find("command=http", at + 1)) {
    ++calls;
  }
  return calls;
}

class SamplesTest : public ::testing::Test {
 protected:
  SamplesTest() : mesh({"east", "west"}), controllers(mesh.server) {
    std::signal(SIGPIPE, SIG_IGN);
    // Lists are enough here: the fake has no watches.
    for (const char* cluster : {"east", "west"}) {
      mesh.server.deny(cluster, "watch", "pods");
      mesh.server.deny(cluster, "watch", "namespaces");
    }
    answer_from({"helloworld-east", "helloworld-west"});
  }

  /// The calls of every command are answered by these pods in turn; by "" not at all.
  void answer_from(const std::vector<std::string>& pods) {
    mesh.server.on_upgrade([pods](const auto& request, auto& stream) {
      FakeTunnel tunnel(request, stream);
      (void)stream.write(tunnel.agreement());
      for (std::size_t call = 0; call < calls_in(request.query); ++call) {
        const std::string& pod = pods[call % pods.size()];
        tunnel.say('\1', pod.empty() ? "no healthy upstream\n"
                                     : "Hello version: v1, instance: " + pod + "\n\n");
      }
      tunnel.say('\3', R"({"status":"Success"})");
      tunnel.say_goodbye();
    });
  }
  /// No command can be run.
  void refuse_commands() {
    mesh.server.on_upgrade([](const auto& request, auto& stream) {
      FakeTunnel tunnel(request, stream);
      (void)stream.write(tunnel.agreement());
      tunnel.say('\3', R"({"status":"Failure","message":"no exec found"})");
      tunnel.say_goodbye();
    });
  }

  SampleRun try_them(const SampleOptions& options = {}) {
    const base::Cancellation never;
    const ClusterAccess access{.sources = {.flag = mesh.folder / "kubeconfig"},
                               .mesh_file_folder = mesh.folder.path(),
                               .home = {},
                               .client = {.pause = &pause}};
    const Clusters cleaning(mesh.mesh, access,
                            {.clock = mesh.clock,
                             .random = random,
                             .files = files,
                             .processes = processes,
                             .cancellation = never});
    return try_samples(mesh.mesh, observation, mesh.world(), cleaning, controllers, options);
  }

  void put_namespace(const std::string& cluster, Json metadata) {
    mesh.server.put(cluster, kSample, {{"metadata", std::move(metadata)}});
  }
  bool is_there(const std::string& cluster) const {
    return mesh.server.object(cluster, kSample).has_value();
  }
  std::vector<std::string> deletions(const std::string& cluster) const {
    std::vector<std::string> paths;
    for (const auto& request : mesh.server.writes(cluster)) {
      if (request.method == "DELETE") paths.push_back(request.path);
    }
    return paths;
  }

  MeshWorld mesh;
  mesh::Observation observation;  ///< by which it is told whose a namespace is
  Controllers controllers;
  NoPause pause;
  base::SystemRandom random;
  base::SystemProcesses processes;
  base::DiskFiles files;
};

TEST_F(SamplesTest, ProveTrafficFromEveryClusterAndLeaveNothing) {
  const SampleRun run = try_them();
  EXPECT_THAT(run.errors, IsEmpty());
  EXPECT_THAT(run.left, IsEmpty());
  const mesh::SampleVerdict verdict = judge_samples(mesh.mesh, run.sites);
  EXPECT_THAT(verdict.findings, IsEmpty());
  ASSERT_THAT(verdict.ways, SizeIs(4));
  for (const mesh::SampleWay& way : verdict.ways) {
    EXPECT_EQ(name_of(way.state), "yes") << way.from << " to " << way.to << ": " << way.why;
    EXPECT_EQ(way.why, "20 of 40 calls");
  }
  for (const char* cluster : {"east", "west"}) {
    EXPECT_FALSE(is_there(cluster));
    EXPECT_THAT(deletions(cluster), ElementsAre(kSample));
  }
}

TEST_F(SamplesTest, CallByNameOverAConnectionEach) {
  (void)try_them();
  std::size_t commands = 0;
  for (const auto& request : mesh.server.requests("west")) {
    if (!request.path.ends_with("/exec")) continue;
    ++commands;
    EXPECT_EQ(request.path, kSample + "/pods/curl-west/exec");
    EXPECT_THAT(request.query, HasSubstr("&command=Connection%3A%20close&"));
    EXPECT_THAT(request.query,
                HasSubstr("&command=http%3A%2F%2Fhelloworld.sample%3A5000%2Fhello&"));
  }
  EXPECT_EQ(commands, 2U);  // one in which every pod answers, and one to see whether calls get lost
}

TEST_F(SamplesTest, FindCallsThatGetLostThoughEveryPodAnswers) {
  answer_from({"helloworld-east", "helloworld-west", "", "helloworld-east", "helloworld-west"});
  const mesh::SampleVerdict verdict = judge_samples(mesh.mesh, try_them().sites);
  ASSERT_THAT(verdict.findings, SizeIs(2));
  EXPECT_EQ(verdict.findings.front().code, "sample-calls-lost");
  EXPECT_EQ(verdict.findings.front().severity, mesh::Severity::kWarning);
  EXPECT_THAT(verdict.findings.front().evidence,
              ElementsAre("12 of 60 calls lost, with retries off; last seen: no healthy upstream"));
  for (const mesh::SampleWay& way : verdict.ways) {
    EXPECT_EQ(name_of(way.state), "yes");
  }
}

TEST_F(SamplesTest, TurnOffTheRetriesOfSidecars) {
  (void)try_them();
  for (const auto& request : mesh.server.writes("west")) {
    if (request.path.find("/virtualservices/") == std::string::npos) continue;
    EXPECT_EQ(Json::parse(request.body)["spec"]["http"][0]["retries"]["attempts"], 0);
    return;
  }
  ADD_FAILURE() << "no VirtualService was made";
}

TEST_F(SamplesTest, BeginNothingWhereTheNamespaceIsSomebodyElses) {
  // Ours by every mark but the one that says what for: the system namespace may look like this.
  put_namespace("west", {{"annotations", {{"meshtrust.io/created-by", "meshtrust"}}},
                         {"labels", {{"meshtrust.io/mesh", "shop"}}}});
  const SampleRun run = try_them();
  ASSERT_THAT(run.errors, SizeIs(1));
  EXPECT_EQ(run.errors.front().code, Code::kRefused);
  EXPECT_EQ(run.errors.front().message,
            "west: namespace 'sample' is there already and was not made for samples");
  EXPECT_THAT(run.sites, IsEmpty());
  EXPECT_THAT(mesh.server.writes(), IsEmpty());
}

TEST_F(SamplesTest, BeginNothingWhereTheNamespaceIsAnotherMeshs) {
  put_namespace("east",
                {{"annotations", {{"meshtrust.io/created-by", "meshtrust"}}},
                 {"labels", {{"meshtrust.io/mesh", "bank"}, {"meshtrust.io/purpose", "samples"}}}});
  const SampleRun run = try_them();
  ASSERT_THAT(run.errors, SizeIs(1));
  EXPECT_EQ(run.errors.front().message,
            "east: namespace 'sample' is there already and holds the samples of mesh 'bank'");
  EXPECT_THAT(mesh.server.writes(), IsEmpty());
}

TEST_F(SamplesTest, BeginNothingWhereTheNamespaceIsOfAMeshOfTheSameNameAndAnotherRoot) {
  ASSERT_TRUE(mesh.apply()->succeeded());
  observation = mesh.observe();
  mesh.server.forget_requests();
  put_namespace("east", {{"annotations", {{"meshtrust.io/created-by", "meshtrust"}}},
                         {"labels",
                          {{"meshtrust.io/mesh", "shop"},
                           {"meshtrust.io/root", "0123456789abcdef0123456789abcdef01234567"},
                           {"meshtrust.io/purpose", "samples"}}}});
  const SampleRun run = try_them();
  ASSERT_THAT(run.errors, SizeIs(1));
  EXPECT_EQ(run.errors.front().message,
            "east: namespace 'sample' is there already and holds the samples of mesh 'shop' of the "
            "root 0123 4567 89ab cdef ...");
  EXPECT_THAT(mesh.server.writes(), IsEmpty());
}

TEST_F(SamplesTest, BearTheRootOfTheirMesh) {
  ASSERT_TRUE(mesh.apply()->succeeded());
  observation = mesh.observe();
  mesh.server.forget_requests();
  EXPECT_THAT(try_them().errors, IsEmpty());
  const std::string label =
      "\"meshtrust.io/root\":\"" + *mesh::OwnerJudge(mesh.mesh, observation).root() + "\"";
  std::size_t made = 0;
  for (const auto& request : mesh.server.writes()) {
    if (request.method != "POST" && request.method != "PATCH") continue;
    if (request.body.find("meshtrust.io/mesh") == std::string::npos) continue;
    EXPECT_THAT(request.body, HasSubstr(label)) << request.path;
    ++made;
  }
  EXPECT_EQ(made, 12U);
}

TEST_F(SamplesTest, BeginNothingWhereARightIsMissing) {
  mesh.server.deny("west", "create", "deployments");
  const SampleRun run = try_them();
  ASSERT_THAT(run.errors, SizeIs(1));
  EXPECT_EQ(run.errors.front().code, Code::kPermission);
  EXPECT_EQ(run.errors.front().message,
            "west: not permitted to create deployments in namespace 'sample'");
  EXPECT_THAT(mesh.server.writes(), IsEmpty());
}

TEST_F(SamplesTest, TakeAwayWhatAKilledRunLeft) {
  put_namespace("east",
                {{"annotations", {{"meshtrust.io/created-by", "meshtrust"}}},
                 {"labels", {{"meshtrust.io/mesh", "shop"}, {"meshtrust.io/purpose", "samples"}}}});
  const SampleRun run = try_them();
  EXPECT_THAT(run.errors, IsEmpty());
  EXPECT_THAT(deletions("east"), ElementsAre(kSample, kSample));
  EXPECT_FALSE(is_there("east"));
}

TEST_F(SamplesTest, SayWhereNothingCanBeCalled) {
  refuse_commands();
  const SampleRun run = try_them();
  EXPECT_THAT(run.errors, IsEmpty());
  const mesh::SampleVerdict verdict = judge_samples(mesh.mesh, run.sites);
  ASSERT_THAT(verdict.findings, SizeIs(2));
  EXPECT_EQ(verdict.findings.front().code, "sample-not-proved");
  EXPECT_EQ(verdict.findings.front().severity, mesh::Severity::kNote);
  EXPECT_THAT(verdict.findings.front().evidence,
              ElementsAre("'curl' in pod 'sample/curl-east': it could not be run: no exec found"));
  EXPECT_FALSE(is_there("east"));
}

TEST_F(SamplesTest, GiveUpOnAClusterThatNeverAnswers) {
  answer_from({"helloworld-east"});
  const SampleRun run = try_them();
  const mesh::SampleVerdict verdict = judge_samples(mesh.mesh, run.sites);
  ASSERT_THAT(verdict.findings, SizeIs(2));
  EXPECT_EQ(verdict.findings.front().code, "sample-no-answer");
  EXPECT_EQ(verdict.findings.front().severity, mesh::Severity::kCritical);
  EXPECT_THAT(verdict.findings.front().evidence, ElementsAre("west answered none of 600 calls"));
}

/// A pod of the client whose container waits for its image.
Json pod_without_image(const std::string& cluster, const char* reason) {
  Json pod = running_pod("curl", "curl-" + cluster, cluster);
  pod["status"] = {{"containerStatuses",
                    {{{"name", "curl"},
                      {"image", "mirror.example.com/curl:8.16.0"},
                      {"state", {{"waiting", {{"reason", reason}}}}}}}}};
  return pod;
}

TEST_F(SamplesTest, WaitForNoImageThatTwoAttemptsDidNotBring) {
  controllers.makes_pods = false;
  int looks = 0;
  controllers.on_look = [&](const std::string& cluster) {
    constexpr std::array<const char*, 4> kReasons{"ErrImagePull", "ImagePullBackOff",
                                                  "ErrImagePull", "ImagePullBackOff"};
    mesh.server.put(cluster, kSample + "/pods/curl-" + cluster,
                    pod_without_image(cluster, kReasons.at(std::min(looks++, 3))));
  };
  const auto begun = mesh.clock.steady();
  const SampleRun run = try_them({.clusters = {"east"}});
  EXPECT_LT(mesh.clock.steady() - begun, std::chrono::minutes(1));
  EXPECT_EQ(controllers.details["east/samples"],
            "0 pods ready; image 'mirror.example.com/curl:8.16.0' cannot be pulled");
  const mesh::SampleVerdict verdict = judge_samples(mesh.mesh, run.sites);
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_THAT(verdict.findings.front().evidence,
              ElementsAre("pod curl-east of east is not ready: curl: ImagePullBackOff for image "
                          "'mirror.example.com/curl:8.16.0'"));
  EXPECT_THAT(verdict.findings.front().hints,
              ElementsAre("spec.samples.hub in the mesh file names a registry that these clusters "
                          "reach, spec.samples.images single images"));
  EXPECT_FALSE(is_there("east"));
}

TEST_F(SamplesTest, AreTakenAwayAfterCtrlC) {
  controllers.on_wait = [this] { mesh.cancellation.cancel(); };
  const SampleRun run = try_them();
  ASSERT_THAT(run.errors, SizeIs(1));
  EXPECT_EQ(run.errors.front().code, Code::kCancelled);
  EXPECT_THAT(run.left, IsEmpty());
  EXPECT_FALSE(is_there("east"));
  EXPECT_FALSE(is_there("west"));
}

TEST_F(SamplesTest, AreTakenAwayWhenPodsDoNotComeInTime) {
  controllers.makes_pods = false;
  controllers.on_wait = [this] { mesh.clock.jump_by(std::chrono::milliseconds(100)); };
  const SampleRun run = try_them({.at_most = std::chrono::seconds(10)});
  EXPECT_THAT(run.left, IsEmpty());
  EXPECT_FALSE(is_there("east"));
  EXPECT_FALSE(is_there("west"));
  const mesh::SampleVerdict verdict = judge_samples(mesh.mesh, run.sites);
  for (const mesh::SampleWay& way : verdict.ways) {
    EXPECT_EQ(name_of(way.state), "not proved");
  }
}

TEST_F(SamplesTest, SayWhatIsLeft) {
  mesh.server.add_fault(
      {.kind = test::Fault::Kind::kAnswer,
       .cluster = "west",
       .method = "DELETE",
       .times = -1,
       .reply = test::failure_reply(409, "Conflict", "the namespace is looked after")});
  const SampleRun run = try_them();
  ASSERT_THAT(run.left, SizeIs(1));
  EXPECT_EQ(run.left.front().code, Code::kPartial);
  EXPECT_THAT(run.left.front().message,
              HasSubstr("west: namespace 'sample' of the samples is left: "));
  EXPECT_THAT(run.left.front().hints,
              ElementsAre("the next 'meshtrust verify --samples' takes it away, or 'kubectl "
                          "--context west delete namespace sample'"));
  EXPECT_FALSE(is_there("east"));
  EXPECT_EQ(controllers.states["west/clean-up"], StepState::kFailed);
}

}  // namespace
}  // namespace meshtrust::run
