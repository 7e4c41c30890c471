#include "base/time.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <optional>

namespace meshtrust::base {
namespace {

using std::chrono::floor;
using std::chrono::hh_mm_ss;
using std::chrono::year_month_day;

/// The number in the `count` digits at the start of `text`, which is shortened by them.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int number = 0;
  for (const char digit : text.substr(0, count)) {
    if (std::isdigit(static_cast<unsigned char>(digit)) == 0) return std::nullopt;
    number = number * 10 + (digit - '0');
  }
  text.remove_prefix(count);
  return number;
}

bool take(std::string_view& text, std::string_view wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(wanted.size());
  return true;
}

std::optional<Seconds> take_offset(std::string_view& text) {
  if (take(text, "Z") || take(text, "z")) return Seconds{0};
  const bool west = text.starts_with('-');
  if (!take(text, "+") && !take(text, "-")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || !take(text, ":")) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const Seconds offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  return west ? -offset : offset;
}

std::optional<Instant> take_rfc3339(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !(take(text, "T") || take(text, "t") || take(text, " "))) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take(text, ":")) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  if (take(text, ".")) {
    if (!take_digits(text, 1)) return std::nullopt;
    while (take_digits(text, 1)) {
    }
  }
  const auto offset = take_offset(text);
  const year_month_day date{std::chrono::year(*year),
                            std::chrono::month(static_cast<unsigned>(*month)),
                            std::chrono::day(static_cast<unsigned>(*day))};
  if (!offset || !text.empty() || !date.ok()) return std::nullopt;
  return Instant(std::chrono::sys_days(date)) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute) + Seconds{*second} - *offset;
}

struct Unit {
  char letter;
  Seconds length;
};

constexpr std::array kUnits{
    Unit{'d', days(1)},
    Unit{'h', std::chrono::hours(1)},
    Unit{'m', std::chrono::minutes(1)},
    Unit{'s', Seconds(1)},
};

constexpr Seconds kLongest = days(36525);

std::optional<Seconds> take_duration(std::string_view text) {
  Seconds total{0};
  auto unit = kUnits.begin();
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    if (text.front() < '0' || text.front() > '9') return std::nullopt;
    std::int64_t count = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (problem != std::errc() || count > kLongest.count()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    while (unit != kUnits.end() && !text.starts_with(unit->letter)) {
      ++unit;
    }
    if (unit == kUnits.end()) return std::nullopt;
    text.remove_prefix(1);
    if (count > kLongest / unit->length) return std::nullopt;
    total += count * unit->length;
    ++unit;
  }
  if (total <= Seconds{0} || total > kLongest) return std::nullopt;
  return total;
}

}  // namespace

std::string format_rfc3339(Instant time) {
  const auto day = floor<std::chrono::days>(time);
  const hh_mm_ss clock(time - day);
  return fmt::format("{}T{:02}:{:02}:{:02}Z", format_date(time), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

std::string format_date(Instant time) {
  const year_month_day date(floor<std::chrono::days>(time));
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

Result<Instant> parse_rfc3339(std::string_view text) {
  if (const auto time = take_rfc3339(text)) return *time;
  return fail(Code::kInvalidInput,
              fmt::format("'{}' is not a time, expected RFC 3339 like 2031-01-02T03:04:05Z", text));
}

Result<Seconds> parse_duration(std::string_view text) {
  if (const auto duration = take_duration(text)) return *duration;
  return fail(Code::kInvalidInput,
              fmt::format("'{}' is not a duration, expected days, hours, minutes or seconds, "
                          "largest first, like 90d, 24h or 1d12h",
                          text));
}

std::string format_duration(Seconds duration) {
  if (duration < Seconds{0}) return "-" + format_duration(-duration);
  std::string text;
  for (const Unit& unit : kUnits) {
    const auto count = duration / unit.length;
    if (count != 0) text += fmt::format("{}{}", count, unit.letter);
    duration -= count * unit.length;
  }
  return text.empty() ? "0s" : text;
}

std::string format_relative(Instant time, Instant now) {
  struct Word {
    Seconds length;
    std::string_view name;
  };
  constexpr std::array kWords{Word{days(1), "day"}, Word{std::chrono::hours(1), "hour"},
                              Word{std::chrono::minutes(1), "minute"}, Word{Seconds(1), "second"}};
  const bool past = time < now;
  const Seconds distance = past ? now - time : time - now;
  for (const Word& word : kWords) {
    const auto count = distance / word.length;
    if (count == 0) continue;
    const std::string_view plural = count == 1 ? "" : "s";
    return past ? fmt::format("{} {}{} ago", count, word.name, plural)
                : fmt::format("in {} {}{}", count, word.name, plural);
  }
  return "now";
}

}  // namespace meshtrust::base
