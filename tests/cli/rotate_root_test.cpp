// `rotate root` as it is called: on clusters to which trust was applied, and with wrong words.

#include "tests/cli/program_fixture.h"
#include "tests/support/fake_api_server.h"

#include <filesystem>
#include <string>
#include <vector>

namespace meshtrust::cli {
namespace {

class RotateRootTest : public testing::ProgramTest {
 protected:
  void SetUp() override {
    for (const char* cluster : {"east", "west"}) {
      server.put(cluster, "/api/v1/namespaces/kube-system", base::Json::object());
    }
    test::put_file(folder / "kubeconfig", server.kubeconfig());
    std::filesystem::permissions(folder / "kubeconfig", std::filesystem::perms::owner_read);
    variables["KUBECONFIG"] = path("kubeconfig");
    password = "correct horse battery staple";
    write_mesh("");
  }

  /// `values` are Helm values of the mesh.
  void write_mesh(const std::string& values) {
    test::put_file(folder / "mesh.yaml",
                   "apiVersion: meshtrust/v1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n"
                   "  istio: {version: \"1.30.3\"" +
                       values +
                       "}\n  clusters:\n"
                       "  - {name: east, context: east, network: network1}\n"
                       "  - {name: west, context: west, network: network2}\n");
  }

  int rotate(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"rotate", "root", "-f", path("mesh.yaml")});
    return run(more);
  }
  void apply_trust() {
    ASSERT_EQ(kDone, run({"apply", "--only", "trust", "--yes", "-f", path("mesh.yaml")}))
        << err.str();
  }

  test::FakeApiServer server{{.clusters = {"east", "west"}}};
};

TEST_F(RotateRootTest, ShowsStagesAndProvesThemWithoutAKey) {
  apply_trust();
  password.clear();
  const std::size_t before = server.requests().size();
  EXPECT_EQ(rotate({"simulate"}), kDone);
  EXPECT_EQ(out.str(),
            "A new root by bridge: the old root certifies the new one's key, and chains hold that "
            "meanwhile.\n"
            "\n"
            "prepare   4s to 12h23m28s, 0 of 76 pairs fail\n"
            "  east, west:\n"
            "    lists the next intermediate\n"
            "    signs with it\n"
            "  then wait until every workload shows and trusts what this led to\n"
            "\n"
            "activate   2s to 12h28m26s, 0 of 24 pairs fail\n"
            "  east, west:\n"
            "    trusts the new root alone, and its istiods restart\n"
            "  then wait until every workload shows and trusts what this led to\n"
            "\n"
            "retire   2s to 12h21m26s, 0 of 32 pairs fail\n"
            "  east, west:\n"
            "    drops the bridge\n"
            "\n"
            "0 of 132 pairs fail; 8s to 1d13h13m20s in all\n");
  EXPECT_EQ(said(),
            "meshtrust: nothing was minted or written: certificates of today are replaced by "
            "stand-ins, those of tomorrow made with throw-away keys\n");
  for (std::size_t index = before; index < server.requests().size(); ++index) {
    EXPECT_NE(server.requests()[index].method, "PATCH");
  }
}

TEST_F(RotateRootTest, SaysTheSameAsADocument) {
  apply_trust();
  EXPECT_EQ(rotate({"--strategy", "bundle", "-o", "json"}), kDone);
  const auto json = base::Json::parse(out.str());
  EXPECT_EQ(json["kind"], "RotationProof");
  EXPECT_EQ(json["strategy"], "bundle");
  EXPECT_EQ(json["pairs"]["failing"], 0);
  EXPECT_EQ(json["stages"][0]["name"], "prepare");
  EXPECT_EQ(json["stages"][0]["changes"][0]["clusters"], (base::Json{"east", "west"}));
  EXPECT_EQ(json["stages"][0]["changes"][0]["updates"],
            base::Json{"trusts the new root too, and its istiods restart"});
  EXPECT_EQ(json["duration"], (base::Json{{"least", "8s"}, {"most", "1d13h20m20s"}}));
}

TEST_F(RotateRootTest, NamesTheFirstPairThatAStageLeftOutWouldBreak) {
  apply_trust();
  EXPECT_EQ(rotate({"--skip", "prepare", "-o", "json"}), kRefused);
  const auto json = base::Json::parse(out.str());
  EXPECT_GT(json["pairs"]["failing"], 0);
  EXPECT_EQ(json["firstFailure"]["stage"], "activate");
  EXPECT_EQ(json["firstFailure"]["meets"], "workloads");
  EXPECT_EQ(json["firstFailure"]["refusals"].size(), 4U) << json["firstFailure"];
}

TEST_F(RotateRootTest, TakesSwitchesFromTheMeshFileAndFromFlags) {
  write_mesh(", values: {pilot: {env: {ISTIO_MULTIROOT_MESH: \"true\"}}}");
  apply_trust();
  const auto updates_of_activate = [this](std::vector<std::string> more) {
    more.insert(more.end(), {"-o", "json"});
    EXPECT_EQ(rotate(more), kDone) << err.str();
    return base::Json::parse(out.str())["stages"][1]["changes"][0]["updates"];
  };
  const base::Json hot = {"trusts the new root too", "trusts the new root alone"};
  EXPECT_EQ(updates_of_activate({}), hot);
  EXPECT_EQ(updates_of_activate({"--multi-root", "on"}), hot);
  EXPECT_EQ(updates_of_activate({"--multi-root", "off"}),
            base::Json{"trusts the new root alone, and its istiods restart"});
}

TEST_F(RotateRootTest, OfClustersWithoutTrustSaysWhatToDoFirst) {
  EXPECT_EQ(rotate(), kRefused);
  EXPECT_EQ(said(),
            "meshtrust: error: 'east' has no cacerts: nothing to rotate\n"
            "meshtrust: hint: 'meshtrust apply --only trust' gives it one\n"
            "meshtrust: error: 'west' has no cacerts: nothing to rotate\n"
            "meshtrust: hint: 'meshtrust apply --only trust' gives it one\n");
}

TEST_F(RotateRootTest, RefusesWordsThatItDoesNotKnow) {
  EXPECT_EQ(rotate({"--strategy", "swap"}), kUsage);
  EXPECT_EQ(rotate({"--workload-ttl", "soon"}), kUsage);
  EXPECT_EQ(rotate({"--istio-version", "new"}), kUsage);
  EXPECT_EQ(rotate({"everything"}), kUsage);
}

}  // namespace
}  // namespace meshtrust::cli
