// The samples from the first object to the last deletion, against API servers in this process.
#include "run/samples.h"

#include "mesh/ownership.h"
#include "tests/run/run_fixture.h"
#include "tests/support/fake_tunnel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

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
  }

  bool makes_pods = true;
  std::function<void()> on_wait;
  std::map<std::string, StepState> states;

 private:
  test::FakeApiServer& server_;
};

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

  /// Every command is answered by these pods in turn.
  void answer_from(const std::vector<std::string>& pods) {
    mesh.server.on_upgrade([pods](const auto& request, auto& stream) {
      FakeTunnel tunnel(request, stream);
      (void)stream.write(tunnel.agreement());
      for (const std::string& pod : pods) {
        tunnel.say('\1', "Hello version: v1, instance: " + pod + "\n\n");
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
    EXPECT_EQ(way.why, "1 of 20 calls");
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
  EXPECT_EQ(commands, 1U);
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
  EXPECT_EQ(made, 10U);
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
