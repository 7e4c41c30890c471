#include "cli/system.h"

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <pwd.h>
#include <unistd.h>

namespace meshtrust::cli {
namespace {

std::optional<std::string> variable(const std::string& name) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing changes the environment once threads run
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

/// Moves MESHTRUST_PASSWORD into a secret: the bytes in the process's environment are wiped, so
/// neither children nor /proc show them.
bool take_password(base::Secret& password) {
  constexpr const char* kName = "MESHTRUST_PASSWORD";
  // NOLINTNEXTLINE(concurrency-mt-unsafe): before the first thread
  char* value = std::getenv(kName);
  if (value == nullptr) return false;
  password = base::Secret(value);
  explicit_bzero(value, std::strlen(value));
  // NOLINTNEXTLINE(concurrency-mt-unsafe): likewise
  unsetenv(kName);
  return true;
}

base::Cancellation& process_cancellation() {
  static base::Cancellation cancellation;
  return cancellation;
}

/// The first signal asks everything to end; the second is the system's own again.
void on_signal(int signal) {
  process_cancellation().cancel();
  std::signal(signal, SIG_DFL);
}

/// Tells the console while a program has the terminal.
class LendingProcesses final : public base::Processes {
 public:
  LendingProcesses(base::Processes& processes, Console& console)
      : processes_(processes), console_(console) {}

  base::Result<base::Finished> run(const base::Command& command) override {
    if (!command.give_terminal) return processes_.run(command);
    console_.lend();
    auto finished = processes_.run(command);
    console_.take_back();
    return finished;
  }

 private:
  base::Processes& processes_;
  Console& console_;
};

std::string user_name() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): before the first thread
  const passwd* entry = getpwuid(geteuid());
  return entry == nullptr ? std::to_string(geteuid()) : entry->pw_name;
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

}  // namespace

int with_system(const std::function<int(Surroundings&)>& program) {
  base::Secret password;
  const bool password_given = take_password(password);
  base::Cancellation& cancellation = process_cancellation();
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);

  const bool in_ci = variable("CI").has_value();
  const bool plain = in_ci || variable("NO_COLOR").has_value() || isatty(STDERR_FILENO) == 0;
  Console console(std::cout, std::cerr, plain ? Colour::kPlain : Colour::kColoured);
  SystemTerminal terminal(cancellation, in_ci);
  base::DiskFiles files(cancellation);
  base::SystemClock clock;
  base::SystemRandom random;
  base::SystemProcesses system_processes(cancellation);
  LendingProcesses processes(system_processes, console);
  const base::SystemProcessTable process_table;
  run::NetworkTlsEndpoints tls_endpoints(clock, cancellation);
  Surroundings around{.console = console,
                      .terminal = terminal,
                      .files = files,
                      .clock = clock,
                      .random = random,
                      .processes = processes,
                      .process_table = process_table,
                      .cancellation = cancellation,
                      .tls_endpoints = tls_endpoints,
                      .variable = variable,
                      .password = std::move(password),
                      .password_given = password_given,
                      .host = host_name(),
                      .user = user_name(),
                      .process_id = getpid()};
  const int code = program(around);
  std::cout.flush();
  // A full disk behind stdout must not look like success.
  return code == 0 && !std::cout ? 1 : code;
}

}  // namespace meshtrust::cli
