// The types of plain scalars: YAML 1.1 as the parser of Kubernetes has it, which is neither the
// letter of that standard (no base 60, `0o7` is a number) nor YAML 1.2.

#include "k8s/yaml_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace meshtrust::k8s {
namespace {

using Kind = YamlValue::Kind;

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_true(std::string_view text) {
  constexpr std::array<std::string_view, 11> kWords = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                                       "True", "TRUE", "on",  "On",  "ON"};
  return is_one_of(text, kWords);
}

bool is_false(std::string_view text) {
  constexpr std::array<std::string_view, 11> kWords = {
      "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"};
  return is_one_of(text, kWords);
}

bool is_null(std::string_view text) {
  constexpr std::array<std::string_view, 5> kWords = {"", "~", "null", "Null", "NULL"};
  return is_one_of(text, kWords);
}

YamlValue of_float(double number) {
  YamlValue value;
  value.kind = Kind::kFloat;
  value.number = number;
  return value;
}

std::optional<double> special_float(std::string_view text) {
  constexpr std::array<std::string_view, 3> kNan = {".nan", ".NaN", ".NAN"};
  constexpr std::array<std::string_view, 3> kInfinite = {".inf", ".Inf", ".INF"};
  if (is_one_of(text, kNan)) return std::numeric_limits<double>::quiet_NaN();
  const double sign = text.starts_with('-') ? -1 : 1;
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  if (is_one_of(text, kInfinite)) return sign * std::numeric_limits<double>::infinity();
  return std::nullopt;
}

/// Takes the base off the front: 0x, 0o, 0b, or an octal's leading 0.
int take_base(std::string_view& digits) {
  if (digits.size() < 2 || digits.front() != '0') return 10;
  const char mark = digits[1];
  if (mark == 'x' || mark == 'X' || mark == 'o' || mark == 'O' || mark == 'b' || mark == 'B') {
    digits.remove_prefix(2);
    return mark == 'x' || mark == 'X' ? 16 : mark == 'o' || mark == 'O' ? 8 : 2;
  }
  digits.remove_prefix(1);
  return 8;
}

std::optional<YamlValue> integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  const bool has_sign = negative || text.starts_with('+');
  if (has_sign) text.remove_prefix(1);
  const int base = take_base(text);
  std::uint64_t size = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, size, base);
  if (error != std::errc() || end != last) return std::nullopt;
  constexpr std::uint64_t kHalf = std::uint64_t{1} << 63U;
  YamlValue value;
  if (negative ? size <= kHalf : size < kHalf) {
    value.kind = Kind::kInteger;
    value.integer = static_cast<std::int64_t>(negative ? ~size + 1 : size);
    return value;
  }
  if (has_sign) return std::nullopt;
  value.kind = Kind::kUnsigned;
  value.unsigned_integer = size;
  return value;
}

std::size_t take_digits(std::string_view& text) {
  const std::size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
  text.remove_prefix(count);
  return count;
}

/// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool looks_like_a_float(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  std::size_t digits = take_digits(text);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    digits += take_digits(text);
  }
  if (digits == 0) return false;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (take_digits(text) == 0) return false;
  }
  return text.empty();
}

/// Nothing when it is no float or too large for one; one that is too small is zero.
std::optional<YamlValue> decimal(std::string_view text) {
  if (!looks_like_a_float(text)) return std::nullopt;
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) {
    const std::size_t exponent = text.find_first_of("eE");
    const bool tiny = exponent != std::string_view::npos && text[exponent + 1] == '-';
    return tiny ? std::optional(of_float(text.starts_with('-') ? -0.0 : 0.0)) : std::nullopt;
  }
  return of_float(number);
}

}  // namespace

YamlValue plain_value(std::string_view text) {
  YamlValue value;
  if (is_null(text)) return value;
  if (is_true(text) || is_false(text)) {
    value.kind = Kind::kBool;
    value.truth = is_true(text);
    return value;
  }
  if (const auto special = special_float(text)) return of_float(*special);
  std::string digits(text);
  const bool begins_like_an_integer =
      (text.front() >= '0' && text.front() <= '9') || text.front() == '+' || text.front() == '-';
  if (begins_like_an_integer) {
    std::erase(digits, '_');
    if (auto found = integer(digits)) return *found;
  }
  if (begins_like_an_integer || text.front() == '.') {
    if (auto found = decimal(digits)) return *found;
  }
  value.kind = Kind::kString;
  value.text = text;
  return value;
}

}  // namespace meshtrust::k8s
