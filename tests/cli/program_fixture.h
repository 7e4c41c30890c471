#pragma once

#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/program.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace meshtrust::cli::testing {

class FixedClock final : public base::Clock {
 public:
  base::Instant now() const override { return base::Instant(base::Seconds(1'795'255'200)); }
  Steady steady() const override { return Steady(tick * looks++); }

  std::chrono::milliseconds tick{0};  ///< how much later it is at every look, for what waits

 private:
  mutable std::atomic<int> looks = 0;
};

/// A person who says what the test prepared, and remembers what was asked.
class FakeTerminal final : public Terminal {
 public:
  bool is_there() const override { return there; }
  bool can_redraw() const override { return redraws; }
  int columns() const override { return 80; }
  bool shows_answers() const override { return false; }
  base::Result<bool> confirm(std::string_view question) override {
    asked.emplace_back(question);
    return answer;
  }
  base::Result<base::Secret> ask_secret(std::string_view prompt) override {
    asked.emplace_back(prompt);
    if (const auto now = std::exchange(meanwhile, {})) now();
    if (secrets.empty()) return base::fail(base::Code::kCancelled, "no answer");
    base::Secret next(secrets.front());
    secrets.pop_front();
    return next;
  }

  bool there = false;
  bool redraws = false;
  bool answer = false;
  std::deque<std::string> secrets;
  std::vector<std::string> asked;
  std::function<void()> meanwhile;  ///< done once, before the next passphrase is typed
};

/// The whole program with everything around it replaced but the disk, which is a folder of its own.
class WholeProgram {
 public:
  // The least that a new key can cost.
  // NOLINTNEXTLINE(concurrency-mt-unsafe): before the first thread
  WholeProgram() { setenv("MESHTRUST_SCRYPT_P", "5", 1); }

  /// Runs one command line; `out` and `err` hold what this run said.
  int run(const std::vector<std::string>& arguments) {
    out.str("");
    err.str("");
    Surroundings around{.console = console,
                        .terminal = terminal,
                        .files = files,
                        .clock = clock,
                        .random = random,
                        .processes = processes,
                        .process_table = process_table,
                        .cancellation = cancellation,
                        .tls_endpoints = tls_endpoints,
                        .variable = [this](const std::string& name) -> std::optional<std::string> {
                          const auto found = variables.find(name);
                          if (found == variables.end()) return std::nullopt;
                          return found->second;
                        },
                        .password = base::Secret(password),
                        .password_given = !password.empty(),
                        .host = "laptop",
                        .user = "alice",
                        .process_id = 4242};
    return run_program(arguments, around);
  }

  std::string path(std::string_view name) { return (folder / name).string(); }
  /// `text` with the test's own folder as "DIR".
  std::string without_folder(std::string text) {
    const std::string own = folder.path().string();
    for (std::size_t at = 0; (at = text.find(own)) != std::string::npos;) {
      text.replace(at, own.size(), "DIR");
    }
    return text;
  }
  std::string said() { return without_folder(err.str()); }

  test::TempFolder folder;
  std::ostringstream out;
  std::ostringstream err;
  Console console{out, err, Colour::kPlain};
  FakeTerminal terminal;
  base::DiskFiles files;
  FixedClock clock;
  base::SystemRandom random;
  base::SystemProcesses processes;
  base::SystemProcessTable process_table;
  base::Cancellation cancellation;
  run::NetworkTlsEndpoints tls_endpoints{clock, cancellation};
  std::map<std::string, std::string> variables;
  std::string password;
};

class ProgramTest : public ::testing::Test, protected WholeProgram {};

}  // namespace meshtrust::cli::testing
