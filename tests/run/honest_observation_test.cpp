// Whatever goes wrong with whichever read: never taken for "absent", never followed by a write.

#include "tests/run/run_fixture.h"
#include "tests/run/troubles.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>

namespace meshtrust::run {
namespace {

using namespace testing;
using test::Fault;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const Trouble kTroubles[] = {kForbidden, kUnauthorized, kInternalError, kNotServed,
                             kCutBefore, kCutAfter,     kCutInTheMiddle};

/// The paths that an observation of one cluster reads, found by making one.
std::set<std::string> paths_read() {
  const MeshWorld world({"east"});
  (void)world.observe();
  std::set<std::string> paths;
  for (const auto& request : world.server.requests()) {
    paths.insert(request.path);
  }
  return paths;
}

/// The kinds of knowledge about a cluster, as letters: found, absent, unknown.
std::string knowledge(const mesh::ClusterObservation& seen) {
  const auto letter = [](const auto& fact) {
    return fact.is_unknown() ? 'u' : fact.is_absent() ? 'a' : 'f';
  };
  return {letter(seen.server),         letter(seen.system_namespace), letter(seen.cacerts),
          letter(seen.twin),           letter(seen.istiod),           letter(seen.other_ca),
          letter(seen.workload_roots), letter(seen.trust_domain)};
}

class EveryRead : public ::testing::TestWithParam<Trouble> {
 protected:
  static void expect_honest(MeshWorld& world, const std::string& what) {
    world.reconnect();
    const std::string before = knowledge(world.observe().clusters.front());
    for (const std::string& path : paths_read()) {
      Fault fault = GetParam().fault;
      fault.cluster = "east";
      fault.path_contains = path;
      fault.times = -1;
      world.server.add_fault(fault);
      world.server.forget_requests();
      world.reconnect();
      const std::string seen = knowledge(world.observe().clusters.front());
      EXPECT_NE(seen.find('u'), std::string::npos) << what << " " << path;
      for (std::size_t i = 0; i < seen.size(); ++i) {
        EXPECT_TRUE(seen[i] == 'u' || seen[i] == before[i]) << what << " " << path << " " << seen;
      }
      EXPECT_FALSE(world.apply().has_value()) << what << " " << path;
      EXPECT_THAT(world.server.writes(), IsEmpty()) << what << " " << path;
      world.server.clear_faults();
    }
  }
};

TEST_P(EveryRead, IsUnknownNotAbsentInANewMesh) {
  MeshWorld world({"east", "west"});
  expect_honest(world, "new");
}

TEST_P(EveryRead, IsUnknownNotAbsentInAMeshThatIsDone) {
  MeshWorld world({"east", "west"});
  ASSERT_TRUE(world.apply()->succeeded());
  expect_honest(world, "done");
}

INSTANTIATE_TEST_SUITE_P(Troubles, EveryRead, ::testing::ValuesIn(kTroubles), [](const auto& one) {
  return std::string(one.param.name);
});

TEST(EveryReadThereIs, IsCovered) {
  // A read that is added turns up here by itself; one that is lost shows.
  EXPECT_EQ(paths_read(), (std::set<std::string>{
                              "/api/v1/namespaces/istio-system",
                              "/api/v1/namespaces/istio-system/configmaps/istio",
                              "/api/v1/namespaces/istio-system/configmaps/istio-ca-root-cert",
                              kTwinPath, kCacertsPath, "/api/v1/namespaces/kube-system",
                              "/apis/apps/v1/namespaces/istio-system/deployments", "/version"}));
}

TEST(Observe, SaysThatACorruptStoreIsUnknown) {
  MeshWorld world({"east"});
  ASSERT_TRUE(world.apply()->succeeded());
  test::put_file(world.folder / "shop.trust/store.db", "no database");
  EXPECT_TRUE(world.observe().store.is_unknown());
  EXPECT_TRUE(world.plan().is_refused());
}

TEST(Observe, TellsWhichServerIsAskedAndWhenEachClusterIsSeen) {
  const MeshWorld world({"east", "west"});
  std::mutex mutex;
  std::map<std::string, std::vector<std::string>> told;
  const auto tell = [&](const std::string& cluster, std::string what) {
    const std::lock_guard guard(mutex);
    told[cluster].push_back(std::move(what));
  };
  (void)observe(
      world.mesh, world.world(),
      {.begun = [&](const std::string& cluster, const std::string& what) { tell(cluster, what); },
       .ended = [&](const std::string& cluster) { tell(cluster, "ended"); },
       .seen = [&](const mesh::ClusterObservation& one) { tell(one.name, "seen"); }});
  for (const char* cluster : {"east", "west"}) {
    EXPECT_THAT(told[cluster], ElementsAre(StartsWith("https://127.0.0.1:"), "ended", "seen"));
  }
}

}  // namespace
}  // namespace meshtrust::run
