#include "base/text.h"
#include "istio/names.h"
#include "k8s/wait.h"
#include "mesh/installed.h"
#include "mesh/ownership.h"
#include "run/manifests.h"
#include "run/mesh_steps.h"
#include "run/writing.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>

// The steps of `MeshSteps` that take away.

namespace meshtrust::run {
namespace {

using base::Json;
using base::Result;

/// How long one attempt watches what is being deleted; then the next one does.
constexpr std::chrono::seconds kWatching{5};

/// What is there under a name.
struct Found {
  std::string uid;
  bool going = false;  ///< marked for deletion already
};

Result<std::optional<Found>> look_for(k8s::ApiClient& client, const k8s::ObjectRef& ref) {
  if (ref.is_secret()) {
    MESHTRUST_TRY(const auto facts, client.get_metadata(ref));
    if (!facts) return std::optional<Found>();
    return std::optional(Found{.uid = facts->uid});
  }
  MESHTRUST_TRY(const auto object, client.get(ref));
  if (!object) return std::optional<Found>();
  const Json& metadata = base::at_path(*object, {"metadata"});
  return std::optional(Found{.uid = base::string_at(metadata, "uid"),
                             .going = metadata.contains("deletionTimestamp")});
}

/// Done when what had `uid` is gone.
Outcome wait_until_gone(k8s::ApiClient& client, const k8s::ObjectRef& ref, const std::string& uid) {
  const k8s::Condition gone = [&uid](const k8s::Objects& objects) {
    const bool is_there = std::any_of(objects.begin(), objects.end(), [&uid](const auto& entry) {
      return base::string_at(base::at_path(entry.second, {"metadata"}), "uid") == uid;
    });
    return k8s::Verdict{.holds = !is_there, .seen = is_there ? "it is being deleted" : "gone"};
  };
  const auto waited = k8s::wait_for(client, ref, gone, {.at_most = kWatching});
  if (waited) return Done{};
  if (waited.error().code != base::Code::kNotYet) return Failed{waited.error()};
  return NotYet{.why = ref.describe() + " is being deleted", .wake = std::chrono::milliseconds{1}};
}

/// Deletes what is there under that name. Done when it is gone, or was not there.
Outcome remove_object(k8s::ApiClient& client, const k8s::ObjectRef& ref) {
  const auto found = look_for(client, ref);
  if (!found) {
    // A kind that the server does not have has no objects.
    const auto served = client.serves(ref);
    if (served && !*served) return Done{.changed = false, .detail = {}};
    return Failed{found.error()};
  }
  if (!*found) return Done{.changed = false, .detail = {}};
  if (!(*found)->going) {
    const auto removed = client.remove(ref, {.uid = (*found)->uid});
    if (!removed && removed.error().code == base::Code::kConflict) {
      // By a controller, between our look and our word: istiod does so with what is a gateway's.
      return NotYet{.why = ref.describe() + " was made anew meanwhile"};
    }
    if (!removed) return Failed{removed.error()};
    if (removed->state != k8s::Removed::State::kHeld && ref.resource != "namespaces") {
      return Done{};
    }
  }
  return wait_until_gone(client, ref, (*found)->uid);
}

/// Objects that the installer makes beside what it renders: the first control plane of a cluster
/// becomes its default one, whatever its revision.
std::vector<k8s::ObjectRef> made_besides(const profiles::Installation& installation) {
  if (installation.method != profiles::Installation::Method::kInstall) return {};
  const std::string admission = "admissionregistration.k8s.io/v1";
  std::vector<k8s::ObjectRef> refs{{.api_version = admission,
                                    .kind = "MutatingWebhookConfiguration",
                                    .resource = "mutatingwebhookconfigurations",
                                    .name = "istio-revision-tag-default"},
                                   {.api_version = admission,
                                    .kind = "ValidatingWebhookConfiguration",
                                    .resource = "validatingwebhookconfigurations",
                                    .name = "istiod-default-validator"}};
  if (installation.revision.empty()) {
    refs.push_back({.api_version = "v1",
                    .kind = "Service",
                    .resource = "services",
                    .namespace_name = installation.namespace_name,
                    .name = "istiod-revision-tag-default"});
  }
  return refs;
}

bool is_crd(const k8s::ObjectRef& ref) {
  return ref.resource == "customresourcedefinitions";
}

/// Whether an object is of this installation. Webhook configurations of one name may be another
/// control plane's: then they are of another revision or call into another namespace.
bool is_of(k8s::ApiClient& client,
           const k8s::ObjectRef& ref,
           const profiles::Installation& installation) {
  if (!ref.kind.ends_with("WebhookConfiguration")) return true;
  const auto live = client.get(ref);
  if (!live || !*live) return true;
  const std::string revision =
      base::string_at(base::at_path(**live, {"metadata", "labels"}), istio::kRevisionLabel);
  if (!revision.empty() && revision != istio::revision_label_value(installation.revision)) {
    return false;
  }
  const Json& webhooks = base::at_path(**live, {"webhooks"});
  if (!webhooks.is_array()) return true;
  return std::all_of(webhooks.begin(), webhooks.end(), [&installation](const Json& webhook) {
    const std::string called =
        base::string_at(base::at_path(webhook, {"clientConfig", "service"}), "namespace");
    return called.empty() || called == installation.namespace_name;
  });
}

/// Says whose something with these labels is.
using OwnerOf = std::function<mesh::Owner(const std::map<std::string, std::string>& labels)>;

/// Whether an installer that we ran made it: istioctl's labels, or ours.
bool is_installed(const std::map<std::string, std::string>& labels, const OwnerOf& owner_of) {
  const mesh::Owner owner = owner_of(labels);
  if (owner == mesh::Owner::kAnotherMesh) return false;
  return owner == mesh::Owner::kThisMesh || labels.contains("operator.istio.io/component");
}

/// Whether objects of the kind that a CRD defines exist.
Result<bool> has_objects(k8s::ApiClient& client, const k8s::ObjectRef& crd) {
  MESHTRUST_TRY(const auto definition, client.get(crd));
  if (!definition) return false;
  const Json& spec = base::at_path(*definition, {"spec"});
  for (const Json& version : mesh::list_at(spec, {"versions"})) {
    const Json& served = base::at_path(version, {"served"});
    if (!served.is_boolean() || !served.get<bool>()) continue;
    const k8s::ObjectRef objects{
        .api_version = base::string_at(spec, "group") + "/" + base::string_at(version, "name"),
        .kind = base::string_at(base::at_path(spec, {"names"}), "kind"),
        .resource = base::string_at(base::at_path(spec, {"names"}), "plural")};
    MESHTRUST_TRY(const auto left, client.list_metadata(objects));
    return !left.items.empty();
  }
  return true;  // none that could be looked at
}

/// Istio's CRDs that an installer of ours made, unless an object of one of them is left: then
/// somebody's configuration is in them.
Result<std::vector<k8s::ObjectRef>> unused_crds(k8s::ApiClient& client, const OwnerOf& owner_of) {
  const k8s::ObjectRef crds{.api_version = "apiextensions.k8s.io/v1",
                            .kind = "CustomResourceDefinition",
                            .resource = "customresourcedefinitions"};
  MESHTRUST_TRY(const auto found, client.list_metadata(crds));
  std::vector<k8s::ObjectRef> refs;
  for (const k8s::SecretFacts& crd : found.items) {
    if (!crd.name.ends_with(".istio.io")) continue;
    k8s::ObjectRef ref = crds;
    ref.name = crd.name;
    MESHTRUST_TRY(const bool used, has_objects(client, ref));
    if (used) return std::vector<k8s::ObjectRef>();
    if (is_installed(crd.labels, owner_of)) refs.push_back(std::move(ref));
  }
  return refs;
}

/// The classes that istiods make by themselves; others with their controller are somebody's own.
bool is_istios_class(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames{"istio", "istio-remote", "istio-waypoint",
                                                   "istio-east-west"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

/// Who else uses what istiods leave in a cluster; empty when nobody does. `wanted` names the
/// control planes that are gone.
Result<std::string> who_else(k8s::ApiClient& client, const mesh::Sweep& wanted) {
  const auto is_gone = [&wanted](const std::string& in, const std::string& revision) {
    const auto place = std::find(wanted.namespaces.begin(), wanted.namespaces.end(), in);
    if (place == wanted.namespaces.end()) return false;
    return place != wanted.namespaces.begin() || revision.empty() ||
           revision == istio::revision_label_value(wanted.revision);
  };
  MESHTRUST_TRY(const auto istiods,
                client.list_metadata(k8s::deployment_ref("", ""),
                                     {.label_selector = std::string(istio::kIstiodSelector)}));
  for (const k8s::SecretFacts& one : istiods.items) {
    const auto revision = one.labels.find(std::string(istio::kRevisionLabel));
    if (!is_gone(one.namespace_name, revision == one.labels.end() ? "" : revision->second)) {
      return fmt::format("deployment {}/{}", one.namespace_name, one.name);
    }
  }
  // A remote has no istiod of its own, but webhooks that call one.
  MESHTRUST_TRY(const auto webhooks, client.list({.api_version = "admissionregistration.k8s.io/v1",
                                                  .kind = "MutatingWebhookConfiguration",
                                                  .resource = "mutatingwebhookconfigurations"}));
  for (const Json& one : webhooks.items) {
    if (!mesh::name_of(one).starts_with("istio-")) continue;
    for (const Json& webhook : mesh::list_at(one, {"webhooks"})) {
      const std::string called =
          base::string_at(base::at_path(webhook, {"clientConfig", "service"}), "namespace");
      const std::string revision =
          base::string_at(base::at_path(one, {"metadata", "labels"}), istio::kRevisionLabel);
      if (!called.empty() && !is_gone(called, revision)) return "webhook " + mesh::name_of(one);
    }
  }
  return std::string();
}

/// The pod of a control plane that is gone and still ends: it goes on writing until then.
Result<std::string> still_ending(k8s::ApiClient& client, const mesh::Sweep& wanted) {
  for (const std::string& in : wanted.namespaces) {
    const std::string revision =
        istio::revision_label_value(in == wanted.namespaces.front() ? wanted.revision : "");
    MESHTRUST_TRY(const auto pods,
                  client.list_metadata(k8s::pods_ref(in), {.label_selector = fmt::format(
                                                               "{},{}={}", istio::kIstiodSelector,
                                                               istio::kRevisionLabel, revision)}));
    if (!pods.items.empty()) return pods.items.front().name;
  }
  return std::string();
}

/// What istiods leave all over a cluster.
Result<std::vector<k8s::ObjectRef>> leftovers_in(k8s::ApiClient& client, const OwnerOf& owner_of) {
  std::vector<k8s::ObjectRef> refs;
  MESHTRUST_TRY(const auto roots, client.list_metadata(k8s::config_map_ref("", ""),
                                                       {.label_selector = "istio.io/config=true"}));
  for (const k8s::SecretFacts& one : roots.items) {
    if (one.name == istio::kRootConfigMap || one.name == "istio-ca-crl") {
      refs.push_back(k8s::config_map_ref(one.namespace_name, one.name));
    }
  }
  const k8s::ObjectRef classes{.api_version = "gateway.networking.k8s.io/v1",
                               .kind = "GatewayClass",
                               .resource = "gatewayclasses"};
  MESHTRUST_TRY(const bool has_classes, client.serves(classes));
  if (has_classes) {
    MESHTRUST_TRY(const auto found, client.list(classes));
    for (const Json& one : found.items) {
      const std::string controller =
          base::string_at(base::at_path(one, {"spec"}), "controllerName");
      k8s::ObjectRef ref = classes;
      ref.name = mesh::name_of(one);
      if (controller.starts_with("istio.io/") && is_istios_class(ref.name)) {
        refs.push_back(std::move(ref));
      }
    }
  }
  MESHTRUST_TRY(const auto crds, unused_crds(client, owner_of));
  refs.insert(refs.end(), crds.begin(), crds.end());
  return refs;
}

/// Whether a control plane of another revision lives in the namespace of `installation`.
Result<bool> has_neighbour(k8s::ApiClient& client, const profiles::Installation& installation) {
  MESHTRUST_TRY(const auto istiods,
                client.list_metadata(k8s::deployment_ref(installation.namespace_name, ""),
                                     {.label_selector = std::string(istio::kIstiodSelector)}));
  return std::any_of(istiods.items.begin(), istiods.items.end(), [&](const auto& one) {
    return one.name != istio::istiod_name(installation.revision);
  });
}

/// Whether a rendered object is of one revision alone, so that no other control plane uses it.
bool is_of_revision(const RenderedObject& object, const profiles::Installation& installation) {
  return base::string_at(base::at_path(object.body, {"metadata", "labels"}),
                         istio::kRevisionLabel) ==
             istio::revision_label_value(installation.revision) &&
         object.ref.name != istio::kReaderServiceAccount;
}

}  // namespace

Outcome MeshSteps::remove(const mesh::Step& step, const mesh::Delete& wanted) {
  const auto client = world_.clusters.client(step.cluster);
  if (!client) return Failed{client.error()};
  bool changed = false;
  for (const mesh::DoomedObject& object : wanted.objects) {
    Outcome outcome = remove_object(**client, {.api_version = object.api_version,
                                               .kind = object.kind,
                                               .resource = object.resource,
                                               .namespace_name = object.namespace_name,
                                               .name = object.name});
    const auto* done = std::get_if<Done>(&outcome);
    if (done == nullptr) return outcome;
    changed |= done->changed;
  }
  return Done{.changed = changed, .detail = changed ? "gone" : "was gone"};
}

Outcome MeshSteps::uninstall(const mesh::Step& step, const mesh::Uninstall& wanted) {
  const auto client = world_.clusters.client(step.cluster);
  if (!client) return Failed{client.error()};
  // Whatever address it was given: names and kinds do not depend on it.
  const profiles::Installation installation =
      profiles::resolve(profiles::resolve(wanted.installation, values()),
                        [](const std::string&) { return std::optional<std::string>("192.0.2.1"); });
  const auto manifests = istioctl_.manifests(installation);
  if (!manifests) return Failed{manifests.error()};
  const auto objects = read_manifests(**client, *manifests);
  if (!objects) return Failed{objects.error()};
  // Webhooks first: nothing is to be refused for want of a control plane. What bears the mark comes
  // last, so that a run that is cut off knows the rest for its own.
  std::vector<k8s::ObjectRef> refs = made_besides(installation);
  const profiles::Object marked = mesh::marked_object(installation);
  std::optional<k8s::ObjectRef> last;
  const auto shared = has_neighbour(**client, installation);
  if (!shared) return Failed{shared.error()};
  std::for_each(objects->rbegin(), objects->rend(), [&](const RenderedObject& object) {
    const k8s::ObjectRef& ref = object.ref;
    if (is_crd(ref) || ref.resource == "namespaces") return;
    if (*shared && !is_of_revision(object, installation)) return;
    if (ref.kind == marked.kind && ref.name == marked.name) {
      last = ref;
    } else {
      refs.push_back(ref);
    }
  });
  refs.push_back(
      k8s::config_map_ref(installation.namespace_name, mesh::installing_marker(installation)));
  if (last) refs.push_back(*last);
  std::size_t gone = 0;
  for (const k8s::ObjectRef& ref : refs) {
    if (!is_of(**client, ref, installation)) continue;
    Outcome outcome = remove_object(**client, ref);
    const auto* done = std::get_if<Done>(&outcome);
    if (done == nullptr) return outcome;
    gone += done->changed ? 1 : 0;
  }
  return Done{.changed = gone > 0, .detail = base::count_of(gone, "object")};
}

Outcome MeshSteps::sweep(const mesh::Step& step, const mesh::Sweep& wanted) {
  const auto client = world_.clusters.client(step.cluster);
  if (!client) return Failed{client.error()};
  const auto ending = still_ending(**client, wanted);
  if (!ending) return Failed{ending.error()};
  if (!ending->empty()) return NotYet{.why = fmt::format("pod {} is still being stopped", *ending)};
  const auto other = who_else(**client, wanted);
  if (!other) return Failed{other.error()};
  if (!other->empty()) {
    return Done{.changed = false, .detail = fmt::format("left, {} uses the rest", *other)};
  }
  std::size_t gone = 0;
  const mesh::OwnerJudge owners(mesh_, observation_);
  const mesh::ClusterObservation* seen = observation_.find(step.cluster);
  MESHTRUST_CHECK(seen != nullptr);
  const auto leftovers = leftovers_in(**client, [&owners, seen](const auto& labels) {
    return owners.owner_of(mesh::marks_in(Json(labels)), *seen);
  });
  if (!leftovers) return Failed{leftovers.error()};
  for (const k8s::ObjectRef& ref : *leftovers) {
    Outcome outcome = remove_object(**client, ref);
    const auto* done = std::get_if<Done>(&outcome);
    if (done == nullptr) return outcome;
    gone += done->changed ? 1 : 0;
  }
  return Done{.changed = gone > 0, .detail = base::count_of(gone, "object")};
}

Outcome MeshSteps::release(const mesh::Step& step, const mesh::ReleaseNamespace& wanted) {
  const auto client = world_.clusters.client(step.cluster);
  if (!client) return Failed{client.error()};
  const auto changed = (*client)->change(k8s::namespace_ref(wanted.name), [](Json& object) {
    Json& metadata = object["metadata"];
    const std::string label(istio::kNetworkLabel);
    if (metadata.contains("labels") && !is_label_of_others(metadata, label)) {
      metadata["labels"].erase(label);
    }
    if (metadata.contains("annotations")) {
      metadata["annotations"].erase(std::string(istio::kControlPlaneAnnotation));
    }
    return base::Status();
  });
  if (!changed) return Failed{changed.error()};
  return Done{.detail = "given back"};
}

}  // namespace meshtrust::run
