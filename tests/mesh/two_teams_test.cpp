// Two teams call their meshes the same, and one of them comes to a cluster of the other's, or to
// one of its own that an earlier version of this program made.
#include "istio/names.h"
#include "mesh/drift.h"
#include "mesh/installed.h"
#include "mesh/ownership.h"
#include "profiles/exposure.h"
#include "profiles/gateway.h"
#include "profiles/reference.h"
#include "profiles/remote_secret.h"
#include "profiles/trust_objects.h"
#include "tests/mesh/mesh_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace meshtrust::mesh {
namespace {

using namespace testing;
using base::Json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

/// The store of the other team, which issued `foreign` for the cluster east.
StoreFacts other_store() {
  const auto root = pki::certificates_from_pem(pem("other-root")).value().front();
  const auto issued = pki::certificates_from_pem(pem("foreign")).value().front();
  StoreFacts facts = store();
  facts.root = pem("other-root");
  facts.roots = {pem("other-root")};
  facts.issued = {{.fingerprint = issued.fingerprint(),
                   .is_root = false,
                   .cluster = "east",
                   .issuer = root.fingerprint(),
                   .serial = issued.facts().serial,
                   .state = "pushed",
                   .revoked = false,
                   .not_after = issued.facts().not_after}};
  return facts;
}

/// Labels with `root`, or without any.
Json labels_with(const Scene& scene, const std::string& cluster, const std::string& root) {
  return profiles::ownership_labels(scene.mesh, *scene.mesh.find(cluster), root);
}

/// The ids of all steps that change something.
std::vector<std::string> changes(const Planned& planned) {
  std::vector<std::string> ids;
  for (const Step& step : planned.plan.steps) {
    if (step.change != Change::kWait) ids.push_back(step.id);
  }
  return ids;
}

std::vector<std::string> diffs(const Planned& planned) {
  std::vector<std::string> all;
  for (const Step& step : planned.plan.steps) {
    all.insert(all.end(), step.diff.begin(), step.diff.end());
  }
  return all;
}

Planned destroy(const Scene& scene, const DestroyOptions& options = {}) {
  return plan_destroy(scene.mesh, scene.observation, options);
}

/// What one team did to a cluster, seen by the other team with its own store.
struct Meeting {
  const char* what;
  std::function<void(Scene&, const std::string& root)> done;
};

/// One thing at a time that bears `root`, in a cluster that is empty otherwise.
const std::vector<Meeting>& meetings() {
  static const std::vector<Meeting> kMeetings{
      {"namespace",
       [](Scene& scene, const std::string& root) {
         scene.cluster("east").system_namespace = NamespaceFacts{
             .network = {}, .created_by_meshtrust = true, .mesh = "shop", .root = root};
       }},
      {"twin",
       [](Scene& scene, const std::string& root) {
         scene.cluster("east").system_namespace = NamespaceFacts{};
         scene.cluster("east").twin =
             TwinFacts{.data = {{"mesh", "shop"}}, .mesh = "shop", .root = root};
       }},
      {"remote secret",
       [](Scene& scene, const std::string& root) { share(scene, "west", "east", root); }},
      {"token", [](Scene& scene, const std::string& root) { share(scene, "east", "west", root); }},
      {"control plane",
       [](Scene& scene, const std::string& root) {
         Json istiod = deployment("istio-system", "istiod");
         istiod["metadata"]["annotations"] = {{kMeshAnnotation, "shop"}, {kRootAnnotation, root}};
         put(scene.cluster("east"), kDeployments, istiod);
       }},
      {"begun installation",
       [](Scene& scene, const std::string& root) {
         put(scene.cluster("east"), kConfigMaps,
             {{"metadata",
               {{"namespace", "istio-system"},
                {"name", "meshtrust-installing"},
                {"labels", labels_with(scene, "east", root)}}}});
       }},
      {"gateway",
       [](Scene& scene, const std::string& root) {
         put_applied(scene, "east", root,
                     profiles::east_west_gateway(scene.mesh, *scene.mesh.find("east")));
       }},
      {"reader role",
       [](Scene& scene, const std::string& root) {
         put(scene.cluster("east"), kClusterRoles,
             {{"metadata",
               {{"name", "meshtrust-reader-istio-system"},
                {"labels", labels_with(scene, "east", root)}}}});
       }},
  };
  return kMeetings;
}

/// Each team with its own store, coming to what the other made.
const std::vector<std::pair<StoreFacts, std::string>>& directions() {
  static const std::vector<std::pair<StoreFacts, std::string>> kDirections{
      {store({"east", "west"}), "other-root"}, {other_store(), "root"}};
  return kDirections;
}

TEST(TwoTeams, DestroyNothingOfEachOther) {
  for (const auto& [facts, root] : directions()) {
    for (const Meeting& meeting : meetings()) {
      Scene scene = fresh_example("two-networks");
      scene.observation.store = facts;
      meeting.done(scene, root_mark(root));
      for (const bool keep_trust : {false, true}) {
        const Planned planned = destroy(scene, {.clusters = {}, .keep_trust = keep_trust});
        EXPECT_TRUE(planned.is_refused()) << meeting.what;
        EXPECT_THAT(planned.plan.steps, IsEmpty()) << meeting.what;
        EXPECT_THAT(describe(planned.answer), HasSubstr("[other-mesh]")) << meeting.what;
      }
    }
  }
}

TEST(TwoTeams, ApplyNothingOverEachOther) {
  for (const auto& [facts, root] : directions()) {
    for (const Meeting& meeting : meetings()) {
      Scene scene = fresh_example("two-networks");
      scene.observation.store = facts;
      meeting.done(scene, root_mark(root));
      const Planned planned = plan_whole(scene);
      EXPECT_TRUE(planned.is_refused()) << meeting.what;
      EXPECT_THAT(planned.plan.steps, IsEmpty()) << meeting.what;
      EXPECT_THAT(describe(planned.answer), HasSubstr("[other-mesh]")) << meeting.what;
    }
  }
}

TEST(TwoTeams, ApplyNothingOverEachOtherBeforeTheirOwnRootIsMinted) {
  for (const Meeting& meeting : meetings()) {
    Scene scene = fresh_example("two-networks");
    meeting.done(scene, root_mark("root"));
    const Planned planned = plan_whole(scene);
    EXPECT_TRUE(planned.is_refused()) << meeting.what;
    EXPECT_THAT(planned.plan.steps, IsEmpty()) << meeting.what;
  }
}

TEST(TwoTeams, AreToldWhoseItIsAndWhatToDo) {
  Scene scene = fresh_example("two-networks");
  scene.observation.store = store({"east", "west"});
  scene.cluster("east").system_namespace = NamespaceFacts{
      .network = {}, .created_by_meshtrust = true, .mesh = "shop", .root = root_mark("other-root")};
  const std::string theirs = root_mark("other-root");
  EXPECT_EQ(describe(destroy(scene).answer),
            "critical east [other-mesh]: namespace istio-system is of " +
                describe(Marks{.mesh = "shop", .root = theirs}) + ", the mesh file is about " +
                describe(Marks{.mesh = "shop", .root = root_mark("root")}) +
                "\n"
                "  seen: namespace istio-system: meshtrust.io/mesh=shop, meshtrust.io/root=" +
                theirs +
                "\n"
                "  hint: check which mesh file and which context this is\n"
                "  hint: if this mesh made it, put the store that holds that root back as "
                "'shop.trust'\n"
                "  at two-networks.yaml:" +
                std::to_string(scene.mesh.find("east")->context_place.line) + ":" +
                std::to_string(scene.mesh.find("east")->context_place.column) + " '" +
                scene.mesh.find("east")->context_place.source_line + "'\n");
}

TEST(TwoTeams, TakeNoMeshApartThatBearsTheNameAloneUnderAnothersCa) {
  // As the landed version left it: everything but cacerts is told by the name.
  Scene scene = whole_mesh({});
  scene.observation.store = other_store();
  const Planned planned = destroy(scene);
  EXPECT_TRUE(planned.is_refused());
  EXPECT_THAT(planned.plan.steps, IsEmpty());
  EXPECT_THAT(describe(planned.answer),
              HasSubstr("east [foreign-cacerts]: secret 'istio-system/cacerts' was not issued for "
                        "it by this store, so nothing in this cluster is touched\n"));
  EXPECT_TRUE(plan_whole(scene).is_refused());
}

TEST(TwoTeams, RefuseAClusterWithAnothersCaThoughNothingElseIsThere) {
  Scene scene = fresh_example("two-networks");
  scene.observation.store = store({"west"});
  scene.cluster("east").system_namespace = NamespaceFacts{};
  scene.cluster("east").cacerts = applied(scene.mesh, "east", "foreign", "other-root").cacerts;
  EXPECT_THAT(describe(destroy(scene).answer), HasSubstr("east [foreign-cacerts]"));
  // The other cluster leaves as ever.
  EXPECT_FALSE(destroy(scene, {.clusters = {"west"}}).is_refused());
}

TEST(TwoTeams, WithTrustKeptGiveUpWhatBearsTheirRootUnderAnothersCa) {
  Scene scene = whole_mesh(root_mark("root"));
  scene.cluster("east").cacerts = applied(scene.mesh, "east", "foreign", "other-root").cacerts;
  const Planned planned = destroy(scene, {.clusters = {"east"}, .keep_trust = true});
  EXPECT_EQ(describe(planned.answer), "");
  EXPECT_THAT(changes(planned),
              UnorderedElementsAre("east/forget", "west/forget", "east/gateway-gone",
                                   "east/uninstalled", "east/rest"));
}

TEST(TwoTeams, WithTrustKeptLeaveWhatBearsTheNameAloneUnderAnothersCa) {
  Scene scene = whole_mesh({});
  scene.cluster("east").cacerts = applied(scene.mesh, "east", "foreign", "other-root").cacerts;
  scene.cluster("west").live = nothing_live();
  const Planned planned = destroy(scene, {.clusters = {"east"}, .keep_trust = true});
  EXPECT_THAT(changes(planned), IsEmpty());
}

TEST(OlderMarks, GetTheRootByApply) {
  const Scene scene = whole_mesh({});
  const Planned planned = plan_whole(scene);
  EXPECT_EQ(describe(planned.answer), "");
  EXPECT_THAT(changes(planned),
              UnorderedElementsAre("east/namespace", "east/meshtrust-trust", "east/istiod-mark",
                                   "east/gateway", "east/exposure", "east/access-west",
                                   "west/namespace", "west/meshtrust-trust", "west/istiod-mark",
                                   "west/gateway", "west/exposure", "west/access-east"));
  const std::string root = root_mark("root");
  EXPECT_THAT(diffs(planned), Contains("+ label meshtrust.io/root: " + root).Times(4));
  EXPECT_THAT(diffs(planned), Contains("+ annotation meshtrust.io/root: " + root).Times(2));
  EXPECT_THAT(diffs(planned), Contains("~ label meshtrust.io/root: " + root).Times(2));
  EXPECT_THAT(diffs(planned),
              Contains("~ Service istio-eastwestgateway: metadata.labels.meshtrust.io/root: none "
                       "-> " +
                       root)
                  .Times(2));
}

TEST(OlderMarks, AreCompletedWithoutAnInstaller) {
  const Planned planned = plan_whole(whole_mesh({}));
  EXPECT_FALSE(planned.plan.requires_installer());
  EXPECT_FALSE(planned.plan.requires_root_key());
}

TEST(OlderMarks, OnceCompletedLeaveNothingToDo) {
  const Planned planned = plan_whole(whole_mesh(root_mark("root")));
  EXPECT_EQ(describe(planned.answer), "");
  EXPECT_THAT(changes(planned), IsEmpty());
}

TEST(OlderMarks, OfAMeshWithThisCaAreDestroyed) {
  for (const std::string& root : {std::string(), root_mark("root")}) {
    const Planned planned = destroy(whole_mesh(root));
    EXPECT_EQ(describe(planned.answer), "");
    for (const std::string name : {"east", "west"}) {
      for (const char* what : {"/forget", "/gateway-gone", "/uninstalled", "/rest", "/trust-gone",
                               "/namespace-gone"}) {
        EXPECT_THAT(changes(planned), Contains(name + what)) << root;
      }
    }
  }
}

/// A remote of which nothing but its namespace is there yet.
Scene remote_scene(const std::string& root, Observed<std::string> workload_roots) {
  Scene scene = fresh_example("primary-remote");
  scene.mesh.trust.root = fresh_example("two-networks").mesh.trust.root;
  scene.observation.store = store({"east"});
  for (const std::string name : {"west", "north"}) {
    scene.cluster(name).system_namespace = NamespaceFacts{.network = "network2",
                                                          .control_planes = "east",
                                                          .created_by_meshtrust = true,
                                                          .mesh = "shop",
                                                          .root = root};
    scene.cluster(name).workload_roots = workload_roots;
  }
  return scene;
}

TEST(OlderMarks, OfARemoteAreJudgedByTheRootsOfItsWorkloads) {
  const Planned planned = destroy(remote_scene({}, pem("root")), {.clusters = {"west"}});
  EXPECT_EQ(describe(planned.answer), "");
  EXPECT_THAT(changes(planned), Contains("west/namespace-gone"));
}

TEST(OlderMarks, OfARemoteThatNothingTellsAreLeftUntilApplyHasMarkedThem) {
  const Scene scene = remote_scene({}, Absent{});
  const Planned planned = destroy(scene, {.clusters = {"west"}});
  EXPECT_THAT(planned.plan.steps, IsEmpty());
  EXPECT_THAT(describe(planned.answer),
              HasSubstr("critical west [owner-undecided]: things in it bear the name 'shop', and "
                        "nothing says that they are not of another mesh of that name\n"
                        "  seen: namespace istio-system\n"
                        "  hint: run 'meshtrust apply' first, which marks with its root what is of "
                        "this mesh\n"));
  EXPECT_THAT(changes(plan_whole(scene)), Contains("west/namespace"));
  const Scene marked = remote_scene(root_mark("root"), Absent{});
  EXPECT_THAT(changes(plan_whole(marked)), Not(Contains("west/namespace")));
  EXPECT_THAT(changes(destroy(marked, {.clusters = {"west"}})), Contains("west/namespace-gone"));
}

TEST(OlderMarks, OfSecretsInAClusterThatStaysAreNotGuessed) {
  Scene scene = fresh_example("two-networks");
  scene.observation.store = store({"east"});
  share(scene, "west", "east", {});
  const Planned planned = destroy(scene, {.clusters = {"west"}});
  EXPECT_TRUE(planned.is_refused());
  EXPECT_THAT(describe(planned.answer), HasSubstr("east [owner-undecided]"));
}

TEST(OlderMarks, WarnInStatusAndBreakNothing) {
  const Scene scene = whole_mesh({});
  for (const Finding& finding : drift(scene.mesh, scene.observation, scene.at, {})) {
    EXPECT_EQ(finding.severity, Severity::kWarning) << finding.message;
  }
}

TEST(Marks, AreNotComparedBySomebodyWhoKnowsNoRoot) {
  Scene scene = whole_mesh(root_mark("root"));
  scene.observation.store = Absent{};
  EXPECT_THAT(drift(scene.mesh, scene.observation, scene.at, {}), IsEmpty());
  scene.purpose = Purpose::kProve;
  EXPECT_EQ(ask("marks-ours", scene), "");
}

TEST(Marks, ThatAnEarlierRootLeftAreReplaced) {
  Scene scene = whole_mesh(root_mark("other-root"));
  StoreFacts facts = scene.facts();
  facts.roots = {pem("other-root"), pem("root")};
  scene.observation.store = facts;
  const Planned planned = plan_whole(scene);
  EXPECT_EQ(describe(planned.answer), "");
  EXPECT_THAT(diffs(planned), Contains("~ label meshtrust.io/root: " + root_mark("other-root") +
                                       " -> " + root_mark("root"))
                                  .Times(4));
  EXPECT_FALSE(destroy(scene).is_refused());
}

TEST(Marks, WaitForARootThatIsMintedInTheSameRun) {
  const Planned planned = plan_whole(fresh_example("primary-remote"));
  for (const Step& step : planned.plan.steps) {
    if (!step.id.ends_with("/namespace")) continue;
    EXPECT_THAT(step.needs, Contains("store/root")) << step.id;
    EXPECT_THAT(step.diff, Contains("+ label meshtrust.io/root: (known after store/root)"));
  }
}

TEST(Marks, AreNotMadeWithoutARoot) {
  Scene scene = fresh_example("primary-remote");
  std::erase_if(scene.mesh.clusters, [](const auto& one) { return one.name == "east"; });
  const Planned planned = plan(scene);
  EXPECT_THAT(planned.plan.steps, IsEmpty());
  EXPECT_EQ(describe(planned.answer),
            "unknown (refused): the trust store 'shop.trust' holds no root to mark things with, "
            "and no cluster of this run needs one\n"
            "  hint: run 'meshtrust apply' with the clusters that have an istiod, which mints "
            "it\n");
}

class ObservedTrust : public ::testing::Test {
 protected:
  ObservedTrust() : scene_(whole_mesh({})) { observe(scene_); }
  static void observe(Scene& scene) {
    scene.mesh.trust.mode = profiles::TrustMode::kObserved;
    scene.observation.store = Absent{};
    // Nobody but a store's owner publishes a twin.
    scene.cluster("east").twin = Absent{};
    scene.cluster("west").twin = Absent{};
  }
  Scene scene_;
};

TEST_F(ObservedTrust, MarksByTheRootThatIsSeen) {
  const Planned planned = plan_whole(scene_);
  EXPECT_EQ(describe(planned.answer), "");
  EXPECT_THAT(
      changes(planned),
      UnorderedElementsAre("east/namespace", "east/istiod-mark", "east/gateway", "east/exposure",
                           "east/access-west", "west/namespace", "west/istiod-mark", "west/gateway",
                           "west/exposure", "west/access-east"));
  Scene marked = whole_mesh(root_mark("root"));
  observe(marked);
  EXPECT_THAT(changes(plan_whole(marked)), IsEmpty());
}

TEST_F(ObservedTrust, LeavesWhatIsOfAnotherRoot) {
  Scene scene = whole_mesh(root_mark("other-root"));
  observe(scene);
  for (const Planned& planned : {plan_whole(scene), destroy(scene)}) {
    EXPECT_THAT(planned.plan.steps, IsEmpty());
    EXPECT_THAT(describe(planned.answer), HasSubstr("east [other-mesh]"));
    EXPECT_THAT(describe(planned.answer),
                HasSubstr("take the label 'meshtrust.io/root' and the annotation"));
  }
}

TEST_F(ObservedTrust, IsDestroyedButForItsCa) {
  const Planned planned = destroy(scene_);
  EXPECT_THAT(describe(planned.answer),
              HasSubstr("note east [namespace-stays]: namespace 'istio-system' stays: it holds a "
                        "cacerts, whose trust others manage"));
  EXPECT_THAT(changes(planned), Contains("east/uninstalled"));
  EXPECT_THAT(changes(planned), Not(Contains("east/trust-gone")));
  EXPECT_THAT(changes(planned), Not(Contains("east/namespace-gone")));
}

TEST_F(ObservedTrust, MakesNothingWhereTheClustersShareNoRoot) {
  scene_.cluster("east") = [this] {
    ClusterObservation seen = scene_.cluster("east");
    seen.cacerts = applied(scene_.mesh, "east", "foreign", "other-root").cacerts;
    seen.system_namespace = Absent{};
    return seen;
  }();
  base::Errors unknowns;
  (void)plan_namespaces(scene_.mesh, scene_.observation, unknowns);
  ASSERT_EQ(unknowns.size(), 1U);
  EXPECT_EQ(unknowns.front().message,
            "the clusters share no root, and whatever is made has to bear that of its mesh");
}

}  // namespace
}  // namespace meshtrust::mesh
