// The fake stands in for real servers in many tests, so its own manners are tested too.

#include "tests/support/fake_api_server.h"

#include "base/random.h"
#include "k8s/api_client.h"
#include "tests/k8s/client_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <thread>

namespace meshtrust::k8s {
namespace {

using base::Json;
using test::FakeObjects;

const test::FakePath kMap = *test::parse_fake_path("/api/v1/namespaces/default/configmaps/m");

Json parsed(const test::FakeReply& reply) {
  return Json::parse(reply.body);
}

TEST(FakeObjects, KeepsTheVersionOfAnUnchangedObject) {
  FakeObjects objects("east");
  const Json body{{"data", {{"a", "1"}}}};
  const auto first = objects.apply(kMap, body, "meshtrust", false, false);
  const auto second = objects.apply(kMap, body, "meshtrust", false, false);
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(parsed(first), parsed(second));
}

TEST(FakeObjects, DropsWhatItsOnlyOwnerLeavesOut) {
  FakeObjects objects("east");
  (void)objects.apply(kMap, {{"data", {{"a", "1"}, {"b", "2"}}}}, "meshtrust", false, false);
  (void)objects.apply(kMap, {{"data", {{"b", "2"}}}}, "other", false, false);
  const auto last = objects.apply(kMap, {{"data", {{"c", "3"}}}}, "meshtrust", false, false);
  EXPECT_EQ(parsed(last)["data"], (Json{{"b", "2"}, {"c", "3"}}));
}

TEST(FakeObjects, RefusesToChangeTheFieldOfAnotherUnlessForced) {
  FakeObjects objects("east");
  (void)objects.apply(kMap, {{"data", {{"a", "1"}}}}, "other", false, false);
  const auto refused = objects.apply(kMap, {{"data", {{"a", "2"}}}}, "meshtrust", false, false);
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(parsed(refused)["details"]["causes"][0],
            (Json{{"reason", "FieldManagerConflict"},
                  {"message", "conflict with \"other\" using v1"},
                  {"field", ".data.a"}}));
  EXPECT_EQ(objects.apply(kMap, {{"data", {{"a", "2"}}}}, "meshtrust", true, false).status, 200);
}

TEST(FakeObjects, GivesEveryClusterItsOwnKubeSystem) {
  const std::string path = "/api/v1/namespaces/kube-system";
  const auto uid = [&](const char* cluster) {
    return (*FakeObjects(cluster).get(path))["metadata"]["uid"];
  };
  EXPECT_EQ(uid("east"), uid("east"));
  EXPECT_NE(uid("east"), uid("west"));
}

TEST_F(ClientTest, DenialsHoldForReviewsAndForRequests) {
  server().deny("east", "get", "configmaps");
  const auto found = client()->get(config_map_ref("default", "x"));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message,
            "reading configmap 'default/x': not permitted: configmaps \"x\" is forbidden: User "
            "\"fake\" cannot get resource \"configmaps\" in API group \"\" in the namespace "
            "\"default\"");
}

TEST(Scale, TwoHundredServersAreSeenWithFewConnectionsEach) {
  constexpr int kServers = 200;
  test::FakeApiOptions options;
  options.clusters.clear();
  for (int i = 0; i < kServers; ++i) {
    options.clusters.push_back("c" + std::to_string(i));
  }
  test::FakeApiServer server(options);
  server.set_latency(std::chrono::milliseconds(20));
  base::DiskFiles files;
  const auto config = Kubeconfig::parse("/x/config", server.kubeconfig());
  ASSERT_TRUE(config) << config.error().message;

  base::SystemClock clock;
  base::SystemRandom random;
  ScriptedProcesses processes;
  base::Cancellation cancellation;
  std::atomic<int> next{0};
  std::atomic<int> seen{0};
  const auto work = [&] {
    for (int i = next++; i < kServers; i = next++) {
      auto settings = config->settings_for(options.clusters[static_cast<std::size_t>(i)], files);
      ApiClient api(*std::move(settings), {clock, random, files, processes, cancellation});
      const auto system = api.get(namespace_ref("kube-system"));
      const auto secret = api.get_secret(secret_ref("istio-system", "cacerts"));
      if (system && system->has_value() && secret && !secret->has_value()) ++seen;
    }
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < 32; ++i) {
    workers.emplace_back(work);
  }
  for (std::thread& worker : workers) {
    worker.join();
  }
  EXPECT_EQ(seen, kServers);
  for (const std::string& cluster : options.clusters) {
    EXPECT_EQ(server.connections(cluster).accepted, 2) << cluster;
    EXPECT_LE(server.connections(cluster).most_open, 2) << cluster;
  }
}

}  // namespace
}  // namespace meshtrust::k8s
