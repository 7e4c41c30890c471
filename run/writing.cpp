#include "run/writing.h"

#include "istio/names.h"
#include "mesh/objects.h"
#include "profiles/object.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::run {

using base::Code;
using base::Error;
using base::Json;

Error differs_from_what_was_written(const k8s::ObjectRef& ref) {
  return {.code = Code::kConflict,
          .message = ref.describe() + " differs from what was written a moment ago",
          .hints = {"find out who else writes it, then run the same command again"}};
}

namespace {

bool is_of_others(const Json& metadata, std::string_view map, std::string_view key) {
  const Json& entries = mesh::list_at(metadata, {"managedFields"});
  return std::any_of(entries.begin(), entries.end(), [&](const Json& entry) {
    return base::string_at(entry, "manager") != istio::kFieldManager &&
           base::at_path(entry, {"fieldsV1", "f:metadata", map}).contains("f:" + std::string(key));
  });
}

}  // namespace

bool is_label_of_others(const Json& metadata, std::string_view label) {
  return is_of_others(metadata, "f:labels", label);
}

bool is_annotation_of_others(const Json& metadata, std::string_view annotation) {
  return is_of_others(metadata, "f:annotations", annotation);
}

base::Result<k8s::Applied> create_planned(k8s::ApiClient& client,
                                          const k8s::ObjectRef& ref,
                                          const k8s::SecretContent& content) {
  auto created = client.create_secret(ref, content);
  if (created || created.error().code != Code::kConflict) return created;
  return base::fail(
      with_hint(std::move(created).error(), "run the same command again to see whose it is"));
}

Outcome apply_and_verify(k8s::ApiClient& client,
                         const k8s::ObjectRef& ref,
                         const base::Json& object) {
  auto applied = client.apply(ref, object);
  if (!applied) return failure_of(std::move(applied).error());
  const auto live = client.get(ref);
  if (!live) return Failed{.why = live.error(), .changed = true};
  if (!*live || !profiles::is_contained(object, **live)) {
    return Failed{.why = differs_from_what_was_written(ref), .changed = true};
  }
  return Done{.changed = true, .detail = applied->created ? "created" : "changed"};
}

Outcome failure_of(Error why) {
  const bool webhook = why.message.find("failed calling webhook") != std::string::npos;
  if (webhook) return Retry{.why = std::move(why)};
  return Failed{std::move(why)};
}

}  // namespace meshtrust::run
