// `status` as it is called: what it says of meshes that are not there yet, and with which exit
// code.

#include "tests/cli/program_fixture.h"
#include "tests/support/fake_api_server.h"
#include "tests/support/fake_tunnel.h"
#include "tests/support/golden.h"

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

namespace meshtrust::cli {
namespace {

class StatusTest : public testing::ProgramTest {
 protected:
  /// `istio` is put into the mapping of that name.
  void write_mesh(const std::string& istio) {
    test::put_file(
        folder / "mesh.yaml",
        "apiVersion: meshtrust/v1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n  istio: {" + istio +
            "}\n  clusters:\n"
            "  - {name: east, context: east, network: network1}\n"
            "  - {name: west, context: west, network: network2, role: remote, "
            "controlPlane: [east]}\n");
  }

  void SetUp() override {
    for (const char* cluster : {"east", "west"}) {
      server.put(cluster, "/api/v1/namespaces/kube-system", base::Json::object());
    }
    test::put_file(folder / "kubeconfig", server.kubeconfig());
    std::filesystem::permissions(folder / "kubeconfig", std::filesystem::perms::owner_read);
    variables["KUBECONFIG"] = path("kubeconfig");
    password = "correct horse battery staple";
    write_mesh(kInstallable);
  }

  int status(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"status", "-f", path("mesh.yaml")});
    return run(more);
  }
  void apply_trust() {
    ASSERT_EQ(kDone, run({"apply", "--only", "trust", "--yes", "-f", path("mesh.yaml")}))
        << err.str();
  }

  /// As a run elsewhere does.
  void take_leases(const std::vector<std::string>& clusters) {
    for (const std::string& cluster : clusters) {
      server.put(cluster,
                 "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/"
                 "meshtrust-istio-system",
                 {{"spec",
                   {{"holderIdentity", "bob"},
                    {"leaseDurationSeconds", 60},
                    {"acquireTime", "2026-11-21T00:00:00.000000Z"},
                    {"renewTime", "2026-11-21T09:59:50.000000Z"}}}});
    }
  }

  static constexpr const char* kInstallable = "version: \"1.30.3\"";
  test::FakeApiServer server{{.clusters = {"east", "west"}}};
};

TEST_F(StatusTest, OfAMeshThatNobodyHasBegunIsALineACluster) {
  EXPECT_EQ(status(), kRefused);
  EXPECT_EQ(said(),
            "meshtrust: east: nothing of mesh 'shop' is there yet\n"
            "meshtrust: west: nothing of mesh 'shop' is there yet\n"
            "meshtrust: next: 'meshtrust plan', then 'meshtrust apply'\n");
  (void)status({"west"});
  EXPECT_EQ(said(),
            "meshtrust: west: nothing of mesh 'shop' is there yet\n"
            "meshtrust: next: 'meshtrust plan', then 'meshtrust apply'\n");
}

TEST_F(StatusTest, NamesTheCommandForTrustAloneWhereNothingCanBeInstalled) {
  write_mesh("");
  EXPECT_EQ(status(), kRefused);
  EXPECT_EQ(said(),
            "meshtrust: east: nothing of mesh 'shop' is there yet\n"
            "meshtrust: west: nothing of mesh 'shop' is there yet\n"
            "meshtrust: next: 'meshtrust plan', then 'meshtrust apply --only trust'\n");
  apply_trust();
  EXPECT_EQ(status(), kDone);
  EXPECT_EQ(said(), "meshtrust: next: 'meshtrust verify' shows the proof pair by pair\n");
}

TEST_F(StatusTest, OfTrustWithoutAMeshSaysThatNothingIsInstalled) {
  apply_trust();
  EXPECT_EQ(status(), kDone);
  EXPECT_EQ(said(),
            "meshtrust: east: its trust is in place, and nothing is installed yet\n"
            "meshtrust: west: its namespace is there, and nothing is installed yet\n"
            "meshtrust: next: 'meshtrust plan', then 'meshtrust apply'\n");
}

TEST_F(StatusTest, OnLevelDeepIsALineAClusterOfWhatWorkloadsPresentAndTrust) {
  std::signal(SIGPIPE, SIG_IGN);
  apply_trust();
  for (const char* name : {"web-1", "web-2", "web-3"}) {
    server.put("east", std::string("/api/v1/namespaces/shop/pods/") + name,
               {{"metadata", {{"labels", {{"service.istio.io/canonical-name", "web"}}}}},
                {"spec", {{"containers", {{{"name", "istio-proxy"}}}}}}});
  }
  server.deny("west", "list", "pods");
  server.on_upgrade([](const auto& request, auto& stream) {
    test::FakeTunnel tunnel(request, stream);
    tunnel.begin();
    (void)tunnel.next_data();
    const std::string body = test::content_of(test::test_file("data/workloads/sidecar.json"));
    tunnel.say('\0', "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) +
                         "\r\n\r\n" + body);
    tunnel.say_goodbye();
  });
  EXPECT_EQ(status({"--level", "deep", "--pods", "2"}), kDone) << err.str();
  const std::string shown = out.str();
  test::expect_golden("golden/cli/status-workloads.txt", shown.substr(shown.find("\n\n") + 2));
  EXPECT_EQ(status({"--level", "deep", "--pods", "0"}), kDone);
  EXPECT_EQ(out.str().find("WORKLOADS"), std::string::npos);
  EXPECT_EQ(status(), kDone);
  EXPECT_EQ(out.str().find("WORKLOADS"), std::string::npos);
}

TEST_F(StatusTest, RefusesALevelWhereItMeansNothing) {
  EXPECT_EQ(status({"--pods", "2"}), kUsage);
  EXPECT_EQ(said(), "meshtrust: error: --pods means nothing without --level deep\n");
  EXPECT_EQ(status({"--level", "deep", "--from", "seen.json"}), kUsage);
  EXPECT_EQ(said(),
            "meshtrust: error: --level and --pods are about live clusters: they do not go with "
            "--from\n");
  EXPECT_EQ(run({"observe", "-f", path("mesh.yaml"), "--level", "mesh", "--pods", "2"}), kUsage);
  EXPECT_EQ(said(), "meshtrust: error: --pods means nothing without --level deep\n");
  EXPECT_EQ(run({"verify", "--bundle", "east", "--pods", "2"}), kUsage);
  EXPECT_EQ(said(),
            "meshtrust: error: --pods is about live clusters: it goes with neither --bundle nor "
            "--chain\n");
}

TEST_F(StatusTest, DuringARunEverywhereJudgesNothing) {
  apply_trust();
  take_leases({"east", "west"});
  EXPECT_EQ(status(), kLocked);
  EXPECT_EQ(said(),
            "meshtrust: error: east: it is not judged while a run is at work there: bob, since "
            "2026-11-21T00:00:00.000000Z\n"
            "meshtrust: error: west: it is not judged while a run is at work there: bob, since "
            "2026-11-21T00:00:00.000000Z\n"
            "meshtrust: next: 'meshtrust status' when that run has ended\n");
  EXPECT_EQ(out.str(),
            "CLUSTER  KUBERNETES  NETWORK  ROLE     CA       EXPIRES  TRUST\n"
            "east     unknown     unknown  primary  unknown  -        being changed\n"
            "west     unknown     unknown  remote   by east  -        being changed\n");
  EXPECT_EQ(status({"-o", "json"}), kLocked);
  const auto json = base::Json::parse(out.str());
  EXPECT_EQ(json["lookedAt"]["clusters"], base::Json::array());
  EXPECT_EQ(json["proved"], false);
  EXPECT_EQ(json["findings"], base::Json::array());
  EXPECT_EQ(json["pairs"], base::Json::array());
  EXPECT_EQ(json["clusters"][0]["run"],
            (base::Json{{"holder", "bob"}, {"since", "2026-11-21T00:00:00.000000Z"}}));
}

TEST_F(StatusTest, DuringARunJudgesTheOtherClusters) {
  write_mesh("");
  apply_trust();
  take_leases({"west"});
  server.remove("east", "/api/v1/namespaces/istio-system/secrets/cacerts");
  EXPECT_EQ(status({"-o", "json"}), kLocked);
  const auto json = base::Json::parse(out.str());
  EXPECT_EQ(json["lookedAt"]["clusters"], base::Json::array({"east"}));
  EXPECT_THAT(said(), ::testing::HasSubstr("error: east: "));
  EXPECT_THAT(said(), ::testing::Not(::testing::HasSubstr(": west: secret")));
}

TEST_F(StatusTest, SaysThatARunMayBeAtWorkWhereSomethingIsWrongAndLeasesMayNotBeRead) {
  write_mesh("");
  apply_trust();
  server.deny("east", "get", "leases");
  EXPECT_EQ(status(), kDone);
  EXPECT_EQ(said(), "meshtrust: next: 'meshtrust verify' shows the proof pair by pair\n");
  server.remove("east", "/api/v1/namespaces/istio-system/secrets/cacerts");
  EXPECT_EQ(status(), kRefused);
  EXPECT_THAT(said(),
              ::testing::HasSubstr("note: east: whether a run is just changing it is not known: "));
  EXPECT_THAT(said(), ::testing::HasSubstr("hint: the Role meshtrust-viewer in kube-system of "
                                           "docs/rbac.yaml lets its Lease be read\n"));
  EXPECT_EQ(status({"-o", "json"}), kRefused);
  const auto json = base::Json::parse(out.str());
  EXPECT_TRUE(json["clusters"][0]["run"].contains("unknown"));
  EXPECT_FALSE(json["clusters"][1].contains("run"));
}

TEST_F(StatusTest, SaysNothingOfAClusterOfWhichSomethingIsUnknown) {
  server.deny("east", "get", "namespaces");
  server.deny("west", "list", "deployments");
  (void)status();
  EXPECT_THAT(said(), ::testing::Not(::testing::HasSubstr(" yet\n")));
}

}  // namespace
}  // namespace meshtrust::cli
