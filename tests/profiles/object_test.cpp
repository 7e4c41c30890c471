#include "profiles/object.h"

#include "profiles/exposure.h"
#include "profiles/gateway.h"
#include "profiles/load.h"
#include "profiles/samples.h"
#include "profiles/trust_objects.h"
#include "tests/profiles/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meshtrust::profiles {

void PrintTo(const Difference& difference, std::ostream* out) {
  *out << difference.path << ": wanted " << difference.wanted << ", found " << difference.found;
}

namespace {

using base::Json;
using testing::ElementsAre;
using testing::IsEmpty;

Json json(const char* text) {
  return Json::parse(text);
}

TEST(Manifest, HasEverythingThatKubectlWants) {
  const Object object{.api_version = "v1",
                      .kind = "Service",
                      .resource = "services",
                      .namespace_name = "istio-system",
                      .name = "gateway",
                      .body = {{"metadata", {{"labels", {{"a", "b"}}}}}}};
  EXPECT_EQ(manifest_of(object), json(R"({"apiVersion": "v1", "kind": "Service", "metadata":
      {"labels": {"a": "b"}, "name": "gateway", "namespace": "istio-system"}})"));
  const Object of_the_cluster{.api_version = "v1",
                              .kind = "Namespace",
                              .resource = "namespaces",
                              .namespace_name = {},
                              .name = "sample"};
  EXPECT_EQ(manifest_of(of_the_cluster),
            json(R"({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "sample"}})"));
}

TEST(Differences, AreNoneWhereTheServerKnowsMore) {
  EXPECT_THAT(differences(json(R"({"spec": {"type": "LoadBalancer"}})"),
                          json(R"({"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1"},
                                   "status": {}})")),
              IsEmpty());
}

TEST(Differences, NameTheFieldAndBothValues) {
  EXPECT_THAT(differences(json(R"({"spec": {"type": "LoadBalancer", "a": 1}})"),
                          json(R"({"spec": {"type": "NodePort"}})")),
              ElementsAre(Difference{"spec.a", 1, nullptr},
                          Difference{"spec.type", "LoadBalancer", "NodePort"}));
}

TEST(Differences, FindItemsOfMergedListsByTheirKey) {
  const Json live = json(R"({"containers": [
      {"name": "added-by-others"},
      {"name": "istio-proxy", "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
       "ports": [{"containerPort": 15443, "protocol": "TCP"}]}]})");
  EXPECT_TRUE(is_contained(json(R"({"containers": [{"name": "istio-proxy",
      "env": [{"name": "A", "value": "1"}], "ports": [{"containerPort": 15443}]}]})"),
                           live));
  EXPECT_THAT(
      differences(json(R"({"containers": [{"name": "istio-proxy",
          "env": [{"name": "A", "value": "3"}, {"name": "C"}]}]})"),
                  live),
      ElementsAre(Difference{"containers[istio-proxy].env[A].value", "3", "1"},
                  Difference{"containers[istio-proxy].env[C]", json(R"({"name": "C"})"), nullptr}));
}

TEST(Differences, CompareOtherListsWhole) {
  const Json desired = json(R"({"hosts": ["a"], "rules": [{"verbs": ["get"]}]})");
  EXPECT_TRUE(is_contained(desired, desired));
  EXPECT_THAT(differences(desired, json(R"({"hosts": ["a", "b"], "rules": [{"verbs": ["*"]}]})")),
              ElementsAre(Difference{"hosts", json(R"(["a"])"), json(R"(["a", "b"])")},
                          Difference{"rules[0].verbs[0]", "get", "*"}));
  // A second subject of a binding is somebody else who gets the right.
  EXPECT_FALSE(is_contained(json(R"({"subjects": [{"name": "a"}]})"),
                            json(R"({"subjects": [{"name": "a"}, {"name": "b"}]})")));
}

TEST(Differences, TakeQuantitiesForWhatTheyAre) {
  const Json live = json(R"({"resources": {"limits": {"cpu": "2", "memory": "1Gi"}}})");
  EXPECT_TRUE(is_contained(
      json(R"({"resources": {"limits": {"cpu": "2000m", "memory": "1024Mi"}}})"), live));
  EXPECT_TRUE(is_contained(json(R"({"resources": {"limits": {"cpu": 2}}})"), live));
  EXPECT_FALSE(is_contained(json(R"({"resources": {"limits": {"cpu": "200m"}}})"), live));
  EXPECT_FALSE(is_contained(json(R"({"resources": {"limits": {"cpu": "2 cores"}}})"), live));
  EXPECT_FALSE(is_contained(json(R"({"image": "2000m"})"), json(R"({"image": "2"})")));
}

TEST(Differences, OfOtherTypesAreDifferences) {
  EXPECT_FALSE(is_contained(json(R"({"a": {"b": 1}})"), json(R"({"a": [1]})")));
  EXPECT_FALSE(is_contained(json(R"({"a": [1]})"), json(R"({"a": null})")));
  EXPECT_FALSE(is_contained(json(R"({"a": "1"})"), json(R"({"a": 1})")));
}

/// The objects of cluster east of examples/primary-remote.yaml, which tests/data/live has as a real
/// server stored them.
std::vector<Object> objects_of_east() {
  const auto mesh =
      load_mesh("mesh.yaml", read_test_file("../examples/primary-remote.yaml")).value();
  std::vector<Object> objects;
  for (const auto& make : {east_west_gateway, exposure}) {
    for (Object& object : make(mesh, mesh.clusters.front())) {
      objects.push_back(std::move(object));
    }
  }
  for (Object& object : samples(mesh, mesh.clusters.front())) {
    objects.push_back(std::move(object));
  }
  return objects;
}

TEST(Differences, AreNoneAgainstWhatARealServerStored) {
  const Json stored = Json::parse(read_test_file("data/live/primary_remote_east.json"));
  std::size_t compared = 0;
  for (const Object& object : objects_of_east()) {
    for (const Json& live : stored) {
      if (live["kind"] != object.kind || live["metadata"]["name"] != object.name) continue;
      // The server stored it when marks were names alone.
      Json wanted = manifest_of(object);
      leave_out_open_root(wanted);
      EXPECT_THAT(differences(wanted, live), IsEmpty()) << object.kind;
      ++compared;
    }
  }
  EXPECT_EQ(compared, stored.size());
  EXPECT_EQ(compared, objects_of_east().size());
}

}  // namespace
}  // namespace meshtrust::profiles
