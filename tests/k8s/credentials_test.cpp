#include "k8s/credentials.h"

#include "base/encoding.h"
#include "k8s/plugin_cache.h"
#include "tests/k8s/client_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <barrier>
#include <filesystem>
#include <fstream>
#include <future>
#include <ostream>
#include <unistd.h>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Json;
using base::Secret;
using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr const char* kV1 = "client.authentication.k8s.io/v1";

class CredentialsTest : public ClientTest {
 protected:
  CredentialsTest() {
    with_.user = "u";
    with_.user_file = "/x/config";
  }
  std::unique_ptr<Credentials> make(PluginCache* plugins = nullptr) {
    return make_credentials(with_, files, {.clock = clock, .processes = processes}, plugins);
  }
  static std::uint64_t number(Credentials& from) { return from.current()->number; }
  static std::string header(Credentials& from) {
    const auto credential = from.current();
    if (!credential) return "error: " + credential.error().message;
    return std::string(reveal(credential->authorization, "test"));
  }
  void use_plugin() {
    with_.exec = ExecPlugin{.api_version = kV1, .command = {"plugin"}, .interactive_mode = "Never"};
  }
  static std::string answer(const Json& status) {
    return base::compact({{"kind", "ExecCredential"}, {"apiVersion", kV1}, {"status", status}});
  }

  ClientSettings with_;
};

TEST_F(CredentialsTest, SendsWhatTheKubeconfigHolds) {
  EXPECT_EQ(header(*make()), "");
  with_.token = Secret("t");
  EXPECT_EQ(header(*make()), "Bearer t");
  with_.token.clear();
  with_.username = "me";
  with_.password = Secret("pa:ss");
  EXPECT_EQ(header(*make()), "Basic bWU6cGE6c3M=");
}

class TokenFileTest : public CredentialsTest {
 protected:
  TokenFileTest() {
    std::string name = (std::filesystem::temp_directory_path() / "meshtrust-token-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    with_.token_file = folder_ / "token";
  }
  ~TokenFileTest() override { std::filesystem::remove_all(folder_); }
  void write(std::string_view token) const { std::ofstream(with_.token_file) << token; }

  std::filesystem::path folder_;
};

TEST_F(TokenFileTest, IsReadAgainAfterAMinute) {
  write("\n first \n");
  const auto credentials = make();
  EXPECT_EQ(header(*credentials), "Bearer first");
  write("second");
  clock.advance(std::chrono::seconds(49));
  EXPECT_EQ(header(*credentials), "Bearer first");
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(header(*credentials), "Bearer second");
  std::filesystem::remove(with_.token_file);
  clock.advance(std::chrono::seconds(60));
  EXPECT_EQ(header(*credentials), "Bearer second");
}

TEST_F(TokenFileTest, IsReadAgainWhenTheServerRefusedItsToken) {
  write("first");
  const auto credentials = make();
  EXPECT_EQ(header(*credentials), "Bearer first");
  write("second");
  const std::uint64_t first = number(*credentials);
  EXPECT_TRUE(credentials->refuse(first));
  EXPECT_EQ(header(*credentials), "Bearer second");
  write("third");
  EXPECT_TRUE(credentials->refuse(first));  // of a request that was sent before
  EXPECT_EQ(header(*credentials), "Bearer second");
}

TEST_F(TokenFileTest, GivesWayToTheTokenOnlyWhileItCannotBeRead) {
  with_.token = Secret("fixed");
  const auto credentials = make();
  EXPECT_EQ(header(*credentials), "Bearer fixed");
  write("file");
  clock.advance(std::chrono::seconds(60));
  EXPECT_EQ(header(*credentials), "Bearer file");
}

TEST_F(TokenFileTest, IsAnErrorWhenUnusable) {
  write("  \n");
  EXPECT_EQ(header(*make()), "error: token file of user 'u' in /x/config: '" +
                                 with_.token_file.string() + "' is empty");
  write("a b");  // odd, but a header can hold it
  EXPECT_EQ(header(*make()), "Bearer a b");
  write("a\nb");
  EXPECT_EQ(header(*make()), "error: token file of user 'u' in /x/config: '" +
                                 with_.token_file.string() + "' holds more than one token");
}

TEST_F(CredentialsTest, RunsAPluginOnceAndAgainWhenItsAnswerExpired) {
  use_plugin();
  processes.outputs = {answer({{"token", "one"}, {"expirationTimestamp", "2026-11-21T00:01:00Z"}}),
                       answer({{"token", "two"}})};
  const auto credentials = make();
  EXPECT_EQ(header(*credentials), "Bearer one");
  EXPECT_EQ(header(*credentials), "Bearer one");
  clock.set("2026-11-21T00:01:00Z");
  EXPECT_EQ(header(*credentials), "Bearer two");
  EXPECT_EQ(header(*credentials), "Bearer two");
  EXPECT_THAT(processes.commands, SizeIs(2));
}

TEST_F(CredentialsTest, SharesTheAnswerOfAPluginBetweenClients) {
  use_plugin();
  processes.outputs = {answer({{"token", "one"}}), answer({{"token", "two"}})};
  PluginCache plugins;
  const auto first = make(&plugins);
  const auto second = make(&plugins);
  EXPECT_EQ(header(*first), "Bearer one");
  EXPECT_EQ(header(*second), "Bearer one");
  EXPECT_THAT(processes.commands, SizeIs(1));

  // Both are refused; the first that comes back has it run again, the second takes that answer.
  const std::uint64_t refused = number(*first);
  EXPECT_TRUE(first->refuse(refused));
  EXPECT_EQ(header(*first), "Bearer two");
  EXPECT_EQ(header(*second), "Bearer two");
  EXPECT_TRUE(second->refuse(refused));
  EXPECT_EQ(header(*second), "Bearer two");
  EXPECT_THAT(processes.commands, SizeIs(2));

  with_.exec->environment = {{"A", "1"}};
  const auto other = make(&plugins);
  EXPECT_EQ(header(*other), "Bearer two");
  EXPECT_THAT(processes.commands, SizeIs(3)) << "another plugin, run by itself";
}

TEST_F(CredentialsTest, SendsNoSecretToAServerThatNobodyVerifies) {
  auto with = settings();
  with.verify_server = false;
  const auto refused =
      client(std::move(with))
          ->apply_secret(secret_ref("default", "x"), {.cluster_uid = uid_of_cluster()});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_THAT(server().requests(), ::testing::IsEmpty());
}

TEST_F(CredentialsTest, TellsThePluginAboutTheClusterWhenItAsks) {
  use_plugin();
  with_.exec->wants_cluster = true;
  with_.exec->environment = {{"A", "1"}, {"A", "2"}};
  with_.exec->cluster_config = R"({"audience":"x"})";
  with_.server = *parse_server_url("HTTPS://a:6443/");
  with_.server_as_written = "HTTPS://a:6443/";
  with_.compress = false;
  with_.certificate_authority = "PEM";
  processes.outputs = {answer({{"token", "t"}})};
  EXPECT_EQ(header(*make()), "Bearer t");
  const auto& command = processes.commands.front();
  EXPECT_THAT(command.argv, ElementsAre("plugin"));
  EXPECT_FALSE(command.give_terminal);
  EXPECT_EQ(command.environment.at("A"), "2");
  EXPECT_EQ(Json::parse(command.environment.at("KUBERNETES_EXEC_INFO")),
            (Json{{"kind", "ExecCredential"},
                  {"apiVersion", kV1},
                  {"spec",
                   {{"interactive", false},
                    {"cluster",
                     {{"server", "HTTPS://a:6443/"},
                      {"disable-compression", true},
                      {"certificate-authority-data", "UEVN"},
                      {"config", {{"audience", "x"}}}}}}}}));
}

struct BadAnswer {
  const char* name;
  std::string output;
  const char* why;
};

std::ostream& operator<<(std::ostream& out, const BadAnswer& bad) {
  return out << bad.name;
}

class BadPlugin : public CredentialsTest, public ::testing::WithParamInterface<BadAnswer> {};

TEST_P(BadPlugin, IsAnErrorThatQuotesNothing) {
  use_plugin();
  processes.outputs = {GetParam().output};
  EXPECT_EQ(header(*make()),
            std::string("error: exec plugin 'plugin' of user 'u' in /x/config ") + GetParam().why);
}

INSTANTIATE_TEST_SUITE_P(
    Answers,
    BadPlugin,
    ::testing::Values(
        BadAnswer{"NotJson", "hidden", "did not answer with an ExecCredential"},
        BadAnswer{
            "Version",
            R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1"})",
            "answered in version 'client.authentication.k8s.io/v1beta1', wanted "
            "'client.authentication.k8s.io/v1'"},
        BadAnswer{"NoStatus",
                  R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1"})",
                  "answered without a token and without a certificate"},
        BadAnswer{"Half",
                  R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",)"
                  R"("status":{"token":"hidden","clientKeyData":"hidden"}})",
                  "answered with one of certificate and key, wanted both"},
        BadAnswer{"LineEnd",
                  R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",)"
                  R"("status":{"token":"hidden\r\nX-Other: 1"}})",
                  "answered with a token that holds control characters"},
        BadAnswer{"Nul",
                  R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",)"
                  R"("status":{"token":"hidden\u0000more"}})",
                  "answered with a token that holds control characters"},
        BadAnswer{"Time",
                  R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",)"
                  R"("status":{"token":"hidden","expirationTimestamp":"soon"}})",
                  "answered with an expirationTimestamp that is no time"}),
    [](const auto& test_case) { return std::string(test_case.param.name); });

TEST_F(CredentialsTest, SaysHowAPluginFailedAndHowToInstallIt) {
  use_plugin();
  processes.exit_code = 3;
  EXPECT_EQ(header(*make()),
            "error: exec plugin 'plugin' of user 'u' in /x/config failed with exit code 3");
  processes.error = base::Error{.code = Code::kNotFound, .message = "no program 'plugin'"};
  with_.exec->install_hint = "get it at\x1b[31m example.com";
  const auto missing = make()->current();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kInvalidInput);
  EXPECT_EQ(missing.error().message,
            "exec plugin 'plugin' of user 'u' in /x/config: no program 'plugin'");
  EXPECT_THAT(missing.error().hints, ElementsAre("get it at?[31m example.com"));
}

TEST_F(CredentialsTest, TellsAPluginThatTookTooLongFromOneThatIsWrong) {
  use_plugin();
  processes.error =
      base::Error{.code = Code::kUnavailable, .message = "'plugin' did not end within 1m"};
  const auto slow = make()->current();
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error(),
            (base::Error{.code = Code::kUnavailable,
                         .message = "exec plugin 'plugin' of user 'u' in /x/config took too long: "
                                    "'plugin' did not end within 1m"}));
  processes.error = base::Error{.code = Code::kCancelled, .message = "interrupted"};
  EXPECT_EQ(make()->current().error().code, Code::kCancelled);
  processes.error.reset();
  processes.exit_code = 130;
  EXPECT_EQ(make()->current().error().code, Code::kCancelled);
}

TEST_F(CredentialsTest, GivesAPluginNoLongerThanTheRunHas) {
  use_plugin();
  processes.outputs = {answer({{"token", "t"}})};
  EXPECT_EQ(header(*make()), "Bearer t");
  EXPECT_EQ(processes.commands.back().timeout, std::chrono::minutes(1));
  EXPECT_TRUE(
      make_credentials(
          with_, files,
          {.clock = clock, .processes = processes, .at_most = std::chrono::milliseconds(5'000)})
          ->current());
  EXPECT_EQ(processes.commands.back().timeout, std::chrono::seconds(5));
}

TEST_F(CredentialsTest, TakesTheFailureOfASharedPluginForThatOfAllWhoWait) {
  use_plugin();
  processes.exit_code = 3;
  PluginCache plugins;
  EXPECT_FALSE(make(&plugins)->current());
  EXPECT_FALSE(make(&plugins)->current());
  EXPECT_THAT(processes.commands, SizeIs(1));
  clock.advance(std::chrono::seconds(10));
  EXPECT_FALSE(make(&plugins)->current());
  EXPECT_THAT(processes.commands, SizeIs(2));
}

/// Two plugins that wait for each other: run one after the other they would never end.
class Rendezvous final : public base::Processes {
 public:
  explicit Rendezvous(std::string output) : output_(std::move(output)) {}
  base::Result<base::Finished> run(const base::Command& /*command*/) override {
    both_.arrive_and_wait();
    return base::Finished{.exit_code = 0, .standard_output = Secret(output_)};
  }

 private:
  std::barrier<> both_{2};
  const std::string output_;
};

TEST_F(CredentialsTest, RunsPluginsSideBySideWhereNoneGetsATerminal) {
  if (isatty(STDIN_FILENO) == 1) GTEST_SKIP() << "standard input is a terminal";
  use_plugin();
  with_.exec->interactive_mode = "IfAvailable";
  Rendezvous rendezvous(answer({{"token", "t"}}));
  const auto run = [&] {
    return make_credentials(with_, files, {.clock = clock, .processes = rendezvous})->current();
  };
  auto other = std::async(std::launch::async, run);
  EXPECT_TRUE(run());
  EXPECT_TRUE(other.get());
}

/// A plugin that takes its time.
class SlowProcesses final : public base::Processes {
 public:
  SlowProcesses(HandClock& clock, base::Processes& below) : clock_(clock), below_(below) {}
  base::Result<base::Finished> run(const base::Command& command) override {
    clock_.advance(std::chrono::minutes(5));
    return below_.run(command);
  }

 private:
  HandClock& clock_;
  base::Processes& below_;
};

TEST_F(CredentialsTest, DoesNotTakeThePluginsTimeForTheServers) {
  auto with = settings();
  with.token.clear();
  with.exec = ExecPlugin{.api_version = kV1, .command = {"plugin"}, .interactive_mode = "Never"};
  processes.outputs = {answer({{"token", "fake-token"}})};
  SlowProcesses slow(clock, processes);
  ApiClient api(std::move(with),
                {.clock = clock,
                 .random = random,
                 .files = files,
                 .processes = slow,
                 .cancellation = cancellation},
                {.pause = &pause});
  const auto found = api.get(config_map_ref("default", "x"));
  EXPECT_TRUE(found) << found.error().message;
}

TEST_F(CredentialsTest, RefreshesAPluginOnceAfterA401) {
  auto with = settings();
  with.token.clear();
  with.exec = ExecPlugin{.api_version = kV1, .command = {"plugin"}, .interactive_mode = "Never"};
  processes.outputs = {answer({{"token", "stale"}}), answer({{"token", "fake-token"}})};
  const auto api = client(std::move(with));
  const auto found = api->get(config_map_ref("default", "x"));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(processes.commands, SizeIs(2));
}

TEST_F(CredentialsTest, ConnectsWithTheCertificateOfAPlugin) {
  options.require_client_certificate = true;
  auto with = settings();
  with.token.clear();
  with.exec = ExecPlugin{.api_version = kV1, .command = {"plugin"}, .interactive_mode = "Never"};
  const auto pair =
      server().authority().client("admin", *base::parse_rfc3339("2000-01-01T00:00:00Z"),
                                  *base::parse_rfc3339("2100-01-01T00:00:00Z"));
  processes.outputs = {
      answer({{"clientCertificateData", pair.certificate}, {"clientKeyData", pair.key}})};
  const auto found = client(std::move(with))->get(config_map_ref("default", "x"));
  EXPECT_TRUE(found) << found.error().message;
}

}  // namespace
}  // namespace meshtrust::k8s
