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

/// For people and files: two-space indentation and a final newline. Invalid UTF-8 is replaced,
/// never thrown over, and what nobody would see (`is_unseen`) is written as an escape, which JSON
/// reads as the same character.
std::string pretty(const Json& json);
/// The same on one line, without a newline.
std::string pretty_line(const Json& json);
/// For programs: one line, every character as it is; the same for ever, because digests are made of
/// it.
std::string compact(const Json& json);

/// JSON as YAML, with every string quoted that any parser could take for something else.
std::string to_yaml(const Json& json);

/// The string at `key`, or `fallback` where it is absent or of another type.
std::string string_at(const Json& object, std::string_view key, std::string_view fallback = {});

/// The value under a path of keys, or null where any of them is missing.
const Json& at_path(const Json& object, std::initializer_list<std::string_view> path);

}  // namespace meshtrust::base
