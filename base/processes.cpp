#include "base/processes.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string_view>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace meshtrust::base {
namespace {

using Steady = std::chrono::steady_clock;

/// The caller's variables with `added` on top.
std::vector<std::string> environment_with(const std::map<std::string, std::string>& added) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!added.contains(std::string(text.substr(0, text.find('='))))) result.emplace_back(text);
  }
  for (const auto& [name, value] : added) {
    result.push_back(fmt::format("{}={}", name, value));
  }
  return result;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

Failure<Error> cannot_run(const std::string& program, int number) {
  const Code code = number == ENOENT   ? Code::kNotFound
                    : number == EACCES ? Code::kPermission
                                       : Code::kInternal;
  return fail(code,
              fmt::format("cannot run '{}': {}", program, std::generic_category().message(number)));
}

/// Reads until the other end closes. False when `deadline` comes first.
bool collect(int from, Secret& output, Steady::time_point deadline) {
  constexpr std::size_t kMostBytes = 4U << 20U;
  std::array<char, 4096> buffer{};
  while (output.size() < kMostBytes) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Steady::now());
    if (left.count() <= 0) return false;
    pollfd waiting{.fd = from, .events = POLLIN, .revents = 0};
    const int ready = poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = read(from, buffer.data(), buffer.size());
    if (got <= 0) break;
    output.append({buffer.data(), static_cast<std::size_t>(got)});
  }
  explicit_bzero(buffer.data(), buffer.size());
  return true;
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Result<Finished> SystemProcesses::run(const Command& command) {
  MESHTRUST_CHECK(!command.argv.empty());
  std::array<int, 2> pipe_ends{};
  if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) return cannot_run(command.argv.front(), errno);

  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
  if (!command.give_terminal) {
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  std::vector<std::string> arguments = command.argv;
  std::vector<std::string> variables = environment_with(command.environment);
  pid_t child = -1;
  const int problem = posix_spawnp(&child, arguments.front().c_str(), &actions, nullptr,
                                   pointers_to(arguments).data(), pointers_to(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  if (problem != 0) {
    close(pipe_ends[0]);
    return cannot_run(command.argv.front(), problem);
  }

  Finished finished;
  const bool ended =
      collect(pipe_ends[0], finished.standard_output, Steady::now() + command.timeout);
  close(pipe_ends[0]);
  if (!ended) kill(child, SIGKILL);
  finished.exit_code = wait_for(child);
  if (!ended) {
    return fail(Code::kUnavailable, fmt::format("'{}' did not end within {}", command.argv.front(),
                                                format_duration(command.timeout)));
  }
  return finished;
}

}  // namespace meshtrust::base
