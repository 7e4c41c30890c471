#include "profiles/free_value.h"

#include "base/text.h"
#include "profiles/plain_scalar.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

namespace meshtrust::profiles {
namespace {

using base::Json;
using base::YamlNode;
using Kind = YamlNode::Kind;

Point point_of(const YamlNode& node) {
  return {.line = node.line, .column = node.column};
}

/// The number that `text` is to every parser: whole, or with a point, in the only way to write it.
std::optional<Json> as_number(std::string_view text) {
  const char* const end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto read = std::from_chars(text.data(), end, whole);
      read.ec == std::errc() && read.ptr == end) {
    const Json number = whole;
    if (number.dump() == text) return number;
  }
  double real = 0;
  if (const auto read = std::from_chars(text.data(), end, real, std::chars_format::fixed);
      read.ec == std::errc() && read.ptr == end) {
    const Json number = real;
    if (number.dump() == text) return number;
  }
  return std::nullopt;
}

/// What a plain scalar is to every parser; nothing where they differ.
std::optional<Json> as_plain(const std::string& text) {
  if (!other_reading(text)) return Json(text);
  if (text == "true") return Json(true);
  if (text == "false") return Json(false);
  if (text == "null" || text == "~" || text.empty()) return Json(nullptr);
  return as_number(text);
}

class Reader {
 public:
  explicit Reader(Report& report) : report_(report) {}

  Json read(const YamlNode& node, Point at, const std::string& path) {
    value_.places[path] = at;
    switch (node.kind) {
      case Kind::kNull:
        return nullptr;
      case Kind::kScalar:
        return read_scalar(node);
      case Kind::kSequence:
        return read_list(node, path);
      case Kind::kMapping:
        break;
    }
    return read_mapping(node, path);
  }

  FreeValue take(Json json) {
    value_.json = std::move(json);
    return std::move(value_);
  }

 private:
  Json read_scalar(const YamlNode& node) {
    if (!node.plain) return node.scalar;
    if (auto json = as_plain(node.scalar)) return *std::move(json);
    const std::string text = base::printable(node.scalar, 80);
    report_.add(point_of(node),
                fmt::format("'{}' without quotes is not read alike by all, perhaps as {}", text,
                            *other_reading(node.scalar)),
                fmt::format("write \"{}\", or write it as true, false or a plain number", text));
    return nullptr;
  }

  Json read_list(const YamlNode& node, const std::string& path) {
    Json list = Json::array();
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const YamlNode& item = node.items[i];
      list.push_back(read(item, point_of(item), fmt::format("{}[{}]", path, i)));
    }
    return list;
  }

  Json read_mapping(const YamlNode& node, const std::string& path) {
    Json mapping = Json::object();
    for (const auto& [key, content] : node.entries) {
      if (key.kind != Kind::kScalar || (key.plain && (key.scalar == "<<" || key.scalar.empty()))) {
        report_.add(point_of(key), "expected a key that is text");
      } else if (mapping.contains(key.scalar)) {
        report_.add(point_of(key),
                    fmt::format("duplicate key '{}'", base::printable(key.scalar, 80)));
      } else {
        // A value that was left empty has the place of whatever comes next.
        const Point at = content.kind == Kind::kNull ? point_of(key) : point_of(content);
        mapping[key.scalar] = read(content, at, path_in(path, key.scalar));
      }
    }
    return mapping;
  }

  Report& report_;
  FreeValue value_;
};

}  // namespace

FreeValue read_free(const YamlNode& node, Report& report) {
  Reader reader(report);
  Json json = reader.read(node, point_of(node), "");
  return reader.take(std::move(json));
}

std::string path_in(std::string_view path, std::string_view key) {
  std::string result(path);
  if (!result.empty()) result += '.';
  for (const char c : key) {
    if (c == '.') result += '\\';
    result += c;
  }
  return result;
}

}  // namespace meshtrust::profiles
