// What istiods are asked while they take up rights, and how one is restarted, on API servers in
// this process.

#include "mesh/installed.h"
#include "run/mesh_steps.h"
#include "tests/run/run_fixture.h"
#include "tests/support/fake_tunnel.h"

#include <nlohmann/json.hpp>

#include <csignal>
#include <string>

namespace meshtrust::run {
namespace {

using namespace testing;
using base::Json;
using test::FakeTunnel;

const std::string kIstiodPath = "/apis/apps/v1/namespaces/istio-system/deployments/istiod";

class IstiodTest : public ::testing::Test {
 protected:
  IstiodTest() {
    std::signal(SIGPIPE, SIG_IGN);
    world.server.put("east", kNamespacePath + "/pods/istiod-1",
                     {{"metadata", {{"labels", {{"app", "istiod"}, {"istio.io/rev", "default"}}}}},
                      {"status", {{"phase", "Running"}}}});
    metrics_are("");
  }

  /// What every istiod answers to whatever it is asked.
  void metrics_are(const std::string& text) {
    world.server.on_upgrade([text](const auto& request, auto& stream) {
      FakeTunnel tunnel(request, stream);
      tunnel.begin();
      (void)tunnel.next_data();
      tunnel.say('\0',
                 fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", text.size(), text));
      tunnel.say_goodbye();
    });
  }

  MeshSteps& steps() {
    if (!steps_) {
      observation_ = world.observe();
      steps_ = std::make_unique<MeshSteps>(world.mesh, world.world(), observation_, istioctl_);
    }
    return *steps_;
  }

  /// One attempt: "done: ..." or "not yet: ...".
  std::string wait() {
    const mesh::AwaitTakeUp wanted{.source = "west", .namespace_name = "istio-system"};
    return text_of(steps().await_take_up(step("east/reads-west"), wanted));
  }

  static std::string text_of(const Outcome& outcome) {
    if (const auto* done = std::get_if<Done>(&outcome)) return "done: " + done->detail;
    if (const auto* not_yet = std::get_if<NotYet>(&outcome)) return "not yet: " + not_yet->why;
    return "failed";
  }

  MeshWorld world{{"east", "west"}};

 private:
  base::SystemProcesses processes_;
  base::DiskFiles files_;
  Istioctl istioctl_{{.processes = processes_,
                      .files = files_,
                      .program = "istioctl-that-is-not-needed",
                      .folder = world.folder / "state"}};
  mesh::Observation observation_;
  std::unique_ptr<MeshSteps> steps_;
};

TEST_F(IstiodTest, IsAskedWhatThatClusterAloneHasRefused) {
  metrics_are(
      "# TYPE controller_sync_errors_total counter\n"
      "controller_sync_errors_total{cluster=\"west\"} 23\n"
      "controller_sync_errors_total{cluster=\"north-west\"} 5\n"
      "controller_sync_errors_total_of_others{cluster=\"west\"} 7\n"
      "istiod_managed_clusters{cluster_type=\"remote\"} 1\n");
  EXPECT_EQ(wait(), "not yet: west has refused istiod-1 23 times; each asks again within 65 s");
}

TEST_F(IstiodTest, ThatWasRefusedNothingIsNotWaitedFor) {
  metrics_are("controller_sync_errors_total{cluster=\"north\"} 5\n");
  EXPECT_EQ(wait(), "done: west has refused nothing to 1 istiod");
}

TEST_F(IstiodTest, IsWaitedForByARunThatRemembersWhatItSaid) {
  metrics_are("controller_sync_errors_total{cluster=\"west\"} 2\n");
  EXPECT_EQ(wait(), "not yet: west has refused istiod-1 2 times; each asks again within 65 s");
  world.clock.jump_by(mesh::kAsksAgainWithin);
  (void)world.clock.steady();
  world.clock.jump_by(std::chrono::seconds(0));
  EXPECT_EQ(wait(),
            "done: west has refused nothing more to 1 istiod for 65 s, within which each asks "
            "again");
}

TEST_F(IstiodTest, ThatDoesNotAnswerIsSaidToBeUnseen) {
  world.server.on_upgrade([](const auto& request, auto& stream) {
    FakeTunnel tunnel(request, stream);
    tunnel.begin();
    tunnel.say_goodbye();
  });
  EXPECT_THAT(wait(),
              ::testing::StartsWith("not yet: what its istiods were refused was not seen "));
}

TEST_F(IstiodTest, IsRestartedAsKubectlDoesIt) {
  world.server.put("east", kIstiodPath,
                   {{"spec", {{"template", {{"metadata", {{"labels", {{"app", "istiod"}}}}}}}}}});
  const mesh::RestartIstiod wanted{.namespace_name = "istio-system", .deployment = "istiod"};
  EXPECT_EQ(text_of(steps().restart(step("east/restart"), wanted)), "done: restarting");
  const Json metadata =
      world.server.object("east", kIstiodPath)->at("spec").at("template").at("metadata");
  EXPECT_EQ(metadata.at("annotations"), Json({{mesh::kRestartAnnotation, "2026-11-21T10:00:00Z"}}));
  EXPECT_EQ(metadata.at("labels"), Json({{"app", "istiod"}}));
}

}  // namespace
}  // namespace meshtrust::run
