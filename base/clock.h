#pragma once

#include "base/time.h"

#include <chrono>

namespace meshtrust::base {

/// The time, as a parameter. `now` is what goes into certificates and is compared with them;
/// `steady` measures durations and never jumps.
class Clock {
 public:
  using Steady = std::chrono::steady_clock::time_point;

  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  virtual Instant now() const = 0;
  virtual Steady steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  Instant now() const override;
  Steady steady() const override;
};

}  // namespace meshtrust::base
