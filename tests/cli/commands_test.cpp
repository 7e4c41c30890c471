#include "base/json.h"
#include "profiles/load.h"
#include "tests/cli/program_fixture.h"
#include "tests/support/fake_api_server.h"

#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using testing::ProgramTest;

class CommandsTest : public ProgramTest {
 protected:
  /// Two clusters in this process, a kubeconfig for them, and a mesh file made by init.
  void make_mesh() {
    server =
        std::make_unique<test::FakeApiServer>(test::FakeApiOptions{.clusters = {"east", "west"}});
    for (const char* name : {"east", "west"}) {
      server->put(name, "/api/v1/namespaces/kube-system", base::Json::object());
    }
    test::put_file(folder / "kubeconfig", server->kubeconfig());
    std::filesystem::permissions(folder / "kubeconfig", std::filesystem::perms(0600));
    variables["KUBECONFIG"] = path("kubeconfig");
    ASSERT_EQ(
        run({"init", "--from-contexts", "east,west", "--name", "mesh", "-f", path("mesh.yaml")}),
        kDone)
        << err.str();
  }
  int on_mesh(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-f", path("mesh.yaml")});
    return run(arguments);
  }

  std::unique_ptr<test::FakeApiServer> server;
};

TEST_F(CommandsTest, VersionIsThatOfTheProject) {
  EXPECT_EQ(run({"--version"}), kDone);
  EXPECT_EQ(out.str(), "meshtrust " MESHTRUST_VERSION "\n");
  EXPECT_EQ(run({"version", "-o", "json"}), kDone);
  EXPECT_THAT(out.str(), HasSubstr("\"" MESHTRUST_VERSION "\""));
  EXPECT_EQ(err.str(), "");
}

TEST_F(CommandsTest, SchemaIsOneJsonDocument) {
  EXPECT_EQ(run({"schema"}), kDone);
  EXPECT_EQ(out.str(), test::content_of(test::test_file("golden/mesh.schema.json")));
}

TEST_F(CommandsTest, InitWritesAFileThatPlanAccepts) {
  make_mesh();
  EXPECT_EQ(said(),
            "meshtrust: wrote DIR/mesh.yaml\nmeshtrust: next: look at it, then 'meshtrust plan'\n");
  EXPECT_EQ(on_mesh({"plan", "--detailed-exitcode"}), kChangesPending) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("Plan: 7 to add, 0 to change, 0 to remove\n"));
  EXPECT_THAT(server->writes(), IsEmpty());
}

TEST_F(CommandsTest, InitCallsAMeshAfterItsFolderAndItsServers) {
  make_mesh();
  const auto name_in = [this](const std::string& file, const std::string& contexts) {
    std::filesystem::create_directories(std::filesystem::path(path(file)).parent_path());
    EXPECT_EQ(run({"init", "--from-contexts", contexts, "-f", path(file)}), kDone) << err.str();
    return profiles::load_mesh(file, test::content_of(path(file))).value().name;
  };
  const std::string shop = name_in("shop/mesh.yaml", "east,west");
  EXPECT_THAT(shop, MatchesRegex("shop-[0-9a-f]{4}"));
  EXPECT_THAT(said(), HasSubstr("meshtrust: the mesh is called '" + shop +
                                "'; --name gives it another name\n"));
  EXPECT_EQ(name_in("other/shop/mesh.yaml", "west,east"), shop) << "the same clusters";
  EXPECT_NE(name_in("third/shop/mesh.yaml", "east"), shop) << "another team's clusters";
  variables["HOME"] = path("alice");
  EXPECT_THAT(name_in("alice/mesh.yaml", "east,west"), MatchesRegex("east-west-[0-9a-f]{4}"));
}

TEST_F(CommandsTest, InitReplacesNothing) {
  make_mesh();
  EXPECT_EQ(on_mesh({"init", "--from-contexts", "east"}), kRefused);
  EXPECT_EQ(said(),
            "meshtrust: error: 'DIR/mesh.yaml' already exists\n"
            "meshtrust: hint: name another with --file, or replace it with --force\n");
}

TEST_F(CommandsTest, InitKnowsTheContextsOfTheKubeconfig) {
  make_mesh();
  EXPECT_EQ(run({"init", "--from-contexts", "eats", "-f", path("other.yaml")}), kBadInput);
  EXPECT_EQ(said(),
            "meshtrust: error: context 'eats' is not in the kubeconfig (DIR/kubeconfig)\n"
            "meshtrust: hint: did you mean 'east'?\n");
}

TEST_F(CommandsTest, ApplyAsksNobodyWhereThereIsNoTerminal) {
  make_mesh();
  EXPECT_EQ(on_mesh({"apply", "--only", "trust"}), kUsage);
  EXPECT_THAT(said(), HasSubstr("meshtrust: error: this changes clusters and there is no terminal "
                                "to ask on\n"));
  EXPECT_THAT(server->writes(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(folder / "mesh.trust"));
}

TEST_F(CommandsTest, ApplyDoesNothingWhenDeclined) {
  make_mesh();
  terminal.there = true;
  EXPECT_EQ(on_mesh({"apply", "--only", "trust"}), kUsage);
  EXPECT_THAT(terminal.asked, ElementsAre("run this plan?"));
  EXPECT_THAT(said(), ::testing::EndsWith("meshtrust: nothing was changed\n"));
  EXPECT_THAT(server->writes(), IsEmpty());
}

TEST_F(CommandsTest, ApplyAsksTwiceForANewPassphrase) {
  make_mesh();
  terminal.there = true;
  terminal.answer = true;
  terminal.secrets = {"one", "two"};
  EXPECT_EQ(on_mesh({"apply", "--only", "trust"}), kUsage);
  EXPECT_THAT(terminal.asked, ElementsAre("run this plan?", "passphrase for the new root key",
                                          "the same once more"));
  EXPECT_THAT(said(), HasSubstr("meshtrust: error: the two passphrases differ\n"));
  EXPECT_THAT(server->writes(), IsEmpty());
}

TEST_F(CommandsTest, ApplyProvesAndTheSecondTimeHasNothingToDo) {
  make_mesh();
  const std::vector<std::string> apply{"apply", "--only",        "trust",
                                       "--yes", "--no-password", "--insecure"};
  ASSERT_EQ(on_mesh(apply), kDone) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("2 of 2 ordered pairs accepted by OpenSSL and Botan: every "
                                   "workload will trust every other\n"));
  server->forget_requests();
  ASSERT_EQ(on_mesh(apply), kDone) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("Nothing to do: mesh 'mesh' is as it should be.\n"));
  EXPECT_THAT(server->writes(), IsEmpty());
  EXPECT_EQ(on_mesh({"verify"}), kDone) << err.str();
  EXPECT_EQ(on_mesh({"status", "-o", "json"}), kDone) << err.str();
  EXPECT_EQ(base::parse_json(out.str(), "status").value()["proved"], true);
}

TEST_F(CommandsTest, ASnapshotStandsForTheLiveMesh) {
  make_mesh();
  ASSERT_EQ(on_mesh({"observe", "-o", "json"}), kDone) << err.str();
  test::put_file(folder / "seen.json", out.str());
  ASSERT_EQ(on_mesh({"plan"}), kDone);
  const std::string live = out.str();
  server->forget_requests();
  ASSERT_EQ(on_mesh({"plan", "--from", path("seen.json")}), kDone) << err.str();
  EXPECT_EQ(out.str(), live);
  EXPECT_THAT(server->requests(), IsEmpty());
  EXPECT_THAT(said(), HasSubstr("meshtrust: this is what was seen now (2026-11-21T10:00:00Z)\n"));
}

TEST_F(CommandsTest, AClearTextRootKeyTakesTwoWords) {
  for (const char* word : {"--no-password", "--insecure"}) {
    EXPECT_EQ(run({"ca", "create", "--store", path("t"), word}), kUsage);
    EXPECT_EQ(said(),
              "meshtrust: error: a clear-text root key takes two words\n"
              "meshtrust: hint: say '--no-password --insecure', or neither\n");
  }
}

TEST_F(CommandsTest, ThePassphraseIsTheFirstLineOfAFile) {
  test::put_file(folder / "words", "correct horse\nsecond line\n");
  ASSERT_EQ(run({"ca", "create", "--store", path("t"), "--password-file", path("words")}), kDone)
      << err.str();
  password = "correct horse";
  EXPECT_EQ(run({"ca", "issue", "east", "--store", path("t"), "--out", path("east")}), kDone)
      << err.str();
  EXPECT_EQ(test::mode_of(folder / "east/ca-key.pem"), 0600U);
  password = "wrong";
  EXPECT_EQ(run({"ca", "issue", "west", "--store", path("t"), "--out", path("west")}), kBadInput);
  EXPECT_EQ(run({"verify", "--bundle", path("east")}), kDone) << err.str();
}

TEST_F(CommandsTest, AnEmptyPassphraseIsNone) {
  test::put_file(folder / "words", "\nsecond line\n");
  EXPECT_EQ(run({"ca", "create", "--store", path("t"), "--password-file", path("words")}), kUsage);
  EXPECT_EQ(said(),
            "meshtrust: warning: 'DIR/words' can be read by others: its mode is 0644, wanted 0600 "
            "(chmod 600 'DIR/words')\n"
            "meshtrust: error: the passphrase is empty\n");
}

TEST_F(CommandsTest, NobodyIsAskedForAPassphraseWithoutATerminal) {
  EXPECT_EQ(run({"ca", "create", "--store", path("t")}), kUsage);
  EXPECT_EQ(said(),
            "meshtrust: error: the root key needs a passphrase and there is no terminal to ask on\n"
            "meshtrust: hint: set MESHTRUST_PASSWORD, or use --password-file or --password-fd\n");
}

}  // namespace
}  // namespace meshtrust::cli
