#pragma once

#include "base/result.h"

#include <chrono>
#include <string>
#include <string_view>

namespace meshtrust::base {

/// UTC in whole seconds: what X.509 and Kubernetes can express.
using Instant = std::chrono::sys_seconds;
using Seconds = std::chrono::seconds;

constexpr Seconds days(int count) {
  return std::chrono::hours(24) * count;
}

/// RFC 3339 in UTC, whole seconds: "2031-01-02T03:04:05Z".
std::string format_rfc3339(Instant time);

/// The date alone: "2031-01-02".
std::string format_date(Instant time);

/// Reads RFC 3339 with any offset; fractions of a second are cut off. kInvalidInput otherwise.
Result<Instant> parse_rfc3339(std::string_view text);

/// Durations as in the mesh file: whole numbers with `d`, `h`, `m`, `s`, largest first, each unit
/// at most once ("90d", "1d12h"). Positive, at most 100 years. kInvalidInput otherwise.
Result<Seconds> parse_duration(std::string_view text);

/// The inverse: "90d", "1d12h", "0s".
std::string format_duration(Seconds duration);

/// For people: "in 71 days", "in 3 hours", "12 minutes ago", "now". One unit, rounded down.
std::string format_relative(Instant time, Instant now);

}  // namespace meshtrust::base
