#include "base/processes.h"

#include "tests/support/matchers.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace meshtrust::base {
namespace {

using test::FailsWith;
using test::Succeeds;

Command shell(const std::string& script) {
  return {.argv = {"/bin/sh", "-c", script}, .environment = {}};
}

std::string output_of(const Result<Finished>& finished) {
  return finished ? std::string(reveal(finished->standard_output, "test")) : "(failed)";
}

TEST(SystemProcesses, GivesOutputAndExitCode) {
  const auto finished = SystemProcesses().run(shell("printf 'a\\nb'; exit 7"));
  ASSERT_THAT(finished, Succeeds());
  EXPECT_EQ(output_of(finished), "a\nb");
  EXPECT_EQ(finished->exit_code, 7);
}

TEST(SystemProcesses, FindsAProgramByPath) {
  const auto finished =
      SystemProcesses().run({.argv = {"printf", "%s", "found by PATH"}, .environment = {}});
  EXPECT_EQ(output_of(finished), "found by PATH");
}

TEST(SystemProcesses, HandsArgumentsOnAsTheyAre) {
  const auto finished = SystemProcesses().run(
      {.argv = {"/bin/sh", "-c", "printf '%s|' \"$@\"", "sh", "a b", "", "$HOME;*"},
       .environment = {}});
  EXPECT_EQ(output_of(finished), "a b||$HOME;*|");
}

TEST(SystemProcesses, AddsVariablesToTheCallersOwn) {
  Command command = shell("printf '%s %s' \"$MESHTRUST_TEST\" \"${PATH:+path}\"");
  command.environment["MESHTRUST_TEST"] = "added";
  EXPECT_EQ(output_of(SystemProcesses().run(command)), "added path");
}

TEST(SystemProcesses, ReplacesAVariableOfTheCallers) {
  Command command = shell("printf '%s' \"$HOME\"; env | grep -c '^HOME='");
  command.environment["HOME"] = "/elsewhere:";
  EXPECT_EQ(output_of(SystemProcesses().run(command)), "/elsewhere:1\n");
}

TEST(SystemProcesses, TellsTheSignalThatEndedIt) {
  const auto finished = SystemProcesses().run(shell("kill -TERM $$"));
  ASSERT_THAT(finished, Succeeds());
  EXPECT_EQ(finished->exit_code, 128 + 15);
}

TEST(SystemProcesses, GivesNoInput) {
  EXPECT_EQ(output_of(SystemProcesses().run(shell("cat; printf end"))), "end");
}

TEST(SystemProcesses, ReadsMoreThanAPipeHolds) {
  const auto finished = SystemProcesses().run(shell("head -c 1000000 /dev/zero"));
  ASSERT_THAT(finished, Succeeds());
  EXPECT_EQ(finished->standard_output.size(), 1'000'000U);
}

TEST(SystemProcesses, EndsAProgramThatTakesTooLong) {
  Command command{.argv = {"sleep", "1000"}, .environment = {}, .timeout = Seconds(1)};
  EXPECT_THAT(SystemProcesses().run(command),
              FailsWith(Code::kUnavailable, "'sleep' did not end within 1s"));
}

TEST(SystemProcesses, BoundsAProgramThatHasClosedItsOutput) {
  Command command = shell("exec >&-; exec sleep 1000");
  command.timeout = std::chrono::milliseconds(200);
  EXPECT_THAT(SystemProcesses().run(command),
              FailsWith(Code::kUnavailable, "'/bin/sh' did not end within 1s"));
}

TEST(SystemProcesses, MakesAProgramEndThatWillNot) {
  Command command = shell("trap '' TERM; while :; do sleep 1; done");
  command.timeout = std::chrono::milliseconds(200);
  EXPECT_THAT(SystemProcesses().run(command),
              FailsWith(Code::kUnavailable, "'/bin/sh' did not end within 1s"));
}

TEST(SystemProcesses, TakesTheAnswerOfAProgramThatLeftAnotherRunning) {
  // The one that is left holds the output open for longer than any test may take.
  const auto finished = SystemProcesses().run(shell("sleep 1000 & printf '%s ' $! answer"));
  ASSERT_THAT(finished, Succeeds());
  const std::string output = output_of(finished);
  EXPECT_THAT(output, ::testing::EndsWith(" answer "));
  kill(std::stoi(output), SIGKILL);
}

TEST(SystemProcesses, GivesTheSignalsTheirUsualMeaning) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  const std::string ignored = "ignored=$(sed -n 's/^SigIgn:[^0-9a-f]*//p' /proc/self/status); ";
  EXPECT_EQ(output_of(SystemProcesses().run(shell(ignored + "echo $((0x$ignored & 0x1001000))"))),
            "0\n");
  std::signal(SIGXFSZ, SIG_DFL);
  std::signal(SIGPIPE, SIG_DFL);
}

TEST(SystemProcesses, StartsNothingOnceCancelled) {
  Cancellation cancellation;
  SystemProcesses processes(cancellation);
  EXPECT_THAT(processes.run(shell("exit 0")), Succeeds());
  cancellation.cancel();
  const test::TempFolder folder;
  EXPECT_THAT(processes.run(shell("touch " + (folder / "ran").string())),
              FailsWith(Code::kCancelled, "interrupted"));
  EXPECT_FALSE(std::filesystem::exists(folder / "ran"));
}

TEST(SystemProcesses, EndsWhatRunsWhenCancelled) {
  const test::TempFolder folder;
  const std::string started = (folder / "started").string();
  ASSERT_EQ(mkfifo(started.c_str(), 0600), 0);
  Cancellation cancellation;
  SystemProcesses processes(cancellation);
  auto running = std::async(std::launch::async, [&] {
    return processes.run(shell(": > " + started + "; exec sleep 1000"));
  });
  std::ifstream(started).peek();  // until it runs
  cancellation.cancel();
  EXPECT_THAT(running.get(), FailsWith(Code::kCancelled, "interrupted"));
}

TEST(SystemProcesses, NamesAProgramThatIsMissing) {
  EXPECT_THAT(
      SystemProcesses().run({.argv = {"/nowhere/plugin"}, .environment = {}}),
      FailsWith(Code::kNotFound, "cannot run '/nowhere/plugin': No such file or directory"));
  EXPECT_THAT(SystemProcesses().run({.argv = {"no-such-plugin-anywhere"}, .environment = {}}),
              FailsWith(Code::kNotFound,
                        "cannot run 'no-such-plugin-anywhere': No such file or directory"));
}

TEST(SystemProcesses, NamesAProgramThatMayNotBeRun) {
  const test::TempFolder folder;
  test::put_file(folder / "plugin", "#!/bin/sh\n");
  const std::string path = (folder / "plugin").string();
  EXPECT_THAT(SystemProcesses().run({.argv = {path}, .environment = {}}),
              FailsWith(Code::kPermission, "cannot run '" + path + "': Permission denied"));
}

}  // namespace
}  // namespace meshtrust::base
