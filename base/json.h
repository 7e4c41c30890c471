#pragma once

#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace meshtrust::base {

/// JSON whose objects are sorted by key, so that what is written is the same every time. Never
/// holds a secret.
using Json = nlohmann::json;

/// Parses one document, at most 64 levels deep. kInvalidInput names line and column in `what`.
Result<Json> parse_json(std::string_view text, std::string_view what);

/// Two-space indentation and a final newline; invalid UTF-8 is replaced, never thrown over.
std::string pretty(const Json& json);
/// One line without a newline.
std::string compact(const Json& json);

/// JSON as YAML, with every string quoted that any parser could take for something else.
std::string to_yaml(const Json& json);

/// The string at `key`, or `fallback` where it is absent or of another type.
std::string string_at(const Json& object, std::string_view key, std::string_view fallback = {});

/// The value under a path of keys, or null where any of them is missing.
const Json& at_path(const Json& object, std::initializer_list<std::string_view> path);

}  // namespace meshtrust::base
