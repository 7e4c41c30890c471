#include "cli/waivers.h"

#include "base/text.h"
#include "base/yaml.h"
#include "istio/lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Error;
using base::Errors;
using base::YamlNode;

constexpr std::size_t kFingerprintDigits = 64;

/// "5F:3A 9c..." as 64 lower-case digits; nothing for what is no SHA-256.
std::optional<std::string> fingerprint_of(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c == ':' || c == ' ') continue;
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return std::nullopt;
    digits += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (digits.size() != kFingerprintDigits) return std::nullopt;
  return digits;
}

/// A date to its end, or a moment.
std::optional<base::Instant> end_of(const std::string& text) {
  if (const auto moment = base::parse_rfc3339(text)) return *moment;
  if (const auto midnight = base::parse_rfc3339(text + "T00:00:00Z")) {
    return *midnight + base::days(1);
  }
  return std::nullopt;
}

class Reader {
 public:
  Reader(const std::string& file, std::string_view yaml) : file_(file), yaml_(yaml) {}

  base::Result<std::vector<Waiver>, Errors> read(const YamlNode& root) {
    if (root.kind != YamlNode::Kind::kMapping) {
      complain(root, "expected 'waivers:' and a list below it");
    }
    for (const auto& [key, value] : root.entries) {
      if (key.scalar == "waivers") {
        read_list(value);
      } else if (key.scalar != "apiVersion" && key.scalar != "kind") {
        complain(key, fmt::format("unknown key '{}'", base::printable(key.scalar, 60)));
      }
    }
    if (!errors_.empty()) return base::fail(std::move(errors_));
    return std::move(waivers_);
  }

 private:
  void complain(const YamlNode& at, std::string message, std::vector<std::string> hints = {}) {
    errors_.push_back({.code = Code::kInvalidInput,
                       .message = std::move(message),
                       .place = {.file = file_,
                                 .line = at.line,
                                 .column = at.column,
                                 .source_line = base::line_of(yaml_, at.line)},
                       .hints = std::move(hints)});
  }

  void read_list(const YamlNode& list) {
    if (list.kind == YamlNode::Kind::kNull) return;
    if (list.kind != YamlNode::Kind::kSequence) {
      complain(list, "'waivers' is not a list");
      return;
    }
    for (const YamlNode& item : list.items) {
      read_one(item);
    }
  }

  void read_one(const YamlNode& item) {
    static const std::vector<std::string> keys{"rule", "fingerprint", "reason", "expires"};
    std::array<const YamlNode*, 4> values{};
    for (const auto& [key, value] : item.entries) {
      const auto found = std::find(keys.begin(), keys.end(), key.scalar);
      if (found == keys.end()) {
        const auto meant = base::nearest(key.scalar, keys);
        complain(key, fmt::format("unknown key '{}'", base::printable(key.scalar, 60)),
                 meant ? std::vector{fmt::format("did you mean '{}'?", *meant)}
                       : std::vector<std::string>());
        continue;
      }
      const YamlNode*& slot = values.at(static_cast<std::size_t>(found - keys.begin()));
      if (slot != nullptr) complain(key, fmt::format("'{}' stands there twice", key.scalar));
      slot = &value;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values.at(i) == nullptr || base::trim(values.at(i)->scalar).empty()) {
        complain(item, fmt::format("a waiver needs '{}'", keys[i]));
        return;
      }
    }
    add({values[0], values[1], values[2], values[3]}, item.line);
  }

  struct Values {
    const YamlNode* rule;
    const YamlNode* fingerprint;
    const YamlNode* reason;
    const YamlNode* expires;
  };

  void add(const Values& values, int line) {
    Waiver waiver{.rule = values.rule->scalar,
                  .fingerprint = values.fingerprint->scalar,
                  .reason = values.reason->scalar,
                  .expires = {},
                  .line = line};
    if (istio::find_rule(waiver.rule) == nullptr) {
      complain(*values.rule, fmt::format("there is no rule '{}'", base::printable(waiver.rule, 80)),
               {"'meshtrust lint --list' shows them"});
    }
    if (waiver.fingerprint != "*") {
      const auto digits = fingerprint_of(waiver.fingerprint);
      if (!digits) {
        complain(*values.fingerprint, "not the SHA-256 of a certificate, nor '*'");
      }
      waiver.fingerprint = digits.value_or("");
    }
    const auto end = end_of(values.expires->scalar);
    if (!end) complain(*values.expires, "not a date, expected one like 2027-06-30");
    waiver.expires = end.value_or(base::Instant());
    waivers_.push_back(std::move(waiver));
  }

  const std::string& file_;
  std::string_view yaml_;
  Errors errors_;
  std::vector<Waiver> waivers_;
};

}  // namespace

base::Result<std::vector<Waiver>, Errors> parse_waivers(const std::string& file,
                                                        std::string_view yaml) {
  auto document = base::parse_first_yaml(file, yaml);
  if (!document) return base::fail(Errors{std::move(document).error()});
  if (!*document) return std::vector<Waiver>();
  return Reader(file, yaml).read(**document);
}

}  // namespace meshtrust::cli
