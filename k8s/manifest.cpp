#include "k8s/manifest.h"

#include "base/encoding.h"
#include "base/text.h"
#include "base/yaml.h"

#include <fmt/format.h>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Secret;
using base::Status;
using base::YamlNode;

constexpr base::YamlLimits kLimits{
    .bytes = std::size_t{64} << 20U, .nodes = 1'000'000, .characters = std::size_t{128} << 20U};

std::string scalar_at(const YamlNode& node, std::string_view key) {
  const YamlNode* found = node.find(key);
  return found != nullptr && found->kind == YamlNode::Kind::kScalar ? found->scalar : "";
}

bool is_object(const YamlNode& node) {
  return node.kind == YamlNode::Kind::kMapping && !scalar_at(node, "kind").empty() &&
         !scalar_at(node, "apiVersion").empty();
}

enum class Form { kBase64, kPlain };

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  /// `kind` stands for the kind that elements of a typed list leave out.
  Status read(const YamlNode& object, std::string kind) {
    if (kind.empty()) kind = scalar_at(object, "kind");
    if (kind.ends_with("List")) {
      const YamlNode* items = object.find("items");
      if (items == nullptr) return {};
      const std::string element = kind.substr(0, kind.size() - std::string_view("List").size());
      for (const YamlNode& item : items->items) {
        const std::string own = scalar_at(item, "kind");
        MESHTRUST_TRY_DO(read(item, own.empty() ? element : own));
      }
      return {};
    }
    if (kind != "Secret" && kind != "ConfigMap") return {};
    const bool is_secret = kind == "Secret";
    name_ = describe(object, is_secret ? "secret" : "configmap");
    MESHTRUST_TRY_DO(read_values(object, "data", is_secret ? Form::kBase64 : Form::kPlain));
    return is_secret ? read_values(object, "stringData", Form::kPlain)
                     : read_values(object, "binaryData", Form::kBase64);
  }

  std::vector<ManifestValue> take() { return std::move(values_); }

 private:
  static std::string describe(const YamlNode& object, std::string_view kind) {
    const YamlNode* metadata = object.find("metadata");
    if (metadata == nullptr) return std::string(kind);
    const std::string name = base::printable(scalar_at(*metadata, "name"), 253);
    const std::string space = base::printable(scalar_at(*metadata, "namespace"), 63);
    return fmt::format("{} {}{}{}", kind, space, space.empty() ? "" : "/", name);
  }

  base::Failure<base::Error> broken(const YamlNode& at, std::string message) const {
    return fail(base::Error{
        .code = Code::kInvalidInput,
        .message = fmt::format("{}: {}", name_, message),
        .place = {.file = file_, .line = at.line, .column = at.column, .source_line = {}}});
  }

  Status read_values(const YamlNode& object, std::string_view field, Form form) {
    const YamlNode* values = object.find(field);
    if (values == nullptr || values->kind == YamlNode::Kind::kNull) return {};
    if (values->kind != YamlNode::Kind::kMapping) {
      return broken(*values, fmt::format("'{}' is not a map", field));
    }
    for (const auto& [key, value] : values->entries) {
      if (value.kind == YamlNode::Kind::kNull) continue;
      if (value.kind != YamlNode::Kind::kScalar) {
        return broken(value, fmt::format("'{}' is not text", base::printable(key.scalar, 253)));
      }
      Secret content(value.scalar);
      if (form == Form::kBase64) {
        auto decoded = base::secret_from_base64(base::reveal(content, "a value, to be decoded"));
        if (!decoded) {
          return broken(value, fmt::format("'{}' is not base64", base::printable(key.scalar, 253)));
        }
        content = *std::move(decoded);
      }
      values_.push_back(
          {.object = name_, .key = base::printable(key.scalar, 253), .value = std::move(content)});
    }
    return {};
  }

  const std::string& file_;
  std::string name_;
  std::vector<ManifestValue> values_;
};

/// Cheap, so that a file of PEM is never given to a YAML parser.
bool may_be_manifest(std::string_view text) {
  return text.find("apiVersion") != std::string_view::npos &&
         text.find("kind") != std::string_view::npos;
}

}  // namespace

Result<std::optional<std::vector<ManifestValue>>> read_manifest(const std::string& file,
                                                                const Secret& content) {
  using Values = std::optional<std::vector<ManifestValue>>;
  const std::string_view text = base::reveal(content, "the YAML parser");
  if (!may_be_manifest(text)) return Values();
  auto documents = base::parse_yaml(file, text, kLimits);
  if (!documents) {
    documents.error().place.source_line.clear();
    return fail(std::move(documents).error());
  }
  Reader reader(file);
  bool any = false;
  for (const YamlNode& document : *documents) {
    if (!is_object(document)) continue;
    any = true;
    MESHTRUST_TRY_DO(reader.read(document, ""));
  }
  return any ? Values(reader.take()) : Values();
}

}  // namespace meshtrust::k8s
