#include "base/text.h"
#include "istio/names.h"
#include "mesh/installed.h"
#include "mesh/objects.h"
#include "mesh/ownership.h"
#include "mesh/webhooks.h"
#include "run/manifests.h"
#include "run/mesh_steps.h"
#include "run/observe_mesh.h"
#include "run/removals.h"
#include "run/writing.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

// The steps of `MeshSteps` that take away.

namespace meshtrust::run {
namespace {

using base::Json;
using base::Result;

/// The Service that istioctl makes beside what it renders.
std::optional<k8s::ObjectRef> made_besides(const profiles::Installation& installation) {
  if (installation.method != profiles::Installation::Method::kInstall ||
      !installation.revision.empty()) {
    return std::nullopt;
  }
  return k8s::ObjectRef{.api_version = "v1",
                        .kind = "Service",
                        .resource = "services",
                        .namespace_name = installation.namespace_name,
                        .name = "istiod-revision-tag-default"};
}

using Callers = std::vector<mesh::ControlPlaneWebhooks>;

/// The webhooks that call a control plane by now, tags that the installer does not render included.
Result<Callers> callers_of(const profiles::Installation& installation, MeshObserver observer) {
  const mesh::Objects live = observer.objects({mesh::kMutatingWebhooks, mesh::kValidatingWebhooks});
  for (const mesh::WebhookKind& kind : mesh::kWebhookKinds) {
    if (const auto* why = live.why_unknown(kind.resource)) return base::fail(*why);
  }
  return mesh::webhooks_for(installation, live);
}

/// The first webhooks that call the control plane and are none of those that were planned to go.
const mesh::ControlPlaneWebhooks* find_newcomer(const Callers& callers,
                                                const std::vector<mesh::DoomedObject>& planned) {
  const auto newcomer = std::find_if(callers.begin(), callers.end(), [&planned](const auto& one) {
    return std::none_of(planned.begin(), planned.end(), [&one](const mesh::DoomedObject& known) {
      return known.kind == one.kind->kind && known.name == one.name && known.uid == one.uid;
    });
  });
  return newcomer == callers.end() ? nullptr : &*newcomer;
}

/// Whether the next thing may be done.
bool remove_webhooks(k8s::ApiClient& client,
                     const std::vector<mesh::DoomedObject>& planned,
                     Removals& removals) {
  return std::all_of(planned.begin(), planned.end(), [&](const mesh::DoomedObject& one) {
    return remove_planned(client, one, planned, removals);
  });
}

bool is_crd(const k8s::ObjectRef& ref) {
  return ref.resource == "customresourcedefinitions";
}

/// Whether an object that is there is of this installation: made by the installer that we ran, and
/// of this revision. Webhook configurations of one name may be another control plane's: then they
/// call into another namespace.
Result<bool> is_of(k8s::ApiClient& client,
                   const k8s::ObjectRef& ref,
                   const k8s::SecretFacts& live,
                   const profiles::Installation& installation) {
  if (!is_istios(live)) return false;
  const auto revision = live.labels.find(std::string(istio::kRevisionLabel));
  if (revision != live.labels.end() &&
      revision->second != istio::revision_label_value(installation.revision)) {
    return false;
  }
  if (!ref.kind.ends_with("WebhookConfiguration")) return true;
  MESHTRUST_TRY(const auto whole, client.get(ref));
  if (!whole || mesh::uid_of(*whole) != live.uid) {
    return base::fail(base::Code::kConflict, ref.describe() + " is just being changed");
  }
  const Json& webhooks = mesh::list_at(*whole, {"webhooks"});
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
  return owner == mesh::Owner::kThisMesh ||
         labels.contains(std::string(istio::kInstallerComponentLabel));
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

/// Something that istiods leave, and what was seen of it.
struct Leftover {
  k8s::ObjectRef ref;
  k8s::SecretFacts facts;
};

/// Istio's CRDs that an installer of ours made, unless an object of one of them is left: then
/// somebody's configuration is in them.
Result<std::vector<Leftover>> unused_crds(k8s::ApiClient& client, const OwnerOf& owner_of) {
  const k8s::ObjectRef crds{.api_version = "apiextensions.k8s.io/v1",
                            .kind = "CustomResourceDefinition",
                            .resource = "customresourcedefinitions"};
  MESHTRUST_TRY(const auto found, client.list_metadata(crds));
  std::vector<Leftover> unused;
  for (const k8s::SecretFacts& crd : found.items) {
    if (!crd.name.ends_with(".istio.io")) continue;
    k8s::ObjectRef ref = crds;
    ref.name = crd.name;
    MESHTRUST_TRY(const bool used, has_objects(client, ref));
    if (used) return std::vector<Leftover>();
    if (is_installed(crd.labels, owner_of)) {
      unused.push_back({.ref = std::move(ref), .facts = crd});
    }
  }
  return unused;
}

/// The classes that istiods make by themselves; others with their controller are somebody's own.
bool is_istios_class(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames{"istio", "istio-remote", "istio-waypoint",
                                                   "istio-east-west"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

/// Whether a webhook may have somebody to call: one that lost its Service is a left-over itself,
/// but behind a URL or in a namespace that is closed to us may be anybody.
Result<bool> may_be_answered(k8s::ApiClient& client, const mesh::WebhookTarget& called) {
  if (called.service.empty()) return true;
  const auto service = client.get_metadata({.api_version = "v1",
                                            .kind = "Service",
                                            .resource = "services",
                                            .namespace_name = called.namespace_name,
                                            .name = called.service});
  if (!service && service.error().code == base::Code::kPermission) return true;
  if (!service) return base::fail(service.error());
  return service->has_value();
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
    const std::string revision =
        base::string_at(base::at_path(one, {"metadata", "labels"}), istio::kRevisionLabel);
    for (const Json& webhook : mesh::list_at(one, {"webhooks"})) {
      const mesh::WebhookTarget called = mesh::target_of(webhook);
      if (!mesh::is_istio_webhook(webhook) || is_gone(called.namespace_name, revision)) continue;
      MESHTRUST_TRY(const bool has_user, may_be_answered(client, called));
      if (has_user) return "webhook " + mesh::name_of(one);
    }
  }
  return std::string();
}

/// The pod of a control plane that is gone and still ends: it goes on writing until then.
Result<std::optional<k8s::ObjectRef>> still_ending(k8s::ApiClient& client,
                                                   const mesh::Sweep& wanted) {
  for (const std::string& in : wanted.namespaces) {
    const std::string revision =
        istio::revision_label_value(in == wanted.namespaces.front() ? wanted.revision : "");
    MESHTRUST_TRY(const auto pods,
                  client.list_metadata(k8s::pods_ref(in), {.label_selector = fmt::format(
                                                               "{},{}={}", istio::kIstiodSelector,
                                                               istio::kRevisionLabel, revision)}));
    if (pods.items.empty()) continue;
    k8s::ObjectRef pod = k8s::pods_ref(in);
    pod.name = pods.items.front().name;
    return std::optional(std::move(pod));
  }
  return std::optional<k8s::ObjectRef>();
}

/// What istiods leave all over a cluster.
Result<std::vector<Leftover>> leftovers_in(k8s::ApiClient& client, const OwnerOf& owner_of) {
  std::vector<Leftover> all;
  MESHTRUST_TRY(const auto roots, client.list_metadata(k8s::config_map_ref("", ""),
                                                       {.label_selector = "istio.io/config=true"}));
  for (const k8s::SecretFacts& one : roots.items) {
    // Others hand out roots under this name and label as well.
    const bool is_by_istiod = std::find(one.managers.begin(), one.managers.end(),
                                        istio::kIstiodManager) != one.managers.end();
    if (is_by_istiod && (one.name == istio::kRootConfigMap || one.name == "istio-ca-crl")) {
      all.push_back({.ref = k8s::config_map_ref(one.namespace_name, one.name), .facts = one});
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
        all.push_back({.ref = std::move(ref), .facts = k8s::facts_of(one)});
      }
    }
  }
  MESHTRUST_TRY(const auto crds, unused_crds(client, owner_of));
  all.insert(all.end(), crds.begin(), crds.end());
  return all;
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

/// Deletes one object of an installation, if what has its name is of it. Whether the next one may
/// be done.
bool remove_installed(k8s::ApiClient& client,
                      const k8s::ObjectRef& ref,
                      const profiles::Installation& installation,
                      Removals& removals) {
  const auto found = look_for(client, ref);
  if (!found) return removals.take(Failed{found.error()});
  if (!*found) return true;
  const auto is_ours = is_of(client, ref, **found, installation);
  if (!is_ours && is_ours.error().code == base::Code::kConflict) {
    return removals.take(Retry{is_ours.error()});
  }
  if (!is_ours) return removals.take(Failed{is_ours.error()});
  if (*is_ours) return removals.take(remove_found(client, ref, **found));
  removals.note(ref.describe());
  return true;
}

}  // namespace

Outcome MeshSteps::remove(const mesh::Step& step, const mesh::Delete& wanted) {
  const auto client = world_.clusters.client(step.cluster);
  if (!client) return Failed{client.error()};
  Removals removals;
  for (const mesh::DoomedObject& object : wanted.objects) {
    if (!remove_planned(**client, object, wanted.objects, removals)) break;
  }
  return std::move(removals).outcome();
}

Outcome MeshSteps::remove_namespace(const mesh::Step& step, const mesh::DeleteNamespace& wanted) {
  const auto client = world_.clusters.client(step.cluster);
  if (!client) return Failed{client.error()};
  const k8s::ObjectRef ref = k8s::namespace_ref(wanted.object.name);
  const auto found = look_for(**client, ref);
  if (!found) return Failed{found.error()};
  if (!*found) return Done{.changed = false, .detail = "was gone"};
  Removals removals;
  if ((*found)->uid != wanted.object.uid) {
    removals.leave(ref.describe() + " was made anew since the plan: left alone");
    return std::move(removals).outcome();
  }
  if (!(*found)->is_being_deleted) {
    const auto others = newcomers(**client, wanted);
    if (!others) return Failed{others.error()};
    if (!others->empty()) {
      removals.leave(fmt::format("{} stays: since the plan others put things into it: {}",
                                 ref.describe(), base::join(mesh::described(*others), ", ")));
      return std::move(removals).outcome();
    }
  }
  if (removals.take(remove_found(**client, ref, **found))) return Done{.detail = "gone"};
  return std::move(removals).outcome();
}

Outcome MeshSteps::uninstall(const mesh::Step& step, const mesh::Uninstall& wanted) {
  const auto client = world_.clusters.client(step.cluster);
  if (!client) return Failed{client.error()};
  // Whatever address it was given: names and kinds do not depend on it.
  const profiles::Installation installation =
      profiles::resolve(profiles::resolve(wanted.installation, values()),
                        [](const std::string&) { return std::optional<std::string>("192.0.2.1"); });
  const k8s::ObjectRef mark = ref_of_doomed(wanted.marked);
  const auto now = look_for(**client, mark);
  if (!now) return Failed{now.error()};
  Removals removals;
  if (*now && (*now)->uid != wanted.marked.uid) {
    removals.leave(mark.describe() + " was made anew since the plan: all of it is left alone");
    return std::move(removals).outcome();
  }
  const auto manifests = istioctl_.manifests(installation);
  if (!manifests) return Failed{manifests.error()};
  const auto objects = read_manifests(**client, *manifests);
  if (!objects) return Failed{objects.error()};
  const auto callers =
      callers_of(installation, MeshObserver(mesh_, cluster_of(step.cluster), **client));
  if (!callers) return Failed{callers.error()};
  if (const auto* newcomer = find_newcomer(*callers, wanted.webhooks)) {
    removals.leave(fmt::format("since the plan {} '{}' calls it: all of it is left alone",
                               newcomer->kind->word, newcomer->name));
    return std::move(removals).outcome();
  }
  // Webhooks first: nothing is to be refused for want of a control plane. What bears the mark comes
  // last, so that a run that is cut off knows the rest for its own.
  if (!remove_webhooks(**client, wanted.webhooks, removals)) return std::move(removals).outcome();
  std::vector<k8s::ObjectRef> refs;
  if (auto service = made_besides(installation)) refs.push_back(*std::move(service));
  std::optional<k8s::ObjectRef> last;
  const auto shared = has_neighbour(**client, installation);
  if (!shared) return Failed{shared.error()};
  std::for_each(objects->rbegin(), objects->rend(), [&](const RenderedObject& object) {
    const k8s::ObjectRef& ref = object.ref;
    if (is_crd(ref) || ref.resource == "namespaces") return;
    if (*shared && !is_of_revision(object, installation)) return;
    if (ref.kind == mark.kind && ref.name == mark.name) {
      last = ref;
    } else {
      refs.push_back(ref);
    }
  });
  refs.push_back(k8s::config_map_ref(installation.namespace_name,
                                     mesh::installing_marker(installation.revision)));
  if (last) refs.push_back(*last);
  for (const k8s::ObjectRef& ref : refs) {
    if (!remove_installed(**client, ref, installation, removals)) break;
  }
  return std::move(removals).outcome();
}

Outcome MeshSteps::sweep(const mesh::Step& step, const mesh::Sweep& wanted) {
  const auto client = world_.clusters.client(step.cluster);
  if (!client) return Failed{client.error()};
  const auto ending = still_ending(**client, wanted);
  if (!ending) return Failed{ending.error()};
  if (*ending) {
    return NotYet{
        .why = fmt::format("pod {} is still being stopped", (*ending)->name),
        .hints = {fmt::format(
            "does its node still answer? Look with 'kubectl --context {} -n {} get pod "
            "{} -o wide'",
            cluster_of(step.cluster).context, (*ending)->namespace_name, (*ending)->name)}};
  }
  const auto other = who_else(**client, wanted);
  if (!other) return Failed{other.error()};
  if (!other->empty()) {
    return Done{.changed = false, .detail = fmt::format("left, {} uses the rest", *other)};
  }
  const mesh::OwnerJudge owners(mesh_, observation_);
  const mesh::ClusterObservation* seen = observation_.find(step.cluster);
  MESHTRUST_CHECK(seen != nullptr);
  const auto leftovers = leftovers_in(**client, [&owners, seen](const auto& labels) {
    return owners.owner_of(mesh::marks_in(Json(labels)), *seen);
  });
  if (!leftovers) return Failed{leftovers.error()};
  Removals removals;
  for (const Leftover& one : *leftovers) {
    if (!removals.take(remove_found(**client, one.ref, one.facts))) break;
  }
  return std::move(removals).outcome();
}

Outcome MeshSteps::release(const mesh::Step& step, const mesh::ReleaseNamespace& wanted) {
  const auto client = world_.clusters.client(step.cluster);
  if (!client) return Failed{client.error()};
  const k8s::ObjectRef ref = k8s::namespace_ref(wanted.name);
  const auto changed = (*client)->change(ref, [&](Json& object) -> base::Status {
    Json& metadata = object["metadata"];
    if (base::string_at(metadata, "uid") != wanted.uid) {
      return base::fail(base::Code::kPartial, "it was made anew since the plan: left alone",
                        "run the same command again to see the new plan");
    }
    const std::string label(istio::kNetworkLabel);
    if (metadata.contains("labels") && !is_label_of_others(metadata, label)) {
      metadata["labels"].erase(label);
    }
    const std::string annotation(istio::kControlPlaneAnnotation);
    if (metadata.contains("annotations") && !is_annotation_of_others(metadata, annotation)) {
      metadata["annotations"].erase(annotation);
    }
    return {};
  });
  // A namespace that went has no labels of ours.
  if (!changed && changed.error().code == base::Code::kNotFound) {
    return Done{.changed = false, .detail = "was gone"};
  }
  if (!changed) return Failed{changed.error()};
  return Done{.detail = "given back"};
}

}  // namespace meshtrust::run
