#pragma once

#include <atomic>

namespace meshtrust::base {

/// Says "stop now" to everything that waits. Safe to call from a signal handler and from any
/// thread. A wait on the network watches `fd()` beside its sockets, so Ctrl-C ends it at once.
class Cancellation {
 public:
  Cancellation();
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;
  ~Cancellation();

  void cancel() noexcept;
  bool is_cancelled() const noexcept { return cancelled_.load(); }
  /// Readable for ever once cancelled.
  int fd() const noexcept { return fd_; }

 private:
  std::atomic<bool> cancelled_{false};
  int fd_ = -1;
};

}  // namespace meshtrust::base
