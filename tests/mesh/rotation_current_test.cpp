#include "mesh/rotation/current.h"
#include "tests/mesh/trust_builder.h"

#include <gtest/gtest.h>

namespace meshtrust::mesh::rotation {
namespace {

using mesh::testing::applied_scene;
using mesh::testing::Scene;

TEST(CurrentIssuers, AreWhatIsLiveBelowTheSwitchesOfTheMeshFile) {
  const Scene scene = applied_scene({"east", "west"});
  const auto found = current_issuers(scene.mesh, scene.observation, {});
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ(found->front().cluster, "east");
  EXPECT_EQ(found->front().now.files.ca_cert, mesh::testing::pem("east"));
  EXPECT_EQ(found->front().circumstances, Circumstances{.version = istio::kNewestKnown});
}

TEST(CurrentIssuers, AreWhatIsAssumedOfThem) {
  const Scene scene = applied_scene({"east"});
  const istio::Version old{.major = 1, .minor = 29, .patch = 2};
  const auto found =
      current_issuers(scene.mesh, scene.observation, {.version = old, .multi_root = true});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->front().circumstances, (Circumstances{.version = old, .multi_root = true}));
}

TEST(CurrentIssuers, AreRefusedWhereTrustIsAbsentOrUnknown) {
  Scene scene = applied_scene({"east", "west"});
  scene.cluster("east").cacerts = Absent{};
  scene.cluster("east").twin = Absent{};
  scene.cluster("west").cacerts = Observed<CacertsFacts>::unknown(
      base::Error{.code = base::Code::kUnavailable, .message = "no answer"});
  const auto found = current_issuers(scene.mesh, scene.observation, {});
  ASSERT_FALSE(found);
  ASSERT_EQ(found.error().size(), 2U);
  EXPECT_EQ(found.error()[0].message, "'east' has no cacerts: nothing to rotate");
  EXPECT_EQ(found.error()[1].message, "no answer");
}

}  // namespace
}  // namespace meshtrust::mesh::rotation
