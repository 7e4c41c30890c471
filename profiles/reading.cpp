#include "profiles/reading.h"

#include "base/check.h"
#include "base/text.h"
#include "profiles/free_value.h"
#include "profiles/plain_scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace meshtrust::profiles {
namespace {

using base::YamlNode;
using Kind = YamlNode::Kind;

constexpr std::size_t kLongestWordToGuess = 64;

Point point_of(const YamlNode& node) {
  return {.line = node.line, .column = node.column};
}

std::string_view wanted(const Shape& shape) {
  switch (shape.kind) {
    case Shape::Kind::kList:
      return "a list";
    case Shape::Kind::kMapping:
    case Shape::Kind::kFree:
      return "a mapping";
    case Shape::Kind::kTable:
      return shape.words.empty() ? "a mapping" : "a word or a mapping";
    case Shape::Kind::kSwitch:
      return "true or false";
    case Shape::Kind::kText:
    case Shape::Kind::kWord:
      break;
  }
  return "text";
}

std::string_view found(const YamlNode& node) {
  switch (node.kind) {
    case Kind::kSequence:
      return "a list";
    case Kind::kMapping:
      return "a mapping";
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      break;
  }
  return "text";
}

std::string join_quoted(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  quoted.reserve(words.size());
  for (const std::string& word : words) {
    quoted.push_back(fmt::format("'{}'", word));
  }
  return base::join(quoted, ", ");
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() > kLongestWordToGuess) return {};
  const auto near = base::nearest(word, known);
  return near ? fmt::format("did you mean '{}'?", *near) : std::string{};
}

/// The tree of what is not there: all of it absent, or broken where that is reported.
Value read_nothing(const Shape& shape, Value::State state, Point at) {
  Value value{.state = state, .at = at, .text = {}, .items = {}, .keys = {}};
  if (shape.kind == Shape::Kind::kTable) return value;
  for (const Key& key : shape.keys) {
    Value child = read_nothing(key.shape, state, at);
    child.text = key.standard;
    value.keys.emplace(key.name, std::move(child));
  }
  return value;
}

class Reader {
 public:
  explicit Reader(Report& report) : report_(report) {}

  Value read(const YamlNode& node, const Shape& shape) {
    if (is_alias(node)) return broken(node, shape);
    switch (shape.kind) {
      case Shape::Kind::kText:
      case Shape::Kind::kWord:
        return read_text(node, shape);
      case Shape::Kind::kList:
        return read_list(node, shape);
      case Shape::Kind::kMapping:
        return read_mapping(node, shape);
      case Shape::Kind::kSwitch:
        return read_switch(node, shape);
      case Shape::Kind::kTable:
        return node.kind == Kind::kScalar && !shape.words.empty() ? read_text(node, shape)
                                                                  : read_table(node, shape);
      case Shape::Kind::kFree:
        return read_free_mapping(node, shape);
    }
    return broken(node, shape);
  }

 private:
  static Value broken(const YamlNode& node, const Shape& shape) {
    return read_nothing(shape, Value::State::kBroken, point_of(node));
  }

  /// The value of an entry; at the place of its key when nothing was written (yaml-cpp gives the
  /// place of whatever comes next, and no text for the words that mean null).
  Value read_entry(const YamlNode& key, const YamlNode& content, const Shape& shape) {
    constexpr std::string_view kNullWordsBegin = "~nN";
    const bool is_null_word =
        content.line == key.line &&
        kNullWordsBegin.find(report_.character(point_of(content))) != std::string_view::npos;
    if (content.kind != Kind::kNull || is_null_word) return read(content, shape);
    YamlNode nothing;
    nothing.line = key.line;
    nothing.column = key.column;
    return read(nothing, shape);
  }

  static Value given(const YamlNode& node) {
    return {
        .state = Value::State::kGiven, .at = point_of(node), .text = {}, .items = {}, .keys = {}};
  }

  Value wrong_type(const YamlNode& node, const Shape& shape) {
    std::string hint;
    if (node.kind == Kind::kNull) {
      hint = "leave the key out, or give it a value";
    } else if (shape.kind == Shape::Kind::kList && node.kind == Kind::kScalar) {
      hint = fmt::format("write [{}]", base::yaml_scalar(base::printable(node.scalar, 80)));
    }
    report_.add(point_of(node), fmt::format("expected {}, found {}", wanted(shape), found(node)),
                std::move(hint));
    return broken(node, shape);
  }

  /// Reports what makes a value look different from what it is; yaml-cpp's mark of a value is where
  /// its anchor or tag begins. Whether it is an alias, whose content is judged where it stands.
  bool is_alias(const YamlNode& node) {
    const char first = report_.character(point_of(node));
    if (node.anchored) {
      report_.add(point_of(node), "anchors and aliases are not accepted here",
                  "write the value out, or put it under 'defaults'");
    } else if (first == '!') {
      report_.add(point_of(node), "tags are not accepted here",
                  "leave the tag out; quotes make a value text");
    }
    return node.anchored && first == '*';
  }

  Value read_text(const YamlNode& node, const Shape& shape) {
    if (node.kind != Kind::kScalar) return wrong_type(node, shape);
    const bool fits =
        shape.kind == Shape::Kind::kText ? is_text(node, shape) : is_word(node, shape);
    if (!fits || !is_text_to_all(node)) return broken(node, shape);
    Value value = given(node);
    value.text = node.scalar;
    return value;
  }

  /// Refuses plain scalars that some YAML parser does not take for text, once quotes would do.
  bool is_text_to_all(const YamlNode& node) {
    const auto other = node.plain ? other_reading(node.scalar) : std::nullopt;
    if (!other) return true;
    const std::string shown = base::printable(node.scalar, 80);
    report_.add(point_of(node),
                fmt::format("'{}' without quotes can be read as {}, expected text", shown, *other),
                fmt::format("write \"{}\"", shown));
    return false;
  }

  bool is_word(const YamlNode& node, const Shape& shape) {
    if (std::find(shape.words.begin(), shape.words.end(), node.scalar) != shape.words.end()) {
      return true;
    }
    if (std::find(shape.later.begin(), shape.later.end(), node.scalar) != shape.later.end()) {
      report_.add(point_of(node), fmt::format("'{}' is not built yet, expected {}", node.scalar,
                                              join_quoted(shape.words)));
      return false;
    }
    report_.add(point_of(node),
                fmt::format("'{}' is not accepted, expected {}{}", base::printable(node.scalar, 80),
                            shape.words.size() > 1 ? "one of " : "", join_quoted(shape.words)),
                did_you_mean(node.scalar, shape.words));
    return false;
  }

  bool is_text(const YamlNode& node, const Shape& shape) {
    auto refusal = refuse(*shape.text, node.scalar);
    if (!refusal) return true;
    report_.add(point_of(node), std::move(refusal->message), std::move(refusal->hint));
    return false;
  }

  Value read_switch(const YamlNode& node, const Shape& shape) {
    if (node.kind != Kind::kScalar) return wrong_type(node, shape);
    Value value = given(node);
    value.text = node.scalar;
    if (node.plain && (node.scalar == "true" || node.scalar == "false")) return value;
    report_.add(point_of(node), fmt::format("expected true or false without quotes, found '{}'",
                                            base::printable(node.scalar, 80)));
    return broken(node, shape);
  }

  Value read_table(const YamlNode& node, const Shape& shape) {
    if (node.kind != Kind::kMapping) return wrong_type(node, shape);
    if (node.entries.empty()) {
      report_.add(point_of(node), "expected at least one entry, found an empty mapping");
      return broken(node, shape);
    }
    Value value = given(node);
    for (const auto& [key, content] : node.entries) {
      if (key.kind != Kind::kScalar) {
        report_.add(point_of(key), fmt::format("expected a key, found {}", found(key)));
      } else if (auto refusal = refuse(*shape.text, key.scalar)) {
        report_.add(point_of(key), std::move(refusal->message), std::move(refusal->hint));
      } else if (value.keys.contains(key.scalar)) {
        report_.add(point_of(key), fmt::format("duplicate key '{}'", key.scalar));
      } else if (is_text_to_all(key)) {
        value.keys.emplace(key.scalar, read_entry(key, content, shape.item.front()));
      }
    }
    return value;
  }

  Value read_free_mapping(const YamlNode& node, const Shape& shape) {
    if (node.kind != Kind::kMapping) return wrong_type(node, shape);
    refuse_aliases(node);
    Value value = given(node);
    value.free = read_free(node, report_);
    return value;
  }

  /// Inside of what is not ours, too: one mistake is enough.
  void refuse_aliases(const YamlNode& node) {
    for (const auto& [key, content] : node.entries) {
      refuse_alias(content);
    }
    for (const YamlNode& item : node.items) {
      refuse_alias(item);
    }
  }

  void refuse_alias(const YamlNode& node) {
    if (node.kind != Kind::kNull && !is_alias(node)) refuse_aliases(node);
  }

  Value read_list(const YamlNode& node, const Shape& shape) {
    if (node.kind != Kind::kSequence) return wrong_type(node, shape);
    if (node.items.empty()) {
      report_.add(point_of(node), "expected at least one entry, found an empty list");
      return broken(node, shape);
    }
    Value value = given(node);
    std::set<std::string_view> seen;
    for (const YamlNode& item : node.items) {
      value.items.push_back(read(item, shape.item.front()));
      const bool is_repeated = shape.repeats == Shape::Repeats::kRefused &&
                               value.items.back().is_given() && !seen.insert(item.scalar).second;
      if (is_repeated) {
        report_.add(point_of(item), fmt::format("'{}' stands in this list twice", item.scalar));
        value.items.back().state = Value::State::kBroken;
      }
    }
    return value;
  }

  Value read_mapping(const YamlNode& node, const Shape& shape) {
    if (node.kind != Kind::kMapping) return wrong_type(node, shape);
    Value value = read_nothing(shape, Value::State::kAbsent, point_of(node));
    value.state = Value::State::kGiven;
    std::map<std::string_view, int> lines;
    for (const auto& [key, content] : node.entries) {
      if (const Key* known = known_key(key, shape, lines)) {
        value.keys[known->name] = read_entry(key, content, known->shape);
      }
    }
    for (const Key& key : shape.keys) {
      if (key.need == Key::Need::kRequired && !lines.contains(key.name)) {
        report_.add(point_of(node), fmt::format("missing key '{}'", key.name),
                    fmt::format("{}: {}", key.name, key.doc));
        value.keys[key.name] = read_nothing(key.shape, Value::State::kBroken, point_of(node));
      }
    }
    return value;
  }

  /// The key of the shape that an entry sets for the first time, or null after a report.
  const Key* known_key(const YamlNode& key,
                       const Shape& shape,
                       std::map<std::string_view, int>& lines) {
    if (key.kind != Kind::kScalar) {
      report_.add(point_of(key), fmt::format("expected a key, found {}", found(key)));
      return nullptr;
    }
    is_alias(key);
    if (key.plain && key.scalar == "<<") {
      report_.add(point_of(key), "merge keys are not accepted here",
                  "write the keys out, or put them under 'defaults'");
      return nullptr;
    }
    const Key* known = find_key(shape, key.scalar);
    if (known == nullptr) {
      report_unknown_key(key, shape);
      return nullptr;
    }
    const auto [first, is_first] = lines.emplace(known->name, key.line);
    if (is_first) return known;
    report_.add(point_of(key),
                fmt::format("duplicate key '{}', first on line {}", key.scalar, first->second));
    return nullptr;
  }

  void report_unknown_key(const YamlNode& key, const Shape& shape) {
    std::vector<std::string> names;
    for (const Key& known : shape.keys) {
      names.push_back(known.name);
    }
    std::string hint = did_you_mean(key.scalar, names);
    if (hint.empty()) hint = fmt::format("the keys here are {}", base::join(names, ", "));
    report_.add(point_of(key), fmt::format("unknown key '{}'", base::printable(key.scalar, 80)),
                std::move(hint));
  }

  Report& report_;
};

}  // namespace

Report::Report(std::string_view file, std::string_view text) : file_(file) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (true) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines_.push_back(line);
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

void Report::add(Point at, std::string message, std::string hint) {
  base::Error error{
      .code = base::Code::kInvalidInput, .message = std::move(message), .place = place(at)};
  if (!hint.empty()) error.hints.push_back(std::move(hint));
  errors_.push_back(std::move(error));
}

base::Errors Report::take_errors() {
  std::stable_sort(errors_.begin(), errors_.end(), [](const auto& a, const auto& b) {
    return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
  });
  return std::exchange(errors_, {});
}

base::Place Report::place(Point at) const {
  return {.file = file_,
          .line = at.line,
          .column = at.column,
          .source_line = std::string(line(at.line))};
}

char Report::character(Point at) const {
  const std::string_view text = line(at.line);
  const auto index = static_cast<std::size_t>(at.column - 1);
  return index < text.size() ? text[index] : '\0';
}

std::string_view Report::line(int number) const {
  const auto index = static_cast<std::size_t>(number - 1);
  return index < lines_.size() ? lines_[index] : std::string_view{};
}

const Value& Value::operator[](std::string_view key) const {
  const auto known = keys.find(key);
  MESHTRUST_CHECK(known != keys.end());
  return known->second;
}

Value read_strictly(const base::YamlNode& node, const Shape& shape, Report& report) {
  return Reader(report).read(node, shape);
}

}  // namespace meshtrust::profiles
