#pragma once

#include <optional>
#include <string_view>

namespace meshtrust::profiles {

/// What a YAML parser of some version (1.1 or 1.2, any schema) may take the unquoted scalar `text`
/// for, other than text: "a number", "a truth value", "nothing", "a time", "a date". Absent when
/// every parser reads text. Errs on the side of caution: "1_000", "y" and "012" count.
std::optional<std::string_view> other_reading(std::string_view text);

}  // namespace meshtrust::profiles
