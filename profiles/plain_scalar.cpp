#include "profiles/plain_scalar.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace meshtrust::profiles {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool consists_of(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  std::transform(lowered.begin(), lowered.end(), lowered.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lowered;
}

/// Cuts the leading characters that are in `characters` off `text`; whether there were any.
bool take_run(std::string_view& text, std::string_view characters) {
  const auto length = std::min(text.find_first_not_of(characters), text.size());
  text.remove_prefix(length);
  return length > 0;
}

/// Digits, underscores, a point, an exponent: decimal, octal by its leading zero, and float.
bool is_decimal(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789_";
  bool has_digits = !text.starts_with('_') && take_run(text, kDigits);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    has_digits = take_run(text, kDigits) || has_digits;
  }
  if (has_digits && (text.starts_with('e') || text.starts_with('E'))) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    return consists_of(text, "0123456789");
  }
  return has_digits && text.empty();
}

bool is_number(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  const std::string word = lower(text);
  const std::string_view rest =
      std::string_view(word).substr(std::min<std::size_t>(2, word.size()));
  if (word == ".inf" || word == ".nan") return true;
  if (word.starts_with("0x")) return consists_of(rest, "0123456789abcdef_");
  if (word.starts_with("0o")) return consists_of(rest, "01234567_");
  if (word.starts_with("0b")) return consists_of(rest, "01_");
  return is_decimal(word);
}

/// YAML 1.1 reads "12:30" in base 60.
bool is_base_60(std::string_view text) {
  return consists_of(text, "+-0123456789_:.") && text.find(':') != std::string_view::npos &&
         is_digit(text.back()) && text.find("::") == std::string_view::npos && text.front() != ':';
}

/// YAML 1.1 reads "2031-01-02" and what continues it as a timestamp.
bool is_date(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  std::string_view rest = text;
  if (!take_run(rest, kDigits) || text.size() - rest.size() != 4 || !rest.starts_with('-')) {
    return false;
  }
  rest.remove_prefix(1);
  if (!take_run(rest, kDigits) || !rest.starts_with('-')) return false;
  rest.remove_prefix(1);
  return take_run(rest, kDigits) && (rest.empty() || consists_of(rest.substr(0, 1), "Tt \t"));
}

}  // namespace

std::optional<std::string_view> other_reading(std::string_view text) {
  constexpr std::array<std::string_view, 8> kTruthValues{"y", "yes", "true",  "on",
                                                         "n", "no",  "false", "off"};
  const std::string word = lower(text);
  if (word.empty() || word == "~" || word == "null") return "nothing";
  if (std::find(kTruthValues.begin(), kTruthValues.end(), word) != kTruthValues.end()) {
    return "a truth value";
  }
  if (is_number(text)) return "a number";
  if (is_base_60(text)) return "a time";
  if (is_date(text)) return "a date";
  if (text == "=" || text == "<<") return "an operator";
  return std::nullopt;
}

}  // namespace meshtrust::profiles
