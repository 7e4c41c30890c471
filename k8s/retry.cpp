#include "k8s/retry.h"

#include "base/check.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <poll.h>
#include <string>

namespace meshtrust::k8s {
namespace {

using std::chrono::milliseconds;

/// A number in [0, 1) from two random bytes; back-off needs no more.
double fraction(base::Random& random) {
  const base::Bytes bytes = random.bytes(2);
  return static_cast<double>(bytes[0] * 256 + bytes[1]) / 65'536.0;
}

std::optional<base::Instant> http_date(std::string_view text) {
  const std::time_t time = curl_getdate(std::string(text).c_str(), nullptr);
  if (time < 0) return std::nullopt;
  return std::chrono::floor<base::Seconds>(std::chrono::system_clock::from_time_t(time));
}

}  // namespace

std::optional<base::Seconds> parse_retry_after(std::string_view header,
                                               std::string_view date,
                                               base::Instant now) {
  if (header.empty()) return std::nullopt;
  const bool is_number = std::all_of(header.begin(), header.end(),
                                     [](unsigned char c) { return std::isdigit(c) != 0; });
  if (is_number) {
    long seconds = 0;
    const auto read = std::from_chars(header.data(), header.data() + header.size(), seconds);
    return read.ec == std::errc() ? base::Seconds(seconds) : base::Seconds::max();
  }
  const auto until = http_date(header);
  if (!until) return std::nullopt;
  return std::max(base::Seconds(0), *until - http_date(date).value_or(now));
}

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
