// Webhooks of Istio's kinds: what is looked at for them, and which of them go with a control plane.

#include "mesh/webhooks.h"

#include "run/observe_mesh.h"
#include "tests/run/run_fixture.h"
#include "tests/support/found.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace meshtrust::run {
namespace {

using namespace testing;
using base::Json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kAdmission = "/apis/admissionregistration.k8s.io/v1/";
const std::string kMutating = kAdmission + "mutatingwebhookconfigurations/";
const std::string kValidating = kAdmission + "validatingwebhookconfigurations/";

/// A configuration as istioctl makes them.
Json calling(const std::string& in, const std::string& service) {
  const Json called = {{"namespace", in}, {"name", service}};
  return {{"metadata", {{"labels", {{"operator.istio.io/component", "Pilot"}}}}},
          {"webhooks",
           {{{"name", "sidecar-injector.istio.io"}, {"clientConfig", {{"service", called}}}}}}};
}

mesh::WebhookTarget istiod_of(const std::string& in) {
  return {.namespace_name = in, .service = "istiod"};
}

class WebhooksTest : public ::testing::Test {
 protected:
  void put(const std::string& path, const Json& object = Json::object()) {
    world.server.put("east", path, object);
  }

  mesh::Objects look() {
    world.reconnect();
    const auto client = world.world().clusters.client("east");
    return MeshObserver(world.mesh, *world.mesh.find("east"), **client).objects();
  }

  /// The Services elsewhere that were looked for.
  static std::vector<std::string> called_in(const mesh::Objects& objects) {
    std::vector<std::string> keys;
    for (const auto& [key, list] : objects.all()) {
      if (mesh::is_key_of_called(key)) keys.push_back(key);
    }
    return keys;
  }

  MeshWorld world{{"east"}};
};

TEST_F(WebhooksTest, LeadToTheServicesThatTheyCallElsewhere) {
  put(kMutating + "injector", calling("old-mesh", "istiod"));
  put(kValidating + "validator", calling("gone", "istiod"));
  put(kMutating + "own", calling("istio-system", "istiod"));
  put("/api/v1/namespaces/old-mesh/services/istiod");
  const mesh::Objects objects = look();
  const Json there = {{"metadata", {{"namespace", "old-mesh"}, {"name", "istiod"}}}};
  EXPECT_THAT(test::found_in(objects.list(mesh::key_of_called(istiod_of("old-mesh")))),
              ElementsAre(there));
  EXPECT_TRUE(objects.list(mesh::key_of_called(istiod_of("gone"))).is_absent());
  EXPECT_THAT(called_in(objects),
              ElementsAre("called-services/gone/istiod", "called-services/old-mesh/istiod"));
}

TEST_F(WebhooksTest, OfOtherProductsLeadNowhere) {
  Json other = calling("policies", "gatekeeper");
  other["webhooks"][0]["name"] = "validation.gatekeeper.sh";
  put(kValidating + "istio-lookalike", other);
  EXPECT_THAT(called_in(look()), IsEmpty());
  for (const auto& request : world.server.requests()) {
    EXPECT_THAT(request.path, ::testing::Not(::testing::HasSubstr("policies")));
  }
}

TEST_F(WebhooksTest, ThatLetPassLeadNowhere) {
  Json open = calling("old-mesh", "istiod");
  open["webhooks"][0]["failurePolicy"] = "Ignore";
  put(kMutating + "injector", open);
  EXPECT_THAT(called_in(look()), IsEmpty());
}

TEST_F(WebhooksTest, CallSomethingUnknownWhereItMayNotBeReadAndThatAlone) {
  put(kMutating + "injector", calling("old-mesh", "istiod"));
  put(kMutating + "another", calling("gone", "istiod"));
  world.server.add_fault({.method = "GET",
                          .path_contains = "/namespaces/old-mesh/services/istiod",
                          .times = -1,
                          .reply = test::failure_reply(403, "Forbidden", "forbidden")});
  const mesh::Objects objects = look();
  EXPECT_TRUE(objects.list(mesh::key_of_called(istiod_of("old-mesh"))).is_unknown());
  EXPECT_TRUE(objects.list(mesh::key_of_called(istiod_of("gone"))).is_absent());
}

/// A control plane in a namespace of its own, which an istioctl of a few lines renders.
class Uninstalling : public WebhooksTest {
 protected:
  Uninstalling() {
    world.mesh.istio.system_namespace = "mesh";
    put(kIstiod, {{"metadata", {{"labels", {{"operator.istio.io/component", "Pilot"}}}}}});
    put(kMutating + "istio-sidecar-injector-mesh", calling("mesh", "istiod"));
    const std::filesystem::path program = folder / "istioctl";
    {
      std::ofstream script(program);
      script << "#!/bin/sh\ncat <<EOF\n"
                "apiVersion: admissionregistration.k8s.io/v1\n"
                "kind: MutatingWebhookConfiguration\n"
                "metadata: {name: istio-sidecar-injector-mesh}\n"
                "---\n"
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: istiod, namespace: mesh}\n"
                "EOF\n";
    }
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  }

  /// Of what is there now.
  mesh::Uninstall plan() {
    mesh::Uninstall wanted{.installation = {.cluster = "east",
                                            .namespace_name = "mesh",
                                            .revision = {},
                                            .version = {.major = 1, .minor = 31, .patch = 0},
                                            .profile = "minimal"},
                           .marked = {.api_version = "apps/v1",
                                      .kind = "Deployment",
                                      .resource = "deployments",
                                      .namespace_name = "mesh",
                                      .name = "istiod",
                                      .uid = mesh::uid_of(*world.server.object("east", kIstiod))}};
    for (const auto& one : mesh::webhooks_for(wanted.installation, look())) {
      const std::string resource(one.kind->resource);
      wanted.webhooks.push_back({.api_version = "admissionregistration.k8s.io/v1",
                                 .kind = std::string(one.kind->kind),
                                 .resource = resource.substr(0, resource.find('.')),
                                 .namespace_name = {},
                                 .name = one.name,
                                 .uid = one.uid});
    }
    return wanted;
  }

  Outcome uninstall(const mesh::Uninstall& wanted) {
    world.reconnect();
    world.server.forget_requests();
    Istioctl istioctl({.processes = processes,
                       .files = files,
                       .program = folder / "istioctl",
                       .folder = folder / "state"});
    const mesh::Observation observation{};  // for addresses, of which there are none
    MeshSteps steps(world.mesh, world.world(), observation, istioctl);
    return steps.uninstall({.id = "east/uninstalled",
                            .cluster = "east",
                            .title = {},
                            .reason = {},
                            .needs = {},
                            .diff = {},
                            .action = wanted},
                           wanted);
  }

  std::vector<std::string> deletes() const {
    std::vector<std::string> paths;
    for (const auto& request : world.server.writes()) {
      if (request.method == "DELETE") paths.push_back(request.path);
    }
    return paths;
  }

  const std::string kIstiod = "/apis/apps/v1/namespaces/mesh/deployments/istiod";
  test::TempFolder folder;
  base::SystemProcesses processes;
  base::DiskFiles files;
};

TEST_F(Uninstalling, TakesAwayWhateverCallsTheControlPlaneBeforeIt) {
  put(kMutating + "istio-revision-tag-default-mesh", calling("mesh", "istiod"));
  put(kMutating + "istio-revision-tag-prod", calling("mesh", "istiod"));
  put(kValidating + "istiod-default-validator", calling("mesh", "istiod"));
  put(kMutating + "istio-revision-tag-default", calling("istio-system", "istiod"));
  put(kMutating + "istio-sidecar-injector-two-mesh", calling("mesh", "istiod-two"));
  EXPECT_TRUE(std::holds_alternative<Done>(uninstall(plan())));
  EXPECT_THAT(deletes(), ElementsAre(kMutating + "istio-revision-tag-default-mesh",
                                     kMutating + "istio-revision-tag-prod",
                                     kMutating + "istio-sidecar-injector-mesh",
                                     kValidating + "istiod-default-validator", kIstiod));
}

/// Somebody's way to the control plane that the plan did not show.
TEST_F(Uninstalling, LeavesAllAloneThatIsCalledByMoreSinceThePlan) {
  const mesh::Uninstall before = plan();
  put(kMutating + "istio-revision-tag-prod", calling("mesh", "istiod"));
  const Outcome outcome = uninstall(before);
  const auto* failed = std::get_if<Failed>(&outcome);
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->why.code, base::Code::kPartial);
  EXPECT_EQ(
      failed->why.message,
      "since the plan mutatingwebhookconfiguration 'istio-revision-tag-prod' calls it: all of "
      "it is left alone");
  EXPECT_THAT(deletes(), IsEmpty());
}

TEST_F(Uninstalling, LeavesAllAloneWhoseWebhooksWereMadeAnewSinceThePlan) {
  const mesh::Uninstall before = plan();
  world.server.remove("east", kMutating + "istio-sidecar-injector-mesh");
  put(kMutating + "istio-sidecar-injector-mesh", calling("mesh", "istiod"));
  EXPECT_TRUE(std::holds_alternative<Failed>(uninstall(before)));
  EXPECT_THAT(deletes(), IsEmpty());
}

TEST_F(Uninstalling, TakesAwayNothingWhereWebhooksCannotBeListed) {
  const mesh::Uninstall before = plan();
  world.server.add_fault({.method = "GET",
                          .path_contains = "/validatingwebhookconfigurations",
                          .times = -1,
                          .reply = test::failure_reply(403, "Forbidden", "forbidden")});
  EXPECT_TRUE(std::holds_alternative<Failed>(uninstall(before)));
  EXPECT_THAT(deletes(), IsEmpty());
}

}  // namespace
}  // namespace meshtrust::run
