// A token on its way from one API server to another: where it arrives, and where it must never be.
#include "base/bytes.h"
#include "base/encoding.h"
#include "mesh/access.h"
#include "mesh/ownership.h"
#include "run/observe_mesh.h"
#include "tests/run/run_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace meshtrust::run {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using ::testing::Not;

/// The one that the servers here take.
constexpr const char* kToken = "fake-token";
const std::string kTokenPath =
    kNamespacePath + "/secrets/istio-reader-service-account-istio-remote-secret-token";
const std::string kRemotePath = kNamespacePath + "/secrets/istio-remote-secret-east";

std::string base64(const std::string& text) {
  return base::to_base64(base::as_bytes(text));
}

class SharingTest : public ::testing::Test {
 protected:
  SharingTest() : mesh({"east", "west"}) {
    for (const char* name : {"east", "west"}) {
      mesh.server.put(name, kNamespacePath, base::Json::object());
    }
    mesh.server.put("east", kNamespacePath + "/serviceaccounts/istio-reader-service-account",
                    base::Json::object());
  }

  void fill_token() { fill_token(kToken, mesh.server.authority().certificate()); }
  void fill_token(const std::string& token, const std::string& ca) {
    mesh.server.put("east", kTokenPath,
                    {{"metadata",
                      {{"annotations",
                        {{"kubernetes.io/service-account.name", "istio-reader-service-account"}}}}},
                     {"type", "kubernetes.io/service-account-token"},
                     {"data", {{"token", base64(token)}, {"ca.crt", base64(ca)}}}},
                    "kube-controller-manager");
  }

  Outcome share() { return share(mesh.server.url("east")); }
  Outcome share(const std::string& server) {
    const mesh::Observation observation = mesh.observe();
    Istioctl istioctl({.processes = processes,
                       .files = files,
                       .program = "none",
                       .folder = mesh.folder / "state"});
    MeshSteps steps(mesh.mesh, mesh.world(), observation, istioctl);
    const mesh::ShareAccess wanted{.intent = {.source = "east", .target = "west"},
                                   .namespace_name = "istio-system",
                                   .server = server,
                                   .account = "istio-reader-service-account"};
    return steps.share({.id = "west/access-east",
                        .cluster = "west",
                        .title = {},
                        .reason = {},
                        .needs = {},
                        .diff = {},
                        .action = wanted},
                       wanted);
  }

  /// The kubeconfig that west was given.
  std::string written() const {
    const auto secret = mesh.server.object("west", kRemotePath);
    if (!secret) return {};
    const auto bytes = base::from_base64(secret->at("data").at("east").get<std::string>()).value();
    return std::string(base::as_text(bytes));
  }
  mesh::AccessState state() {
    mesh::Observation observation = mesh.observe();
    for (mesh::ClusterObservation& seen : observation.clusters) {
      const auto client = mesh.world().clusters.client(seen.name);
      MeshObserver observer(mesh.mesh, *mesh.mesh.find(seen.name), **client);
      seen.live.remote_secrets = observer.remote_secrets();
      seen.live.tokens = observer.tokens();
    }
    return state_of(mesh.mesh, observation, mesh::OwnerJudge(mesh.mesh, observation),
                    {.source = "east", .target = "west"});
  }

  MeshWorld mesh;
  base::SystemProcesses processes;
  base::DiskFiles files;
};

TEST_F(SharingTest, WritesAKubeconfigThatIstiodTakes) {
  fill_token();
  const Outcome outcome = share();
  ASSERT_TRUE(std::holds_alternative<Done>(outcome));
  EXPECT_EQ(std::get<Done>(outcome).detail, "created");
  const auto secret = mesh.server.object("west", kRemotePath);
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->at("metadata").at("labels").at("istio/multiCluster"), "true");
  const std::string kubeconfig = written();
  EXPECT_THAT(kubeconfig, HasSubstr("server: \"" + mesh.server.url("east") + "\"\n"));
  EXPECT_THAT(kubeconfig, HasSubstr("current-context: east\n"));
  EXPECT_THAT(kubeconfig, HasSubstr(std::string("token: \"") + kToken + "\"\n"));
  EXPECT_THAT(kubeconfig, HasSubstr(base64(mesh.server.authority().certificate())));
}

TEST_F(SharingTest, AsksForATokenAndWaitsUntilKubernetesHasMadeIt) {
  const Outcome outcome = share();
  ASSERT_TRUE(std::holds_alternative<NotYet>(outcome));
  EXPECT_THAT(std::get<NotYet>(outcome).why, HasSubstr("east has not put a token into"));
  const auto asked = mesh.server.object("east", kTokenPath);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->at("type"), "kubernetes.io/service-account-token");
  EXPECT_FALSE(mesh.server.object("west", kRemotePath));
}

TEST_F(SharingTest, MarksATokenThatAnEarlierVersionAskedFor) {
  ASSERT_TRUE(mesh.apply()->succeeded());
  const Outcome asked = share();
  ASSERT_TRUE(std::holds_alternative<NotYet>(asked));
  const std::string root = *mesh::OwnerJudge(mesh.mesh, mesh.observe()).root();
  base::Json secret = *mesh.server.object("east", kTokenPath);
  EXPECT_EQ(secret["metadata"]["labels"]["meshtrust.io/root"], root);
  secret["metadata"]["labels"].erase("meshtrust.io/root");
  secret["data"] = {{"token", base64(kToken)},
                    {"ca.crt", base64(mesh.server.authority().certificate())}};
  mesh.server.put("east", kTokenPath, secret);
  ASSERT_TRUE(std::holds_alternative<Done>(share()));
  const auto marked = mesh.server.object("east", kTokenPath);
  EXPECT_EQ(marked->at("metadata").at("labels").at("meshtrust.io/root"), root);
  EXPECT_EQ(marked->at("data").at("token"), base64(kToken));
  const auto remote = mesh.server.object("west", kRemotePath);
  EXPECT_EQ(remote->at("metadata").at("labels").at("meshtrust.io/root"), root);
}

TEST_F(SharingTest, LeavesATokenOfOthersAsItIs) {
  ASSERT_TRUE(mesh.apply()->succeeded());
  fill_token();
  const auto before = mesh.server.object("east", kTokenPath);
  ASSERT_TRUE(std::holds_alternative<Done>(share()));
  EXPECT_EQ(mesh.server.object("east", kTokenPath), before);
}

TEST_F(SharingTest, LeavesATokenOfOthersAsItIsWhileItIsEmpty) {
  ASSERT_TRUE(mesh.apply()->succeeded());
  mesh.server.put("east", kTokenPath,
                  {{"metadata",
                    {{"annotations",
                      {{"kubernetes.io/service-account.name", "istio-reader-service-account"}}}}},
                   {"type", "kubernetes.io/service-account-token"}},
                  "kubectl-create");
  const auto before = mesh.server.object("east", kTokenPath);
  ASSERT_TRUE(std::holds_alternative<NotYet>(share()));
  EXPECT_EQ(mesh.server.object("east", kTokenPath), before);
}

TEST_F(SharingTest, WaitsForTheAccountItself) {
  mesh.server.remove("east", kNamespacePath + "/serviceaccounts/istio-reader-service-account");
  const Outcome outcome = share();
  ASSERT_TRUE(std::holds_alternative<NotYet>(outcome));
  EXPECT_THAT(std::get<NotYet>(outcome).why, HasSubstr("east has no serviceaccount"));
}

TEST_F(SharingTest, LeavesNoTokenInWhatIsObserved) {
  fill_token();
  ASSERT_TRUE(std::holds_alternative<Done>(share()));
  for (const char* name : {"east", "west"}) {
    const auto client = mesh.world().clusters.client(name);
    MeshObserver observer(mesh.mesh, *mesh.mesh.find(name), **client);
    mesh::Observation observation{.at = mesh.clock.now(),
                                  .mesh = "shop",
                                  .level = mesh::Level::kMesh,
                                  .store = {},
                                  .clusters = {}};
    mesh::ClusterObservation& seen = observation.clusters.emplace_back();
    seen.name = name;
    seen.live.remote_secrets = observer.remote_secrets();
    seen.live.tokens = observer.tokens();
    const std::string text = base::compact(to_json(observation));
    EXPECT_THAT(text, Not(HasSubstr(kToken)));
    EXPECT_THAT(text, Not(HasSubstr(base64(kToken))));
  }
}

TEST_F(SharingTest, IsRecognizedAsWhatIsWanted) {
  fill_token();
  mesh.mesh.clusters.front().api_server = mesh.server.url("east");
  ASSERT_TRUE(std::holds_alternative<Done>(share()));
  EXPECT_EQ(state().why, "it is there");
}

TEST_F(SharingTest, WaitsForTheRightsThatIstiodNeeds) {
  fill_token();
  mesh.server.deny("east", "watch", "nodes");
  mesh.server.deny("east", "list", "endpointslices");
  const Outcome outcome = share();
  ASSERT_TRUE(std::holds_alternative<NotYet>(outcome));
  EXPECT_EQ(std::get<NotYet>(outcome).why,
            "fake does not have all rights in east yet: list endpointslices, watch nodes");
  EXPECT_EQ(written(), "");
  mesh.server.allow_all();
  EXPECT_TRUE(std::holds_alternative<Done>(share()));
}

TEST_F(SharingTest, TriesATokenAgainThatTheServerDoesNotTakeYet) {
  fill_token("another", mesh.server.authority().certificate());
  const Outcome outcome = share();
  ASSERT_TRUE(std::holds_alternative<Retry>(outcome));
  EXPECT_THAT(std::get<Retry>(outcome).why.message,
              HasSubstr("the API server of east does not take the token of its reader"));
  EXPECT_EQ(written(), "");
}

TEST_F(SharingTest, WritesNothingThatLeadsToAnotherCluster) {
  fill_token();
  const Outcome outcome = share(mesh.server.url("west"));
  ASSERT_TRUE(std::holds_alternative<Failed>(outcome));
  EXPECT_EQ(std::get<Failed>(outcome).why.code, base::Code::kRefused);
  EXPECT_THAT(std::get<Failed>(outcome).why.message,
              HasSubstr("is of the cluster whose kube-system has the UID"));
  EXPECT_EQ(written(), "");
}

TEST_F(SharingTest, WritesTheCaOfWhatStandsBeforeTheServer) {
  fill_token(kToken, test::TestAuthority("the cluster's own").certificate());
  ASSERT_TRUE(std::holds_alternative<Done>(share()));
  EXPECT_THAT(written(), HasSubstr(base64(mesh.server.authority().certificate())));
  EXPECT_EQ(state().why, "it is there");
}

TEST_F(SharingTest, WritesNothingWhoseCaDoesNotVerifyTheServer) {
  fill_token(kToken, test::TestAuthority("the cluster's own").certificate());
  const std::string elsewhere = "https://localhost:" + std::to_string(mesh.server.port()) + "/east";
  const Outcome outcome = share(elsewhere);
  ASSERT_TRUE(std::holds_alternative<Failed>(outcome));
  const base::Error& why = std::get<Failed>(outcome).why;
  EXPECT_THAT(why.message, HasSubstr("the istiod of west could not use what it is to be given for "
                                     "east: "));
  EXPECT_THAT(why.message, HasSubstr("is not trusted"));
  EXPECT_EQ(written(), "");
}

TEST_F(SharingTest, SaysWhereItCouldNotBeTried) {
  fill_token();
  const Outcome outcome = share("https://127.0.0.1:1");
  ASSERT_TRUE(std::holds_alternative<Done>(outcome));
  EXPECT_THAT(std::get<Done>(outcome).detail,
              HasSubstr("created, not tried: asking the server who we are: cannot reach "
                        "https://127.0.0.1:1"));
  EXPECT_THAT(written(), HasSubstr("server: \"https://127.0.0.1:1\"\n"));
}

TEST_F(SharingTest, SaysNothingOfTheTokenWhenTheTargetRefuses) {
  fill_token();
  mesh.server.deny("west", "create", "secrets");
  const Outcome outcome = share();
  ASSERT_TRUE(std::holds_alternative<Failed>(outcome));
  const base::Error& why = std::get<Failed>(outcome).why;
  EXPECT_EQ(why.code, base::Code::kPermission);
  EXPECT_THAT(why.message, Not(HasSubstr(kToken)));
}

}  // namespace
}  // namespace meshtrust::run
