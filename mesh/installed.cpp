#include "mesh/installed.h"

#include "base/encoding.h"
#include "istio/names.h"
#include "profiles/istioctl.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

using base::Json;
using profiles::Installation;

/// What `kubectl rollout restart` leaves in a pod template.
constexpr std::string_view kRestartAnnotation = "kubectl.kubernetes.io/restartedAt";

bool has_istiod(const Installation& installation) {
  return installation.kind != Installation::Kind::kRemote &&
         installation.kind != Installation::Kind::kConfig;
}

std::string values_config_map(const Installation& installation) {
  return installation.revision.empty() ? "values" : "values-" + installation.revision;
}

std::string annotation(const Json& object, std::string_view key) {
  return base::string_at(base::at_path(object, {"metadata", "annotations"}), key);
}

std::string hash(const Json& json) {
  return base::to_hex(base::sha256(base::as_bytes(base::compact(json))));
}

/// A pod template without what a restart adds to it.
Json without_restarts(Json pod_template) {
  Json& metadata = pod_template["metadata"];
  if (metadata.contains("annotations")) {
    metadata["annotations"].erase(std::string(kRestartAnnotation));
    if (metadata["annotations"].empty()) metadata.erase("annotations");
  }
  if (metadata.empty()) pod_template.erase("metadata");
  return pod_template;
}

/// Where the Service of a remote leads: its own spec, and the addresses behind it.
Json destination(const Installation& installation, const Json& service, const Objects& objects) {
  Json facts = {{"ports", base::at_path(service, {"spec", "ports"})},
                {"type", base::at_path(service, {"spec", "type"})},
                {"externalName", base::at_path(service, {"spec", "externalName"})},
                {"endpoints", Json::array()}};
  const std::string name = istio::istiod_name(installation.revision);
  const auto slices = objects.list(kEndpointSlices);
  const auto* found = slices.found(Unknown::kTold);
  for (const Json& slice : found != nullptr ? *found : Objects::List()) {
    const Json& metadata = base::at_path(slice, {"metadata"});
    if (base::string_at(metadata, "namespace") != installation.namespace_name ||
        base::string_at(base::at_path(metadata, {"labels"}), "kubernetes.io/service-name") !=
            name) {
      continue;
    }
    facts["endpoints"].push_back(base::at_path(slice, {"endpoints"}));
  }
  return facts;
}

/// What is unknown of the kinds that an installation is judged by, beside the object with the mark,
/// or null. The functions here that look such objects up go by its having been asked.
const base::Error* why_unjudged(const Installation& installation, const Objects& objects) {
  std::vector<std::string_view> kinds{kMutatingWebhooks, kClusterRoles, kClusterRoleBindings,
                                      kConfigMaps};
  if (!has_istiod(installation)) kinds.push_back(kEndpointSlices);
  for (const auto kind : kinds) {
    if (const auto* why = objects.why_unknown(kind)) return why;
  }
  return nullptr;
}

/// What else an installer makes that a mesh does not work without, and nobody but it brings back:
/// the injection webhook, and the role under which other istiods read the cluster.
Json surroundings(const Installation& installation, const Objects& objects) {
  const std::string& in = installation.namespace_name;
  const std::string webhook = istio::injection_webhook(installation.revision, in);
  const std::string reader = istio::istio_reader_role(installation.revision, in);
  const auto role = objects.find(kClusterRoles, {}, reader);
  const auto binding = objects.find(kClusterRoleBindings, {}, reader);
  Json facts = Json::object();
  facts["webhook"] = !objects.find(kMutatingWebhooks, {}, webhook).is_absent();
  if (const Json* live = role.found(Unknown::kTold)) {
    facts["role"] = base::at_path(*live, {"rules"});
  }
  if (const Json* live = binding.found(Unknown::kTold)) {
    facts["bound"] = base::at_path(*live, {"subjects"});
  }
  return facts;
}

InstallState unknown(const base::Error& error) {
  return {.kind = InstallState::Kind::kUnknown, .why = error.message, .error = error};
}

/// An object of the name that the installer would use, made by others.
InstallState foreign(const OwnerJudge& owners,
                     const profiles::Object& marked,
                     const Json& live,
                     const ClusterObservation& seen) {
  InstallState state{.kind = InstallState::Kind::kForeign};
  const Marks marks = marks_in(base::at_path(live, {"metadata", "annotations"}));
  const std::string name =
      fmt::format("{} {}/{}", marked.kind == "Deployment" ? "deployment" : "service",
                  marked.namespace_name, marked.name);
  state.why = marks.mesh.empty() ? name + " was not installed by meshtrust"
                                 : fmt::format("{} was installed for {}, this one is {}", name,
                                               describe(marks), owners.describe_own());
  const Json& labels = base::at_path(live, {"metadata", "labels"});
  for (const char* label : {"operator.istio.io/version", "app.kubernetes.io/managed-by",
                            "install.operator.istio.io/owning-resource"}) {
    if (const std::string value = base::string_at(labels, label); !value.empty()) {
      state.evidence.push_back(fmt::format("it has the label {}={}", label, value));
    }
  }
  if (const auto* istiod = seen.istiod.found(Unknown::kTold);
      istiod != nullptr && !istiod->image.empty()) {
    state.evidence.push_back("its image is " + istiod->image);
  }
  return state;
}

}  // namespace

profiles::Object marked_object(const Installation& installation) {
  const bool istiod = has_istiod(installation);
  return {.api_version = istiod ? "apps/v1" : "v1",
          .kind = istiod ? "Deployment" : "Service",
          .resource = istiod ? "deployments" : "services",
          .namespace_name = installation.namespace_name,
          .name = istio::istiod_name(installation.revision)};
}

std::string installing_marker(const Installation& installation) {
  return installation.revision.empty() ? "meshtrust-installing"
                                       : "meshtrust-installing-" + installation.revision;
}

std::optional<std::string> fingerprint_of_live(const Installation& installation,
                                               const Objects& objects) {
  if (why_unjudged(installation, objects) != nullptr) return std::nullopt;
  const profiles::Object marked = marked_object(installation);
  const auto observed = objects.find(resource_of(marked), marked.namespace_name, marked.name);
  const Json* live = observed.found(Unknown::kTold);
  if (live == nullptr) return std::nullopt;
  const auto values =
      objects.find(kConfigMaps, installation.namespace_name, values_config_map(installation));
  Json facts = Json::object();
  if (const Json* map = values.found(Unknown::kTold)) {
    facts["values"] = base::at_path(*map, {"data"});
  }
  facts["live"] = has_istiod(installation)
                      ? without_restarts(base::at_path(*live, {"spec", "template"}))
                      : destination(installation, *live, objects);
  facts["surroundings"] = surroundings(installation, objects);
  return hash(facts);
}

Json mark(const profiles::Mesh& mesh,
          std::string_view root,
          const Installation& installation,
          const Objects& objects) {
  Json annotations{
      {kInstallationAnnotation, profiles::digest_of(installation).value_or("")},
      {kInstalledAsAnnotation, fingerprint_of_live(installation, objects).value_or("")},
      {kIstioVersionAnnotation, installation.version.text()},
      {kMeshAnnotation, mesh.name}};
  if (!root.empty()) annotations[std::string(kRootAnnotation)] = root;
  return {{"metadata", {{"annotations", std::move(annotations)}}}};
}

InstallState state_of(const OwnerJudge& owners,
                      const Installation& installation,
                      const ClusterObservation& seen) {
  using Kind = InstallState::Kind;
  const Objects& objects = seen.live.objects;
  const profiles::Object marked = marked_object(installation);
  const auto observed = objects.find(resource_of(marked), marked.namespace_name, marked.name);
  if (const auto* why = observed.why_unknown()) return unknown(*why);
  if (const auto* why = why_unjudged(installation, objects)) return unknown(*why);
  // Where nobody knows, whoever changes something has been told already.
  const auto is_ours = [&](const Marks& marks) {
    const Owner owner = owners.owner_of(marks, seen);
    return owner == Owner::kThisMesh || owner == Owner::kUndecided;
  };
  const auto marker =
      objects.find(kConfigMaps, installation.namespace_name, installing_marker(installation));
  const Json* begun = marker.found(Unknown::kTold);
  const bool is_begun = begun != nullptr && is_ours(marks_of(*begun));
  const InstallState unfinished{.kind = Kind::kUnfinished,
                                .why = "an earlier installation did not come to its end"};
  const Json* live = observed.found(Unknown::kTold);
  if (live == nullptr) {
    if (is_begun) return unfinished;
    return {.kind = Kind::kAbsent, .why = "it is not installed yet"};
  }

  const Marks marks = marks_in(base::at_path(*live, {"metadata", "annotations"}));
  const Owner owner = owners.owner_of(marks, seen);
  // Before the mark there is the ConfigMap alone, and an older mark of another's stays another's.
  const bool is_taken = owner == Owner::kAnotherMesh;
  if (is_taken || (!is_ours(marks) && !is_begun)) return foreign(owners, marked, *live, seen);
  const std::string version = annotation(*live, kIstioVersionAnnotation);
  if (is_begun && (version.empty() || version == installation.version.text())) return unfinished;
  if (version != installation.version.text()) {
    return {.kind = Kind::kOtherVersion,
            .why = fmt::format("the live control plane is Istio {}, the mesh file says {}", version,
                               installation.version.text())};
  }
  const auto digest = profiles::digest_of(installation);
  if (!digest || annotation(*live, kInstallationAnnotation) != *digest) {
    return {.kind = Kind::kDiffers, .why = "what the mesh file wants has changed"};
  }
  const auto as = fingerprint_of_live(installation, objects);
  if (!as) return {.kind = Kind::kDiffers, .why = "a part of it is missing"};
  if (annotation(*live, kInstalledAsAnnotation) != *as) {
    return {.kind = Kind::kDiffers, .why = "somebody changed it after it was installed"};
  }
  return {.kind = Kind::kAsWanted, .why = "installed", .root = marks.root};
}

}  // namespace meshtrust::mesh
