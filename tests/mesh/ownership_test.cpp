#include "mesh/ownership.h"

#include "tests/mesh/trust_builder.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace meshtrust::mesh {

void PrintTo(Owner owner, std::ostream* out) {
  const std::vector<std::string> names{"this mesh", "another mesh", "nobody", "undecided"};
  *out << names.at(static_cast<std::size_t>(owner));
}

namespace {

using namespace testing;

/// A remote of the mesh, with `roots` handed out to its workloads.
Scene remote_scene(Observed<std::string> roots) {
  Scene scene = applied_scene({"east"});
  scene.mesh =
      shop({"east"}, {}, "  - {name: west, network: west, role: remote, controlPlane: [east]}\n");
  scene.observation.clusters.push_back(bare("west"));
  scene.cluster("west").workload_roots = std::move(roots);
  return scene;
}

Owner owner_in(Scene& scene, const std::string& cluster, const Marks& marks) {
  return OwnerJudge(scene.mesh, scene.observation).owner_of(marks, scene.cluster(cluster));
}

TEST(Owner, GoesByTheRootBesideTheName) {
  Scene scene = applied_scene({"east"});
  const std::vector<std::pair<Marks, Owner>> cases{
      {{}, Owner::kNobody},
      {{.root = root_mark("root")}, Owner::kNobody},
      {{.mesh = "shop", .root = root_mark("root")}, Owner::kThisMesh},
      {{.mesh = "shop", .root = root_mark("other-root")}, Owner::kAnotherMesh},
      {{.mesh = "shop", .root = "kept by hand"}, Owner::kAnotherMesh},
      {{.mesh = "bank", .root = root_mark("root")}, Owner::kAnotherMesh},
      {{.mesh = "bank"}, Owner::kAnotherMesh},
  };
  for (const auto& [marks, owner] : cases) {
    EXPECT_EQ(owner_in(scene, "east", marks), owner) << describe(marks);
  }
}

TEST(Owner, IsThisMeshByEveryRootThatItsLedgerKnows) {
  Scene scene = applied_scene({"east"});
  StoreFacts store = scene.facts();
  store.roots = {pem("other-root"), pem("root")};
  scene.observation.store = store;
  EXPECT_EQ(owner_in(scene, "east", {.mesh = "shop", .root = root_mark("other-root")}),
            Owner::kThisMesh);
  EXPECT_EQ(OwnerJudge(scene.mesh, scene.observation).root(), root_mark("root"));
}

TEST(Owner, IsUndecidedWhereNoRootIsKnown) {
  Scene scene = applied_scene({"east"});
  const std::vector<Observed<StoreFacts>> stores{
      Absent{},
      StoreFacts{.root = {},
                 .declared_subject = {},
                 .issued = {},
                 .roots = {},
                 .lists = {},
                 .without_list = {}},
      Observed<StoreFacts>::unknown({.message = "it is damaged"})};
  for (const auto& store : stores) {
    scene.observation.store = store;
    EXPECT_EQ(owner_in(scene, "east", {.mesh = "shop", .root = root_mark("root")}),
              Owner::kUndecided);
    EXPECT_EQ(owner_in(scene, "east", {.mesh = "shop"}), Owner::kUndecided);
    EXPECT_EQ(owner_in(scene, "east", {.mesh = "bank"}), Owner::kAnotherMesh);
    EXPECT_EQ(OwnerJudge(scene.mesh, scene.observation).root(), std::nullopt);
  }
}

TEST(Owner, OfTheNameAloneIsThisMeshWhereTheLedgerIssuedTheCa) {
  Scene scene = applied_scene({"east"});
  EXPECT_EQ(owner_in(scene, "east", {.mesh = "shop"}), Owner::kThisMesh);
  // Of a cacerts that is gone, or that may not be read, its twin tells.
  scene.cluster("east").cacerts = Absent{};
  EXPECT_EQ(owner_in(scene, "east", {.mesh = "shop"}), Owner::kThisMesh);
  scene.cluster("east").cacerts = Observed<CacertsFacts>::unknown({.message = "not permitted"});
  EXPECT_EQ(owner_in(scene, "east", {.mesh = "shop"}), Owner::kThisMesh);
}

TEST(Owner, OfTheNameAloneIsAnotherMeshWhereTheLedgerDidNotIssueTheCa) {
  const std::vector<std::pair<std::string, std::string>> others{
      {"foreign", "other-root"},  // of another root
      {"north", "root"},          // of ours, and unknown to the ledger
      {"west", "root"}};          // issued for another cluster
  for (const auto& [certificate, root] : others) {
    Scene scene = applied_scene({"east", "west"});
    scene.cluster("east") = applied(scene.mesh, "east", certificate, root);
    EXPECT_EQ(owner_in(scene, "east", {.mesh = "shop"}), Owner::kAnotherMesh) << certificate;
    scene.cluster("east").cacerts = Absent{};
    EXPECT_EQ(owner_in(scene, "east", {.mesh = "shop"}), Owner::kAnotherMesh) << certificate;
  }
}

TEST(Owner, OfTheNameAloneGoesInARemoteByTheRootsOfItsWorkloads) {
  const std::vector<std::pair<Observed<std::string>, Owner>> cases{
      {Observed<std::string>(pem("root")), Owner::kThisMesh},
      {Observed<std::string>(pem("other-root") + pem("root")), Owner::kThisMesh},
      {Observed<std::string>(pem("other-root")), Owner::kAnotherMesh},
      {Observed<std::string>(std::string("no PEM")), Owner::kUndecided},
      {Observed<std::string>(Absent{}), Owner::kUndecided},
      {Observed<std::string>::unknown({.message = "not permitted"}), Owner::kUndecided}};
  for (const auto& [roots, owner] : cases) {
    Scene scene = remote_scene(roots);
    EXPECT_EQ(owner_in(scene, "west", {.mesh = "shop"}), owner);
  }
}

TEST(Owner, OfTheNameAloneIsNotToldByTheRootOfACompany) {
  Scene scene = remote_scene(pem("company"));
  StoreFacts store = scene.facts();
  store.above = pem("root-by-company") + pem("company");
  scene.observation.store = store;
  EXPECT_EQ(owner_in(scene, "west", {.mesh = "shop"}), Owner::kUndecided);
}

class ObservedOwner : public ::testing::Test {
 protected:
  ObservedOwner() : scene_(applied_scene({"east", "west"})) {
    scene_.mesh = shop({"east", "west"}, "mode: observed");
    scene_.observation.store = Absent{};
  }

  /// Puts `roots` into the cacerts of a cluster.
  void trust(const std::string& cluster, const std::string& roots) {
    CacertsFacts cacerts = test::found_in(scene_.cluster(cluster).cacerts);
    cacerts.certificates.root_cert = roots;
    scene_.cluster(cluster).cacerts = cacerts;
  }

  Scene scene_;
};

TEST_F(ObservedOwner, GoesByTheRootThatTheClustersShare) {
  EXPECT_EQ(OwnerJudge(scene_.mesh, scene_.observation).root(), root_mark("root"));
  EXPECT_EQ(owner_in(scene_, "east", {.mesh = "shop", .root = root_mark("root")}),
            Owner::kThisMesh);
  EXPECT_EQ(owner_in(scene_, "east", {.mesh = "shop"}), Owner::kThisMesh);
  EXPECT_EQ(owner_in(scene_, "east", {.mesh = "shop", .root = root_mark("other-root")}),
            Owner::kAnotherMesh);
}

TEST_F(ObservedOwner, KnowsBothRootsWhileOneReplacesTheOther) {
  trust("east", pem("other-root") + pem("root"));
  EXPECT_EQ(OwnerJudge(scene_.mesh, scene_.observation).root(), root_mark("root"));
  EXPECT_EQ(owner_in(scene_, "west", {.mesh = "shop", .root = root_mark("other-root")}),
            Owner::kThisMesh);
}

TEST_F(ObservedOwner, IsUndecidedWhereTheClustersShareNoRoot) {
  trust("east", pem("other-root"));
  EXPECT_EQ(OwnerJudge(scene_.mesh, scene_.observation).root(), std::nullopt);
  EXPECT_EQ(owner_in(scene_, "west", {.mesh = "shop", .root = root_mark("root")}),
            Owner::kUndecided);
  EXPECT_EQ(owner_in(scene_, "west", {.mesh = "shop"}), Owner::kUndecided);
}

TEST(Marks, OfATwinWithoutLabelsAreInItsData) {
  const TwinFacts twin{.data = {{"mesh", "shop"}}};
  EXPECT_EQ(marks_of(twin).mesh, "shop");
}

}  // namespace
}  // namespace meshtrust::mesh
