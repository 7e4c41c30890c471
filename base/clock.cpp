#include "base/clock.h"

namespace meshtrust::base {

Instant SystemClock::now() const {
  return std::chrono::floor<Seconds>(std::chrono::system_clock::now());
}

Clock::Steady SystemClock::steady() const {
  return std::chrono::steady_clock::now();
}

}  // namespace meshtrust::base
