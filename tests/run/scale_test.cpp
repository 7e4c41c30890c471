// Two hundred API servers behind a slow line: all done, with a bounded number of connections.

#include "tests/run/run_fixture.h"

namespace meshtrust::run {
namespace {

using namespace testing;

constexpr std::size_t kClusters = 200;
constexpr std::size_t kWorkers = 16;

TEST(Scale, AppliesToTwoHundredClustersOverAFewConnections) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kClusters; ++i) {
    names.push_back(fmt::format("cluster-{}", i));
  }
  MeshWorld world(names, kWorkers);
  world.server.set_latency(std::chrono::milliseconds(20));
  const auto report = world.apply();
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(report->succeeded()) << report->errors().front().message;
  EXPECT_EQ(report->steps.size(), 1 + 3 * kClusters);
  for (const std::string& name : names) {
    EXPECT_TRUE(world.server.object(name, kTwinPath).has_value()) << name;
    EXPECT_LE(world.server.connections(name).most_open,
              static_cast<int>(k8s::HttpOptions().connections))
        << name;
  }
}

}  // namespace
}  // namespace meshtrust::run
