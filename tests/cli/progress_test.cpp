#include "cli/progress.h"

#include "tests/cli/program_fixture.h"

namespace meshtrust::cli {
namespace {

using testing::ProgramTest;

class ProgressTest : public ProgramTest {
 protected:
  /// What is said while `go` reports to a progress of that style.
  std::string told(ProgressStyle style,
                   base::Clock& at,
                   const std::function<void(Progress& progress)>& go) {
    Surroundings around{.console = console,
                        .terminal = terminal,
                        .files = files,
                        .clock = at,
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
    go(*progress);
    progress->close();
    return err.str();
  }

  /// What people and scripts are told about one run of two steps.
  std::string told(ProgressStyle style) {
    return told(style, clock, [](Progress& progress) { run_two_steps(progress); });
  }

 private:
  static void run_two_steps(Progress& progress) {
    mesh::Step root;
    root.id = "store/root";
    root.title = "root CA in the trust store 'shop.trust'";
    mesh::Step cacerts;
    cacerts.id = "east/cacerts";
    cacerts.cluster = "east";
    cacerts.title = "secret istio-system/cacerts";
    progress.asking("east", "https://10.0.0.1:6443");
    progress.answered("east");
    progress.observed("east", 1, 1);
    progress.started(root);
    progress.finished(root, {.id = root.id,
                             .cluster = {},
                             .state = run::StepState::kDone,
                             .changed = true,
                             .detail = "expires 2036-11-18",
                             .error = {},
                             .took = std::chrono::milliseconds(1234)});
    progress.started(cacerts);
    progress.waiting(cacerts, "the server is busy");
    progress.waiting(cacerts, "the server is busy");
    progress.finished(cacerts, {.id = cacerts.id,
                                .cluster = "east",
                                .state = run::StepState::kFailed,
                                .detail = {},
                                .error = {.message = "connection refused"},
                                .took = std::chrono::milliseconds(40)});
  }
};

/// Moved by hand.
class HandClock final : public base::Clock {
 public:
  base::Instant now() const override { return {}; }
  Steady steady() const override { return Steady(std::chrono::milliseconds(passed_)); }
  void advance(std::chrono::milliseconds by) { passed_ += by.count(); }

 private:
  std::atomic<std::int64_t> passed_ = 0;
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
      R"({"cluster":"east","event":"asking","what":"https://10.0.0.1:6443"})"
      "\n"
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

TEST_F(ProgressTest, ShowsAServerThatSaysNothingAfterASecondAndAHalf) {
  terminal.redraws = true;
  HandClock time;
  const std::string said = told(ProgressStyle::kAuto, time, [&](Progress& progress) {
    progress.asking("east", "https://10.0.0.1:6443");
    progress.asking("west", "https://10.0.0.2:6443");
    time.advance(std::chrono::milliseconds(1'499));
    progress.answered("west");
    EXPECT_EQ(err.str(), "");
    time.advance(std::chrono::milliseconds(1));
    progress.asking("west", "https://10.0.0.2:6443");
    progress.answered("west");
    progress.answered("east");
  });
  EXPECT_THAT(said, ::testing::StartsWith("  1.5s east: waiting for https://10.0.0.1:6443\n"));
  EXPECT_THAT(said, ::testing::EndsWith("\x1b[1A\x1b[2K"));
  EXPECT_THAT(said, ::testing::Not(::testing::HasSubstr("west")));
}

TEST_F(ProgressTest, WipesNothingAwayWhileAnotherProgramHasTheTerminal) {
  terminal.redraws = true;
  HandClock time;
  const std::string said = told(ProgressStyle::kAuto, time, [&](Progress& progress) {
    progress.asking("east", "https://10.0.0.1:6443");
    time.advance(std::chrono::seconds(2));
    console.lend();
    progress.answered("west");
    EXPECT_EQ(err.str(), "");
    console.take_back();
    progress.answered("west");
    console.lend();
    console.tell("code: 1234");
    progress.answered("east");
    console.take_back();
  });
  EXPECT_THAT(said, ::testing::EndsWith("  2.0s east: waiting for https://10.0.0.1:6443\n"
                                        "code: 1234\n"));
}

TEST_F(ProgressTest, IsSilentWhenAskedFor) {
  EXPECT_EQ(told(ProgressStyle::kNone), "");
}

}  // namespace
}  // namespace meshtrust::cli
