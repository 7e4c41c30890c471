// Remotes that their istiod reads and does not manage, readers without rights, and what a plan does
// about either.
#include "mesh/adoption.h"

#include "base/bytes.h"
#include "base/encoding.h"
#include "istio/names.h"
#include "mesh/condition.h"
#include "mesh/installed.h"
#include "mesh/reader.h"
#include "profiles/installation.h"
#include "profiles/reader.h"
#include "tests/mesh/mesh_builder.h"
#include "tests/support/found.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {
namespace {

using namespace testing;
using base::Json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

void put_injector(Scene& scene, const std::string& ca) {
  const Json client{{"service", {{"namespace", "istio-system"}, {"name", "istiod"}}},
                    {"caBundle", base::to_base64(base::as_bytes(ca))}};
  put(scene.cluster("west"), kMutatingWebhooks,
      {{"metadata", {{"name", "istio-sidecar-injector"}}},
       {"webhooks",
        {{{"name", "rev.namespace.sidecar-injector.istio.io"}, {"clientConfig", client}}}}});
}

std::vector<IstiodView> istiod_that_says(const std::string& status) {
  return {{.namespace_name = "istio-system",
           .pod = "istiod-1",
           .clusters = {{.id = "east", .secret = "", .status = "synced"},
                        {.id = "west", .secret = "s", .status = status}}}};
}

void put_reader(Scene& scene, const std::string& cluster) {
  put_applied(scene, cluster, "",
              profiles::istio_reader(scene.mesh, *scene.mesh.find(cluster),
                                     profiles::ReaderOf::kManagedRemote));
}

/// What bears the mark of the installation of a cluster, as this mesh's.
void put_installed(Scene& scene, const std::string& cluster, std::string_view kind, Json marked) {
  Objects objects = nothing_live().objects;
  objects.add(kind, Objects::List{marked});
  const auto wanted = profiles::installations(scene.mesh, *scene.mesh.find(cluster));
  marked.merge_patch(mark(scene.mesh, root_mark("root"), wanted->front(), objects));
  put(scene.cluster(cluster), kind, std::move(marked));
}

/// A primary in east and its remote in west, whose webhook has no CA, though istiod has read west.
Scene unmanaged_scene() {
  Scene scene = fresh_example("primary-remote");
  scene.mesh.trust.root.subject = {.attributes = {{"O", "Shop"}, {"CN", "Shop Mesh Root"}}};
  scene.observation.store = store({"east"});
  const LiveMesh live = scene.cluster("east").live;
  scene.cluster("east") = applied(scene.mesh, "east");
  scene.cluster("east").live = live;
  put_installed(scene, "east", kDeployments, deployment("istio-system", "istiod"));
  put_installed(scene, "west", kServices,
                {{"metadata", {{"namespace", "istio-system"}, {"name", "istiod"}}}});
  put_reader(scene, "west");
  put_injector(scene, "");
  share(scene, "west", "east", "");
  scene.cluster("east").live.istiods = istiod_that_says("synced");
  return scene;
}

std::vector<std::string> said_of(const Scene& scene) {
  std::vector<std::string> said;
  for (const Unmanaged& one : unmanaged_remotes(scene.mesh, scene.observation)) {
    said.push_back(fmt::format("{} by {}: {}", one.remote, one.manager, one.lacks));
  }
  return said;
}

TEST(Unmanaged, IsARemoteWithoutACaThatItsIstiodHasRead) {
  EXPECT_THAT(said_of(unmanaged_scene()),
              ElementsAre("west by east: istio-sidecar-injector has no CA bundle"));
}

TEST(Unmanaged, IsARemoteWithoutRootsForItsWorkloads) {
  Scene scene = unmanaged_scene();
  scene.cluster("west").live.objects = nothing_live().objects;
  put_reader(scene, "west");
  put_injector(scene, pem("root"));
  scene.cluster("west").workload_roots = Absent{};
  EXPECT_THAT(said_of(scene),
              ElementsAre("west by east: there is no configmap istio-system/istio-ca-root-cert"));
  scene.cluster("west").workload_roots = pem("root");
  EXPECT_THAT(said_of(scene), IsEmpty());
}

struct Other {
  const char* name;
  std::function<void(Scene&)> change;
};

class KeptBackByOthers : public ::testing::TestWithParam<Other> {};

TEST_P(KeptBackByOthers, IsNoReasonToRestartAnIstiod) {
  Scene scene = unmanaged_scene();
  GetParam().change(scene);
  EXPECT_THAT(said_of(scene), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Causes,
    KeptBackByOthers,
    ::testing::Values(
        Other{
            "Syncing",
            [](Scene& scene) { scene.cluster("east").live.istiods = istiod_that_says("syncing"); }},
        Other{"NobodyAsked",
              [](Scene& scene) {
                scene.cluster("east").live.istiods = Observed<std::vector<IstiodView>>();
              }},
        Other{"NoIstiod",
              [](Scene& scene) { scene.cluster("east").live.istiods = std::vector<IstiodView>{}; }},
        Other{"NoSecret",
              [](Scene& scene) {
                scene.cluster("east").live.remote_secrets = std::vector<RemoteSecretFacts>{};
              }},
        Other{"NoToken",
              [](Scene& scene) {
                scene.cluster("west").live.tokens = std::vector<TokenSecretFacts>{};
              }},
        Other{"NoRights",
              [](Scene& scene) {
                scene.cluster("west").live.objects = nothing_live().objects;
                put_injector(scene, "");
              }},
        Other{"RollingOut",
              [](Scene& scene) {
                scene.cluster("east").live.objects = nothing_live().objects;
                put(scene.cluster("east"), kDeployments,
                    deployment("istio-system", "istiod", 2, 1));
              }},
        Other{"NoCa", [](Scene& scene) { scene.cluster("east").cacerts = Absent{}; }}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(Unmanaged, AsksTheIstiodsThatAloneCanTell) {
  Scene scene = unmanaged_scene();
  scene.cluster("east").live.istiods = Observed<std::vector<IstiodView>>();
  EXPECT_THAT(istiods_to_ask(scene.mesh, scene.observation), ElementsAre("east"));
  put_injector(scene, pem("root"));
  scene.cluster("west").live.tokens = std::vector<TokenSecretFacts>{};
  EXPECT_THAT(istiods_to_ask(scene.mesh, scene.observation), IsEmpty());
}

std::string plan_of(const Scene& scene) {
  std::string text;
  for (const Step& step : plan_whole(scene).plan.steps) {
    const bool matters = std::holds_alternative<RestartIstiod>(step.action) ||
                         std::holds_alternative<AwaitTakeUp>(step.action) ||
                         step.id == "east/control-plane" || step.id == "west/adopted" ||
                         step.id == "east/synced";
    if (!matters) continue;
    text += step.id + ": " + step.title + "\n";
    if (!step.reason.empty()) text += "  because " + step.reason + "\n";
    for (const std::string& need : step.needs) {
      text += "  after " + need + "\n";
    }
  }
  return text;
}

TEST(PlanMesh, RestartsAnIstiodThatDoesNotManageWhatItHasRead) {
  const Scene scene = unmanaged_scene();
  EXPECT_EQ(describe(plan_whole(scene).answer), "");
  EXPECT_THAT(plan_of(scene),
              ::testing::HasSubstr(
                  "east/restart: rolling restart of deployment istio-system/istiod\n"
                  "  because it has read west and does not manage it (istio-sidecar-injector has "
                  "no CA bundle)\n"));
  const Plan plan = plan_whole(scene).plan;
  std::vector<std::string> rights;
  for (const Right& right : plan.requires_rights()) {
    if (right.resource == "deployments" && right.name == "istiod") rights.push_back(right.verb);
  }
  EXPECT_THAT(rights, ElementsAre("get", "update"));
  for (const Step& step : plan.steps) {
    if (step.id == "east/control-plane") {
      EXPECT_THAT(step.needs, Contains("east/restart"));
    } else if (step.id == "west/adopted") {
      EXPECT_THAT(step.needs, Contains("east/control-plane"));
    }
  }
}

TEST(Adopted, SaysThatApplyRestartsTheIstiod) {
  const Scene scene = unmanaged_scene();
  const Verdict verdict = ask(condition(kAdopted), {.mesh = scene.mesh,
                                                    .cluster = *scene.mesh.find("west"),
                                                    .observation = scene.observation,
                                                    .at = scene.at,
                                                    .namespace_name = "istio-system",
                                                    .revision = {}});
  EXPECT_EQ(verdict.why, "istio-sidecar-injector has no CA bundle yet");
  EXPECT_THAT(verdict.evidence, ElementsAre("the istiod of east says that it has read west"));
  EXPECT_THAT(verdict.hints,
              ElementsAre("'meshtrust apply' restarts the istiod of east: whether it manages a "
                          "cluster it asks once, when it begins to read it"));
}

// -- readers

std::optional<std::vector<std::string>> not_given(Scene scene) {
  return rights_not_given(scene.mesh, *scene.mesh.find("east"), *scene.mesh.find("west"),
                          scene.cluster("west").live.objects);
}

Scene scene_with_rules(const std::function<void(Json&)>& change) {
  Scene scene = fresh_example("two-networks");
  for (profiles::Object object :
       profiles::istio_reader(scene.mesh, *scene.mesh.find("west"), profiles::ReaderOf::kPeer)) {
    if (object.kind == "ClusterRole") change(object.body["rules"]);
    put_applied(scene, "west", "", {object});
  }
  return scene;
}

TEST(RightsNotGiven, AreNoneOfIstiosOwnRole) {
  EXPECT_THAT(*not_given(scene_with_rules([](Json&) {})), IsEmpty());
}

TEST(RightsNotGiven, AreReadOffTheRulesThatWereCut) {
  EXPECT_THAT(*not_given(scene_with_rules([](Json& rules) {
    for (Json& rule : rules) {
      std::erase(rule["resources"].get_ref<Json::array_t&>(), Json("services"));
    }
  })),
              ElementsAre("list services", "watch services"));
}

TEST(RightsNotGiven, TakeStarsAndNamesForWhatTheyAre) {
  EXPECT_THAT(*not_given(scene_with_rules([](Json& rules) {
    rules = Json::array({{{"apiGroups", {"*"}}, {"resources", {"*"}}, {"verbs", {"*"}}}});
  })),
              IsEmpty());
  EXPECT_THAT(*not_given(scene_with_rules([](Json& rules) {
    for (Json& rule : rules) {
      if (rule["apiGroups"] == Json{"discovery.k8s.io"}) rule["resourceNames"] = {"one"};
    }
  })),
              ElementsAre("list endpointslices", "watch endpointslices"));
}

TEST(RightsNotGiven, AreAllWhereNothingBindsTheRole) {
  Scene scene = fresh_example("two-networks");
  EXPECT_EQ(not_given(scene)->size(), 12U);
}

TEST(RightsNotGiven, AreUnknownWhereTheRoleIs) {
  Scene scene = fresh_example("two-networks");
  scene.cluster("west").live.objects.add(
      kClusterRoles, Observed<Objects::List>::unknown(
                         {.code = base::Code::kPermission, .message = "not permitted"}));
  EXPECT_EQ(not_given(scene), std::nullopt);
}

TEST(PlanMesh, WaitsUntilIstiodsReadByTheRightsThatTheirReaderGetsBack) {
  Scene scene = fresh_example("two-networks");
  share(scene, "west", "east", "");
  EXPECT_THAT(plan_of(scene),
              ::testing::HasSubstr("east/reads-west: do its istiods read west by the rights that "
                                   "its reader gets back?\n"
                                   "  after west/istiod\n"));
  for (const Step& step : plan_whole(scene).plan.steps) {
    if (step.id == "east/synced") {
      EXPECT_THAT(step.needs, Contains("east/reads-west"));
    }
  }
}

TEST(PlanMesh, WaitsForNoRightsWhereNothingWasReadYet) {
  EXPECT_EQ(plan_of(fresh_example("two-networks")).find("reads-"), std::string::npos);
}

TEST(PlanMesh, WaitsForNoRightsThatItDoesNotGiveBack) {
  Scene scene = whole_mesh(root_mark("root"));
  for (const Step& step : plan_whole(scene).plan.steps) {
    EXPECT_FALSE(std::holds_alternative<AwaitTakeUp>(step.action)) << step.id;
  }
}

/// Each of the two would wait for the other, were the restart to come after the installation.
TEST(PlanMesh, RestartsAnIstiodAlsoWhereTheRemoteIsInstalledAnew) {
  Scene scene = unmanaged_scene();
  scene.cluster("west").live.objects.add(kServices, Objects::List{});
  const Plan plan = plan_whole(scene).plan;
  const auto has = [&plan](std::string_view id) {
    return std::any_of(plan.steps.begin(), plan.steps.end(),
                       [id](const Step& step) { return step.id == id; });
  };
  EXPECT_TRUE(has("east/restart"));
  EXPECT_TRUE(has("west/remote"));
}

}  // namespace
}  // namespace meshtrust::mesh
