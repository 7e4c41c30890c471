#include "base/processes.h"

#include "base/tail_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string_view>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace meshtrust::base {
namespace {

using std::chrono::milliseconds;
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

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { reset(); }

  int get() const { return number_; }
  void reset() {
    if (number_ >= 0) close(number_);
    number_ = -1;
  }

 private:
  int number_;
};

/// How programs start: with the signals at their defaults that this process ignores, and with what
/// `output` is the writing end of as standard output. The number of an error, or 0.
int start(const Command& command, int output, pid_t& child) {
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  if (command.log) posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  if (!command.give_terminal) {
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  sigset_t defaults{};
  sigset_t none{};
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGXFSZ);
  posix_spawnattr_t attributes{};
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setsigmask(&attributes, &none);
  const int group = command.log ? POSIX_SPAWN_SETPGROUP : 0;
  posix_spawnattr_setflags(
      &attributes, static_cast<short>(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | group));

  std::vector<std::string> arguments = command.argv;
  std::vector<std::string> variables = environment_with(command.environment);
  const int problem = posix_spawnp(&child, arguments.front().c_str(), &actions, &attributes,
                                   pointers_to(arguments).data(), pointers_to(variables).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return problem;
}

/// Readable once the process is over; -1 where the kernel knows no such thing (before Linux 5.3).
int handle_of(pid_t pid) {
  // glibc 2.36 declares pidfd_open for C alone. NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg)
  return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
}

/// A child, until it is over.
class Child {
 public:
  /// `output` is the reading end of its standard output, which goes to `log` where there is one.
  /// Either cancellation may be null.
  Child(pid_t pid,
        int output,
        TailFile* log,
        const Cancellation* cancellation,
        const Cancellation* stop)
      : pid_(pid),
        handle_(handle_of(pid)),
        output_(output),
        log_(log),
        cancellations_{fd_of(cancellation), fd_of(stop)} {}

  enum class Wait { kOver, kCancelled, kTooLong };

  /// Gathers its output until it ends, which is what counts: others may hold its output open.
  Wait wait(Steady::time_point deadline) {
    while (!is_over()) {
      const auto left = std::chrono::ceil<milliseconds>(deadline - Steady::now());
      if (left.count() <= 0) return Wait::kTooLong;
      std::array<pollfd, 4> watched{{{.fd = output_.get(), .events = POLLIN, .revents = 0},
                                     {.fd = handle_.get(), .events = POLLIN, .revents = 0},
                                     {.fd = cancellations_[0], .events = POLLIN, .revents = 0},
                                     {.fd = cancellations_[1], .events = POLLIN, .revents = 0}}};
      // Without a handle it has to be looked after.
      const milliseconds longest{handle_.get() < 0 ? 20 : 60'000};
      (void)poll(watched.data(), watched.size(), static_cast<int>(std::min(left, longest).count()));
      if (watched[2].revents != 0 || watched[3].revents != 0) return Wait::kCancelled;
      if (watched[0].revents != 0) read_some();
    }
    // What it left behind may go on writing: that is not waited for.
    for (std::size_t i = 0; i < kMostReads && has_more(); ++i) {
      read_some();
    }
    return Wait::kOver;
  }

  /// Asks it to end, so that it can give a terminal back as it was, and soon insists.
  void end(const Command& command) {
    cancellations_ = {-1, -1};
    const pid_t whom = command.log ? -pid_ : pid_;
    kill(whom, SIGTERM);
    if (wait(Steady::now() + command.grace) != Wait::kOver) kill(whom, SIGKILL);
  }

  /// Its exit code; waits for it.
  int reap() const {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  Secret take_output() { return std::move(text_); }

 private:
  bool is_over() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
  }

  bool has_more() const {
    pollfd watched{.fd = output_.get(), .events = POLLIN, .revents = 0};
    return output_.get() >= 0 && poll(&watched, 1, 0) > 0;
  }

  /// What is there already. At its end, or when it is too much, the output is closed.
  void read_some() {
    std::array<char, kReadBytes> buffer{};
    const ssize_t got = read(output_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) return;
    const std::string_view bytes(buffer.data(),
                                 static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (log_ != nullptr) {
      log_->add(bytes);
    } else {
      text_.append(bytes);
    }
    if (got <= 0 || text_.size() >= kMostBytes) output_.reset();
    explicit_bzero(buffer.data(), buffer.size());
  }

  static int fd_of(const Cancellation* cancellation) {
    return cancellation == nullptr ? -1 : cancellation->fd();
  }

  const pid_t pid_;
  const Descriptor handle_;
  Descriptor output_;
  static constexpr std::size_t kReadBytes = 4096;
  static constexpr std::size_t kMostBytes = 4U << 20U;
  static constexpr std::size_t kMostReads = kMostBytes / kReadBytes;

  TailFile* const log_;
  std::array<int, 2> cancellations_;  ///< readable once cancelled; -1 when nobody can
  Secret text_;
};

Failure<Error> interrupted() {
  return fail(Code::kCancelled, "interrupted");
}

}  // namespace

Result<Finished> SystemProcesses::run(const Command& command) {
  MESHTRUST_CHECK(!command.argv.empty());
  const auto is_cancelled = [this, &command] {
    return (cancellation_ != nullptr && cancellation_->is_cancelled()) ||
           (command.stop != nullptr && command.stop->is_cancelled());
  };
  if (is_cancelled()) return interrupted();
  std::optional<TailFile> log;
  if (command.log) {
    MESHTRUST_TRY(TailFile made, TailFile::create(*command.log, kMostLogBytes));
    log.emplace(std::move(made));
  }
  std::array<int, 2> pipe_ends{};
  if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) return cannot_run(command.argv.front(), errno);
  pid_t pid = -1;
  const int problem = start(command, pipe_ends[1], pid);
  close(pipe_ends[1]);
  if (problem != 0) {
    close(pipe_ends[0]);
    return cannot_run(command.argv.front(), problem);
  }

  Child child(pid, pipe_ends[0], log ? &*log : nullptr, cancellation_, command.stop);
  const auto waited = child.wait(Steady::now() + command.timeout);
  if (waited != Child::Wait::kOver) child.end(command);
  Finished finished{.exit_code = child.reap(), .standard_output = child.take_output()};
  // A Ctrl-C reaches both: what the program made of it is not its answer.
  if (is_cancelled()) return interrupted();
  if (waited == Child::Wait::kTooLong) {
    return fail(Code::kUnavailable,
                fmt::format("'{}' did not end within {}", command.argv.front(),
                            format_duration(std::chrono::ceil<Seconds>(command.timeout))));
  }
  return finished;
}

}  // namespace meshtrust::base
