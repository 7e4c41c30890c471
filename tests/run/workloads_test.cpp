// What workloads present and trust, asked through API servers in this process.
#include "run/observe_workloads.h"
#include "tests/run/run_fixture.h"
#include "tests/support/fake_tunnel.h"
#include "tests/support/found.h"
#include "tests/support/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace meshtrust::run {
namespace {

using namespace testing;
using base::Json;
using mesh::Level;
using test::FakeTunnel;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::string dump(const std::string& name) {
  return test::content_of(test::test_file("data/workloads/" + name + ".json"));
}

std::string ok(const std::string& body) {
  return fmt::format(
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: "
      "chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
      body.size(), body);
}

class WorkloadsTest : public ::testing::Test {
 protected:
  WorkloadsTest() : mesh({"east", "west"}) {
    std::signal(SIGPIPE, SIG_IGN);
    mesh.server.on_upgrade([this](const auto& request, auto& stream) {
      if (refusal) {
        (void)stream.write(fmt::format(
            "HTTP/1.1 {} No\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
            refusal->status, refusal->body.size(), refusal->body));
        return;
      }
      FakeTunnel tunnel(request, stream);
      tunnel.begin();
      const std::string asked = tunnel.next_data();
      tunnel.say('\0', answer_to(request, tunnel.port(), asked));
      tunnel.say_goodbye();
    });
  }

  void put_pod(const std::string& cluster,
               const std::string& space,
               const std::string& name,
               Json labels = {{"service.istio.io/canonical-name", "web"}}) {
    mesh.server.put(cluster, "/api/v1/namespaces/" + space + "/pods/" + name,
                    {{"metadata", {{"labels", std::move(labels)}}},
                     {"spec", {{"containers", {{{"name", "istio-proxy"}}}}}}});
  }

  mesh::WorkloadFacts look(const std::string& cluster, std::size_t pods = 50) {
    return test::found_in(observe(cluster, {Level::kDeep, pods}).value());
  }
  std::optional<mesh::Observed<mesh::WorkloadFacts>> observe(const std::string& cluster,
                                                             Depth depth) {
    return run::observe(mesh.mesh, mesh.world(), {}, depth).find(cluster)->live.workloads;
  }

  std::size_t tunnels() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        mesh.server.requests(),
        [](const auto& request) { return request.path.ends_with("/portforward"); }));
  }

  MeshWorld mesh;
  std::map<std::string, std::string> answers;  ///< by path of the tunnel; else `sidecar`
  std::vector<std::string> asked_for;          ///< the first line of every question
  std::optional<test::FakeReply> refusal;      ///< of every tunnel

 private:
  std::string answer_to(const test::SeenRequest& request,
                        std::uint16_t port,
                        const std::string& asked) {
    const std::lock_guard guard(mutex_);
    asked_for.push_back(fmt::format("{} {}", port, asked.substr(0, asked.find("\r\n"))));
    const auto found = answers.find(request.path);
    return found == answers.end() ? ok(dump("sidecar")) : found->second;
  }

  std::mutex mutex_;
};

const std::string kTunnel = "/api/v1/namespaces/shop/pods/web-1/portforward";

TEST_F(WorkloadsTest, AreReadFromTheirProxiesInAllNamespaces) {
  put_pod("east", "shop", "web-1");
  put_pod("east", "bank", "till-1");
  put_pod("west", "shop", "api-1");
  const mesh::WorkloadFacts facts = look("east");
  EXPECT_EQ(facts.pods, 2U);
  ASSERT_EQ(facts.chosen.size(), 2U);
  for (const mesh::WorkloadPod& pod : facts.chosen) {
    const auto credentials = test::found_in(pod.credentials);
    ASSERT_EQ(credentials.size(), 1U) << pod.name;
    EXPECT_THAT(credentials.front().chain.front().facts().uris,
                ElementsAre("spiffe://cluster.local/ns/shop/sa/web"));
    EXPECT_EQ(pod.read_at, mesh.clock.now());
  }
  EXPECT_EQ(asked_for,
            std::vector<std::string>(
                3, fmt::format("15000 GET {} HTTP/1.1", std::string(istio::kProxySecretsPath))));
  EXPECT_THAT(mesh.server.writes(), IsEmpty());
}

TEST_F(WorkloadsTest, AreNotAskedUnlessSomebodyWantsTo) {
  put_pod("east", "shop", "web-1");
  EXPECT_FALSE(observe("east", Level::kTrust));
  EXPECT_FALSE(observe("east", Level::kMesh));
  EXPECT_FALSE(observe("east", Level::kDeep));
  EXPECT_FALSE(observe("east", {Level::kMesh, 50}));
  EXPECT_EQ(tunnels(), 0U);
}

TEST_F(WorkloadsTest, AreNoMoreThanWasSaidAndCountedAllTheSame) {
  for (const char* name : {"web-1", "web-2", "web-3", "web-4"}) {
    put_pod("east", "shop", name);
  }
  const mesh::WorkloadFacts facts = look("east", 3);
  EXPECT_EQ(facts.pods, 4U);
  EXPECT_EQ(facts.chosen.size(), 3U);
  EXPECT_EQ(tunnels(), 3U);
}

TEST_F(WorkloadsTest, AreNotThoseOfPodsWithoutAProxy) {
  put_pod("east", "shop", "web-1");
  mesh.server.put("east", "/api/v1/namespaces/shop/pods/plain",
                  {{"metadata", {{"labels", {{"service.istio.io/canonical-name", "plain"}}}}},
                   {"spec", {{"containers", {{{"name", "plain"}}}}}}});
  put_pod("east", "istio-system", "ztunnel-1", {{"app", "ztunnel"}});
  EXPECT_EQ(look("east").pods, 1U);
}

TEST_F(WorkloadsTest, OfAnAmbientMeshAreThoseOfItsZtunnelsToo) {
  mesh.mesh.istio.data_plane = profiles::DataPlane::kAmbient;
  put_pod("east", "istio-system", "ztunnel-1", {{"app", "ztunnel"}});
  put_pod("east", "shop", "waypoint-1");
  answers["/api/v1/namespaces/istio-system/pods/ztunnel-1/portforward"] = ok(dump("ztunnel"));
  const mesh::WorkloadFacts facts = look("east");
  EXPECT_EQ(facts.pods, 2U);
  for (const mesh::WorkloadPod& pod : facts.chosen) {
    EXPECT_EQ(test::found_in(pod.credentials).size(), 1U) << pod.name;
  }
}

TEST_F(WorkloadsTest, OfAClusterThatHostsAControlPlaneForOthersAreNotOfThisMesh) {
  put_pod("east", "shop", "web-1");
  mesh.mesh.clusters.front().role = profiles::Role::kExternal;
  EXPECT_FALSE(observe("east", {Level::kDeep, 50}));
}

TEST_F(WorkloadsTest, AreUnknownWithTheRightThatItTakesWherePodsMayNotBeListed) {
  put_pod("east", "shop", "web-1");
  mesh.server.deny("east", "list", "pods");
  const auto workloads = observe("east", {Level::kDeep, 50}).value();
  ASSERT_TRUE(workloads.is_unknown());
  EXPECT_EQ(workloads.why_unknown()->code, base::Code::kPermission);
  EXPECT_THAT(workloads.why_unknown()->hints,
              ElementsAre("it takes the right 'list' on pods, and 'get' and 'create' on "
                          "pods/portforward, in all namespaces: the ClusterRole "
                          "meshtrust-workload-viewer of docs/rbac.yaml"));
}

struct SilentCase {
  const char* what;
  std::optional<test::FakeReply> refusal;  ///< of the tunnel; else `answer` is said
  std::string answer;
  base::Code code;
  std::string message;
};

std::vector<SilentCase> silent_cases() {
  const std::string where = "port 15000 of pod 'shop/web-1'";
  return {
      {"no right to open a tunnel",
       test::failure_reply(403, "Forbidden",
                           "pods \"web-1\" is forbidden: User \"fake\" cannot create resource "
                           "\"pods/portforward\""),
       "", base::Code::kPermission,
       "opening a tunnel to " + where +
           ": not permitted: pods \"web-1\" is forbidden: User \"fake\" cannot create resource "
           "\"pods/portforward\""},
      {"nothing that answers", std::nullopt, "", base::Code::kUnavailable,
       "/config_dump at " + where + ": the answer ends too early"},
      {"another server there", std::nullopt, "HTTP/1.1 404 Not Found\r\n\r\n",
       base::Code::kUnavailable,
       "/config_dump at " + where + ": it answered 'HTTP/1.1 404 Not Found'"},
      {"no JSON", std::nullopt, ok("hello"), base::Code::kUnavailable,
       "/config_dump at " + where + " is no JSON"},
      {"no certificate yet", std::nullopt, ok("{}\n"), base::Code::kUnavailable,
       where + ": its proxy has no certificate of a workload ('default')"},
  };
}

TEST_F(WorkloadsTest, ThatDoNotTellSayWhy) {
  put_pod("east", "shop", "web-1");
  for (const SilentCase& one : silent_cases()) {
    refusal = one.refusal;
    answers[kTunnel] = one.answer;
    const mesh::WorkloadFacts facts = look("east");
    ASSERT_EQ(facts.chosen.size(), 1U) << one.what;
    const base::Error* why = facts.chosen.front().credentials.why_unknown();
    ASSERT_NE(why, nullptr) << one.what;
    EXPECT_EQ(why->code, one.code) << one.what;
    EXPECT_EQ(why->message, one.message) << one.what;
  }
}

TEST_F(WorkloadsTest, ThatWentAwayMeanwhileAreAbsent) {
  put_pod("east", "shop", "web-1");
  refusal = test::failure_reply(404, "NotFound", "pods \"web-1\" not found",
                                {{"name", "web-1"}, {"kind", "pods"}});
  EXPECT_TRUE(look("east").chosen.front().credentials.is_absent());
}

}  // namespace
}  // namespace meshtrust::run
