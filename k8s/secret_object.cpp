#include "k8s/secret_object.h"

#include "base/encoding.h"
#include "k8s/api_client.h"
#include "k8s/secret_cutter.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Secret;

constexpr std::size_t kShortestRun = 40;  // longer than a UID or any word, shorter than any key

bool is_base64(std::uint8_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/' || c == '=';
}

std::map<std::string, std::string> strings_of(const Json& object) {
  std::map<std::string, std::string> out;
  if (!object.is_object()) return out;
  for (const auto& [key, value] : object.items()) {
    if (value.is_string()) out[key] = value.get<std::string>();
  }
  return out;
}

std::vector<std::string> texts_of(const Json& list) {
  std::vector<std::string> out;
  for (const Json& one : list) {
    if (one.is_string()) out.push_back(one.get<std::string>());
  }
  return out;
}

std::vector<std::string> managers_of(const Json& metadata) {
  std::vector<std::string> out;
  for (const Json& field : base::at_path(metadata, {"managedFields"})) {
    std::string manager = base::string_at(field, "manager");
    if (std::find(out.begin(), out.end(), manager) == out.end()) out.push_back(std::move(manager));
  }
  return out;
}

std::map<std::string, std::string> writers_of(const Json& metadata) {
  constexpr std::string_view kPrefix = "f:";
  std::map<std::string, std::string> writers;
  for (const Json& field : base::at_path(metadata, {"managedFields"})) {
    const std::string manager = base::string_at(field, "manager");
    if (manager == kFieldManager) continue;
    for (const auto& [key, value] : base::at_path(field, {"fieldsV1", "f:data"}).items()) {
      if (key.starts_with(kPrefix)) writers.emplace(key.substr(kPrefix.size()), manager);
    }
  }
  return writers;
}

std::vector<SecretFacts::Owner> owners_of(const Json& metadata) {
  std::vector<SecretFacts::Owner> owners;
  for (const Json& one : base::at_path(metadata, {"ownerReferences"})) {
    owners.push_back({.kind = base::string_at(one, "kind"), .uid = base::string_at(one, "uid")});
  }
  return owners;
}

bool is_by_create(const Json& field) {
  return base::string_at(field, "manager") == kFieldManager &&
         base::string_at(field, "operation") == "Update" &&
         base::string_at(field, "subresource").empty();
}

std::string fields_by_create(const Json& metadata) {
  const Json& fields = base::at_path(metadata, {"managedFields"});
  return std::any_of(fields.begin(), fields.end(), is_by_create) ? base::compact(fields)
                                                                 : std::string();
}

}  // namespace

std::string fields_by_apply(const std::string& managed_fields) {
  const auto before = base::parse_json(managed_fields, "managedFields");
  if (!before || !before->is_array()) return {};
  Json after = Json::array();
  Json ours;
  for (const Json& field : *before) {
    const bool is_ours = base::string_at(field, "manager") == kFieldManager &&
                         base::string_at(field, "subresource").empty();
    if (!is_ours) {
      after.push_back(field);
    } else if (ours.is_null()) {
      ours = field;
    } else {
      ours["fieldsV1"].update(base::at_path(field, {"fieldsV1"}), true);
    }
  }
  ours["operation"] = "Apply";
  after.push_back(std::move(ours));
  return base::compact(after);
}

SecretFacts facts_of(const Json& object) {
  const Json& metadata = base::at_path(object, {"metadata"});
  SecretFacts facts{.name = base::string_at(metadata, "name"),
                    .namespace_name = base::string_at(metadata, "namespace"),
                    .uid = base::string_at(metadata, "uid"),
                    .resource_version = base::string_at(metadata, "resourceVersion"),
                    .created = base::string_at(metadata, "creationTimestamp"),
                    .labels = strings_of(base::at_path(metadata, {"labels"})),
                    .annotations = strings_of(base::at_path(metadata, {"annotations"})),
                    .managers = managers_of(metadata),
                    .writers = writers_of(metadata),
                    .fields_by_create = fields_by_create(metadata),
                    .finalizers = texts_of(base::at_path(metadata, {"finalizers"})),
                    .owners = owners_of(metadata),
                    .is_being_deleted = base::at_path(metadata, {"deletionTimestamp"}).is_string(),
                    .type = base::string_at(object, "type")};
  const Json& immutable = base::at_path(object, {"immutable"});
  facts.immutable = immutable.is_boolean() && immutable.get<bool>();
  const auto copy = facts.annotations.find(std::string(kLastApplied));
  if (copy != facts.annotations.end()) copy->second.clear();
  return facts;
}

Result<SecretObject> parse_secret(Secret answer) {
  auto cut = cut_secret_values(answer);
  if (!cut) return fail(std::move(cut).error());
  auto rest = base::parse_json(reveal(answer, "a Secret without its values"), "answer");
  // The parser's own message may quote, so it is not passed on.
  if (!rest || !rest->is_object()) {
    return fail(Code::kUnavailable, "the answer is not a JSON object, or breaks off");
  }
  const std::string kind = base::string_at(*rest, "kind");
  if (kind != "Secret" && kind != "PartialObjectMetadata") {
    return fail(Code::kUnavailable, "the answer is not a Secret, found kind '" + kind + "'");
  }
  return SecretObject{.facts = facts_of(*rest), .data = *std::move(cut)};
}

Secret secret_manifest(std::string_view namespace_name,
                       std::string_view name,
                       const SecretContent& content,
                       std::string_view version) {
  Json metadata{{"name", name}, {"namespace", namespace_name}};
  if (!content.labels.empty()) metadata["labels"] = content.labels;
  if (!content.annotations.empty()) metadata["annotations"] = content.annotations;
  if (content.seen) metadata["uid"] = content.seen->uid;
  if (!version.empty()) metadata["resourceVersion"] = version;
  const std::string head = R"({"apiVersion":"v1","kind":"Secret","metadata":)" +
                           base::compact(metadata) + R"(,"type":)" +
                           base::compact(Json(content.type)) + R"(,"data":{)";
  std::size_t needed = head.size() + 2;
  for (const auto& [key, value] : content.data) {
    needed += 2 * key.size() + 8 + (value->size() + 2) / 3 * 4;
  }
  Secret out;
  out.reserve(needed);  // at once, so that growing leaves no half copies behind
  out.append(head);
  bool first = true;
  for (const auto& [key, value] : content.data) {
    if (!first) out.append(",");
    first = false;
    out.append(base::compact(Json(key)));
    out.append(":\"");
    append_base64(out, reveal_bytes(*value, "value of a Secret for the API server"));
    out.append("\"");
  }
  out.append("}}");
  return out;
}

void blank_base64_runs(Secret& text) {
  const auto bytes = text.writable();
  auto start = bytes.begin();
  while (start != bytes.end()) {
    const auto end = std::find_if_not(start, bytes.end(), is_base64);
    if (static_cast<std::size_t>(end - start) >= kShortestRun) std::fill(start, end, '*');
    start = std::find_if(end, bytes.end(), is_base64);
  }
}

}  // namespace meshtrust::k8s
