#include "base/cancellation.h"

#include "base/check.h"

#include <cstdint>
#include <sys/eventfd.h>
#include <unistd.h>

namespace meshtrust::base {

Cancellation::Cancellation() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  MESHTRUST_CHECK(fd_ >= 0);
}

Cancellation::~Cancellation() {
  close(fd_);
}

void Cancellation::cancel() noexcept {
  cancelled_.store(true);
  const std::uint64_t one = 1;
  // The counter is never read, so the descriptor stays readable; a full counter is fine too.
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof one);
}

}  // namespace meshtrust::base
