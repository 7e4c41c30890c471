// What istiods leave all over a cluster goes with the last of those who use it.

#include "tests/run/run_fixture.h"

#include <functional>
#include <string>

namespace meshtrust::run {
namespace {

using namespace testing;
using base::Json;

const std::string kCrd =
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gateways.networking.istio.io";
const std::string kForbidden = "it is forbidden: User \"alice\" cannot do that";
const std::string kWebhook =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/injector";

/// With a CRD of Istio's, for which a kind stands that the fake server has.
class Cluster : public MeshWorld {
 public:
  Cluster() : MeshWorld({"east"}) {
    put(kCrd, {{"metadata", {{"labels", {{"operator.istio.io/component", "Base"}}}}},
               {"spec",
                {{"group", "policy"},
                 {"names", {{"kind", "PodDisruptionBudget"}, {"plural", "poddisruptionbudgets"}}},
                 {"versions", {{{"name", "v1"}, {"served", true}}}}}}});
  }

  void put(const std::string& path, const Json& object = Json::object()) {
    server.put("east", path, object);
  }

  void put_istiod(const std::string& in, const std::string& name, const std::string& revision) {
    put("/apis/apps/v1/namespaces/" + in + "/deployments/" + name,
        {{"metadata", {{"labels", {{"app", "istiod"}, {"istio.io/rev", revision}}}}}});
  }

  void put_webhook(const Json& client, const std::string& name = "sidecar-injector.istio.io") {
    put(kWebhook, {{"metadata", {{"labels", {{"istio.io/rev", "default"}}}}},
                   {"webhooks", {{{"name", name}, {"clientConfig", client}}}}});
  }

  /// Takes away what a control plane in istio-system left. Its outcome, in words.
  std::string sweep() {
    reconnect();
    const mesh::Observation observation = observe();
    base::SystemProcesses processes;
    base::DiskFiles files;
    Istioctl istioctl({.processes = processes,
                       .files = files,
                       .program = "istioctl-that-is-not-needed",
                       .folder = folder / "state"});
    MeshSteps steps(mesh, world(), observation, istioctl);
    const mesh::Sweep wanted{.namespaces = {"istio-system"}, .revision = {}};
    const Outcome outcome = steps.sweep({.id = "east/sweep",
                                         .cluster = "east",
                                         .title = {},
                                         .reason = {},
                                         .needs = {},
                                         .diff = {},
                                         .action = wanted},
                                        wanted);
    if (const auto* failed = std::get_if<Failed>(&outcome)) return failed->why.message;
    const auto* done = std::get_if<Done>(&outcome);
    return done == nullptr ? "not yet" : done->detail;
  }
};

Json calling(const std::string& in, const std::string& service) {
  return {{"service", {{"namespace", in}, {"name", service}}}};
}

struct Case {
  std::string name;
  std::function<void(Cluster& cluster)> given;
  std::string user;  ///< who uses it; empty where nobody does
};

class LeftBehind : public ::testing::TestWithParam<Case> {};

TEST_P(LeftBehind, GoesUnlessSomebodyUsesIt) {
  Cluster cluster;
  GetParam().given(cluster);
  const std::string& user = GetParam().user;
  EXPECT_EQ(cluster.sweep(), user.empty() ? "1 object" : "left, " + user + " uses the rest");
  EXPECT_EQ(cluster.server.object("east", kCrd).has_value(), !user.empty());
}

const Case kCases[] = {
    {"NobodyElseIsThere", [](Cluster&) {}, ""},
    {"IstiodElsewhere", [](Cluster& cluster) { cluster.put_istiod("other", "istiod", "default"); },
     "deployment other/istiod"},
    {"IstiodOfAnotherRevision",
     [](Cluster& cluster) { cluster.put_istiod("istio-system", "istiod-two", "two"); },
     "deployment istio-system/istiod-two"},
    {"IstiodThatGoes",
     [](Cluster& cluster) { cluster.put_istiod("istio-system", "istiod", "default"); }, ""},
    {"RemoteOfAnotherMesh",
     [](Cluster& cluster) {
       cluster.put("/api/v1/namespaces/other/services/istiod");
       cluster.put_webhook(calling("other", "istiod"));
     },
     "webhook injector"},
    {"RemoteOfAnotherMeshByUrl",
     [](Cluster& cluster) {
       cluster.put_webhook({{"url", "https://istiod.example/inject"}});
     },
     "webhook injector"},
    {"RemoteInANamespaceThatIsClosed",
     [](Cluster& cluster) {
       cluster.put_webhook(calling("other", "istiod"));
       cluster.server.add_fault({.method = "GET",
                                 .path_contains = "/namespaces/other/services/istiod",
                                 .times = -1,
                                 .reply = test::failure_reply(403, "Forbidden", kForbidden)});
     },
     "webhook injector"},
    {"WebhookThatCallsNobody",
     [](Cluster& cluster) { cluster.put_webhook(calling("other", "istiod")); }, ""},
    {"WebhookOfAnotherProduct",
     [](Cluster& cluster) {
       cluster.put("/api/v1/namespaces/policies/services/gatekeeper");
       cluster.put_webhook(calling("policies", "gatekeeper"), "mutation.gatekeeper.sh");
     },
     ""},
};

INSTANTIATE_TEST_SUITE_P(Users, LeftBehind, ::testing::ValuesIn(kCases), [](const auto& one) {
  return one.param.name;
});

TEST(Sweep, LeavesCrdsThatHoldConfigurationOfSomebody) {
  Cluster cluster;
  cluster.put("/apis/policy/v1/namespaces/shop/poddisruptionbudgets/front");
  EXPECT_EQ(cluster.sweep(), "0 objects");
  EXPECT_TRUE(cluster.server.object("east", kCrd));
}

}  // namespace
}  // namespace meshtrust::run
