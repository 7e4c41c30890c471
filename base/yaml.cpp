#include "base/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
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

std::size_t nodes_in(const YamlNode& node) {
  std::size_t total = 1;
  for (const YamlNode& item : node.items) {
    total += nodes_in(item);
  }
  for (const auto& [key, value] : node.entries) {
    total += nodes_in(key) + nodes_in(value);
  }
  return total;
}

/// Builds the tree of one document from yaml-cpp's events, which (unlike its nodes) keep duplicate
/// keys, quoting and the place of everything.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const YamlLimits& limits) : limits_(limits) {}

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
    YamlNode copy = found->second;
    copy.line = mark.line + 1;
    copy.column = mark.column + 1;
    copy.anchored = true;
    count(mark, nodes_in(copy) - 1);
    add(mark, std::move(copy), 0);
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
                       const std::string& /*tag*/,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(mark, YamlNode::Kind::kSequence, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark,
                  const std::string& /*tag*/,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, YamlNode::Kind::kMapping, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    YAML::Mark mark;
    std::unique_ptr<YamlNode> key;  ///< of a mapping, waiting for its value
  };

  static YamlNode node_at(const YAML::Mark& mark, YamlNode::Kind kind) {
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  void count(const YAML::Mark& mark, std::size_t more) {
    nodes_ += more;
    if (nodes_ > limits_.nodes) {
      throw LimitExceeded(mark, fmt::format("more than {} values", limits_.nodes));
    }
  }

  void open(const YAML::Mark& mark, YamlNode::Kind kind, YAML::anchor_t anchor) {
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

  void add(const YAML::Mark& mark, YamlNode node, YAML::anchor_t anchor) {
    count(mark, 1);
    if (anchor != 0) {
      node.anchored = true;
      anchors_[anchor] = node;
    }
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

  YamlLimits limits_;
  YamlNode root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  std::size_t nodes_ = 0;
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

/// Characters beyond ASCII that some YAML parser refuses, breaks a line at, or swallows: controls,
/// line and paragraph separators, byte order marks, non-characters. The escape for the one that
/// `text` begins with, and how many bytes it takes; "" for any other.
std::pair<std::string, std::size_t> escape_beyond_ascii(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.size() >= 2 && byte(0) == 0xc2 && byte(1) < 0xa0) {
    return {fmt::format("\\u{:04x}", byte(1)), 2};
  }
  if (text.starts_with("\xE2\x80\xA8")) return {"\\u2028", 3};
  if (text.starts_with("\xE2\x80\xA9")) return {"\\u2029", 3};
  if (text.starts_with("\xEF\xBB\xBF")) return {"\\ufeff", 3};
  if (text.starts_with("\xEF\xBF\xBE")) return {"\\ufffe", 3};
  if (text.starts_with("\xEF\xBF\xBF")) return {"\\uffff", 3};
  return {"", 0};
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
    while (true) {
      TreeBuilder builder(limits);
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
    if (const auto [escape, length] = escape_beyond_ascii(text.substr(i)); length > 0) {
      quoted += escape;
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
