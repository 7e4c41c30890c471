// A mesh file comes with whatever was cloned: what kubeconfigs that it names may do on this
// machine.

#include "tests/cli/program_fixture.h"

#include <fmt/format.h>

namespace meshtrust::cli::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class KubeconfigTrustTest : public ProgramTest {
 protected:
  KubeconfigTrustTest() {
    test::put_file(folder / "mesh.yaml", R"(apiVersion: meshtrust/v1
kind: Mesh
metadata: {name: shop}
spec:
  clusters:
  - {name: east, network: n1, kubeconfig: kube/east.yaml}
  - {name: north, network: n1, kubeconfig: kube/north.yaml}
  - {name: west, network: n1, kubeconfig: kube/west.yaml}
  - {name: south, network: n1, kubeconfig: kube/south.yaml}
)");
    std::filesystem::create_directory(folder / "kube");
    const std::string plugin = fmt::format(
        "exec: {{apiVersion: client.authentication.k8s.io/v1beta1, command: {}}}", tool().string());
    kubeconfig("east", plugin);
    kubeconfig("north", "token: t");
    kubeconfig("west", fmt::format("tokenFile: ../secret"));
    kubeconfig("south", plugin + ", tokenFile: " + path("secret"));
    test::put_file(folder / "secret", "hidden");
    test::put_file(tool(), fmt::format("#!/bin/sh\ntouch '{}'\n", path("ran")));
    std::filesystem::permissions(tool(), std::filesystem::perms::owner_all);
  }

  std::filesystem::path tool() const { return folder / "tool"; }

  void kubeconfig(const std::string& name, const std::string& user) {
    test::put_file(
        folder / "kube" / (name + ".yaml"),
        fmt::format("clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1'}}}}]\n"
                    "users: [{{name: u, user: {{{}}}}}]\n"
                    "contexts: [{{name: {}, context: {{cluster: c, user: u}}}}]\n",
                    user, name));
  }

  int run_here(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-f", path("mesh.yaml"), "--timeout", "5s"});
    return run(arguments);
  }

  bool has_run() const { return std::filesystem::exists(folder / "ran"); }
};

constexpr std::string_view kRefused =
    "meshtrust: error: east: the kubeconfig 'DIR/kube/east.yaml', which the mesh file names, runs "
    "a "
    "credential plugin ('DIR/tool')\n"
    "meshtrust: hint: if you trust that file, say so with --allow-exec, or name it yourself with "
    "--kubeconfig\n"
    "meshtrust: error: west: the kubeconfig 'DIR/kube/west.yaml', which the mesh file names, reads "
    "files outside its own folder (tokenFile '../secret')\n"
    "meshtrust: hint: if you trust that file, say so with --allow-credential-files, or name it "
    "yourself with --kubeconfig\n"
    "meshtrust: error: south: the kubeconfig 'DIR/kube/south.yaml', which the mesh file names, "
    "runs a "
    "credential plugin ('DIR/tool') and reads files outside its own folder (tokenFile "
    "'DIR/secret')\n"
    "meshtrust: hint: if you trust that file, say so with --allow-exec --allow-credential-files, "
    "or "
    "name it yourself with --kubeconfig\n";

TEST_F(KubeconfigTrustTest, IsAskedForByEveryCommandThatOpensOne) {
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"plan"},
           {"apply", "--yes"},
           {"apply", "--yes", "--only", "trust", "--skip-unreachable"},
           {"status"},
           {"verify"},
           {"observe"},
           {"destroy", "--yes"},
           {"cluster", "check"},
           {"cluster", "check", "--offline"}}) {
    EXPECT_EQ(run_here(command), kBadInput) << command.front();
    EXPECT_EQ(said(), kRefused) << command.front();
    EXPECT_EQ(out.str(), "") << command.front();
    EXPECT_FALSE(has_run()) << command.front();
  }
}

TEST_F(KubeconfigTrustTest, IsSaidByFlagsAloneAndNotByTheEnvironment) {
  variables["MESHTRUST_ALLOW_EXEC"] = "true";
  setenv("MESHTRUST_ALLOW_EXEC", "true", 1);
  setenv("MESHTRUST_ALLOW_CREDENTIAL_FILES", "true", 1);
  EXPECT_EQ(run_here({"status"}), kBadInput);
  EXPECT_EQ(said(), kRefused);
  unsetenv("MESHTRUST_ALLOW_EXEC");
  unsetenv("MESHTRUST_ALLOW_CREDENTIAL_FILES");
}

TEST_F(KubeconfigTrustTest, OfOneKindIsNotThatOfTheOther) {
  EXPECT_EQ(run_here({"cluster", "check", "--allow-exec"}), kBadInput);
  EXPECT_THAT(said(), HasSubstr("error: west: "));
  EXPECT_THAT(said(), HasSubstr("reads files outside its own folder (tokenFile 'DIR/secret')"));
  EXPECT_THAT(said(), Not(HasSubstr("plugin")));
  EXPECT_FALSE(has_run());
  EXPECT_EQ(run_here({"cluster", "check", "--allow-credential-files"}), kBadInput);
  EXPECT_THAT(said(), Not(HasSubstr("reads files")));
  EXPECT_FALSE(has_run());
}

TEST_F(KubeconfigTrustTest, LetsThemDoIt) {
  run_here({"observe", "--allow-exec", "--allow-credential-files"});
  EXPECT_THAT(said(), Not(HasSubstr("which the mesh file names")));
  EXPECT_TRUE(has_run());
}

TEST_F(KubeconfigTrustTest, IsAskedForAlsoWhereTheUserNamesTheSameFile) {
  variables["KUBECONFIG"] = path("kube/east.yaml");
  EXPECT_EQ(run_here({"status"}), kBadInput);
  EXPECT_EQ(said(), kRefused);
}

TEST_F(KubeconfigTrustTest, IsNotAskedForOfTheUsersOwn) {
  test::put_file(folder / "own.yaml",
                 "apiVersion: meshtrust/v1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n"
                 "  clusters:\n  - {name: east, network: n1}\n");
  for (const std::string_view way : {"flag", "variable", "home"}) {
    std::filesystem::remove(folder / "ran");
    std::vector<std::string> command{"observe", "-f", path("own.yaml"), "--timeout", "5s"};
    variables.clear();
    if (way == "flag") command.insert(command.end(), {"--kubeconfig", path("kube/east.yaml")});
    if (way == "variable") variables["KUBECONFIG"] = path("kube/east.yaml");
    if (way == "home") {
      variables["HOME"] = path("home");
      std::filesystem::create_directories(folder / "home/.kube");
      std::filesystem::copy_file(folder / "kube/east.yaml", folder / "home/.kube/config");
    }
    run(command);
    EXPECT_THAT(said(), Not(HasSubstr("which the mesh file names"))) << way;
    EXPECT_TRUE(has_run()) << way << "\n" << said();
  }
}

TEST_F(KubeconfigTrustTest, IsNotAskedForOnceTheUserNamesAnotherFile) {
  run_here({"cluster", "check", "--offline", "--kubeconfig", path("kube/east.yaml")});
  EXPECT_THAT(said(), Not(HasSubstr("which the mesh file names")));
}

TEST_F(KubeconfigTrustTest, IsNoMatterForViewWhichRunsNothing) {
  EXPECT_EQ(run({"cluster", "view", "--kubeconfig", path("kube/south.yaml")}), kDone);
  EXPECT_FALSE(has_run());
  EXPECT_THAT(out.str(), Not(HasSubstr("hidden")));
}

}  // namespace
}  // namespace meshtrust::cli::testing
