#include "base/abandonable.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace meshtrust::base {
namespace {

std::atomic<int>& abandoned() {
  static std::atomic<int> count{0};
  return count;
}

/// Readable once the work is done. Belongs to both threads: whichever goes last closes it.
class Bell {
 public:
  Bell() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  ~Bell() {
    if (fd_ >= 0) close(fd_);
  }

  bool is_there() const { return fd_ >= 0; }

  /// Says that the work is done; the last word of its thread.
  void ring() {
    if (state_.exchange(State::kDone) == State::kAbandoned) {
      --abandoned();
      return;
    }
    // A new counter has room for one, so this cannot fail.
    eventfd_write(fd_, 1);
  }

  /// Whether the work was done before anybody gave it up.
  bool wait(const Cancellation& cancellation) {
    std::array<pollfd, 2> waiting{pollfd{.fd = fd_, .events = POLLIN, .revents = 0},
                                  pollfd{.fd = cancellation.fd(), .events = POLLIN, .revents = 0}};
    while (!cancellation.is_cancelled() && waiting[0].revents == 0) {
      if (poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) break;
    }
    if (state_.load() == State::kDone) return true;
    ++abandoned();
    if (state_.exchange(State::kAbandoned) != State::kDone) return false;
    --abandoned();  // it was done in the last moment
    return true;
  }

 private:
  enum class State { kRunning, kDone, kAbandoned };
  std::atomic<State> state_{State::kRunning};
  int fd_;
};

}  // namespace

bool finishes(const Cancellation* cancellation, std::function<void()> work) {
  const auto bell = std::make_shared<Bell>();
  if (cancellation != nullptr && bell->is_there()) {
    try {
      std::thread([bell, work]() mutable {
        work();
        work = nullptr;  // what it owns goes first, so that nothing comes after the last word
        bell->ring();
      }).detach();
      return bell->wait(*cancellation);
    } catch (const std::system_error&) {
      // No room for a thread: the work is what matters.
    }
  }
  work();
  return true;
}

bool is_abandoned_work_running() {
  return abandoned() > 0;
}

}  // namespace meshtrust::base
