// `destroy` as it is called: what it says, and with which exit code.

#include "ca/store.h"
#include "tests/cli/program_fixture.h"
#include "tests/support/fake_api_server.h"

#include <atomic>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace meshtrust::cli {
namespace {

using base::Json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kNamespace = "/api/v1/namespaces/istio-system";
const std::string kCacerts = kNamespace + "/secrets/cacerts";
const std::string kForbidden = "it is forbidden: User \"alice\" cannot do that";
const std::string kTwin = kNamespace + "/configmaps/meshtrust-trust";
const std::string kInjectors =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/";

/// A mesh of one cluster to which trust was applied.
class DestroyTest : public testing::ProgramTest {
 protected:
  void SetUp() override {
    test::put_file(folder / "mesh.yaml",
                   "apiVersion: meshtrust/v1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n"
                   "  clusters:\n  - {name: east, context: east, network: network1}\n");
    test::put_file(folder / "kubeconfig", server.kubeconfig());
    std::filesystem::permissions(folder / "kubeconfig", std::filesystem::perms::owner_read);
    variables["KUBECONFIG"] = path("kubeconfig");
    password = "correct horse battery staple";
    ASSERT_EQ(kDone, run({"apply", "--only", "trust", "--yes", "-f", path("mesh.yaml")}))
        << err.str();
    server.forget_requests();
  }

  int destroy(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"destroy", "--yes", "--progress",
                                   "none",    "-f",    path("mesh.yaml")};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }

  /// Refused, with nothing touched and nothing said to be gone.
  void expect_untouched(const std::string& what = {}) {
    EXPECT_EQ(out.str(), "") << what;
    EXPECT_THAT(said(), HasSubstr("meshtrust: nothing was removed anywhere\n")) << what;
    EXPECT_THAT(server.writes(), IsEmpty()) << what;
    EXPECT_TRUE(server.object("east", kCacerts)) << what;
  }

  std::filesystem::path store() const { return folder / "shop.trust"; }

  std::filesystem::path root_key() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(store())) {
      if (entry.path().extension() == ".pem" || entry.path().extension() == ".key") {
        return entry.path();
      }
    }
    return {};
  }

  test::FakeApiServer server;
};

TEST_F(DestroyTest, SaysThatNothingIsLeftAfterALookThatFoundNothing) {
  EXPECT_EQ(destroy(), kDone) << err.str();
  EXPECT_EQ(out.str(), "Nothing of mesh 'shop' is left.\n");
  EXPECT_FALSE(server.object("east", kNamespace));
  EXPECT_EQ(destroy(), kDone) << err.str();
  EXPECT_EQ(out.str(), "Nothing to do: nothing of mesh 'shop' is left.\n");
}

TEST_F(DestroyTest, TellsAtItsEndOfWebhooksThatWouldRefusePods) {
  const auto put_webhook = [this](const std::string& in) {
    const Json service = {{"namespace", in}, {"name", "istiod"}};
    server.put("east", kInjectors + "left-in-" + in,
               {{"webhooks",
                 {{{"name", "sidecar-injector.istio.io"},
                   {"failurePolicy", "Fail"},
                   {"clientConfig", {{"service", service}}}}}}});
  };
  const std::string line = "kubectl --context east delete mutatingwebhookconfiguration left-in-";
  put_webhook("old-mesh");
  EXPECT_EQ(destroy(), kWarnings) << err.str();
  EXPECT_EQ(out.str(), "Nothing of mesh 'shop' is left but webhooks that call nobody.\n");
  EXPECT_THAT(said(), HasSubstr(line + "old-mesh'"));
  put_webhook("istio-system");
  EXPECT_EQ(destroy(), kRefused) << err.str();
  EXPECT_EQ(out.str(),
            "Nothing to do: nothing of mesh 'shop' is left but webhooks that call nobody.\n");
  EXPECT_THAT(said(), HasSubstr(line + "istio-system'"));
  EXPECT_THAT(said(), Not(HasSubstr("meshtrust apply")));
  server.remove("east", kInjectors + "left-in-old-mesh");
  server.remove("east", kInjectors + "left-in-istio-system");
  EXPECT_EQ(destroy(), kDone) << err.str();
}

/// A mesh of which one cluster was deleted.
class WithADeadCluster : public DestroyTest {
 protected:
  void SetUp() override {
    DestroyTest::SetUp();
    test::put_file(folder / "dead",
                   "apiVersion: v1\nkind: Config\ncurrent-context: west\n"
                   "contexts: [{name: west, context: {cluster: west, user: west}}]\n"
                   "clusters: [{name: west, cluster: {server: 'https://127.0.0.1:1'}}]\n"
                   "users: [{name: west, user: {token: t}}]\n");
    test::put_file(folder / "mesh.yaml",
                   "apiVersion: meshtrust/v1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n"
                   "  clusters:\n  - {name: east, context: east, network: network1}\n"
                   "  - {name: west, context: west, kubeconfig: dead, network: network2}\n");
    server.put("east", kSecretOfWest,
               {{"metadata", {{"labels", {{"istio/multiCluster", "true"}, {kMesh, "shop"}}}}},
                {"data", {{"west", "e30="}}}});
  }

  const std::string kMesh = "meshtrust.io/mesh";
  const std::string kSecretOfWest = kNamespace + "/secrets/istio-remote-secret-west";
};

TEST_F(WithADeadCluster, SaysHowItIsGivenUp) {
  EXPECT_EQ(destroy({"west"}), kUnreachable) << err.str();
  EXPECT_THAT(said(), HasSubstr("meshtrust: hint: one that will never answer again is given up by "
                                "'meshtrust destroy west --gone': nothing is taken away in it, and "
                                "the others forget it\n"));
  expect_untouched();
}

TEST_F(WithADeadCluster, HasTheOthersForgetItWhenItIsGivenUp) {
  EXPECT_EQ(destroy({"west", "--gone"}), kDone) << err.str();
  EXPECT_EQ(out.str(), "Nobody knows of west any more, which is given up.\n");
  EXPECT_FALSE(server.object("east", kSecretOfWest));
  EXPECT_TRUE(server.object("east", kCacerts));
  EXPECT_EQ(destroy({"west", "--gone"}), kDone) << err.str();
  EXPECT_EQ(out.str(), "Nothing to do: nobody knows of west any more, which is given up.\n");
}

TEST_F(WithADeadCluster, AsksTwiceBeforeItIsGivenUp) {
  terminal.there = true;
  terminal.answer = true;
  EXPECT_EQ(run({"destroy", "west", "--gone", "--progress", "none", "-f", path("mesh.yaml")}),
            kDone)
      << err.str();
  EXPECT_THAT(
      terminal.asked,
      ElementsAre("remove all this?", "and give up west for ever, where whatever is in it stays?"));
}

TEST_F(WithADeadCluster, GoesWithTheWholeMeshWhenItsNameIsSaid) {
  EXPECT_EQ(destroy({"east", "west", "--gone"}), kDone) << err.str();
  EXPECT_EQ(out.str(),
            "Nothing of mesh 'shop' is left in east, and nobody knows of west any more, which is "
            "given up.\n");
  EXPECT_FALSE(server.object("east", kNamespace));
}

TEST_F(WithADeadCluster, IsNotGivenUpUnnamed) {
  EXPECT_EQ(destroy({"--gone"}), kUsage) << err.str();
  EXPECT_EQ(destroy(), kUnreachable) << err.str();
  expect_untouched();
}

/// A mesh of two clusters that both answer when it begins to leave. `--gone` is said of both.
class WithAClusterThatFallsSilent : public testing::ProgramTest {
 protected:
  void SetUp() override {
    test::put_file(folder / "mesh.yaml",
                   "apiVersion: meshtrust/v1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n"
                   "  clusters:\n  - {name: east, context: east, network: network1}\n"
                   "  - {name: west, context: west, network: network2}\n");
    test::put_file(folder / "kubeconfig", server.kubeconfig());
    std::filesystem::permissions(folder / "kubeconfig", std::filesystem::perms::owner_read);
    variables["KUBECONFIG"] = path("kubeconfig");
    password = "correct horse battery staple";
    ASSERT_EQ(kDone, run({"apply", "--only", "trust", "--yes", "-f", path("mesh.yaml")}))
        << err.str();
    server.forget_requests();
  }

  /// From its `look` on, counted from 1, nobody answers for west.
  void fall_silent_at(int look) {
    server.on_arrival([this, look](const test::SeenRequest& request) {
      if (request.cluster != "west") return true;
      if (request.path == "/version") ++looks_;  // with which each look begins
      return looks_ < look;
    });
  }

  /// Nobody answers for west before this run is the only one in east.
  void be_silent_until_the_lock() {
    server.on_arrival([this](const test::SeenRequest& request) {
      if (request.method == "POST" && request.path.ends_with("/leases")) is_locked_ = true;
      return request.cluster != "west" || is_locked_;
    });
  }

  int destroy() {
    return run({"destroy", "east", "west", "--gone", "--yes", "--progress", "none", "-f",
                path("mesh.yaml")});
  }

  test::FakeApiServer server{{.clusters = {"east", "west"}}};
  std::atomic<int> looks_ = 0;
  std::atomic<bool> is_locked_ = false;
};

TEST_F(WithAClusterThatFallsSilent, DoesNotGiveItUpUnderTheLock) {
  fall_silent_at(2);
  EXPECT_EQ(destroy(), kUnreachable) << err.str();
  EXPECT_EQ(out.str(), "");
  EXPECT_THAT(said(), HasSubstr("meshtrust: nothing was removed anywhere\n"));
  EXPECT_TRUE(server.object("east", kCacerts));
}

TEST_F(WithAClusterThatFallsSilent, DoesNotGiveUpOneThatWasSilentForAMoment) {
  be_silent_until_the_lock();
  EXPECT_EQ(destroy(), kRefused) << err.str();
  EXPECT_EQ(out.str(), "");
  EXPECT_THAT(said(), HasSubstr("meshtrust: error: west: it was given up, for it did not answer, "
                                "and it answers now [cluster-not-gone]\n"));
  EXPECT_TRUE(server.object("east", kCacerts));
}

TEST_F(WithAClusterThatFallsSilent, DoesNotSayOfItAtTheEndThatNothingIsLeft) {
  fall_silent_at(3);
  EXPECT_EQ(destroy(), kUnreachable) << err.str();
  EXPECT_EQ(out.str(), "What is left of mesh 'shop' in east, west is not known.\n");
}

TEST_F(DestroyTest, RefusesAStoreThatIsDamaged) {
  test::put_file(store() / "store.db", "no database");
  EXPECT_EQ(destroy(), kBadInput);
  expect_untouched();
}

TEST_F(DestroyTest, RefusesAStoreWithoutItsKeyFile) {
  ASSERT_TRUE(std::filesystem::remove(root_key()));
  EXPECT_EQ(destroy(), kBadInput);
  expect_untouched();
}

TEST_F(DestroyTest, RefusesAStoreWhoseKeyIsOpenToOthers) {
  std::filesystem::permissions(root_key(), std::filesystem::perms(0644));
  EXPECT_EQ(destroy(), kNotPermitted);
  expect_untouched();
}

TEST_F(DestroyTest, RefusesAStoreThatIsMissing) {
  std::filesystem::rename(store(), folder / "elsewhere.trust");
  EXPECT_EQ(destroy(), kRefused);
  expect_untouched();
  EXPECT_EQ(said(),
            "meshtrust: error: there is no trust store at 'shop.trust', and without its ledger "
            "nobody knows what in these clusters is of mesh 'shop' [store-missing]\n"
            "meshtrust: hint: put it back from a backup, or say in the mesh file where it is: "
            "'trust.store'\n"
            "meshtrust: nothing was removed anywhere\n");
}

TEST_F(DestroyTest, NeedsNoStoreWhereNothingIsLeft) {
  ASSERT_EQ(destroy(), kDone);
  std::filesystem::rename(store(), folder / "elsewhere.trust");
  EXPECT_EQ(destroy(), kDone) << err.str();
  EXPECT_EQ(out.str(), "Nothing to do: nothing of mesh 'shop' is left.\n");
}

TEST_F(DestroyTest, DoesNotRunWithoutTheLock) {
  auto held = ca::TrustStore::open({files, clock, random}, store()).value();
  const auto lock = held.lock("another run").value();
  EXPECT_EQ(destroy(), kLocked);
  expect_untouched();
  server.remove("east", kNamespace);
  server.remove("east", kCacerts);
  server.remove("east", kTwin);
  EXPECT_EQ(destroy(), kLocked);  // nor says that nothing is left
  EXPECT_EQ(out.str(), "");
}

TEST_F(DestroyTest, TouchesNothingWhileAnyReadIsForbidden) {
  ASSERT_EQ(run({"destroy", "-f", path("mesh.yaml")}), kUsage);  // looks, and may not ask
  std::set<std::string> paths;
  for (const auto& request : server.requests()) {
    if (request.method == "GET") paths.insert(request.path);
  }
  for (const std::string& read : paths) {
    server.add_fault({.method = "GET",
                      .path_contains = read,
                      .times = -1,
                      .reply = test::failure_reply(403, "Forbidden", kForbidden)});
    server.forget_requests();
    EXPECT_EQ(destroy(), kNotPermitted) << read << err.str();
    expect_untouched(read);
    server.clear_faults();
  }
}

TEST_F(DestroyTest, TellsWhatIsLeftWhereADeleteIsForbidden) {
  const auto forbid = [this](const std::string& object) {
    server.add_fault({.method = "DELETE",
                      .path_contains = object,
                      .times = -1,
                      .reply = test::failure_reply(403, "Forbidden", kForbidden)});
  };
  forbid(kCacerts);  // the first of all
  EXPECT_EQ(destroy(), kNotPermitted) << err.str();
  EXPECT_EQ(out.str(), "");
  EXPECT_THAT(said(), HasSubstr("0 of 2 steps done, left: east/trust-gone, east/namespace-gone"));
  server.clear_faults();
  forbid(kTwin);
  EXPECT_EQ(destroy(), kPartial) << err.str();
  EXPECT_EQ(out.str(), "");
  server.clear_faults();
  EXPECT_EQ(destroy(), kDone) << err.str();
}

TEST_F(DestroyTest, KeepsANamespaceInWhichOthersKeepThings) {
  server.put("east", kNamespace + "/configmaps/shop-config", Json::object());
  EXPECT_EQ(destroy(), kDone) << err.str();
  EXPECT_EQ(out.str(),
            "Nothing of mesh 'shop' is left but namespaces in which others keep things.\n");
  EXPECT_THAT(said(),
              HasSubstr("meshtrust: note: east: namespace 'istio-system' stays: others keep "
                        "things in it [namespace-stays]\n"
                        "meshtrust: seen: ConfigMap shop-config\n"));
  EXPECT_TRUE(server.object("east", kNamespace + "/configmaps/shop-config"));
  EXPECT_EQ(destroy({"--with-namespace"}), kDone) << err.str();
  EXPECT_FALSE(server.object("east", kNamespace));
}

TEST_F(DestroyTest, DoesNotKeepTrustAndDeleteItsNamespace) {
  EXPECT_EQ(destroy({"--with-namespace", "--keep-trust"}), kUsage);
}

}  // namespace
}  // namespace meshtrust::cli
