#include "k8s/secret_cutter.h"

#include "base/bytes.h"
#include "base/encoding.h"
#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::fail;
using base::Secret;
using base::Status;

constexpr int kDeepest = 64;

/// Where in the object the scanner is: only these places are treated differently.
enum class Place {
  kTop,
  kItems,
  kItem,
  kData,
  kStringData,
  kMetadata,
  kAnnotations,
  kStatus,
  kElsewhere
};

Place below(Place place, std::string_view key) {
  if (place == Place::kTop && key == "items") return Place::kItems;
  if (place == Place::kTop && key == "status") return Place::kStatus;
  if (place == Place::kTop || place == Place::kItem) {
    if (key == "data") return Place::kData;
    if (key == "stringData") return Place::kStringData;
    if (key == "metadata") return Place::kMetadata;
  }
  if (place == Place::kMetadata && key == "annotations") return Place::kAnnotations;
  return Place::kElsewhere;
}

bool is_blank(std::uint8_t c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// The code unit of a `\uXXXX` of which `digits` are the four digits, when it is ASCII: base64 has
/// nothing else.
std::optional<std::uint8_t> ascii_of(std::span<const std::uint8_t> digits) {
  const auto bytes = base::from_hex(base::as_text(digits));
  if (!bytes || bytes->size() != 2 || (*bytes)[0] != 0 || (*bytes)[1] > 0x7F) return std::nullopt;
  return (*bytes)[1];
}

/// A recursive-descent reader that copies nothing but key names. It checks structure only as far as
/// it needs to; the JSON parser that reads the blanked text afterwards is the strict one.
class Cutter {
 public:
  explicit Cutter(std::span<std::uint8_t> text) : text_(text) {}

  Status run() {
    if (auto status = value(Place::kTop, 0); !status) return status;
    skip_blanks();
    if (at_ != text_.size()) return broken();
    return {};
  }

  std::map<std::string, Secret> take() { return std::move(values_); }
  Secret take_token() { return std::move(token_); }

 private:
  using Span = std::span<std::uint8_t>;

  static base::Failure<base::Error> broken() {
    return fail(Code::kUnavailable, "the answer is not the JSON of a Secret, or breaks off");
  }

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) {
      ++at_;
    }
  }

  bool take_if(char wanted) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != static_cast<std::uint8_t>(wanted)) return false;
    ++at_;
    return true;
  }

  /// The inside of the string that starts here; nothing when there is none or it never ends.
  std::optional<Span> string() {
    if (!take_if('"')) return std::nullopt;
    const std::size_t start = at_;
    while (at_ < text_.size()) {
      if (text_[at_] == '"') return text_.subspan(start, at_++ - start);
      at_ += text_[at_] == '\\' ? 2 : 1;
    }
    return std::nullopt;
  }

  Status value(Place place, int depth) {
    skip_blanks();
    if (at_ >= text_.size() || depth > kDeepest) return broken();
    switch (text_[at_]) {
      case '{':
        return object(place, depth);
      case '[':
        return array(place == Place::kItems ? Place::kItem : Place::kElsewhere, depth);
      case '"':
        return string() ? Status() : broken();
      default:
        break;
    }
    const std::size_t start = at_;
    while (at_ < text_.size() && !is_blank(text_[at_]) && text_[at_] != ',' && text_[at_] != '}' &&
           text_[at_] != ']') {
      ++at_;
    }
    return at_ > start ? Status() : broken();
  }

  Status array(Place elements, int depth) {
    ++at_;
    if (take_if(']')) return {};
    do {
      if (auto status = value(elements, depth + 1); !status) return status;
    } while (take_if(','));
    return take_if(']') ? Status() : broken();
  }

  Status object(Place place, int depth) {
    ++at_;
    if (take_if('}')) return {};
    do {
      if (auto status = member(place, depth); !status) return status;
    } while (take_if(','));
    return take_if('}') ? Status() : broken();
  }

  Status member(Place place, int depth) {
    const auto raw = string();
    if (!raw || !take_if(':')) return broken();
    // Escapes in a key must not hide it, so keys are read by the JSON parser.
    const std::string quoted = '"' + std::string(base::as_text(*raw)) + '"';
    const auto parsed = base::parse_json(quoted, "key");
    if (!parsed || !parsed->is_string()) return broken();
    const auto key = parsed->get<std::string>();

    const bool is_copy = place == Place::kAnnotations && key == kLastApplied;
    if (place == Place::kData) return data_value(key);
    if (place == Place::kStatus && key == "token") return token_value();
    if (place == Place::kStringData || is_copy) return blanked_value();
    return value(below(place, key), depth + 1);
  }

  Status blanked_value() {
    const auto raw = string();
    if (!raw) return broken();
    std::fill(raw->begin(), raw->end(), ' ');
    return {};
  }

  Status data_value(const std::string& key) {
    skip_blanks();
    constexpr std::string_view kNull = "null";
    if (base::as_text(text_.subspan(at_)).starts_with(kNull)) {
      at_ += kNull.size();
      values_.insert_or_assign(key, Secret());
      return {};
    }
    const auto raw = string();
    if (!raw) return not_base64(key);
    auto decoded = decode(*raw);
    std::fill(raw->begin(), raw->end(), ' ');
    if (!decoded) return not_base64(key);
    values_.insert_or_assign(key, *std::move(decoded));
    return {};
  }

  Status token_value() {
    const auto raw = string();
    if (!raw) return broken();
    auto plain = unescape(*raw);
    std::fill(raw->begin(), raw->end(), ' ');
    if (!plain) return broken();
    token_ = *std::move(plain);
    return {};
  }

  static base::Failure<base::Error> not_base64(std::string_view key) {
    return fail(Code::kUnavailable,
                "the value of '" + base::printable(key, 80) + "' in the answer is not base64");
  }

  static std::optional<Secret> decode(Span raw) {
    const auto plain = unescape(raw);
    if (!plain) return std::nullopt;
    auto decoded = base::secret_from_base64(reveal(*plain, "value of a Secret, to be decoded"));
    if (!decoded) return std::nullopt;
    return *std::move(decoded);
  }

  /// The text behind the escapes that base64 and tokens can need; nothing for any other.
  static std::optional<Secret> unescape(Span raw) {
    Secret plain = Secret::of_size(raw.size());
    const Span out = plain.writable();
    std::size_t used = 0;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '\\') {
        out[used++] = raw[i];
        continue;
      }
      if (++i == raw.size()) return std::nullopt;
      switch (raw[i]) {
        case '/':
          out[used++] = '/';
          break;
        case 'n':
          out[used++] = '\n';
          break;
        case 'r':
          out[used++] = '\r';
          break;
        case 'u': {
          if (raw.size() - i < 5) return std::nullopt;
          const auto unit = ascii_of(raw.subspan(i + 1, 4));
          if (!unit) return std::nullopt;
          out[used++] = *unit;
          i += 4;
          break;
        }
        default:
          return std::nullopt;
      }
    }
    plain.truncate(used);
    return plain;
  }

  Span text_;
  std::size_t at_ = 0;
  std::map<std::string, Secret> values_;
  Secret token_;
};

}  // namespace

base::Result<std::map<std::string, Secret>> cut_secret_values(Secret& json) {
  Cutter cutter(json.writable());
  MESHTRUST_TRY_DO(cutter.run());
  return cutter.take();
}

base::Result<Secret> cut_token(Secret& json) {
  Cutter cutter(json.writable());
  MESHTRUST_TRY_DO(cutter.run());
  return cutter.take_token();
}

}  // namespace meshtrust::k8s
