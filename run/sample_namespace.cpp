#include "run/sample_namespace.h"

#include "base/text.h"
#include "istio/names.h"
#include "k8s/wait.h"
#include "mesh/objects.h"
#include "mesh/plan.h"
#include "profiles/reference.h"
#include "profiles/trust_objects.h"
#include "run/preflight.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <initializer_list>
#include <optional>
#include <vector>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;

std::vector<mesh::Right> rights_in(const std::string& name, bool has_sidecars) {
  std::vector<mesh::Right> rights;
  const auto add = [&](const char* version, const char* kind, const char* resource,
                       std::initializer_list<const char*> verbs) {
    const bool is_namespace = std::string_view(kind) == "Namespace";
    for (const char* verb : verbs) {
      rights.push_back({.cluster = {},
                        .verb = verb,
                        .api_version = version,
                        .kind = kind,
                        .resource = resource,
                        .namespace_name = is_namespace ? "" : name,
                        .name = is_namespace ? name : ""});
    }
  };
  add("v1", "Namespace", "namespaces", {"get", "delete"});
  add("v1", "Service", "services", {"get", "create", "patch"});
  add("v1", "ServiceAccount", "serviceaccounts", {"get", "create", "patch"});
  add("apps/v1", "Deployment", "deployments", {"get", "create", "patch"});
  if (has_sidecars) {
    add("networking.istio.io/v1", "VirtualService", "virtualservices", {"get", "create", "patch"});
  }
  add("v1", "Pod", "pods", {"list"});
  add("v1", "Pod", "pods/exec", {"get", "create"});
  // No role can be bound to the name of what is to be created.
  rights.push_back({.cluster = {},
                    .verb = "create",
                    .api_version = "v1",
                    .kind = "Namespace",
                    .resource = "namespaces",
                    .namespace_name = {},
                    .name = {}});
  return rights;
}

/// What a namespace that is being deleted still waits for.
std::string what_holds(const Json& object) {
  const Json& conditions = base::at_path(object, {"status", "conditions"});
  for (const Json& one : conditions.is_array() ? conditions : Json::array()) {
    if (base::string_at(one, "status") != "True") continue;
    return "it is being deleted: " + base::printable(base::string_at(one, "message"), 200);
  }
  return "it is being deleted";
}

}  // namespace

struct SampleNamespace::Found {
  std::string uid;
  bool is_ours = false;
  bool is_going = false;
  std::string owner;  ///< in words, of one that is not ours
};

Json SampleNamespace::marked(Json body) const {
  body = profiles::resolve(std::move(body), [this](const std::string&) { return owners_.root(); });
  profiles::leave_out_open_root(body);
  return body;
}

/// Somebody who has no store and may read no CA knows no root: what they make bears none, and they
/// take away nothing that bears one.
bool SampleNamespace::is_ours(const std::string& cluster, const mesh::Marks& marks) const {
  static const mesh::ClusterObservation kNotLookedAt;
  const mesh::ClusterObservation* seen = observation_.find(cluster);
  const mesh::Owner owner = owners_.owner_of(marks, seen == nullptr ? kNotLookedAt : *seen);
  return owner == mesh::Owner::kThisMesh ||
         (owner == mesh::Owner::kUndecided && !owners_.root() && marks.root.empty());
}

Result<std::optional<SampleNamespace::Found>> SampleNamespace::find(const std::string& cluster,
                                                                    k8s::ApiClient& client) const {
  MESHTRUST_TRY(const auto object, client.get(k8s::namespace_ref(name_)));
  if (!object) return std::optional<Found>();
  const Json& metadata = base::at_path(*object, {"metadata"});
  const Json& labels = base::at_path(metadata, {"labels"});
  const std::string creator =
      base::string_at(base::at_path(metadata, {"annotations"}), istio::kCreatedByAnnotation);
  const mesh::Marks marks = mesh::marks_in(labels);
  const bool is_samples = creator == istio::kFieldManager &&
                          base::string_at(labels, istio::kPurposeLabel) == istio::kSamplesPurpose;
  return std::optional(Found{.uid = base::string_at(metadata, "uid"),
                             .is_ours = is_samples && is_ours(cluster, marks),
                             .is_going = metadata.contains("deletionTimestamp"),
                             .owner = is_samples
                                          ? fmt::format("holds the samples of {}", describe(marks))
                                          : "was not made for samples"});
}

Status SampleNamespace::check(const std::string& cluster, k8s::ApiClient& client) const {
  MESHTRUST_TRY(const auto found, find(cluster, client));
  if (found && !found->is_ours) {
    return base::fail(Code::kRefused,
                      fmt::format("namespace '{}' is there already and {}", name_, found->owner),
                      "name one that is free with --sample-namespace");
  }
  MESHTRUST_TRY(const base::Errors missing,
                missing_rights(rights_in(name_, has_sidecars_), client));
  if (missing.empty()) return {};
  std::vector<std::string> messages;
  messages.reserve(missing.size());
  for (const base::Error& error : missing) {
    messages.push_back(error.message);
  }
  return base::fail(Code::kPermission, base::join(messages, "; "),
                    fmt::format("have {} bound to the samples role of docs/rbac.yaml",
                                client.settings().describe_user()));
}

Status SampleNamespace::remove(const std::string& cluster,
                               k8s::ApiClient& client,
                               std::chrono::milliseconds at_most) const {
  MESHTRUST_TRY(const auto found, find(cluster, client));
  if (!found || !found->is_ours) return {};
  const k8s::ObjectRef ref = k8s::namespace_ref(name_);
  if (!found->is_going) MESHTRUST_TRY_DO(client.remove(ref, {.uid = found->uid}));
  // A namespace without finalizers of its own goes only after all that is in it.
  const k8s::Condition is_gone = [&found](const k8s::Objects& objects) {
    for (const auto& [key, object] : objects) {
      if (mesh::uid_of(object) != found->uid) continue;
      return k8s::Verdict{.holds = false, .seen = what_holds(object)};
    }
    return k8s::Verdict{.holds = true, .seen = "gone"};
  };
  return k8s::wait_for(client, ref, is_gone, {.at_most = at_most});
}

}  // namespace meshtrust::run
