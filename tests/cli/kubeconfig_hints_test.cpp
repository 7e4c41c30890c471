#include "tests/cli/program_fixture.h"

namespace meshtrust::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// What a kubeconfig hides from its owner, told without a connection.
class KubeconfigHintsTest : public testing::ProgramTest {
 protected:
  /// A context NAME with a cluster and a user of these names.
  void put(const std::string& name,
           const std::string& cluster,
           const std::string& server,
           const std::string& user,
           const std::string& credential = "token: abc") {
    test::put_file(folder / (name + ".yaml"),
                   "apiVersion: v1\nkind: Config\ncurrent-context: " + name +
                       "\nclusters:\n- {name: " + cluster + ", cluster: {server: \"" + server +
                       "\"}}\ncontexts:\n- {name: " + name + ", context: {cluster: " + cluster +
                       ", user: " + user + "}}\nusers:\n- name: " + user + "\n  user:\n    " +
                       credential + "\n");
    std::filesystem::permissions(folder / (name + ".yaml"), std::filesystem::perms(0600));
  }
  void use(const std::string& list) { variables["KUBECONFIG"] = list; }
  int check_contexts(const std::vector<std::string>& contexts) {
    std::vector<std::string> words{"cluster", "check", "--offline"};
    for (const std::string& one : contexts) {
      words.insert(words.end(), {"--context", one});
    }
    return run(words);
  }
};

TEST_F(KubeconfigHintsTest, AnEntryOfALaterFileIsHiddenByOneOfAnEarlier) {
  put("east", "kubernetes-east", "https://east.example:6443", "kubernetes-admin");
  put("west", "kubernetes-west", "https://west.example:6443", "kubernetes-admin");
  use(path("east.yaml") + ":" + path("west.yaml"));
  EXPECT_EQ(check_contexts({"east", "west"}), kDone) << err.str();
  EXPECT_EQ(said(),
            "meshtrust: warning: DIR/west.yaml: user 'kubernetes-admin' is hidden by the one in "
            "DIR/east.yaml, which comes first: rename one of the two\n");
}

TEST_F(KubeconfigHintsTest, TwoContextsWithOneServerAreOneCluster) {
  put("east", "kubernetes", "https://east.example:6443", "admin-east");
  put("west", "kubernetes", "https://west.example:6443", "admin-west");
  use(path("east.yaml") + ":" + path("west.yaml"));
  const std::string told =
      "meshtrust: warning: contexts 'east' and 'west' lead to one server, "
      "https://east.example:6443: it is one cluster\n";
  EXPECT_EQ(check_contexts({"east", "west"}), kDone) << err.str();
  EXPECT_THAT(said(), HasSubstr("cluster 'kubernetes' is hidden by the one in DIR/east.yaml"));
  EXPECT_THAT(said(), HasSubstr(told));
  EXPECT_EQ(run({"init", "--from-contexts", "east,west", "--name", "shop", "--istio-version",
                 "1.30.3", "--file", path("mesh.yaml")}),
            kDone)
      << err.str();
  EXPECT_THAT(said(), HasSubstr(told));
}

TEST_F(KubeconfigHintsTest, PathsOfWindowsAndOfShellsAreToldAsThat) {
  put("east", "east", "https://east.example:6443", "admin",
      "{client-certificate: 'C:\\Users\\me\\a.crt', client-key: 'C:\\Users\\me\\a.key'}");
  use(path("east.yaml"));
  EXPECT_EQ(check_contexts({"east"}), kBadInput);
  EXPECT_THAT(said(),
              HasSubstr("meshtrust: hint: that is a path of Windows: 'wslpath' tells what it "
                        "is called here"));
  put("home", "east", "https://east.example:6443", "admin",
      "{client-certificate: ~/a.crt, client-key: ~/a.key}");
  use(path("home.yaml"));
  EXPECT_EQ(check_contexts({"home"}), kBadInput);
  EXPECT_THAT(said(), HasSubstr("hint: '~' is for the shell to expand: write the whole path\n"));
  use("C:\\Users\\me\\config;C:\\Users\\me\\west");
  EXPECT_EQ(run({"cluster", "check", "--offline"}), kBadInput);
  EXPECT_THAT(said(),
              HasSubstr("nothing says which server is meant: no file of KUBECONFIG exists: "
                        "'C', '\\Users\\me\\config;C', '\\Users\\me\\west' (that is a path of "
                        "Windows: "));
}

TEST_F(KubeconfigHintsTest, AMissingPluginIsSeenWithoutAConnection) {
  put("east", "east", "https://east.example:6443", "admin",
      "exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin, "
      "interactiveMode: Never, installHint: see example.com}");
  use(path("east.yaml"));
  variables["PATH"] = path("bin");
  EXPECT_EQ(check_contexts({"east"}), kDone) << err.str();
  EXPECT_EQ(
      said(),
      "meshtrust: warning: east: the program 'no-such-plugin' of user 'admin' in DIR/east.yaml "
      "is not found in PATH (see example.com)\n");
  std::filesystem::create_directory(folder / "bin");
  test::put_file(folder / "bin/no-such-plugin", "");
  EXPECT_EQ(check_contexts({"east"}), kDone);
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(KubeconfigHintsTest, AProxyThatIsNotUsedIsNamed) {
  put("east", "east", "https://127.0.0.1:6443", "admin");
  use(path("east.yaml"));
  variables["HTTPS_PROXY"] = "http://proxy.example:3128";
  EXPECT_EQ(check_contexts({"east"}), kDone) << err.str();
  EXPECT_THAT(said(), HasSubstr("note: HTTPS_PROXY is not used for servers on this machine"));
  variables = {{"KUBECONFIG", path("east.yaml")}, {"ALL_PROXY", "socks5://proxy.example"}};
  EXPECT_EQ(check_contexts({"east"}), kDone);
  EXPECT_THAT(said(), HasSubstr("note: ALL_PROXY and HTTP_PROXY are not used for API servers"));
  EXPECT_THAT(said(), Not(HasSubstr("HTTPS_PROXY is not used")));
}

}  // namespace
}  // namespace meshtrust::cli
