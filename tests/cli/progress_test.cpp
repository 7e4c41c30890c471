#include "cli/progress.h"

#include "tests/cli/program_fixture.h"

namespace meshtrust::cli {
namespace {

using testing::ProgramTest;

class ProgressTest : public ProgramTest {
 protected:
  /// What people and scripts are told about one run of three steps.
  std::string told(ProgressStyle style) {
    Surroundings around{.console = console,
                        .terminal = terminal,
                        .files = files,
                        .clock = clock,
                        .random = random,
                        .processes = processes,
                        .process_table = process_table,
                        .cancellation = cancellation,
                        .tls_endpoints = tls_endpoints,
                        .variable = [](const std::string&) { return std::nullopt; },
                        .password = {},
                        .host = {},
                        .user = {}};
    const GlobalOptions options;
    const Session session{
        .around = around, .options = options, .progress = style, .command = "meshtrust apply"};
    const auto progress = make_progress(session);
    mesh::Step root;
    root.id = "store/root";
    root.title = "root CA in the trust store 'shop.trust'";
    mesh::Step cacerts;
    cacerts.id = "east/cacerts";
    cacerts.cluster = "east";
    cacerts.title = "secret istio-system/cacerts";
    progress->observed("east", 1, 1);
    progress->started(root);
    progress->finished(root, {.id = root.id,
                              .cluster = {},
                              .state = run::StepState::kDone,
                              .changed = true,
                              .detail = "expires 2036-11-18",
                              .error = {},
                              .took = std::chrono::milliseconds(1234)});
    progress->started(cacerts);
    progress->waiting(cacerts, "the server is busy");
    progress->waiting(cacerts, "the server is busy");
    progress->finished(cacerts, {.id = cacerts.id,
                                 .cluster = "east",
                                 .state = run::StepState::kFailed,
                                 .detail = {},
                                 .error = {.message = "connection refused"},
                                 .took = std::chrono::milliseconds(40)});
    progress->close();
    return err.str();
  }
};

constexpr const char* kPlain =
    "  done    store: root CA in the trust store 'shop.trust' (1.2s, expires 2036-11-18)\n"
    "  waiting east/cacerts: the server is busy\n"
    "  failed  east: secret istio-system/cacerts (0.0s)\n";

TEST_F(ProgressTest, IsPlainLinesWhereNothingCanBeRedrawn) {
  EXPECT_EQ(told(ProgressStyle::kAuto), kPlain);
}

TEST_F(ProgressTest, IsPlainLinesWhenAskedFor) {
  EXPECT_EQ(told(ProgressStyle::kPlain), kPlain);
}

TEST_F(ProgressTest, IsOneJsonObjectAnEvent) {
  EXPECT_EQ(
      told(ProgressStyle::kJson),
      R"({"cluster":"east","done":1,"event":"observed","total":1})"
      "\n"
      R"({"cluster":"","event":"started","step":"store/root"})"
      "\n"
      R"({"changed":true,"cluster":"","event":"done","milliseconds":1234,"step":"store/root"})"
      "\n"
      R"({"cluster":"east","event":"started","step":"east/cacerts"})"
      "\n"
      R"({"cluster":"east","event":"waiting","step":"east/cacerts","why":"the server is busy"})"
      "\n"
      R"({"cluster":"east","event":"waiting","step":"east/cacerts","why":"the server is busy"})"
      "\n"
      R"({"changed":false,"cluster":"east","error":"connection refused","event":"failed",)"
      R"("milliseconds":40,"step":"east/cacerts"})"
      "\n");
}

TEST_F(ProgressTest, IsSilentWhenAskedFor) {
  EXPECT_EQ(told(ProgressStyle::kNone), "");
}

}  // namespace
}  // namespace meshtrust::cli
