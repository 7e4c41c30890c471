#pragma once

#include "base/cancellation.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"

#include <array>
#include <chrono>
#include <optional>
#include <string_view>

namespace meshtrust::k8s {

/// Waiting between two attempts, as a parameter, so that tests need not wait.
class Pause {
 public:
  Pause() = default;
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;
  virtual ~Pause() = default;
  /// kCancelled when it ended early.
  virtual base::Status wait(std::chrono::milliseconds duration) = 0;
};

/// Waits on the cancellation, so Ctrl-C ends it at once.
class CancellablePause final : public Pause {
 public:
  explicit CancellablePause(const base::Cancellation& cancellation) : cancellation_(cancellation) {}
  base::Status wait(std::chrono::milliseconds duration) override;

 private:
  const base::Cancellation& cancellation_;
};

/// How long a `Retry-After` header asks to wait: seconds, or an HTTP date, which counts from the
/// answer's own `date` so that clocks need not agree, and from `now` where it has none. Nothing for
/// what is neither; never negative.
std::optional<base::Seconds> parse_retry_after(std::string_view header,
                                               std::string_view date,
                                               base::Instant now);

/// Why the last attempt did not do.
enum class Trouble {
  kConnect,    ///< no connection could be made
  kCut,        ///< the connection broke
  kThrottled,  ///< 429
  kServer,     ///< 502, 503, 504, another 5xx with Retry-After, or 500 to a read
};

struct RetryPolicy {
  int connects = 1;  ///< repeats after a failed connect: a dead server costs little
  int cuts = 3;
  int throttles = 10;
  int server_errors = 4;
  std::chrono::milliseconds first_wait{200};  ///< doubled each time
  std::chrono::milliseconds longest_wait{5'000};
  base::Seconds longest_retry_after{60};
};

/// Decides whether and when to try again. One per call.
class Backoff {
 public:
  Backoff(const RetryPolicy& policy, base::Random& random) : policy_(policy), random_(random) {}

  /// How long to wait before the next attempt, or nothing when it was the last. Half of the wait is
  /// left to chance, so that many clients do not return at once; it comes on top of the server's
  /// `retry_after`.
  std::optional<std::chrono::milliseconds> next(Trouble trouble,
                                                std::optional<base::Seconds> retry_after);

 private:
  int& used(Trouble trouble);
  int allowed(Trouble trouble) const;

  const RetryPolicy& policy_;
  base::Random& random_;
  std::array<int, 4> used_{};
  int attempts_ = 0;
};

}  // namespace meshtrust::k8s
