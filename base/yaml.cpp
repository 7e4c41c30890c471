#include "base/yaml.h"

#include "base/utf8.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <istream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>

namespace meshtrust::base {
namespace {

/// Thrown through yaml-cpp, whose callbacks cannot return an error; ends in `parse_yaml`.
struct LimitExceeded : std::runtime_error {
  LimitExceeded(const YAML::Mark& at, const std::string& what)
      : std::runtime_error(what), mark(at) {}
  YAML::Mark mark;
};

/// How much of memory a tree takes.
struct Size {
  std::size_t nodes = 0;
  std::size_t characters = 0;
};

void add_size(const YamlNode& node, Size& size) {
  ++size.nodes;
  size.characters += node.scalar.size() + node.tag.size();
  for (const YamlNode& item : node.items) {
    add_size(item, size);
  }
  for (const auto& [key, value] : node.entries) {
    add_size(key, size);
    add_size(value, size);
  }
}

Size size_of(const YamlNode& node) {
  Size size;
  add_size(node, size);
  return size;
}

/// Builds the tree of one document from yaml-cpp's events, which (unlike its nodes) keep duplicate
/// keys, quoting and the place of everything.
class TreeBuilder final : public YAML::EventHandler {
 public:
  /// Adds to `built` what it builds.
  TreeBuilder(const YamlLimits& limits, Size& built) : limits_(limits), built_(built) {}

  YamlNode take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node = node_at(mark, YamlNode::Kind::kNull);
    node.plain = true;
    add(mark, std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw LimitExceeded(mark, "an alias stands for itself");
    // Counted before it is copied.
    count(mark, found->second.size);
    YamlNode copy = found->second.node;
    copy.line = mark.line + 1;
    copy.column = mark.column + 1;
    copy.anchored = true;
    place(std::move(copy));
  }

  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node = node_at(mark, YamlNode::Kind::kScalar);
    node.scalar = value;
    node.plain = tag == "?";
    if (!node.plain && tag != "!") node.tag = tag;
    constexpr std::array<std::string_view, 5> kNulls{"", "~", "null", "Null", "NULL"};
    if (node.plain && std::find(kNulls.begin(), kNulls.end(), value) != kNulls.end()) {
      node.kind = YamlNode::Kind::kNull;
    }
    add(mark, std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(mark, YamlNode::Kind::kSequence, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, YamlNode::Kind::kMapping, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    YAML::Mark mark;
    std::unique_ptr<YamlNode> key;  ///< of a mapping, waiting for its value
  };

  struct Anchored {
    YamlNode node;
    Size size;
  };

  static YamlNode node_at(const YAML::Mark& mark, YamlNode::Kind kind) {
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  void count(const YAML::Mark& mark, const Size& more) {
    built_.nodes += more.nodes;
    built_.characters += more.characters;
    if (built_.nodes > limits_.nodes) {
      throw LimitExceeded(mark, fmt::format("more than {} values", limits_.nodes));
    }
    if (built_.characters > limits_.characters) {
      throw LimitExceeded(mark, fmt::format("more than {} bytes, once aliases and tags stand for "
                                            "what they mean",
                                            limits_.characters));
    }
  }

  void open(const YAML::Mark& mark,
            YamlNode::Kind kind,
            const std::string& tag,
            YAML::anchor_t anchor) {
    // Of a collection it is not kept, but the parser has made it, and makes one for each.
    count(mark, {.nodes = 0, .characters = tag.size()});
    if (static_cast<int>(open_.size()) >= limits_.depth) {
      throw LimitExceeded(mark, fmt::format("nested deeper than {} levels", limits_.depth));
    }
    open_.push_back({.node = node_at(mark, kind), .anchor = anchor, .mark = mark, .key = nullptr});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    add(done.mark, std::move(done.node), done.anchor);
  }

  /// A node of the text, whose children were counted when they came.
  void add(const YAML::Mark& mark, YamlNode node, YAML::anchor_t anchor) {
    count(mark, {.nodes = 1, .characters = node.scalar.size() + node.tag.size()});
    if (anchor != 0) {
      node.anchored = true;
      const Size size = size_of(node);
      // Anchors within anchors keep copies within copies.
      count(mark, size);
      anchors_[anchor] = {.node = node, .size = size};
    }
    place(std::move(node));
  }

  void place(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::kSequence) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      parent.key = std::make_unique<YamlNode>(std::move(node));
    } else {
      parent.node.entries.push_back({.key = std::move(*parent.key), .value = std::move(node)});
      parent.key.reset();
    }
  }

  const YamlLimits& limits_;
  YamlNode root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  Size& built_;
};

Failure<Error> not_yaml(std::string_view file,
                        std::string_view text,
                        const YAML::Mark& mark,
                        std::string_view problem) {
  Error error{.code = Code::kInvalidInput, .message = fmt::format("not YAML: {}", problem)};
  error.place.file = file;
  if (!mark.is_null()) {
    error.place.line = mark.line + 1;
    error.place.column = mark.column + 1;
    error.place.source_line = line_of(text, error.place.line);
  }
  return fail(std::move(error));
}

bool is_plain_safe(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '/';
}

/// What stands in quotes for the character beyond ASCII that `text` begins with, and how many bytes
/// that takes; no bytes for ASCII. Escaped is what some YAML parser refuses, breaks a line at or
/// swallows, and what nobody would see. What is no UTF-8 has no place in YAML and becomes U+FFFD.
std::pair<std::string, std::size_t> quoted_beyond_ascii(std::string_view text) {
  const Utf8Character next = first_character(text);
  if (next.bytes == 0) return {"\\ufffd", 1};
  if (next.code < 0x80) return {"", 0};
  if (!is_unseen(next.code)) return {std::string(text.substr(0, next.bytes)), next.bytes};
  const auto code = static_cast<std::uint32_t>(next.code);
  return {code > 0xffff ? fmt::format("\\U{:08x}", code) : fmt::format("\\u{:04x}", code),
          next.bytes};
}

/// Words and shapes that some YAML version takes for a bool, null, number or date.
bool is_ambiguous(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  constexpr std::array<std::string_view, 11> kWords{"y",    "n",     "yes",  "no",   "on",  "off",
                                                    "true", "false", "null", ".inf", ".nan"};
  if (std::find(kWords.begin(), kWords.end(), lower) != kWords.end()) return true;
  // Anything that begins like a number (or a sign, or a dot) might be one somewhere.
  return !((lower.front() >= 'a' && lower.front() <= 'z') || lower.front() == '/');
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  const YamlNode* found = nullptr;
  for (const auto& [name, value] : entries) {
    if (name.kind == Kind::kScalar && name.scalar == key) found = &value;
  }
  return found;
}

namespace {

/// Hands every document to `take` until that says no more.
template <class Take>
Status each_document(std::string_view file,
                     std::string_view text,
                     const YamlLimits& limits,
                     Take take) {
  if (text.size() > limits.bytes) {
    Error error{.code = Code::kInvalidInput,
                .message = fmt::format("larger than {} bytes", limits.bytes)};
    error.place.file = file;
    return fail(std::move(error));
  }
  try {
    std::istringstream input{std::string(text)};
    YAML::Parser parser(input);
    Size built;
    while (true) {
      TreeBuilder builder(limits, built);
      if (!parser.HandleNextDocument(builder) || !take(builder.take_root())) return {};
    }
  } catch (const YAML::Exception& problem) {
    return not_yaml(file, text, problem.mark, problem.msg);
  } catch (const LimitExceeded& problem) {
    return not_yaml(file, text, problem.mark, problem.what());
  }
}

}  // namespace

Result<std::vector<YamlNode>> parse_yaml(std::string_view file,
                                         std::string_view text,
                                         const YamlLimits& limits) {
  std::vector<YamlNode> documents;
  MESHTRUST_TRY_DO(each_document(file, text, limits, [&](YamlNode document) {
    documents.push_back(std::move(document));
    // Some malformed texts make the parser hand out empty documents without an end.
    return documents.size() <= limits.documents;
  }));
  if (documents.size() <= limits.documents) return documents;
  return not_yaml(file, text, YAML::Mark(),
                  fmt::format("more than {} documents", limits.documents));
}

Result<std::optional<YamlNode>> parse_first_yaml(std::string_view file,
                                                 std::string_view text,
                                                 const YamlLimits& limits) {
  std::optional<YamlNode> first;
  MESHTRUST_TRY_DO(each_document(file, text, limits, [&first](YamlNode document) {
    first = std::move(document);
    return false;
  }));
  return first;
}

std::string yaml_scalar(std::string_view text) {
  const bool plain =
      !text.empty() && std::all_of(text.begin(), text.end(), is_plain_safe) && !is_ambiguous(text);
  if (plain) return std::string(text);
  std::string quoted = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (const auto [stands_for_it, length] = quoted_beyond_ascii(text.substr(i)); length > 0) {
      quoted += stands_for_it;
      i += length - 1;
    } else if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += fmt::format("\\x{:02x}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string line_of(std::string_view text, int number) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (int line = 1; line < number; ++line) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return std::string(text);
}

}  // namespace meshtrust::base
