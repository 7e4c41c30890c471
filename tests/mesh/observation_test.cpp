#include "mesh/observation.h"

#include "tests/mesh/trust_builder.h"
#include "tests/support/found.h"
#include "tests/support/matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace meshtrust::mesh {
namespace {

using base::Json;
using namespace testing;

/// Two clusters in which every kind of fact is found.
Scene full_scene() {
  Scene scene = applied_scene({"east", "west"});
  for (ClusterObservation& cluster : scene.observation.clusters) {
    cluster.istiod = IstiodFacts{.deployments = {"istiod", "istiod-1-30"}, .image = "pilot:1.30.3"};
    cluster.workload_roots = pem("root");
    cluster.trust_domain = std::string("cluster.local");
  }
  return scene;
}

std::string round_trip(const Observation& observation) {
  const auto read = observation_from_json(to_json(observation));
  if (!read) return read.error().message;
  return base::pretty(to_json(*read));
}

TEST(ObservationJson, LosesNothingThatWasFound) {
  const Scene scene = full_scene();
  EXPECT_EQ(round_trip(scene.observation), base::pretty(to_json(scene.observation)));
  EXPECT_EQ(describe(plan(scene).answer), "");
}

TEST(ObservationJson, KeepsWhereAnIstiodHasItsCaFrom) {
  Scene scene = full_scene();
  scene.cluster("west").other_ca = csi_volume();
  const auto read = observation_from_json(to_json(scene.observation)).value();
  EXPECT_EQ(test::found_in(read.find("west")->other_ca), csi_volume());
}

TEST(ObservationJson, OfAnEarlierVersionDoesNotSayThatEveryIstiodReadsCacerts) {
  Json json = to_json(full_scene().observation);
  json["clusters"][0].erase("otherCA");
  const auto read = observation_from_json(json).value();
  EXPECT_TRUE(read.find("east")->other_ca.is_unknown());
}

TEST(ObservationJson, LosesNothingThatIsAbsentOrUnknown) {
  Scene scene = fresh_scene({"east"});
  ClusterObservation never_looked_at;
  never_looked_at.name = "west";
  scene.observation.clusters.push_back(never_looked_at);
  scene.observation.clusters.front().cacerts = Observed<CacertsFacts>::unknown(
      {.code = base::Code::kPermission, .message = "not permitted", .hints = {"ask", "again"}});
  EXPECT_EQ(round_trip(scene.observation), base::pretty(to_json(scene.observation)));
  const auto read = observation_from_json(to_json(scene.observation)).value();
  EXPECT_EQ(*read.find("east")->cacerts.why_unknown(),
            *scene.cluster("east").cacerts.why_unknown());
  EXPECT_TRUE(read.find("east")->twin.is_absent());
  EXPECT_TRUE(read.find("west")->twin.is_unknown());
  EXPECT_TRUE(read.store.is_absent());
}

TEST(ObservationJson, KeepsANamespaceWithoutLabelApartFromOneWithAnEmptyOne) {
  Scene scene = full_scene();
  scene.cluster("east").system_namespace = NamespaceFacts{};
  const auto read = observation_from_json(to_json(scene.observation)).value();
  EXPECT_EQ(test::found_in(read.find("east")->system_namespace).network, std::nullopt);
}

/// Every place in `json` where an object holds a key, as pointers.
void collect(const Json& json, const Json::json_pointer& here, std::vector<std::string>& out) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      out.push_back((here / key).to_string());
      collect(value, here / key, out);
    }
  } else if (json.is_array()) {
    for (std::size_t i = 0; i < json.size(); ++i) {
      collect(json[i], here / i, out);
    }
  }
}

/// Marks and identities that snapshots of earlier versions do not have.
bool is_later(const std::string& pointer) {
  return pointer.ends_with("/uid") || pointer.ends_with("/server/found/proxy") ||
         pointer.ends_with("/systemNamespace/found/root") ||
         pointer.ends_with("/systemNamespace/found/cluster") ||
         pointer.ends_with("/controlPlanesSetByOthers") || pointer.ends_with("/twin/found/root") ||
         pointer.ends_with("/twin/found/mesh") || pointer.ends_with("/otherCA");
}

/// Where a key is not needed: it says something optional, or belongs to people's own data.
bool is_optional(const std::string& pointer) {
  return pointer.ends_with("/network") || pointer == "/store/found/root" ||
         pointer.find("/twin/found/data/") != std::string::npos || is_later(pointer);
}

TEST(ObservationJson, RefusesASnapshotThatLacksAnyKey) {
  const Json whole = to_json(full_scene().observation);
  std::vector<std::string> pointers;
  collect(whole, Json::json_pointer(), pointers);
  ASSERT_GT(pointers.size(), 60U);
  for (const std::string& text : pointers) {
    const Json::json_pointer pointer(text);
    Json cut = whole;
    cut[pointer.parent_pointer()].erase(pointer.back());
    const auto read = observation_from_json(cut);
    if (is_optional(text)) {
      EXPECT_TRUE(read) << text;
      continue;
    }
    ASSERT_FALSE(read) << text << " is not missed";
    EXPECT_EQ(read.error().code, base::Code::kInvalidInput);
    EXPECT_THAT(read.error().message, ::testing::StartsWith("is not an observation: ")) << text;
    EXPECT_THAT(read.error().message, ::testing::EndsWith(" is missing")) << text;
  }
}

TEST(ObservationJson, RefusesAValueOfAnotherTypeAnywhere) {
  const Json whole = to_json(full_scene().observation);
  std::vector<std::string> pointers;
  collect(whole, Json::json_pointer(), pointers);
  for (const std::string& text : pointers) {
    // A list in the place of anything, and text in the place of a list, fits nowhere.
    Json bent = whole;
    Json& value = bent[Json::json_pointer(text)];
    value = value.is_array() ? Json("text") : Json::array({Json::object()});
    const auto read = observation_from_json(bent);
    ASSERT_FALSE(read) << text << " may be anything";
    EXPECT_EQ(read.error().code, base::Code::kInvalidInput) << text;
  }
}

TEST(ObservationJson, RefusesAnotherKindOfDocument) {
  EXPECT_THAT(
      observation_from_json(Json{{"kind", "Plan"}}),
      test::FailsWith(base::Code::kInvalidInput, "is not an observation: 'kind' is another"));
  EXPECT_THAT(
      observation_from_json(Json::array()),
      test::FailsWith(base::Code::kInvalidInput, "is not an observation: 'kind' is missing"));
  Json later = to_json(full_scene().observation);
  later["apiVersion"] = "meshtrust/v2";
  EXPECT_FALSE(observation_from_json(later)) << "of a later version";
}

TEST(ObservationJson, HoldsNoSecret) {
  EXPECT_EQ(base::compact(to_json(full_scene().observation)).find("PRIVATE KEY"),
            std::string::npos);
}

}  // namespace
}  // namespace meshtrust::mesh
