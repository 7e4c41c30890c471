#pragma once

#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::base {

struct YamlEntry;

/// A YAML document as it stands in the file: every node knows its place, duplicate keys are kept,
/// and a plain scalar can be told from a quoted one. What to make of that is the reader's policy.
struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMapping };

  Kind kind = Kind::kNull;
  int line = 0;                    ///< from 1
  int column = 0;                  ///< from 1
  std::string scalar;              ///< text of a scalar; of a kNull nothing that can be relied on
  bool plain = false;              ///< a scalar without quotes, block style or tag
  std::string tag;                 ///< of a scalar that has one, whole: "tag:yaml.org,2002:int"
  bool anchored = false;           ///< it, or something it stands for, used `&` or `*`
  std::vector<YamlNode> items;     ///< of a sequence
  std::vector<YamlEntry> entries;  ///< of a mapping, in order, duplicates too

  /// The value of the last entry whose key is the scalar `key`; null when there is none.
  const YamlNode* find(std::string_view key) const;
};

/// One entry of a mapping.
struct YamlEntry {
  YamlNode key;
  YamlNode value;
};

/// What one text may make of itself. Aliases and tag prefixes let a few bytes stand for many: nodes
/// and characters count as often as they are built, copies that anchors keep among them.
struct YamlLimits {
  std::size_t bytes = 1U << 20U;       ///< of the text
  std::size_t nodes = 200'000;         ///< built of all documents
  std::size_t characters = 8U << 20U;  ///< bytes of scalars and tags, built of all documents
  int depth = 64;
  std::size_t documents = 1000;
};

/// The documents of `text`, aliases expanded (the merge key `<<` is left as an ordinary entry).
/// A byte order mark and CRLF are accepted. kInvalidInput, with the place in `file`, when it is not
/// YAML or exceeds a limit. An empty text has no documents.
Result<std::vector<YamlNode>> parse_yaml(std::string_view file,
                                         std::string_view text,
                                         const YamlLimits& limits = {});

/// The first document of `text` alone: what comes after it is not even looked at. Nothing when the
/// text has none.
Result<std::optional<YamlNode>> parse_first_yaml(std::string_view file,
                                                 std::string_view text,
                                                 const YamlLimits& limits = {});

/// `text` as a YAML scalar that every parser reads back as that string: plain where no parser could
/// take it for anything else, double-quoted otherwise.
std::string yaml_scalar(std::string_view text);

/// The line `number` (from 1) of `text`, without its end; for messages with a caret.
std::string line_of(std::string_view text, int number);

}  // namespace meshtrust::base
