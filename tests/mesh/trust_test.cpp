// Who accepts whom where the CA of one side, or of both, is not for this program to see.

#include "mesh/trust.h"

#include "mesh/ownership.h"
#include "tests/mesh/trust_builder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

namespace meshtrust::mesh {
namespace {

using namespace testing;

/// What the istiods of east and west publish, where a driver mounts their CA; nothing where it is
/// in `cacerts`, below the root of the mesh.
struct PairCase {
  const char* name;
  std::vector<std::string> east = {};
  std::vector<std::string> west = {};
  const char* from_east = nullptr;  ///< how west takes a workload of east
  const char* from_west = nullptr;
  const char* at = "2026-11-21T10:00:00Z";
};

std::ostream& operator<<(std::ostream& out, const PairCase& one) {
  return out << one.name;
}

constexpr const char* kRoot =
    "by published roots alone: 'O=Shop,CN=Shop Mesh Root' (sha256 d034 68fa 6678 6b12 ...)";
constexpr const char* kOver =
    "refused: by published roots alone: 'O=Shop,CN=Shop Mesh Root' (sha256 "
    "d034 68fa 6678 6b12 ...) is not valid at this time";
constexpr const char* kMixed =
    "unknown: west: below which of its roots it signs is not seen, and east does not trust all of "
    "them";

constexpr const char* kNothing =
    "unknown: west: its istiod reads its CA from csi volume 'cacerts' (driver "
    "'secrets-store.csi.k8s.io') of deployment 'istiod', mounted at /etc/cacerts, which is not "
    "seen from here; of the roots that it publishes: there are none";

const PairCase kCases[] = {
    {"one-side-unseen", {}, {"root"}, "accepted by 5", kRoot},
    {"both-unseen", {"root"}, {"root"}, kRoot, kRoot},
    {"another-root",
     {},
     {"other-root"},
     "refused by 5",
     "refused: by published roots alone: 'O=Shop,CN=Other Root' (sha256 a0f5 6be6 aeab 0b86 "
     "...) is not trusted there"},
    {"two-roots-of-which-one-is-trusted", {}, {"root", "other-root"}, "accepted by 5", kMixed},
    {"two-roots-that-are-trusted", {"root", "other-root"}, {"root", "other-root"}, kRoot, kRoot},
    {"a-root-that-is-over", {"root"}, {"root"}, kOver, kOver, "2036-01-02T00:00:00Z"},
    {"nothing-published", {}, {""}, kNothing, kNothing},
};

std::string say(const PairVerdict& pair) {
  if (!pair.problem.empty()) return (pair.is_unknown ? "unknown: " : "") + pair.problem;
  if (const std::string by_roots = pair.judged_by_roots(); !by_roots.empty()) {
    return (pair.accepted() ? "" : "refused: ") + by_roots;
  }
  return fmt::format("{} by {}", pair.accepted() ? "accepted" : "refused", pair.verdicts.size());
}

class PairUnseen : public ::testing::TestWithParam<PairCase> {};

TEST_P(PairUnseen, IsJudgedByWhatIsPublished) {
  const PairCase& one = GetParam();
  Scene scene = applied_scene({"east", "west"});
  const auto mount = [&scene](const std::string& name, std::vector<std::string> published) {
    if (published.empty()) return;
    std::erase(published, "");
    mount_ca(scene, name, published);
  };
  mount("east", one.east);
  mount("west", one.west);
  const auto pairs =
      judge_pairs(scene.mesh, scene.observation, base::parse_rfc3339(one.at).value());
  ASSERT_EQ(pairs.size(), 2U);
  EXPECT_EQ(say(pairs[0]), one.from_east);
  EXPECT_EQ(say(pairs[1]), one.from_west);
}

INSTANTIATE_TEST_SUITE_P(Cases, PairUnseen, ::testing::ValuesIn(kCases), [](const auto& one) {
  std::string name = one.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(RootOfTheMesh, IsWhatIsPublishedWhereTheCaIsNotSeen) {
  Scene scene = applied_scene({"east", "west"});
  scene.mesh = shop({"east", "west"}, "mode: observed");
  mount_ca(scene, "east");
  mount_ca(scene, "west");
  EXPECT_EQ(OwnerJudge(scene.mesh, scene.observation).root(), root_mark("root"));
}

TEST(RootOfTheMesh, OfAHostedControlPlaneIsPublishedWhereItManages) {
  Scene scene = applied_scene({"east"});
  scene.mesh = shop({}, "mode: observed",
                    "  - {name: hub, network: hub, role: external}\n"
                    "  - {name: far, network: far, role: config, controlPlane: [hub]}\n");
  scene.observation.clusters = {bare("hub"), bare("far")};
  mount_ca(scene, "hub", {"other-root"});  // of the gateway beside it
  scene.cluster("far").workload_roots = pem("root");
  EXPECT_EQ(OwnerJudge(scene.mesh, scene.observation).root(), root_mark("root"));
}

}  // namespace
}  // namespace meshtrust::mesh
