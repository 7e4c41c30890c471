#include "istio/version.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace meshtrust::istio {
namespace {

constexpr std::size_t kMostDigits = 4;

std::optional<int> take_number(std::string_view digits) {
  const bool has_leading_zero = digits.size() > 1 && digits.front() == '0';
  const bool is_number =
      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits.empty() || digits.size() > kMostDigits || has_leading_zero || !is_number) {
    return std::nullopt;
  }
  int number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

}  // namespace

std::string Version::text() const {
  return fmt::format("{}.{}.{}", major, minor, patch);
}

std::string supported_versions() {
  return fmt::format("{0}.{1} to {0}.{2}", kSupportedMajor, kOldestSupportedMinor,
                     kNewestSupportedMinor);
}

bool is_supported(const Version& version) {
  return version.major == kSupportedMajor && version.minor >= kOldestSupportedMinor &&
         version.minor <= kNewestSupportedMinor;
}

base::Result<Version> parse_version(std::string_view text) {
  const auto parts = base::split(text, '.');
  std::array<std::optional<int>, 3> numbers;
  if (parts.size() == numbers.size()) {
    std::transform(parts.begin(), parts.end(), numbers.begin(), take_number);
  }
  if (!numbers[0] || !numbers[1] || !numbers[2]) {
    return base::fail(base::Code::kInvalidInput,
                      fmt::format("'{}' is not a release of Istio, expected one like 1.30.3",
                                  base::printable(text, 60)));
  }
  return Version{.major = *numbers[0], .minor = *numbers[1], .patch = *numbers[2]};
}

}  // namespace meshtrust::istio
