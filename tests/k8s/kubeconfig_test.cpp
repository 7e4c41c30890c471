#include "k8s/kubeconfig.h"

#include "base/encoding.h"
#include "tests/support/fake_api_tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <sys/stat.h>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

std::string base64(std::string_view text) {
  return base::to_base64(base::as_bytes(text));
}

/// A folder of its own for each test, gone afterwards.
class KubeconfigTest : public ::testing::Test {
 protected:
  KubeconfigTest() {
    std::string name = (fs::temp_directory_path() / "meshtrust-kubeconfig-XXXXXX").string();
    folder = mkdtemp(name.data());
  }
  ~KubeconfigTest() override { fs::remove_all(folder); }

  fs::path write(const std::string& name, const std::string& text, unsigned mode = 0600) const {
    const fs::path path = folder / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  base::Result<Kubeconfig> load(const std::string& variable) {
    return Kubeconfig::load({.kubeconfig_variable = variable}, files);
  }
  /// The error of context `c` whose cluster and user are as given, with the folder as "DIR".
  std::string fault(const std::string& cluster, const std::string& user) {
    const auto config = Kubeconfig::parse(folder / "config", with(cluster, user));
    if (!config) return "does not load: " + config.error().message;
    const auto settings = config->settings_for("c", files);
    if (settings) return "no fault";
    EXPECT_EQ(settings.error().code, Code::kInvalidInput);
    return anonymous(settings.error().message);
  }
  ClientSettings settings(const std::string& cluster, const std::string& user) {
    const auto config = Kubeconfig::parse(folder / "config", with(cluster, user));
    if (!config) {
      ADD_FAILURE() << config.error().message;
      return {};
    }
    auto out = config->settings_for("c", files);
    if (out) return *std::move(out);
    ADD_FAILURE() << out.error().message;
    return {};
  }
  std::string anonymous(std::string text) const {
    for (std::size_t at = 0; (at = text.find(folder.string())) != std::string::npos;) {
      text.replace(at, folder.string().size(), "DIR");
    }
    return text;
  }
  static std::string with(const std::string& cluster, const std::string& user) {
    return "clusters: [{name: c, cluster: " + cluster + "}]\nusers: [{name: u, user: " + user +
           "}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n";
  }

  fs::path folder;
  base::DiskFiles files;
  const std::string https = "server: 'https://a:6443'";
};

TEST_F(KubeconfigTest, MergesFilesEntryByEntryAndTheFirstWins) {
  write("a/config", R"(
current-context: ""
clusters:
- {name: c1, cluster: {server: "https://a", certificate-authority: ca.crt}}
users:
- {name: u1, user: {client-certificate: crt, client-key: key}}
contexts:
- {name: ctx, context: {cluster: c1, user: u1}}
)");
  write("b/config", R"(
current-context: ctx2
clusters:
- {name: c1, cluster: {server: "https://b", insecure-skip-tls-verify: true, tls-server-name: x}}
- {name: onlyb, cluster: {server: "https://onlyb"}}
users:
- {name: u1, user: {token: t}}
contexts:
- {name: ctx, context: {cluster: onlyb, user: u1, namespace: ns}}
)");
  const std::string a = (folder / "a/config").string();
  const std::string b = (folder / "b/config").string();
  const auto config = load(a + "::" + b + ":" + a + ":" + (folder / "missing").string());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->files(), ElementsAre(a, b));
  EXPECT_EQ(config->current_context(), "ctx2");
  const ClusterEntry& c1 = config->clusters().at("c1");
  EXPECT_EQ(c1.server, "https://a");
  EXPECT_EQ(c1.tls_server_name, "");
  EXPECT_FALSE(c1.insecure_skip_tls_verify);
  EXPECT_EQ(c1.certificate_authority.file, "ca.crt");
  EXPECT_EQ(c1.origin.resolve("ca.crt"), (folder / "a/ca.crt").string());
  EXPECT_EQ(config->users().at("u1").token, "");
  EXPECT_EQ(config->contexts().at("ctx").cluster, "c1");
  EXPECT_EQ(config->contexts().at("ctx").namespace_name, "");
  EXPECT_EQ(config->clusters().at("onlyb").origin.file, b);
}

TEST_F(KubeconfigTest, ReadsTheFileOfTheFlagAlone) {
  const auto path = write("one", "current-context: one\n");
  const auto other = write("two", "current-context: two\n");
  const auto config =
      Kubeconfig::load({.flag = path, .kubeconfig_variable = other.string()}, files);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->current_context(), "one");
}

TEST_F(KubeconfigTest, WantsTheFileOfTheFlagToExist) {
  const auto config = Kubeconfig::load({.flag = folder / "missing"}, files);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Code::kInvalidInput);
  EXPECT_THAT(config.error().message, HasSubstr((folder / "missing").string()));
}

TEST_F(KubeconfigTest, ReadsTheFileInTheHomeFolderWhenNothingIsSaid) {
  write(".kube/config", "current-context: home\n");
  EXPECT_EQ(Kubeconfig::load({.home = folder}, files)->current_context(), "home");
  EXPECT_THAT(Kubeconfig::load({.home = folder / "none"}, files)->files(), IsEmpty());
}

TEST_F(KubeconfigTest, FailsOnAFolderAmongGoodFiles) {
  const auto good = write("good", "");
  const auto config = load(good.string() + ":" + folder.string());
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Code::kInvalidInput);
}

TEST_F(KubeconfigTest, CountsPathsFromTheFolderOfTheLinkNotOfItsTarget) {
  write("real/config", "clusters: [{name: c, cluster: {certificate-authority: ca.crt}}]\n");
  fs::create_directories(folder / "link");
  fs::create_symlink(folder / "real/config", folder / "link/config");
  const auto config = load((folder / "link/config").string());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->clusters().at("c").origin.resolve("ca.crt"), (folder / "link/ca.crt").string());
}

TEST_F(KubeconfigTest, WarnsOfKeysThatOthersMayRead) {
  const std::string text = "users: [{name: u, user: {token: t}}]\n";
  const auto open = write("open", text, 0644);
  const auto config =
      load(open.string() + ":" +
           write("closed", "users: [{name: v, user: {token: t}}]\n", 0600).string());
  ASSERT_TRUE(config);
  EXPECT_THAT(config->warnings(),
              ElementsAre("'" + open.string() +
                          "' holds keys or tokens and others may read it: 'chmod 600 " +
                          open.string() + "'"));
}

TEST(KubeconfigText, IsReadAsKubectlDoes) {
  const auto config =
      Kubeconfig::parse("/x/config",
                        "\xEF\xBB\xBF---\r\n"
                        "base: &base {server: 'https://base', tls-server-name: name}\r\n"
                        "clusters:\r\n"
                        "- name: 2024-01-01\r\n"
                        "  cluster: {<<: *base, server: 'https://a', server: 'https://b'}\r\n"
                        "- {name: null, cluster: {Server: x, insecure-skip-tls-verify: yes}}\r\n"
                        "users: null\r\n"
                        "---\r\n"
                        "current-context: second\r\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->clusters().at("2024-01-01").server, "https://b");
  EXPECT_EQ(config->clusters().at("2024-01-01").tls_server_name, "name");
  EXPECT_EQ(config->clusters().at("").server, "");
  EXPECT_TRUE(config->clusters().at("").insecure_skip_tls_verify);
  EXPECT_EQ(config->current_context(), "");
}

struct BadText {
  const char* name;
  const char* text;
  const char* message;
  int line;
};

std::ostream& operator<<(std::ostream& out, const BadText& bad) {
  return out << bad.name;
}

class BadKubeconfig : public ::testing::TestWithParam<BadText> {};

TEST_P(BadKubeconfig, IsRefusedWithItsPlace) {
  const auto config = Kubeconfig::parse("/x/config", GetParam().text);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Code::kInvalidInput);
  EXPECT_EQ(config.error().message, GetParam().message);
  EXPECT_EQ(config.error().place.file, "/x/config");
  EXPECT_EQ(config.error().place.line, GetParam().line);
  EXPECT_EQ(config.error().place.source_line, "");
}

constexpr const char* kUnquoted = "'name' is a number, wanted text: put it in quotes";

INSTANTIATE_TEST_SUITE_P(
    Texts,
    BadKubeconfig,
    ::testing::Values(
        BadText{"Kind", "kind: Pod\n", "'kind' is not 'Config', found 'Pod'", 1},
        BadText{"Version", "\napiVersion: v2\n", "'apiVersion' is not 'v1', found 'v2'", 2},
        BadText{"NotAList", "clusters: {}\n", "'clusters' is a mapping, wanted a list", 1},
        BadText{"Number", "clusters:\n- name: 123\n", kUnquoted, 2},
        BadText{"Float", "clusters:\n- name: 1e3\n", kUnquoted, 2},
        BadText{"Octal", "clusters:\n- name: 010\n", kUnquoted, 2},
        BadText{"Word", "clusters:\n- name: y\n", "'name' is a bool, wanted text: put it in quotes",
                2},
        BadText{"Token", "users:\n- {name: u, user: {token: 12345}}\n",
                "'token' is a number, wanted text: put it in quotes", 2},
        BadText{"QuotedBool",
                "clusters:\n- {name: c, cluster: {insecure-skip-tls-verify: \"true\"}}\n",
                "'insecure-skip-tls-verify' is a string, wanted true or false without quotes", 2},
        BadText{"Base64",
                "users:\n- {name: u, user: {client-key-data: a2V5 }}\n- {name: v, user: "
                "{client-key-data: 'a2V 5'}}\n",
                "'client-key-data' is not standard base64 with padding", 3},
        BadText{"Twice", "users:\n- {name: u}\n- {name: u}\n", "'u' comes twice in 'users'", 3},
        BadText{"NoMapping", "- a\n", "a kubeconfig is a mapping, found something else", 1}),
    [](const auto& test_case) { return std::string(test_case.param.name); });

TEST_F(KubeconfigTest, GuessesTheContextThatWasMeant) {
  const auto config = Kubeconfig::parse("/x/config", "contexts: [{name: east}, {name: west}]\n");
  EXPECT_EQ(config->settings_for("est", files).error(),
            (Error{.code = Code::kInvalidInput,
                   .message = "context 'est' is not in the kubeconfig (/x/config)",
                   .hints = {"did you mean 'east'?"}}));
  EXPECT_EQ(config->settings_for("production", files).error().hints.front(),
            "its contexts are: east, west");
  EXPECT_EQ(Kubeconfig().settings_for("east", files).error(),
            (Error{.code = Code::kInvalidInput,
                   .message = "context 'east' is not in the kubeconfig (no file was found)",
                   .hints = {"it has no contexts: set KUBECONFIG or give --kubeconfig FILE"}}));
}

TEST_F(KubeconfigTest, TellsAllFaultsOfAContextAtOnce) {
  const auto config = Kubeconfig::parse(
      "/x/config",
      "clusters: [{name: c, cluster: {server: 'http://a', proxy-url: 'ftp://u:hidden@p'}}]\n"
      "users: [{name: u, user: {token: hidden, username: me, as-uid: '7'}}]\n"
      "contexts: [{name: c, context: {cluster: c, user: u, namespace: Not_Valid}}]\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->settings_for("c", files).error(),
            (Error{.code = Code::kInvalidInput,
                   .message =
                       "context 'c' cannot be used: "
                       "context 'c' in /x/config: namespace 'Not_Valid' is not a DNS label; "
                       "cluster 'c' in /x/config: server 'http://a' is not https, found 'http://'; "
                       "cluster 'c' in /x/config: 'proxy-url' is no URL of a host with one of the "
                       "schemes http, https, socks5; "
                       "user 'u' in /x/config: a token and a user name exclude each other; "
                       "user 'u' in /x/config: 'as-uid', 'as-groups' and 'as-user-extra' need 'as'",
                   .hints = {"credentials are never sent in clear: write 'https://a'",
                             "write it such as 'socks5://127.0.0.1:1080'", "keep one of the two",
                             "name in 'as' the user on whose behalf requests are made"}}));
}

TEST_F(KubeconfigTest, NamesWhatAContextPointsAtInVain) {
  const auto config = Kubeconfig::parse(
      "/x/config", "contexts: [{name: a}, {name: b, context: {cluster: gone, user: nobody}}]\n");
  EXPECT_EQ(config->settings_for("a", files).error().message,
            "context 'a' cannot be used: context 'a' in /x/config: it names no cluster");
  EXPECT_EQ(config->settings_for("b", files).error().message,
            "context 'b' cannot be used: context 'b' in /x/config: cluster 'gone' is not in the "
            "kubeconfig; context 'b' in /x/config: user 'nobody' is not in the kubeconfig");
}

TEST_F(KubeconfigTest, RefusesClustersThatCannotBeTrusted) {
  const std::string at = "context 'c' cannot be used: cluster 'c' in DIR/config: ";
  EXPECT_EQ(fault("{}", "{}"), at + "it has no 'server'");
  EXPECT_EQ(fault("{" + https + ", certificate-authority-data: eA==}", "{}"),
            at + "'certificate-authority' holds no PEM certificate");
  EXPECT_EQ(
      fault("{" + https + ", certificate-authority-data: eA==, certificate-authority: x}", "{}"),
      at + "'certificate-authority' and 'certificate-authority-data' exclude each other");
  EXPECT_THAT(fault("{" + https + ", certificate-authority: none.crt}", "{}"),
              HasSubstr("'certificate-authority': "));
}

TEST_F(KubeconfigTest, RefusesServerNamesThatWouldBecomeAnotherHost) {
  const std::string at =
      "context 'c' cannot be used: cluster 'c' in DIR/config: 'tls-server-name' is neither a host "
      "name nor an address, found '";
  for (const std::string name : {"x@localhost", "localhost/", "a:6443", "127.1", "a b"}) {
    EXPECT_EQ(fault("{" + https + ", tls-server-name: '" + name + "'}", "{}"), at + name + "'");
  }
  EXPECT_EQ(settings("{" + https + ", tls-server-name: '::1'}", "{}").tls_server_name, "::1");
}

TEST_F(KubeconfigTest, TellsPluginsTheServerAsKubectlDoes) {
  const auto told = [this](const std::string& server) {
    return settings("{server: '" + server + "'}", "{}").server_as_written;
  };
  EXPECT_EQ(told("HTTPS://a:443/"), "HTTPS://a:443/");
  EXPECT_EQ(told("https://a?q"), "https://a?q");
  EXPECT_EQ(told("HTTPS://a:443/x/?q#f"), "https://a:443/x/");
}

TEST_F(KubeconfigTest, LetsNoEscapeSequenceIntoItsMessages) {
  const std::string esc = "\x1b";
  const std::string bad = "\"c\\e]0;x\\a\"";
  const std::string gone = "\"c\\e]0;x\\a or another\"";
  const auto config = Kubeconfig::parse(
      "/x/" + esc + "config",
      "clusters: [{name: " + bad + ", cluster: {certificate-authority: " + bad +
          "}}]\nusers: [{name: " + bad + ", user: {client-key: k, tokenFile: " + bad +
          "}}]\ncontexts: [{name: " + bad + ", context: {cluster: " + bad + ", user: " + bad +
          "}}, {name: d, context: {cluster: " + gone + ", user: " + gone + "}}]\n");
  ASSERT_TRUE(config);
  for (const std::string& context : config->context_names()) {
    const auto error = config->settings_for(context, files).error();
    EXPECT_THAT(error.message, ::testing::Not(HasSubstr(esc)));
    EXPECT_THAT(error.message, HasSubstr("c?]0;x?"));
  }
  EXPECT_THAT(config->settings_for("production", files).error().hints,
              ElementsAre("its contexts are: c?]0;x?, d"));
  for (const std::string& odd : config->odd_entries({})) {
    EXPECT_THAT(odd, ::testing::Not(HasSubstr(esc)));
  }
}

TEST_F(KubeconfigTest, WarnsWhereTheServerIsNotVerified) {
  const auto out = settings("{" + https + ", insecure-skip-tls-verify: true}", "{}");
  EXPECT_FALSE(out.verify_server);
  EXPECT_THAT(out.warnings, ElementsAre(HasSubstr("'insecure-skip-tls-verify' is set")));
}

TEST_F(KubeconfigTest, StandsForThePodsOwnClusterWhenNothingElseIsSaid) {
  const test::TestAuthority authority;
  write("ca.crt", authority.certificate());
  write("token", "t\n");
  write("namespace", " mine\n");
  KubeconfigSources sources{.home = folder / "none",
                            .service_host = "fd00::1",
                            .service_port = "443",
                            .service_account = folder};
  const auto config = Kubeconfig::load_or_in_cluster(sources, files);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->current_context(), kInCluster);
  const auto out = config->settings_for(kInCluster, files);
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ(out->server.text(), "https://[fd00::1]");
  EXPECT_EQ(out->certificate_authority, authority.certificate());
  EXPECT_EQ(out->token_file, folder / "token");
  EXPECT_EQ(out->namespace_name, "mine");
  EXPECT_THAT(out->warnings, IsEmpty());

  sources.pod_namespace = "theirs";
  EXPECT_EQ(
      Kubeconfig::load_or_in_cluster(sources, files)->contexts().begin()->second.namespace_name,
      "theirs");
  sources.flag = write("own", "current-context: own\n");
  EXPECT_EQ(Kubeconfig::load_or_in_cluster(sources, files)->current_context(), "own");
  sources.flag.reset();
  sources.service_port.clear();
  EXPECT_TRUE(Kubeconfig::load_or_in_cluster(sources, files)->content().is_empty());
}

TEST_F(KubeconfigTest, TakesCertificateAndKeyFromDataOrFile) {
  const test::TestAuthority authority;
  const auto until = *base::parse_rfc3339("2031-01-01T00:00:00Z");
  const auto pair = authority.client("me", *base::parse_rfc3339("2020-01-01T00:00:00Z"), until);
  write("ca.crt", authority.certificate());
  write("me.key", pair.key);
  const auto out =
      settings("{" + https + ", certificate-authority: ca.crt}",
               "{client-certificate-data: " + base64(pair.certificate) + ", client-key: me.key}");
  EXPECT_EQ(out.certificate_authority, authority.certificate());
  ASSERT_TRUE(out.identity);
  EXPECT_EQ(out.identity->expires, until);
  EXPECT_EQ(out.describe_user(), "user 'u' in " + (folder / "config").string());
}

TEST_F(KubeconfigTest, RefusesUsersWithUnusableCredentials) {
  const test::TestAuthority authority;
  const auto from = *base::parse_rfc3339("2020-01-01T00:00:00Z");
  const auto pair = authority.client("me", from, from);
  const auto other = authority.client("other", from, from);
  const std::string at = "context 'c' cannot be used: user 'u' in DIR/config: ";
  const std::string cluster = "{" + https + "}";
  const std::string certificate = "client-certificate-data: " + base64(pair.certificate);
  EXPECT_EQ(fault(cluster, "{" + certificate + "}"),
            at + "'client-certificate' without 'client-key'");
  EXPECT_EQ(fault(cluster, "{" + certificate + ", client-key-data: " + base64(other.key) + "}"),
            at + "client key does not belong to the certificate");
  EXPECT_EQ(fault(cluster, "{" + certificate + ", client-key-data: eA==}"),
            at + "client key is not an unencrypted PEM private key");
  EXPECT_EQ(fault(cluster, "{client-certificate-data: eA==, client-key-data: eA==}"),
            at + "client certificate is not a PEM certificate");
  EXPECT_EQ(fault(cluster, "{auth-provider: {name: gcp}}"),
            at + "'auth-provider' is no longer supported, found 'gcp'");
  EXPECT_EQ(fault(cluster, "{token: \"a\\nb\"}"), at + "'token' holds control characters");
  EXPECT_EQ(fault(cluster, "{as: \"a\\nb\"}"),
            at + "'as' and what belongs to it must not hold control characters");
  EXPECT_EQ(fault(cluster, "{exec: {apiVersion: client.authentication.k8s.io/v1alpha1}}"),
            at + "'exec.apiVersion' is neither 'client.authentication.k8s.io/v1' nor "
                 "'client.authentication.k8s.io/v1beta1', found "
                 "'client.authentication.k8s.io/v1alpha1'; user 'u' in DIR/config: 'exec' has no "
                 "'command'");
  EXPECT_EQ(fault(cluster, "{exec: {apiVersion: client.authentication.k8s.io/v1, command: p}}"),
            at + "'exec.interactiveMode' is missing");
}

TEST_F(KubeconfigTest, TakesNoWordThatTheSystemWouldCutAtANul) {
  const std::string at = "context 'c' cannot be used: user 'u' in DIR/config: ";
  const std::string cluster = "{" + https + "}";
  const std::string plugin = "apiVersion: client.authentication.k8s.io/v1beta1, command: ";
  const std::string nul = at + "'exec' holds a NUL in its command, arguments or environment";
  EXPECT_EQ(fault(cluster, "{exec: {" + plugin + R"("p\0q"}})"), nul);
  EXPECT_EQ(fault(cluster, "{exec: {" + plugin + R"(p, args: ["a\0b"]}})"), nul);
  EXPECT_EQ(fault(cluster, "{exec: {" + plugin + R"(p, env: [{name: A, value: "a\0b"}]}})"), nul);
  EXPECT_EQ(fault(cluster, R"({tokenFile: "/x\0y"})"),
            at + "'tokenFile': '/x?y' is no path: it holds a NUL");
}

TEST_F(KubeconfigTest, TellsWhatAContextReachesOnThisMachine) {
  const std::string path = write("a/config", R"(
clusters:
- {name: c, cluster: {server: "https://c", certificate-authority: ca.crt}}
- {name: out, cluster: {server: "https://c", certificate-authority: ../ca.crt}}
users:
- {name: inside, user: {client-certificate: ./crt, client-key: sub/../key, tokenFile: sub/token}}
- {name: outside, user: {client-certificate: /etc/crt, client-key: sub/../../key, tokenFile: link}}
- {name: nul, user: {tokenFile: "/etc/x\0/../a"}}
- {name: missing, user: {tokenFile: no/../../token}}
- {name: runs, user: {exec: {command: ./get-token}}}
contexts:
- {name: inside, context: {cluster: c, user: inside}}
- {name: outside, context: {cluster: out, user: outside}}
- {name: nul, context: {cluster: c, user: nul}}
- {name: missing, context: {cluster: c, user: missing}}
- {name: runs, context: {cluster: c, user: runs}}
- {name: nobody, context: {}}
)")
                               .string();
  fs::create_directory(folder / "a/sub");
  fs::create_symlink("../../token", folder / "a/link");
  const auto config = Kubeconfig::load({.flag = path}, files);
  ASSERT_TRUE(config) << config.error().message;
  const auto files_of = [&config](std::string_view context) {
    return config->reach_of(context).files;
  };
  EXPECT_THAT(files_of("inside"), IsEmpty());
  EXPECT_THAT(files_of("outside"),
              ElementsAre("certificate-authority '../ca.crt'", "client-certificate '/etc/crt'",
                          "client-key 'sub/../../key'", "tokenFile 'link'"));
  EXPECT_THAT(files_of("nul"), ElementsAre("tokenFile '/etc/x?/../a'"));
  EXPECT_THAT(files_of("missing"), ElementsAre("tokenFile 'no/../../token'"));
  EXPECT_THAT(files_of("nobody"), IsEmpty());
  EXPECT_THAT(files_of("not there"), IsEmpty());
  EXPECT_EQ(config->reach_of("runs").program, "./get-token");
  EXPECT_EQ(config->reach_of("inside").program, "");
}

TEST_F(KubeconfigTest, CountsWhatALinkToAKubeconfigReachesFromWhereItLies) {
  write("mine/config", with("{" + https + "}", "{tokenFile: token}"));
  fs::create_directory(folder / "cloned");
  fs::create_symlink("../mine/config", folder / "cloned/config");
  fs::create_symlink("../mine/token", folder / "cloned/token");
  const auto config = Kubeconfig::load({.flag = folder / "cloned/config"}, files);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->reach_of("c").files, ElementsAre("tokenFile 'token'"));
}

TEST_F(KubeconfigTest, IgnoresAKeyWithoutACertificate) {
  EXPECT_FALSE(settings("{" + https + "}", "{client-key-data: eA==}").identity);
}

TEST_F(KubeconfigTest, FindsPluginsBesideTheFileOrOnThePath) {
  const std::string api = "apiVersion: client.authentication.k8s.io/v1beta1";
  const auto local =
      settings("{" + https + "}", "{exec: {" + api + ", command: ./bin/p, args: [a, b c]}}");
  EXPECT_THAT(local.exec->command, ElementsAre((folder / "bin/p").string(), "a", "b c"));
  const auto global = settings("{" + https + "}", "{exec: {" + api + ", command: p}}");
  EXPECT_THAT(global.exec->command, ElementsAre("p"));
}

TEST(KubeconfigText, TakesFiveThousandContexts) {
  std::string text = "contexts:\n";
  for (int i = 0; i < 5'000; ++i) {
    text += "- {name: \"c" + std::to_string(i) + "\", context: {cluster: a, user: b}}\n";
  }
  const auto config = Kubeconfig::parse("/x/config", text);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->context_names().size(), 5'000U);
}

}  // namespace
}  // namespace meshtrust::k8s
