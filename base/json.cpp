#include "base/json.h"

#include "base/utf8.h"
#include "base/yaml.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>

namespace meshtrust::base {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::size_t kMostValues = 4'000'000;

/// How deep brackets nest, and how many values there are, which take ten times their text in
/// memory.
struct Extent {
  int depth = 0;
  std::size_t values = 1;
};

/// Looked at before parsing, because the parser itself would recurse when a deep value is
/// destroyed. Of a text that is too deep what it has up to there.
Extent extent_of(std::string_view text) {
  Extent extent;
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size() && extent.depth <= kMaxDepth; ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (c == ',' || c == '[' || c == '{') ++extent.values;
    extent.depth = std::max(extent.depth, depth);
  }
  return extent;
}

void append_yaml(std::string& out, const Json& json, std::size_t depth, bool in_list) {
  const std::string indent(depth * 2, ' ');
  if (json.is_object() && !json.empty()) {
    bool first = in_list;
    for (const auto& [key, value] : json.items()) {
      out += first ? "" : indent;
      first = false;
      out += yaml_scalar(key) + ":";
      const bool nested = (value.is_object() || value.is_array()) && !value.empty();
      out += nested ? "\n" : " ";
      append_yaml(out, value, nested ? depth + 1 : 0, false);
    }
  } else if (json.is_array() && !json.empty()) {
    bool first = in_list;
    for (const auto& item : json) {
      out += (first ? "" : indent) + "- ";
      first = false;
      append_yaml(out, item, depth + 1, true);
    }
  } else if (json.is_string()) {
    out += yaml_scalar(json.get<std::string>()) + "\n";
  } else {
    out += compact(json) + "\n";
  }
}

void append_utf16_escape(std::string& out, std::uint32_t unit) {
  out += fmt::format("\\u{:04x}", unit);
}

/// JSON text whose unseen characters beyond ASCII, which stand in strings alone, are escaped (RFC
/// 8259 section 7: in UTF-16).
std::string with_escapes(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Character next = first_character(std::string_view(text).substr(i));
    const std::size_t bytes = std::max<std::size_t>(next.bytes, 1);
    const auto code = static_cast<std::uint32_t>(next.code);
    if (code < 0x7f || !is_unseen(next.code)) {
      out.append(text, i, bytes);
    } else if (code <= 0xffff) {
      append_utf16_escape(out, code);
    } else {
      append_utf16_escape(out, 0xd800U + ((code - 0x10000U) >> 10U));
      append_utf16_escape(out, 0xdc00U + ((code - 0x10000U) & 0x3ffU));
    }
    i += bytes;
  }
  return out;
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view what) {
  const Extent extent = extent_of(text);
  if (extent.depth > kMaxDepth) {
    return fail(Code::kInvalidInput,
                fmt::format("{} nests deeper than {} levels", what, kMaxDepth));
  }
  if (extent.values > kMostValues) {
    return fail(Code::kInvalidInput,
                fmt::format("{} holds more than {} values", what, kMostValues));
  }
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& problem) {
    const auto before = text.substr(0, std::min(problem.byte, text.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto line_start = before.rfind('\n');
    const auto column = before.size() - (line_start == std::string_view::npos ? 0 : line_start + 1);
    return fail(Code::kInvalidInput,
                fmt::format("{} is not JSON (line {}, column {})", what, line, column));
  } catch (const Json::exception&) {
    return fail(Code::kInvalidInput, fmt::format("{} holds a number out of range", what));
  }
}

std::string pretty(const Json& json) {
  return with_escapes(json.dump(2, ' ', false, Json::error_handler_t::replace)) + "\n";
}

std::string pretty_line(const Json& json) {
  return with_escapes(compact(json));
}

std::string compact(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_yaml(const Json& json) {
  std::string out;
  append_yaml(out, json, 0, false);
  return out;
}

std::string string_at(const Json& object, std::string_view key, std::string_view fallback) {
  if (!object.is_object()) return std::string(fallback);
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::string(fallback);
  return found->get<std::string>();
}

const Json& at_path(const Json& object, std::initializer_list<std::string_view> path) {
  static const Json kNull;
  const Json* here = &object;
  for (const std::string_view key : path) {
    if (!here->is_object()) return kNull;
    const auto found = here->find(key);
    if (found == here->end()) return kNull;
    here = &*found;
  }
  return *here;
}

}  // namespace meshtrust::base
