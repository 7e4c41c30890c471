#include "mesh/installed.h"

#include "base/encoding.h"
#include "base/text.h"
#include "istio/names.h"
#include "mesh/webhooks.h"
#include "profiles/istioctl.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

using base::Json;
using profiles::Installation;

bool has_istiod(const Installation& installation) {
  return installation.kind != Installation::Kind::kRemote &&
         installation.kind != Installation::Kind::kConfig;
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
    metadata["annotations"].erase(kRestartAnnotation);
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
  std::vector<std::string_view> kinds{kMutatingWebhooks,    kValidatingWebhooks, kClusterRoles,
                                      kClusterRoleBindings, kServices,           kConfigMaps,
                                      kServiceAccounts};
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

/// How a part is written in the mark.
std::string part(std::string_view kind, std::string_view name) {
  return fmt::format("{}/{}", kind, name);
}

constexpr std::string_view kServicePart = "service";
/// Of it is the token by which other istiods read the cluster.
constexpr std::string_view kAccountPart = "serviceaccount";
constexpr std::string_view kDaemonSetPart = "daemonset";

/// What validates for the default revision. For another that became the default one it is made
/// together with its tag, and never alone.
constexpr std::string_view kDefaultValidator = "istiod-default-validator";
/// The minor release of Istio from which on the installer makes a default tag for a revision
/// wherever there is none. Before, the injection webhook that it had just made stood in its way.
constexpr int kTagsRevisions = 27;

/// Whether the installer makes `webhooks` whenever they are not there: what it renders, and the
/// default tag, which an installer with its own way of applying adds. Other tags are a person's.
bool is_made_again(const ControlPlaneWebhooks& webhooks, const Installation& installation) {
  const bool makes_tags = installation.method == Installation::Method::kInstall;
  const bool has_revision = !installation.revision.empty();
  if (webhooks.name == kDefaultValidator) return !makes_tags || !has_revision;
  if (webhooks.tag.empty()) return true;
  if (webhooks.tag != istio::kDefaultRevision) return false;
  if (webhooks.kind->resource == kValidatingWebhooks) return true;
  return makes_tags && (!has_revision || installation.version.minor >= kTagsRevisions);
}

/// What an ambient mesh runs on every node.
Objects::List node_agents_in(const std::string& space, const Objects& objects) {
  const auto list = objects.list(kDaemonSets);
  const auto* found = list.found(Unknown::kNothingFollows);
  Objects::List agents;
  for (const Json& one : found != nullptr ? *found : Objects::List()) {
    if (is_node_agent(one) &&
        base::string_at(base::at_path(one, {"metadata"}), "namespace") == space) {
      agents.push_back(one);
    }
  }
  return agents;
}

/// The parts that are there.
std::vector<std::string> parts_of(const Installation& installation, const Objects& objects) {
  std::vector<std::string> parts;
  const std::string service = istio::istiod_name(installation.revision);
  const auto live = objects.find(kServices, installation.namespace_name, service);
  if (live.found(Unknown::kNothingFollows) != nullptr) parts.push_back(part(kServicePart, service));
  const auto reader =
      objects.find(kServiceAccounts, installation.namespace_name, istio::kReaderServiceAccount);
  if (reader.found(Unknown::kNothingFollows) != nullptr) {
    parts.push_back(part(kAccountPart, istio::kReaderServiceAccount));
  }
  for (const Json& agent : node_agents_in(installation.namespace_name, objects)) {
    parts.push_back(part(kDaemonSetPart, name_of(agent)));
  }
  for (const ControlPlaneWebhooks& one : webhooks_for(installation, objects)) {
    if (is_made_again(one, installation)) parts.push_back(part(one.kind->word, one.name));
  }
  return parts;
}

/// Whether a part that the mark names is not there any more. It may have been led to another
/// control plane since: then it is there.
bool is_gone(std::string_view written, const Installation& installation, const Objects& objects) {
  const auto slash = written.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view kind = written.substr(0, slash);
  const std::string_view name = written.substr(slash + 1);
  for (const auto& [word, resource] :
       {std::pair(kServicePart, kServices), std::pair(kAccountPart, kServiceAccounts),
        std::pair(kDaemonSetPart, kDaemonSets)}) {
    if (kind != word) continue;
    return objects.find(resource, installation.namespace_name, name).is_absent();
  }
  return std::any_of(kWebhookKinds.begin(), kWebhookKinds.end(), [&](const WebhookKind& one) {
    return one.word == kind && objects.find(one.resource, {}, name).is_absent();
  });
}

std::vector<std::string> lost_parts(const Installation& installation,
                                    const Json& live,
                                    const Objects& objects) {
  std::vector<std::string> parts = base::split(annotation(live, kInstalledPartsAnnotation), ',');
  std::erase_if(parts,
                [&](const std::string& one) { return !is_gone(one, installation, objects); });
  return parts;
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

std::array<std::string, 3> settings_maps(const std::string& revision) {
  return {revision.empty() ? "values" : "values-" + revision, istio::mesh_config_map(revision),
          istio::injector_config_map(revision)};
}

bool is_node_agent(const Json& daemon_set) {
  const std::string name = name_of(daemon_set);
  return name.starts_with("ztunnel") || name.starts_with("istio-cni");
}

std::string installing_marker(const std::string& revision) {
  return revision.empty() ? "meshtrust-installing" : "meshtrust-installing-" + revision;
}

std::optional<std::string> fingerprint_of_live(const Installation& installation,
                                               const Objects& objects) {
  if (why_unjudged(installation, objects) != nullptr) return std::nullopt;
  const profiles::Object marked = marked_object(installation);
  const auto observed = objects.find(resource_of(marked), marked.namespace_name, marked.name);
  const Json* live = observed.found(Unknown::kTold);
  if (live == nullptr) return std::nullopt;
  Json facts = Json::object();
  for (const std::string& name : settings_maps(installation.revision)) {
    const auto settings = objects.find(kConfigMaps, installation.namespace_name, name);
    if (const Json* map = settings.found(Unknown::kTold)) {
      facts["settings"][name] = base::at_path(*map, {"data"});
    }
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
      {kInstalledPartsAnnotation, base::join(parts_of(installation, objects), ",")},
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
  const auto marker = objects.find(kConfigMaps, installation.namespace_name,
                                   installing_marker(installation.revision));
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
  if (const auto lost = lost_parts(installation, *live, objects); !lost.empty()) {
    return {.kind = Kind::kDiffers,
            .lacks_part = true,
            .why = fmt::format("of what was installed {} gone: {}",
                               lost.size() == 1 ? "this is" : "these are", base::join(lost, ", "))};
  }
  const auto as = fingerprint_of_live(installation, objects);
  if (!as) return {.kind = Kind::kDiffers, .why = "a part of it is missing"};
  if (annotation(*live, kInstalledAsAnnotation) != *as) {
    return {.kind = Kind::kDiffers, .why = "somebody changed it after it was installed"};
  }
  return {.kind = Kind::kAsWanted, .why = "installed", .root = marks.root};
}

base::Result<std::vector<profiles::Installation>, base::Errors> wanted_installations(
    const profiles::Mesh& mesh, const profiles::Cluster& cluster, const BaseFiles* files) {
  std::optional<profiles::BaseFile> file;
  if (files != nullptr) {
    const auto found = files->find(cluster.name);
    if (found != files->end()) file = found->second;
  }
  return profiles::installations(mesh, cluster, file);
}

}  // namespace meshtrust::mesh
