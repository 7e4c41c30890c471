// Waits of a mesh, on API servers in this process.

#include "run/mesh_steps.h"

#include "profiles/reference.h"
#include "tests/run/run_fixture.h"

#include <nlohmann/json.hpp>

#include <string>

namespace meshtrust::run {
namespace {

using namespace testing;
using base::Json;
using ::testing::HasSubstr;

/// A primary whose gateway's load balancer has a name, and a remote that calls it.
class NamedGateway : public ::testing::Test {
 protected:
  NamedGateway() {
    world.mesh = profiles::load_mesh("mesh.yaml",
                                     "apiVersion: meshtrust/v1\n"
                                     "kind: Mesh\n"
                                     "metadata: {name: shop}\n"
                                     "spec:\n"
                                     "  istio: {version: \"1.30.3\"}\n"
                                     "  eastWestGateway: {pinHostname: true}\n"
                                     "  clusters:\n"
                                     "  - {name: east, context: east, network: network1}\n"
                                     "  - {name: west, context: west, network: network2, "
                                     "role: remote, controlPlane: [east]}\n")
                     .value();
    world.reconnect();
    const Json ingress = Json::array({{{"hostname", "lb.example"}}});
    world.server.put("east", kNamespacePath + "/services/istio-eastwestgateway",
                     {{"spec", {{"type", "LoadBalancer"}}},
                      {"status", {{"loadBalancer", {{"ingress", ingress}}}}}});
  }

  /// One attempt at waiting for the address, where names lead to what `resolve` says.
  Outcome wait(const MeshSteps::Resolve& resolve) {
    return wait_for({.condition = std::string(mesh::kGatewayAddressKnown),
                     .namespace_name = "istio-system",
                     .revision = {},
                     .gives = profiles::gateway_address("east")},
                    resolve);
  }

  Outcome wait_for(const mesh::Await& await, const MeshSteps::Resolve& resolve = {}) {
    const mesh::Observation observation = world.observe();
    base::SystemProcesses processes;
    base::DiskFiles files;
    Istioctl istioctl({.processes = processes,
                       .files = files,
                       .program = "istioctl-that-is-not-needed",
                       .folder = world.folder / "state"});
    MeshSteps steps(world.mesh, world.world(), observation, istioctl, resolve);
    mesh::Step step;
    step.id = "east/gateway-address";
    step.cluster = "east";
    step.action = await;
    return steps.await(step, await);
  }

  MeshWorld world{{"east", "west"}};
};

TEST_F(NamedGateway, IsWaitedForUntilItsNameIsKnown) {
  const Outcome outcome = wait([](const std::string& host) -> base::Result<std::string> {
    return base::fail(base::Code::kUnavailable, "'" + host + "' has no address yet");
  });
  const auto* not_yet = std::get_if<NotYet>(&outcome);
  ASSERT_NE(not_yet, nullptr);
  EXPECT_EQ(not_yet->why, "'lb.example' has no address yet");
  ASSERT_EQ(not_yet->hints.size(), 3U);
  EXPECT_THAT(not_yet->hints[1], HasSubstr("'getent hosts lb.example'"));
}

TEST_F(NamedGateway, IsNotWaitedForByWhoMayNotSeeIt) {
  const mesh::Await nodes{.condition = std::string(mesh::kGatewayNodesKnown),
                          .namespace_name = "istio-system",
                          .revision = {},
                          .gives = {}};
  world.mesh.clusters.front().gateway.type = profiles::EastWestGateway::Type::kNodePort;
  const Outcome before = wait_for(nodes);
  const auto* not_yet = std::get_if<NotYet>(&before);
  ASSERT_NE(not_yet, nullptr);
  EXPECT_EQ(not_yet->why, "no node has an external address");
  EXPECT_EQ(not_yet->wake, std::chrono::seconds(5)) << "nodes always change";
  world.server.deny("east", "list", "nodes");
  const Outcome denied = wait_for(nodes);
  const auto* failed = std::get_if<Failed>(&denied);
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->why.code, base::Code::kPermission);
}

TEST_F(NamedGateway, IsPinnedToTheAddressOfItsName) {
  const Outcome outcome = wait(
      [](const std::string&) -> base::Result<std::string> { return std::string("192.0.2.7"); });
  const auto* done = std::get_if<Done>(&outcome);
  ASSERT_NE(done, nullptr);
  EXPECT_EQ(done->detail, "lb.example is 192.0.2.7");
}

}  // namespace
}  // namespace meshtrust::run
