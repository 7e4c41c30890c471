#include "cli/terminal.h"

#include "base/text.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Result;
using base::Secret;

constexpr std::size_t kLongestAnswer = 4096;

/// The terminal, opened for one question; echo comes back however the question ends.
class Tty {
 public:
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): open has no other form
  Tty() : fd_(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {}
  Tty(const Tty&) = delete;
  Tty& operator=(const Tty&) = delete;
  ~Tty() {
    if (before_) tcsetattr(fd_, TCSAFLUSH, &*before_);
    if (fd_ >= 0) close(fd_);
  }

  bool is_open() const { return fd_ >= 0; }

  void hide_typing() {
    termios settings{};
    if (tcgetattr(fd_, &settings) != 0) return;
    before_ = settings;
    settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(fd_, TCSAFLUSH, &settings);
  }

  void write_text(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t written = write(fd_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  /// One line without its end; nothing when input ends or the cancellation comes first.
  std::optional<Secret> read_line(const base::Cancellation& cancellation) const {
    Secret line;
    char typed = 0;
    while (line.size() < kLongestAnswer) {
      if (!wait_for_typing(cancellation)) return std::nullopt;
      const ssize_t got = read(fd_, &typed, 1);
      if (got <= 0) return std::nullopt;
      if (typed == '\n') return line;
      line.append({&typed, 1});
    }
    return std::nullopt;
  }

 private:
  bool wait_for_typing(const base::Cancellation& cancellation) const {
    std::array<pollfd, 2> waiting{pollfd{.fd = fd_, .events = POLLIN, .revents = 0},
                                  pollfd{.fd = cancellation.fd(), .events = POLLIN, .revents = 0}};
    while (poll(waiting.data(), waiting.size(), -1) < 0) {
      if (errno != EINTR) return false;
    }
    return !cancellation.is_cancelled();
  }

  int fd_;
  std::optional<termios> before_;
};

base::Failure<base::Error> nobody_there() {
  return base::fail(Code::kUsage, "there is no terminal to ask on");
}

}  // namespace

SystemTerminal::SystemTerminal(const base::Cancellation& cancellation, bool in_ci)
    : cancellation_(cancellation), in_ci_(in_ci) {}

bool SystemTerminal::is_there() const {
  return !in_ci_ && isatty(STDIN_FILENO) != 0 && Tty().is_open();
}

bool SystemTerminal::can_redraw() const {
  return !in_ci_ && isatty(STDERR_FILENO) != 0;
}

int SystemTerminal::columns() const {
  winsize size{};
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): ioctl has no other form
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

bool SystemTerminal::shows_answers() const {
  return isatty(STDOUT_FILENO) != 0;
}

Result<bool> SystemTerminal::confirm(std::string_view question) {
  const Tty tty;
  if (!tty.is_open()) return nobody_there();
  tty.write_text(base::one_line(question) + " [y/N] ");
  const auto answer = tty.read_line(cancellation_);
  if (!answer) return base::fail(Code::kCancelled, "no answer");
  const std::string_view text = reveal(*answer, "a yes or no, nothing secret");
  return text == "y" || text == "yes" || text == "Y";
}

Result<Secret> SystemTerminal::ask_secret(std::string_view prompt) {
  Tty tty;
  if (!tty.is_open()) return nobody_there();
  tty.hide_typing();
  tty.write_text(base::one_line(prompt) + ": ");
  auto answer = tty.read_line(cancellation_);
  tty.write_text("\n");
  if (!answer) return base::fail(Code::kCancelled, "no answer");
  return std::move(*answer);
}

}  // namespace meshtrust::cli
