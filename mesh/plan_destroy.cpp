#include "istio/names.h"
#include "mesh/installed.h"
#include "mesh/known.h"
#include "mesh/plan.h"
#include "mesh/trust.h"
#include "profiles/exposure.h"
#include "profiles/gateway.h"
#include "profiles/reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

using base::Json;
using profiles::Cluster;
using profiles::Installation;
using profiles::Mesh;
using profiles::Role;

using Ids = std::vector<std::string>;

DoomedObject doomed(const profiles::Object& object) {
  return {.api_version = object.api_version,
          .kind = object.kind,
          .resource = object.resource,
          .namespace_name = object.namespace_name,
          .name = object.name};
}

DoomedObject core(const char* kind,
                  const char* resource,
                  const std::string& namespace_name,
                  std::string name) {
  return {.api_version = "v1",
          .kind = kind,
          .resource = resource,
          .namespace_name = namespace_name,
          .name = std::move(name)};
}

/// The way back, cluster by cluster; ids of steps that are not made are taken out of the needs.
class DestroyPlanner {
 public:
  DestroyPlanner(const Mesh& mesh,
                 const Observation& observation,
                 const DestroyOptions& options,
                 const BaseFiles& files)
      : mesh_(mesh),
        observation_(observation),
        options_(options),
        files_(files),
        known_(known_values(mesh, observation)) {}

  Planned run() {
    planned_.plan.mesh = mesh_.name;
    for (const Cluster& cluster : mesh_.clusters) {
      const ClusterObservation* seen = observation_.find(cluster.name);
      if (seen == nullptr) continue;
      if (const base::Error* why = seen->server.why_unknown()) {
        if (leaves(cluster.name)) {
          planned_.answer.unknowns.push_back(with_context(*why, cluster.name));
        }
        continue;
      }
      plan_forgetting(cluster, *seen);
      if (!leaves(cluster.name)) {
        refuse_abandonment(cluster);
        continue;
      }
      plan_gateways(cluster, *seen);
      plan_installations(cluster, *seen);
      plan_rest(cluster, *seen);
      plan_trust(cluster, *seen);
      plan_namespaces(cluster, *seen);
    }
    if (planned_.is_refused()) planned_.plan.steps.clear();
    sort_by_needs(planned_.plan);
    return std::move(planned_);
  }

 private:
  static std::string id(const std::string& cluster, std::string_view what) {
    return fmt::format("{}/{}", cluster, what);
  }
  bool leaves(const std::string& cluster) const {
    return options_.clusters.empty() ||
           std::find(options_.clusters.begin(), options_.clusters.end(), cluster) !=
               options_.clusters.end();
  }
  const std::string& system_namespace() const { return mesh_.istio.system_namespace; }

  void add(const std::string& cluster,
           std::string_view what,
           std::string title,
           std::string reason,
           Ids needs,
           Action action,
           std::vector<std::string> diff = {}) {
    if (const auto* remove = std::get_if<Delete>(&action)) {
      for (const DoomedObject& object : remove->objects) {
        diff.push_back(fmt::format("- {} {}{}{}", object.kind, object.namespace_name,
                                   object.namespace_name.empty() ? "" : "/", object.name));
      }
    }
    planned_.plan.steps.push_back({.id = id(cluster, what),
                                   .cluster = cluster,
                                   .change = Change::kRemove,
                                   .title = std::move(title),
                                   .reason = std::move(reason),
                                   .needs = std::move(needs),
                                   .diff = std::move(diff),
                                   .action = std::move(action)});
  }

  /// A remote whose webhooks call a control plane that is gone refuses every pod.
  void refuse_abandonment(const Cluster& cluster) {
    for (const std::string& manager : cluster.control_plane) {
      if (!leaves(manager)) continue;
      planned_.answer.findings.push_back(
          {.code = "remote-left-behind",
           .cluster = cluster.name,
           .message = fmt::format("'{}' manages it: without that control plane no pod that is to "
                                  "be injected can be created in it",
                                  manager),
           .hints = {
               fmt::format("destroy both: 'meshtrust destroy {} {}'", cluster.name, manager)}});
    }
  }

  /// The secrets in this cluster that describe one that leaves, or all when it leaves itself.
  void plan_forgetting(const Cluster& cluster, const ClusterObservation& seen) {
    if (const base::Error* why = seen.live.remote_secrets.why_unknown()) {
      planned_.answer.unknowns.push_back(with_context(*why, cluster.name));
      return;
    }
    const auto* secrets = seen.live.remote_secrets.found();
    if (secrets == nullptr) return;
    std::vector<DoomedObject> objects;
    for (const RemoteSecretFacts& secret : *secrets) {
      const bool describes = leaves(cluster.name) ||
                             std::any_of(secret.clusters.begin(), secret.clusters.end(),
                                         [this](const auto& one) { return leaves(one.cluster); });
      if (secret.mesh != mesh_.name || !describes) continue;
      // The istiod that it is for needs its own configuration to the end.
      if (secret.name == istio::kConfigSecret) continue;
      objects.push_back(core("Secret", "secrets", secret.namespace_name, secret.name));
    }
    if (objects.empty()) return;
    add(cluster.name, "forget", "what its istiod knows of clusters that leave",
        "an istiod writes into a cluster for as long as it knows of it", {},
        Delete{std::move(objects)});
  }

  /// Where others may still write into `cluster` or call it.
  Ids forgotten(const Cluster& cluster) const {
    Ids ids;
    for (const Cluster& other : mesh_.clusters) {
      ids.push_back(id(other.name, "forget"));
    }
    ids.push_back(id(cluster.name, "gateway-gone"));
    return ids;
  }

  std::vector<DoomedObject> live_ones(const ClusterObservation& seen,
                                      const std::vector<profiles::Object>& objects) const {
    std::vector<DoomedObject> found;
    for (const profiles::Object& object : objects) {
      const auto live =
          seen.live.objects.find(resource_of(object), object.namespace_name, object.name);
      if (!live.is_found()) continue;
      const std::string owner =
          base::string_at(base::at_path(*live.found(), {"metadata", "labels"}), istio::kMeshLabel);
      if (owner == mesh_.name) found.push_back(doomed(object));
    }
    // Services first: their load balancers are let go of while there is somebody to do it.
    std::stable_partition(found.begin(), found.end(),
                          [](const DoomedObject& one) { return one.kind == "Service"; });
    return found;
  }

  void plan_gateways(const Cluster& cluster, const ClusterObservation& seen) {
    std::vector<profiles::Object> objects;
    const auto append = [&objects](std::vector<profiles::Object> more) {
      std::move(more.begin(), more.end(), std::back_inserter(objects));
    };
    if (profiles::has_east_west_gateway(mesh_, cluster)) {
      append(profiles::east_west_gateway(mesh_, cluster));
    }
    append(profiles::exposure(mesh_, cluster));
    if (cluster.role == Role::kExternal) {
      append(profiles::external_routing(mesh_, cluster));
      append(profiles::ingress_gateway(mesh_, cluster));
    }
    auto live = live_ones(seen, objects);
    if (live.empty()) return;
    add(cluster.name, "gateway-gone", "gateways, and what they let in",
        "load balancers are given back first", gone_before_gateways(cluster),
        Delete{std::move(live)});
  }

  /// The gateway of a control plane goes after those who call it.
  Ids gone_before_gateways(const Cluster& cluster) const {
    Ids ids;
    for (const Cluster* remote : profiles::managed_by(mesh_, cluster)) {
      ids.push_back(id(remote->name, "uninstalled"));
    }
    return ids;
  }

  void plan_installations(const Cluster& cluster, const ClusterObservation& seen) {
    const auto file = files_.find(cluster.name);
    auto wanted = profiles::installations(
        mesh_, cluster, file == files_.end() ? std::nullopt : std::optional(file->second));
    if (!wanted) return;  // a mesh of trust alone has none
    // The last first.
    std::reverse(wanted->begin(), wanted->end());
    Ids before = forgotten(cluster);
    for (Installation& one : *wanted) {
      const Installation installation = profiles::resolve(std::move(one), known_);
      const InstallState state = state_of(mesh_, installation, seen);
      using Kind = InstallState::Kind;
      if (state.kind == Kind::kUnknown) {
        planned_.answer.unknowns.push_back(with_context(*state.error, cluster.name));
        continue;
      }
      if (state.kind == Kind::kForeign) {
        planned_.answer.findings.push_back({.code = "foreign-control-plane",
                                            .severity = Severity::kNote,
                                            .cluster = cluster.name,
                                            .message = state.why + "; it is left alone",
                                            .evidence = state.evidence});
        continue;
      }
      if (state.kind == Kind::kAbsent) continue;
      const bool is_ingress = installation.kind == Installation::Kind::kIngress;
      add(cluster.name, is_ingress ? "ingress-uninstalled" : "uninstalled",
          fmt::format("Istio {} in {}", installation.version.text(), installation.namespace_name),
          "it was installed for this mesh", before, Uninstall{.installation = installation});
      before.push_back(id(cluster.name, "uninstalled"));
    }
  }

  /// The last of what runs in a cluster.
  Ids after_everything(const Cluster& cluster) const {
    Ids ids = forgotten(cluster);
    ids.push_back(id(cluster.name, "uninstalled"));
    ids.push_back(id(cluster.name, "ingress-uninstalled"));
    // The istiod of a config cluster writes into it to its end.
    if (cluster.role == Role::kConfig) {
      ids.push_back(id(cluster.control_plane.front(), "uninstalled"));
    }
    for (const Cluster* remote : profiles::managed_by(mesh_, cluster)) {
      ids.push_back(id(remote->name, "uninstalled"));
    }
    return ids;
  }

  /// What istiods and token controllers made in the system namespace, by the names that they use.
  void plan_rest(const Cluster& cluster, const ClusterObservation& seen) {
    const std::string& in = system_namespace();
    std::vector<DoomedObject> objects = live_ones(seen, profiles::reader(mesh_, cluster));
    if (const auto* tokens = seen.live.tokens.found()) {
      for (const TokenSecretFacts& token : *tokens) {
        if (token.mesh == mesh_.name) {
          objects.push_back(core("Secret", "secrets", token.namespace_name, token.name));
        }
      }
    }
    if (const auto* secrets = seen.live.remote_secrets.found()) {
      for (const RemoteSecretFacts& secret : *secrets) {
        if (secret.mesh == mesh_.name && secret.name == istio::kConfigSecret) {
          objects.push_back(core("Secret", "secrets", secret.namespace_name, secret.name));
        }
      }
    }
    const NamespaceFacts* facts = seen.system_namespace.found();
    if (facts == nullptr) return;
    const bool stays = !facts->created_by_meshtrust || options_.keep_trust;
    if (stays && was_installed(cluster, seen)) append_locks(in, objects);
    if (!objects.empty()) {
      add(cluster.name, "rest", "tokens, readers, and the locks of istiods",
          "nobody needs them any more", after_everything(cluster), Delete{std::move(objects)});
    }
    if (!was_installed(cluster, seen)) return;
    Ids needs = after_everything(cluster);
    needs.push_back(id(cluster.name, "rest"));
    add(cluster.name, "sweep", "roots in every namespace, gateway classes, unused CRDs",
        "istiods leave them all over a cluster", std::move(needs), Sweep{.namespace_name = in});
  }

  bool was_installed(const Cluster& cluster, const ClusterObservation& seen) const {
    const auto runs_in = [&](const std::string& in, const std::string& revision) {
      return seen.live.objects
          .find(cluster.runs_istiod() ? kDeployments : kServices, in, istio::istiod_name(revision))
          .is_found();
    };
    return seen.workload_roots.is_found() || runs_in(system_namespace(), mesh_.istio.revision) ||
           (cluster.role == Role::kExternal && runs_in(mesh_.istio.ingress_namespace, ""));
  }

  void append_locks(const std::string& in, std::vector<DoomedObject>& objects) const {
    const std::string suffix = mesh_.istio.revision.empty() ? "" : "-" + mesh_.istio.revision;
    for (const char* name :
         {"istio-leader", "istio-namespace-controller-election", "istio-ip-autoallocate",
          "istio-gateway-status-leader", "istio-gateway-deployment"}) {
      objects.push_back(core("ConfigMap", "configmaps", in, name + suffix));
    }
    for (const char* name : {"istio-gateway-deployment", "istio-gateway-status-leader"}) {
      objects.push_back(
          {.api_version = "coordination.k8s.io/v1",
           .kind = "Lease",
           .resource = "leases",
           .namespace_name = in,
           .name = fmt::format("{}-{}", name, istio::revision_label_value(mesh_.istio.revision))});
    }
    objects.push_back({.api_version = "discovery.k8s.io/v1",
                       .kind = "EndpointSlice",
                       .resource = "endpointslices",
                       .namespace_name = in,
                       .name = istio::istiod_name(mesh_.istio.revision)});
    objects.push_back(core("Secret", "secrets", in, std::string(istio::kSelfSignedCaSecret)));
  }

  /// CA and twin, where they are ours and their namespace stays.
  void plan_trust(const Cluster& cluster, const ClusterObservation& seen) {
    if (options_.keep_trust || mesh_.trust.mode != profiles::TrustMode::kManaged) return;
    const CacertsFacts* cacerts = seen.cacerts.found();
    std::vector<DoomedObject> objects;
    const bool ours = cacerts != nullptr && is_ours(cluster, *cacerts);
    if (ours) {
      objects.push_back(
          core("Secret", "secrets", system_namespace(), std::string(istio::kCaSecret)));
    }
    const TwinFacts* twin = seen.twin.found();
    if (twin != nullptr && (ours || cacerts == nullptr)) {
      objects.push_back(
          core("ConfigMap", "configmaps", system_namespace(), std::string(istio::kPublicTwin)));
    }
    if (objects.empty()) return;
    Ids needs = after_everything(cluster);
    needs.push_back(id(cluster.name, "sweep"));
    add(cluster.name, "trust-gone", "the CA of the cluster", "it leaves the mesh", std::move(needs),
        Delete{std::move(objects)});
  }

  bool is_ours(const Cluster& cluster, const CacertsFacts& cacerts) const {
    return ownership_of(cacerts, cluster.name, observation_.store) == Ownership::kOurs;
  }

  void plan_namespaces(const Cluster& cluster, const ClusterObservation& seen) {
    Ids needs = after_everything(cluster);
    for (const char* what : {"rest", "sweep", "trust-gone"}) {
      needs.push_back(id(cluster.name, what));
    }
    if (cluster.role == Role::kExternal) plan_ingress_namespace(cluster, seen, needs);
    const NamespaceFacts* facts = seen.system_namespace.found();
    if (facts == nullptr || facts->terminating) return;
    const CacertsFacts* cacerts = seen.cacerts.found();
    const bool holds_others = cacerts != nullptr && !is_ours(cluster, *cacerts);
    if (facts->created_by_meshtrust && !options_.keep_trust && !holds_others) {
      add(cluster.name, "namespace-gone", "namespace " + system_namespace(), "meshtrust created it",
          std::move(needs), Delete{{core("Namespace", "namespaces", "", system_namespace())}});
    } else if (facts->network == cluster.network || facts->control_planes) {
      add(cluster.name, "namespace-back", fmt::format("labels of namespace {}", system_namespace()),
          "the namespace itself stays", std::move(needs),
          ReleaseNamespace{.name = system_namespace()});
    }
  }

  void plan_ingress_namespace(const Cluster& cluster, const ClusterObservation& seen, Ids needs) {
    const std::string& ingress = mesh_.istio.ingress_namespace;
    const auto live = seen.live.objects.find(kNamespaces, {}, ingress);
    if (!live.is_found() || ingress == system_namespace()) return;
    const Json& metadata = base::at_path(*live.found(), {"metadata"});
    if (base::string_at(base::at_path(metadata, {"annotations"}), istio::kCreatedByAnnotation) !=
        istio::kFieldManager) {
      return;
    }
    add(cluster.name, "namespace-ingress-gone", "namespace " + ingress, "meshtrust created it",
        std::move(needs), Delete{{core("Namespace", "namespaces", "", ingress)}});
  }

  const Mesh& mesh_;
  const Observation& observation_;
  const DestroyOptions& options_;
  const BaseFiles& files_;
  const profiles::Lookup known_;
  Planned planned_;
};

}  // namespace

Planned plan_destroy(const Mesh& mesh,
                     const Observation& observation,
                     const DestroyOptions& options,
                     const BaseFiles& files) {
  return DestroyPlanner(mesh, observation, options, files).run();
}

}  // namespace meshtrust::mesh
