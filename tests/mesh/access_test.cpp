// What is said of remote secrets that were tried, and of clusters that an istiod knows twice.
#include "mesh/access.h"

#include "mesh/check/installation.h"
#include "tests/mesh/mesh_builder.h"
#include "tests/support/found.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace meshtrust::mesh {
namespace {

using namespace testing;
using Result = AccessTrial::Result;

RemoteSecretFacts secret_for(const std::string& cluster, const Scene& scene) {
  return {.namespace_name = "istio-system",
          .name = "istio-remote-secret-" + cluster,
          .is_watched = true,
          .mesh = scene.mesh.name,
          .clusters = {{.cluster = cluster,
                        .server = "https://" + cluster + ".example:6443",
                        .ca = "ca of " + cluster,
                        .token = "token"}}};
}

TokenSecretFacts token_in(const std::string& cluster, const Scene& scene) {
  return {.namespace_name = "istio-system",
          .name = "istio-reader-service-account-istio-remote-secret-token",
          .service_account = "istio-reader-service-account",
          .mesh = scene.mesh.name,
          .ca = "ca of " + cluster,
          .token = "token"};
}

/// examples/two-networks.yaml, where east has the Secret for west and has tried it.
Scene scene_with(const AccessTrial& trial) {
  Scene scene = fresh_example("two-networks");
  scene.observation.level = Level::kDeep;
  RemoteSecretFacts secret = secret_for("west", scene);
  secret.clusters.front().trial = trial;
  scene.cluster("east").live.remote_secrets = std::vector{secret};
  scene.cluster("west").live.tokens = std::vector{token_in("west", scene)};
  return scene;
}

std::string said_by(void (*check)(const CheckSubject&, Answer&), const Scene& scene) {
  Answer answer;
  check({.mesh = scene.mesh, .observation = scene.observation, .at = scene.at}, answer);
  return describe(answer);
}

TEST(Access, ThatWorksIsNoFinding) {
  EXPECT_EQ(said_by(check_access, scene_with({.result = Result::kWorks, .username = "reader"})),
            "");
}

TEST(Access, IsNotJudgedWhereNobodyTriedIt) {
  Scene scene = scene_with({.result = Result::kUntrusted});
  scene.observation.level = Level::kMesh;
  EXPECT_EQ(said_by(check_access, scene), "");
}

TEST(Access, ThroughACaThatVerifiesNothingIsBroken) {
  EXPECT_EQ(said_by(check_access,
                    scene_with({.result = Result::kUntrusted, .why = "unable to get issuer"})),

            "critical east [access-broken]: its istiod cannot use secret "
            "'istio-system/istio-remote-secret-west': the CA inside does not verify the API server "
            "of 'west'\n"
            "  seen: unable to get issuer\n"
            "  hint: 'kubectl --context kind-east -n istio-system delete secret "
            "istio-remote-secret-west', then 'meshtrust apply', which makes it anew\n");
}

TEST(Access, WithATokenThatIsNotTakenIsBroken) {
  EXPECT_EQ(
      said_by(check_access, scene_with({.result = Result::kRefused, .why = "401"})),
      "critical east [access-broken]: its istiod cannot use secret "
      "'istio-system/istio-remote-secret-west': the API server of 'west' does not take the token\n"
      "  seen: 401\n"
      "  hint: 'kubectl --context kind-west -n istio-system delete secret "
      "istio-reader-service-account-istio-remote-secret-token', then 'meshtrust apply', which "
      "makes it anew\n");
}

TEST(Access, WithATokenThatApplyWouldReplaceSaysSo) {
  Scene scene = scene_with({.result = Result::kRefused, .why = "401"});
  scene.cluster("west").live.tokens = std::vector<TokenSecretFacts>{};
  EXPECT_EQ(
      said_by(check_access, scene),
      "critical east [access-broken]: its istiod cannot use secret "
      "'istio-system/istio-remote-secret-west': the API server of 'west' does not take the token\n"
      "  seen: 401\n"
      "  hint: 'meshtrust apply' writes it anew\n");
}

TEST(Access, ToAnotherClusterIsBroken) {
  EXPECT_EQ(said_by(check_access, scene_with({.result = Result::kElsewhere, .why = "UID 2"})),
            "critical east [access-broken]: secret 'istio-system/istio-remote-secret-west' leads "
            "to another cluster than 'west'\n"
            "  seen: UID 2\n"
            "  hint: 'kubectl --context kind-east -n istio-system delete secret "
            "istio-remote-secret-west', then 'meshtrust apply', which makes it anew\n");
}

TEST(Access, ThatCouldNotBeTriedIsToldAndNotPassedOver) {
  EXPECT_EQ(said_by(check_access, scene_with({.why = "no connection in time"})),
            "warning east [access-not-tried]: secret 'istio-system/istio-remote-secret-west', by "
            "which its istiod reads 'west', was not tried\n"
            "  seen: no connection in time\n"
            "  hint: run 'meshtrust verify' from where istiods are, whose network may reach it\n");
  Scene scene = scene_with({});
  auto secrets = test::found_in(scene.cluster("east").live.remote_secrets);
  secrets.front().clusters.front().trial = Observed<AccessTrial>::unknown(
      {.code = base::Code::kPermission, .message = "not permitted to get secrets"});
  scene.cluster("east").live.remote_secrets = secrets;
  EXPECT_EQ(said_by(check_access, scene),
            "warning east [access-not-tried]: secret 'istio-system/istio-remote-secret-west', by "
            "which its istiod reads 'west', was not tried\n"
            "  seen: not permitted to get secrets\n"
            "  hint: run 'meshtrust verify' from where istiods are, whose network may reach it\n");
}

TEST(Access, ThatItsIstiodHasIsOnlyNotedWhereItCannotBeTriedFromHere) {
  Scene scene = scene_with({.why = "no connection in time"});
  scene.cluster("east").live.istiods =
      std::vector{IstiodView{.namespace_name = "istio-system",
                             .pod = "istiod-1",
                             .clusters = {{.id = "west", .secret = "s", .status = "synced"}}}};
  EXPECT_EQ(said_by(check_access, scene),
            "note east [access-not-tried]: secret 'istio-system/istio-remote-secret-west', by "
            "which its istiod reads 'west', was not tried\n"
            "  seen: no connection in time\n"
            "  seen: its istiod says that it has read 'west'\n");
}

TEST(Access, ThatAPlanMendsForbidsNoPlan) {
  Scene scene = scene_with({.result = Result::kRefused, .why = "401"});
  Answer answer;
  check_access({.mesh = scene.mesh,
                .observation = scene.observation,
                .at = scene.at,
                .purpose = Purpose::kChange},
               answer);
  ASSERT_EQ(answer.findings.size(), 1U);
  EXPECT_EQ(answer.findings.front().severity, Severity::kWarning);
}

TEST(Access, NamesEachRightThatIsMissingAndTheRole) {
  EXPECT_EQ(said_by(check_access, scene_with({.result = Result::kWorks,
                                              .username = "reader",
                                              .missing = {"watch nodes", "list pods"}})),

            "critical east [token-without-rights]: its istiod lacks rights in 'west', without "
            "which it never finishes reading it: watch nodes, list pods\n"
            "  seen: the token in 'istio-remote-secret-west' counts there as reader\n"
            "  seen: they come from ClusterRole 'istio-reader-clusterrole-istio-system' and the "
            "ClusterRoleBinding of that name\n"
            "  hint: 'meshtrust apply' gives the reader its role back\n");
}

TEST(Access, ToEverySecretIsNoted) {
  EXPECT_EQ(
      said_by(check_access,
              scene_with({.result = Result::kWorks, .username = "reader", .reads_secrets = true})),

      "note east [token-reads-secrets]: whoever reads secret 'istio-remote-secret-west' can read "
      "every secret of west, its CA key among them\n"
      "  hint: istiod of this version watches the secrets of every cluster that it knows and does "
      "not start to serve it without that right: guard remote secrets like CA keys\n");
}

TEST(KnownClusters, AreFoundByTheirUidUnderTwoNames) {
  Scene scene = scene_with({.result = Result::kWorks, .cluster_uid = "uid of west"});
  auto secrets = test::found_in(scene.cluster("east").live.remote_secrets);
  RemoteSecretFacts again = secret_for("old-west", scene);
  again.clusters.front().trial =
      AccessTrial{.result = Result::kWorks, .cluster_uid = "uid of west"};
  secrets.push_back(again);
  scene.cluster("east").live.remote_secrets = secrets;
  EXPECT_EQ(
      said_by(check_known_clusters, scene),
      "critical east [cluster-known-twice]: its istiod knows one cluster by two names, 'west' and "
      "'old-west': each of its endpoints counts twice\n"
      "  seen: secret 'istio-system/istio-remote-secret-west'\n"
      "  seen: secret 'istio-system/istio-remote-secret-old-west'\n"
      "  hint: find out who made secret 'istio-system/istio-remote-secret-old-west', then 'kubectl "
      "--context kind-east -n istio-system delete secret istio-remote-secret-old-west'\n");
}

TEST(KnownClusters, AreFoundByServerAndCaWhereNobodyTriedThem) {
  Scene scene = fresh_example("two-networks");
  RemoteSecretFacts again = secret_for("west", scene);
  again.name = "istio-remote-secret-old";
  again.clusters.front().cluster = "old-west";
  scene.cluster("east").live.remote_secrets = std::vector{secret_for("west", scene), again};
  EXPECT_EQ(
      said_by(check_known_clusters, scene),
      "critical east [cluster-known-twice]: its istiod knows one cluster by two names, 'west' and "
      "'old-west': each of its endpoints counts twice\n"
      "  seen: secret 'istio-system/istio-remote-secret-west'\n"
      "  seen: secret 'istio-system/istio-remote-secret-old'\n"
      "  hint: find out who made secret 'istio-system/istio-remote-secret-old', then 'kubectl "
      "--context kind-east -n istio-system delete secret istio-remote-secret-old'\n");
}

TEST(KnownClusters, HoldTheClusterOfIstiodItself) {
  Scene scene = scene_with({});
  const std::string uid = test::found_in(scene.cluster("east").server).cluster_uid;
  RemoteSecretFacts again = secret_for("myself", scene);
  again.clusters.front().trial = AccessTrial{.result = Result::kWorks, .cluster_uid = uid};
  scene.cluster("east").live.remote_secrets = std::vector{again};
  EXPECT_EQ(
      said_by(check_known_clusters, scene),
      "critical east [cluster-known-twice]: its istiod knows one cluster by two names, 'east' and "
      "'myself': each of its endpoints counts twice\n"
      "  seen: its own cluster\n"
      "  seen: secret 'istio-system/istio-remote-secret-myself'\n"
      "  hint: find out who made secret 'istio-system/istio-remote-secret-myself', then 'kubectl "
      "--context kind-east -n istio-system delete secret istio-remote-secret-myself'\n");
}

TEST(KnownClusters, AreNoneThatTheMeshFileDoesNotName) {
  Scene scene = fresh_example("two-networks");
  scene.cluster("east").live.istiods = std::vector{IstiodView{
      .namespace_name = "istio-system",
      .pod = "istiod-1",
      .clusters = {
          {.id = "east", .secret = "", .status = "synced"},
          {.id = "west", .secret = "istio-system/istio-remote-secret-west", .status = "synced"},
          {.id = "south", .secret = "istio-system/south", .status = "synced"}}}};
  EXPECT_EQ(
      said_by(check_known_clusters, scene),
      "critical east [cluster-not-in-mesh-file]: its istiod serves a cluster 'south', which the "
      "mesh file does not name\n"
      "  seen: it knows it by secret 'istio-system/south'\n"
      "  hint: add it to the mesh file, or find out who made that secret, then 'kubectl --context "
      "kind-east -n istio-system delete secret south'\n");
}

TEST(RemoteSecrets, WrittenOverBySomebodyAreNotTakenFromHim) {
  Scene scene = scene_with({.result = Result::kUntrusted, .why = "unable to get issuer"});
  auto secrets = test::found_in(scene.cluster("east").live.remote_secrets);
  secrets.front().clusters.front().ca = "another";
  secrets.front().clusters.front().writer = "kubectl-patch";
  scene.cluster("east").live.remote_secrets = secrets;
  const AccessState state =
      state_of(scene.mesh, scene.observation, OwnerJudge(scene.mesh, scene.observation),
               {.source = "west", .target = "east"});
  EXPECT_EQ(state.kind, AccessState::Kind::kForeign);
  EXPECT_EQ(state.writer, "kubectl-patch");
  const std::string delete_it =
      "'kubectl --context kind-east -n istio-system delete secret istio-remote-secret-west'";
  EXPECT_EQ(said_by(check_remote_secrets, scene),
            "critical east [remote-secret-overwritten]: secret "
            "'istio-system/istio-remote-secret-west' holds what 'kubectl-patch' wrote, and its "
            "token or CA is not that of the cluster\n"
            "  hint: find out what writes it, then " +
                delete_it + " and 'meshtrust apply', which makes it anew\n");
  EXPECT_EQ(said_by(check_access, scene),
            "critical east [access-broken]: its istiod cannot use secret "
            "'istio-system/istio-remote-secret-west': the CA inside does not verify the API server "
            "of 'west'\n"
            "  seen: unable to get issuer\n"
            "  hint: " +
                delete_it + ", then 'meshtrust apply', which makes it anew\n");
}

TEST(RemoteSecrets, AsTheyShouldBeAreOursWhoeverWroteThem) {
  Scene scene = scene_with({.result = Result::kWorks});
  auto secrets = test::found_in(scene.cluster("east").live.remote_secrets);
  secrets.front().clusters.front().writer = "kubectl-create";
  scene.cluster("east").live.remote_secrets = secrets;
  EXPECT_EQ(said_by(check_remote_secrets, scene), "");
}

}  // namespace
}  // namespace meshtrust::mesh
