#include "k8s/retry.h"

#include "base/check.h"

#include <algorithm>
#include <cerrno>
#include <poll.h>

namespace meshtrust::k8s {
namespace {

using std::chrono::milliseconds;

/// A number in [0, 1) from two random bytes; back-off needs no more.
double fraction(base::Random& random) {
  const base::Bytes bytes = random.bytes(2);
  return static_cast<double>(bytes[0] * 256 + bytes[1]) / 65'536.0;
}

}  // namespace

base::Status CancellablePause::wait(milliseconds duration) {
  const auto until = std::chrono::steady_clock::now() + duration;
  for (;;) {
    if (cancellation_.is_cancelled()) return base::fail(base::Code::kCancelled, "interrupted");
    const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return {};
    pollfd watched{.fd = cancellation_.fd(), .events = POLLIN, .revents = 0};
    const auto most = std::min<milliseconds::rep>(left.count(), 60'000);
    if (poll(&watched, 1, static_cast<int>(most)) < 0 && errno != EINTR) {
      return base::fail(base::Code::kInternal, "cannot wait: poll failed");
    }
  }
}

int& Backoff::used(Trouble trouble) {
  return used_[static_cast<std::size_t>(trouble)];
}

int Backoff::allowed(Trouble trouble) const {
  switch (trouble) {
    case Trouble::kConnect:
      return policy_.connects;
    case Trouble::kCut:
      return policy_.cuts;
    case Trouble::kThrottled:
      return policy_.throttles;
    case Trouble::kServer:
      return policy_.server_errors;
  }
  MESHTRUST_CHECK(false);
}

std::optional<milliseconds> Backoff::next(Trouble trouble,
                                          std::optional<base::Seconds> retry_after) {
  if (used(trouble)++ >= allowed(trouble)) return std::nullopt;
  milliseconds grown = policy_.first_wait;
  for (int i = 0; i < attempts_ && grown < policy_.longest_wait; ++i) {
    grown *= 2;
  }
  ++attempts_;
  grown = std::min(grown, policy_.longest_wait);
  const double share = 0.5 + 0.5 * fraction(random_);
  const milliseconds wait{
      static_cast<milliseconds::rep>(static_cast<double>(grown.count()) * share)};
  if (!retry_after) return wait;
  const base::Seconds asked = std::min(*retry_after, policy_.longest_retry_after);
  return milliseconds(asked) + wait;
}

}  // namespace meshtrust::k8s
