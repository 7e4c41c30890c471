#pragma once

#include "base/result.h"

#include <compare>
#include <string>
#include <string_view>

namespace meshtrust::istio {

/// A release of Istio, like 1.30.3.
struct Version {
  int major = 0;
  int minor = 0;
  int patch = 0;

  std::string text() const;

  // NOLINTNEXTLINE(modernize-use-nullptr): the 0 of a rewritten comparison is no pointer
  friend auto operator<=>(const Version&, const Version&) = default;
};

/// The minor releases that meshtrust knows, all patches of them included: 1.24 to 1.31.
inline constexpr int kSupportedMajor = 1;
inline constexpr int kOldestSupportedMinor = 24;
inline constexpr int kNewestSupportedMinor = 31;

/// The supported releases as words: "1.24 to 1.31".
std::string supported_versions();

bool is_supported(const Version& version);

/// Reads "1.30.3": three numbers without leading zeros, the last two of at most four digits.
/// kInvalidInput for anything else (a "v" in front, a pre-release, two numbers). Whether it is
/// supported is another question.
base::Result<Version> parse_version(std::string_view text);

}  // namespace meshtrust::istio
