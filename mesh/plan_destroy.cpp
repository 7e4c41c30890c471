#include "base/text.h"
#include "istio/names.h"
#include "mesh/check/identity.h"
#include "mesh/check/material.h"
#include "mesh/check/ownership.h"
#include "mesh/installed.h"
#include "mesh/known.h"
#include "mesh/ownership.h"
#include "mesh/plan.h"
#include "mesh/trust.h"
#include "mesh/webhooks.h"
#include "pki/certificate.h"
#include "profiles/model.h"
#include "profiles/reader.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace meshtrust::mesh {
namespace {

using base::Json;
using profiles::Cluster;
using profiles::Installation;
using profiles::Mesh;
using profiles::Role;

using Ids = std::vector<std::string>;

DoomedObject doomed(const profiles::Object& object, const Json& live) {
  return {.api_version = object.api_version,
          .kind = object.kind,
          .resource = object.resource,
          .namespace_name = object.namespace_name,
          .name = object.name,
          .uid = uid_of(live)};
}

DoomedObject core(const char* kind,
                  const char* resource,
                  const std::string& namespace_name,
                  std::string name,
                  std::string uid = {}) {
  return {.api_version = "v1",
          .kind = kind,
          .resource = resource,
          .namespace_name = namespace_name,
          .name = std::move(name),
          .uid = std::move(uid)};
}

/// What a step deletes of its own accord, each thing as it was seen.
const std::vector<DoomedObject>* doomed_by(const Action& action) {
  if (const auto* remove = std::get_if<Delete>(&action)) return &remove->objects;
  if (const auto* uninstall = std::get_if<Uninstall>(&action)) return &uninstall->webhooks;
  return nullptr;
}

/// Of the CA in a `cacerts` that can be read.
std::string fingerprint_of(const CacertsFacts& cacerts) {
  const auto certificates = pki::certificates_from_pem(cacerts.certificates.ca_cert);
  return certificates ? certificates->front().fingerprint() : std::string();
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
        known_(known_values(mesh, observation)),
        owners_(mesh, observation) {}

  Planned run() {
    planned_.plan.mesh = mesh_.name;
    if (is_managed()) (void)known({}, observation_.store);
    for (const Cluster& cluster : mesh_.clusters) {
      const ClusterObservation nobody_looked;
      const ClusterObservation* seen = observation_.find(cluster.name);
      if (seen == nullptr) seen = &nobody_looked;
      if (!leaves(cluster.name)) refuse_abandonment(cluster);
      if (is_out_of_reach(cluster, *seen)) continue;
      if (leaves(cluster.name)) {
        ask_everything(*seen);
        if (lacks_store()) continue;  // which refuses, and nobody could tell whose anything is
        if (is_another_cluster(cluster, *seen) || belongs_to_others(cluster, *seen) ||
            is_undecided(cluster, *seen)) {
          continue;
        }
      }
      plan_forgetting(cluster, *seen);
      if (!leaves(cluster.name)) continue;
      plan_gateways(cluster, *seen);
      plan_installations(cluster, *seen);
      plan_rest(cluster, *seen);
      plan_trust(cluster, *seen);
      plan_namespaces(cluster, *seen);
    }
    refuse_without_store();
    check_clusters_distinct({.mesh = mesh_, .observation = observation_, .at = {}},
                            planned_.answer);
    if (planned_.is_refused()) planned_.plan.steps.clear();
    sort_by_needs(planned_.plan);
    note_servers(planned_, mesh_, observation_);
    return std::move(planned_);
  }

 private:
  static std::string id(const std::string& cluster, std::string_view what) {
    return fmt::format("{}/{}", cluster, what);
  }
  bool leaves(const std::string& cluster) const { return options_.leaves(cluster); }
  const std::string& system_namespace() const { return mesh_.istio.system_namespace; }
  bool is_managed() const { return mesh_.trust.mode == profiles::TrustMode::kManaged; }

  /// What was found, or null where it is absent; what is unknown is told, and forbids the plan.
  template <class T>
  const T* known(const std::string& cluster, const Observed<T>& fact) {
    Unknowns unknowns(planned_.answer.unknowns, cluster);
    return fact.found(unknowns);
  }

  void add(const std::string& cluster,
           std::string_view what,
           std::string title,
           std::string reason,
           Ids needs,
           Action action,
           std::vector<std::string> diff = {}) {
    if (const auto* objects = doomed_by(action)) {
      for (const DoomedObject& object : *objects) {
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

  /// Whether nothing can be planned in a cluster, which is told: it does not answer, or was to be
  /// given up and does.
  bool is_out_of_reach(const Cluster& cluster, const ClusterObservation& seen) {
    const base::Error* why = seen.server.why_unknown();
    const bool is_given_up = options_.gives_up(cluster.name);
    if (why == nullptr) {
      if (is_given_up) tell_alive(cluster);
      return is_given_up;
    }
    if (is_given_up && why->code == base::Code::kUnavailable) {
      tell_gone(cluster, *why);
    } else {
      tell_unknown(cluster, *why);
    }
    return true;
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
           .hints = {fmt::format("destroy them together: 'meshtrust destroy {}{}'",
                                 base::join(with_remotes_of_those_that_leave(), " "),
                                 options_.given_up.empty() ? "" : " --gone")}});
    }
  }

  std::vector<std::string> with_remotes_of_those_that_leave() const {
    std::vector<std::string> names;
    for (const Cluster& cluster : mesh_.clusters) {
      const bool is_abandoned =
          std::any_of(cluster.control_plane.begin(), cluster.control_plane.end(),
                      [this](const std::string& manager) { return leaves(manager); });
      if (is_abandoned && !leaves(cluster.name)) names.push_back(cluster.name);
    }
    names.insert(names.end(), options_.clusters.begin(), options_.clusters.end());
    return names;
  }

  /// A cluster that stays and cannot be asked would keep what it knows of those that leave, and its
  /// istiod would go on writing into them.
  void tell_unknown(const Cluster& cluster, const base::Error& why) {
    base::Error error = with_context(why, cluster.name);
    if (!leaves(cluster.name)) {
      error = with_hint(std::move(error),
                        fmt::format("'{}' stays, and what it knows of clusters that leave has to "
                                    "go first",
                                    cluster.name));
    }
    if (why.code == base::Code::kUnavailable) {
      error = with_hint(std::move(error), how_to_give_up(cluster));
    }
    planned_.answer.unknowns.push_back(std::move(error));
  }

  /// What to do about a cluster that will never answer.
  std::string how_to_give_up(const Cluster& cluster) const {
    std::vector<std::string> names = options_.clusters;
    if (std::find(names.begin(), names.end(), cluster.name) == names.end()) {
      names.push_back(cluster.name);
    }
    return fmt::format(
        "one that will never answer again is given up by 'meshtrust destroy {} "
        "--gone': nothing is taken away in it, and the others forget it",
        base::join(names, " "));
  }

  void tell_gone(const Cluster& cluster, const base::Error& why) {
    planned_.answer.findings.push_back(
        {.code = "cluster-gone",
         .severity = Severity::kNote,
         .cluster = cluster.name,
         .message = "it does not answer and is given up: whatever is in it stays there",
         .evidence = {why.message},
         .hints = {fmt::format("take '{}' out of the mesh file afterwards", cluster.name)}});
  }

  void tell_alive(const Cluster& cluster) {
    planned_.answer.findings.push_back(
        {.code = "cluster-not-gone",
         .cluster = cluster.name,
         .message = "it was given up, for it did not answer, and it answers now",
         .hints = {"run the same command again: then it leaves like any other"}});
  }

  /// All that was looked at in a cluster that leaves, whether this plan needs it or not: a server
  /// that hides one thing is not believed about the rest. But for the Services of others, which a
  /// check asks for.
  void ask_everything(const ClusterObservation& seen) {
    known(seen.name, seen.system_namespace);
    known(seen.name, seen.cacerts);
    known(seen.name, seen.twin);
    known(seen.name, seen.istiod);
    known(seen.name, seen.other_ca);
    known(seen.name, seen.workload_roots);
    // A configuration of istiod's that was read and is none goes with the rest.
    const base::Error* why = seen.trust_domain.why_unknown();
    if (why != nullptr && why->code != base::Code::kInvalidInput) {
      known(seen.name, seen.trust_domain);
    }
    for (const auto& [resource, list] : seen.live.objects.all()) {
      if (!is_key_of_called(resource)) known(seen.name, list);
    }
    known(seen.name, seen.live.remote_secrets);
    known(seen.name, seen.live.tokens);
  }

  /// Only the ledger tells which CA is this mesh's.
  bool lacks_store() { return is_managed() && known({}, observation_.store) == nullptr; }

  /// Without a store nothing is taken away where anything of this mesh could be.
  void refuse_without_store() {
    if (!is_managed() || !observation_.store.is_absent()) return;
    const bool has_traces =
        std::any_of(mesh_.clusters.begin(), mesh_.clusters.end(), [this](const Cluster& cluster) {
          const ClusterObservation* seen = observation_.find(cluster.name);
          return seen != nullptr && leaves(cluster.name) && may_hold_ours(*seen);
        });
    if (!has_traces) return;
    planned_.answer.findings.push_back(
        {.code = "store-missing",
         .cluster = {},
         .message = fmt::format("there is no trust store at '{}', and without its ledger nobody "
                                "knows what in these clusters is of mesh '{}'",
                                mesh_.trust.store, mesh_.name),
         .hints = {
             "put it back from a backup, or say in the mesh file where it is: 'trust.store'"}});
  }

  bool may_hold_ours(const ClusterObservation& seen) {
    const NamespaceFacts* facts = known(seen.name, seen.system_namespace);
    const auto marked = marked_in(mesh_, seen);
    const auto bears_our_name = [this](const Marked& one) { return one.marks.mesh == mesh_.name; };
    return std::any_of(marked.begin(), marked.end(), bears_our_name) ||
           (facts != nullptr && (facts->created_by_meshtrust || !facts->mesh.empty())) ||
           known(seen.name, seen.cacerts) != nullptr || known(seen.name, seen.twin) != nullptr;
  }

  /// Whether this is a cluster of this mesh, but not the one that is to leave it: contexts are
  /// mixed up.
  bool is_another_cluster(const Cluster& cluster, const ClusterObservation& seen) {
    const NamespaceFacts* facts = known(cluster.name, seen.system_namespace);
    const TwinFacts* twin = known(cluster.name, seen.twin);
    std::string name;
    if (facts != nullptr && is_ours(marks_of(*facts), seen)) name = facts->cluster;
    if (name.empty() && twin != nullptr && is_ours(marks_of(*twin), seen)) {
      name = profiles::twin_value(twin->data, profiles::kTwinCluster);
    }
    if (name.empty() || name == cluster.name) return false;
    planned_.answer.findings.push_back(
        {.code = "another-cluster",
         .cluster = cluster.name,
         .message = fmt::format("what this mesh made there says that this is cluster '{}', and the "
                                "mesh file calls it '{}'",
                                name, cluster.name),
         .hints = {"check the context of each cluster in the mesh file",
                   fmt::format("if it was renamed on purpose, call it '{}' once more to destroy it",
                               name)},
         .place = cluster.context_place});
    return true;
  }

  /// Whether what is in a cluster, or its CA, is another mesh's. Nothing of it is touched then.
  bool belongs_to_others(const Cluster& cluster, const ClusterObservation& seen) {
    if (auto finding = marks_of_others(mesh_, owners_, cluster, seen)) {
      planned_.answer.findings.push_back(*std::move(finding));
      return true;
    }
    const CacertsFacts* cacerts = known(cluster.name, seen.cacerts);
    if (!is_managed() || cacerts == nullptr || owners_.owner_of_trust(seen) == Owner::kThisMesh) {
      return false;
    }
    // What bears our root is ours all the same.
    with_others_trust_.insert(cluster.name);
    if (options_.keep_trust) return false;
    Finding finding{
        .code = "foreign-cacerts",
        .cluster = cluster.name,
        .message = fmt::format("secret '{}/{}' was not issued for it by this store, so nothing in "
                               "this cluster is touched",
                               system_namespace(), istio::kCaSecret),
        .hints = {"check which mesh file and which context this is",
                  "'--keep-trust' takes away what bears the root of this mesh, and nothing else"},
        .place = cluster.context_place};
    if (const auto live = pki::certificates_from_pem(cacerts->certificates.ca_cert)) {
      finding.evidence.push_back("its certificate is " + describe(live->front()));
      finding.evidence.push_back("issued by '" + live->front().facts().issuer + "'");
    }
    planned_.answer.findings.push_back(std::move(finding));
    return true;
  }

  /// Whether something bears the name of this mesh alone and nothing says whose root stands behind
  /// it.
  bool is_undecided(const Cluster& cluster, const ClusterObservation& seen) {
    if (with_others_trust_.contains(cluster.name)) return false;
    std::vector<std::string> undecided;
    for (const Marked& one : marked_in(mesh_, seen)) {
      if (owners_.owner_of(one.marks, seen) == Owner::kUndecided) undecided.push_back(one.what);
    }
    if (undecided.empty()) return false;
    tell_undecided(cluster, std::move(undecided));
    return true;
  }

  void tell_undecided(const Cluster& cluster, std::vector<std::string> what) {
    planned_.answer.findings.push_back(
        {.code = "owner-undecided",
         .cluster = cluster.name,
         .message = fmt::format("things in it bear the name '{}', and nothing says that they are "
                                "not of another mesh of that name",
                                mesh_.name),
         .evidence = std::move(what),
         .hints = {owners_.root() ? "run 'meshtrust apply' first, which marks with its root what "
                                    "is of this mesh"
                                  : "only the root of this mesh could tell, and nobody knows it "
                                    "here: put the trust store back, or have every cacerts hold "
                                    "one root"},
         .place = cluster.context_place});
  }

  bool is_ours(const Marks& marks, const ClusterObservation& seen) const {
    return owners_.owner_of(marks, seen) == Owner::kThisMesh;
  }
  bool is_place_ours(const NamespaceFacts* facts,
                     const TwinFacts* twin,
                     const ClusterObservation& seen) const {
    return (facts != nullptr && is_ours(marks_of(*facts), seen)) ||
           (twin != nullptr && is_ours(marks_of(*twin), seen));
  }

  /// The secrets in this cluster that describe one that leaves, or all when it leaves itself.
  void plan_forgetting(const Cluster& cluster, const ClusterObservation& seen) {
    const auto* secrets = known(cluster.name, seen.live.remote_secrets);
    if (secrets == nullptr) return;
    // By what an owner is judged of whom the marks say only a name.
    known(cluster.name, seen.cacerts);
    known(cluster.name, seen.twin);
    known(cluster.name, seen.workload_roots);
    std::vector<DoomedObject> objects;
    std::vector<std::string> undecided;
    for (const RemoteSecretFacts& secret : *secrets) {
      const bool describes = leaves(cluster.name) ||
                             std::any_of(secret.clusters.begin(), secret.clusters.end(),
                                         [this](const auto& one) { return leaves(one.cluster); });
      if (!describes) continue;
      const Owner owner = owners_.owner_of(marks_of(secret), seen);
      if (owner == Owner::kUndecided) {
        undecided.push_back(fmt::format("secret {}/{}", secret.namespace_name, secret.name));
      }
      if (owner != Owner::kThisMesh) continue;
      // The istiod that it is for needs its own configuration to the end.
      if (secret.name == istio::kConfigSecret) continue;
      objects.push_back(core("Secret", "secrets", secret.namespace_name, secret.name, secret.uid));
    }
    // Of a cluster that leaves it has been told.
    if (!undecided.empty() && !leaves(cluster.name)) tell_undecided(cluster, std::move(undecided));
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
                                      const std::vector<profiles::Object>& objects) {
    std::vector<DoomedObject> found;
    for (const profiles::Object& object : objects) {
      const auto observed =
          seen.live.objects.find(resource_of(object), object.namespace_name, object.name);
      const Json* live = known(seen.name, observed);
      if (live == nullptr) continue;
      if (is_ours(marks_of(*live), seen)) found.push_back(doomed(object, *live));
    }
    // Services first: their load balancers are let go of while there is somebody to do it.
    std::stable_partition(found.begin(), found.end(),
                          [](const DoomedObject& one) { return one.kind == "Service"; });
    return found;
  }

  /// Whatever bears the labels of this mesh, be it as the mesh file says now or as it said once.
  void plan_gateways(const Cluster& cluster, const ClusterObservation& seen) {
    struct Kind {
      std::string_view resource;
      const char* api_version;
      const char* kind;
    };
    constexpr const char* kRbac = "rbac.authorization.k8s.io/v1";
    // Services first: their load balancers are let go of while there is somebody to do it. Accounts
    // and roles last: the pods that use them are to end in order.
    constexpr std::array kKinds{
        Kind{kServices, "v1", "Service"},
        Kind{kIstioGateways, "networking.istio.io/v1", "Gateway"},
        Kind{"virtualservices.networking.istio.io", "networking.istio.io/v1", "VirtualService"},
        Kind{"destinationrules.networking.istio.io", "networking.istio.io/v1", "DestinationRule"},
        Kind{kApiGateways, "gateway.networking.k8s.io/v1", "Gateway"},
        Kind{"horizontalpodautoscalers.autoscaling", "autoscaling/v2", "HorizontalPodAutoscaler"},
        Kind{"poddisruptionbudgets.policy", "policy/v1", "PodDisruptionBudget"},
        Kind{kDeployments, "apps/v1", "Deployment"},
        Kind{"rolebindings.rbac.authorization.k8s.io", kRbac, "RoleBinding"},
        Kind{"roles.rbac.authorization.k8s.io", kRbac, "Role"},
        Kind{kServiceAccounts, "v1", "ServiceAccount"}};
    std::vector<DoomedObject> doomed;
    for (const Kind& kind : kKinds) {
      const auto observed = seen.live.objects.list(kind.resource);
      const auto* list = known(cluster.name, observed);
      if (list == nullptr) continue;
      for (const Json& object : *list) {
        if (!is_made_for_this_mesh(object, seen)) continue;
        doomed.push_back(
            {.api_version = kind.api_version,
             .kind = kind.kind,
             .resource = std::string(kind.resource.substr(0, kind.resource.find('.'))),
             .namespace_name = base::string_at(base::at_path(object, {"metadata"}), "namespace"),
             .name = name_of(object),
             .uid = uid_of(object)});
      }
    }
    if (doomed.empty()) return;
    add(cluster.name, "gateway-gone", "gateways, and what they let in",
        "load balancers are given back first", gone_before_gateways(cluster),
        Delete{std::move(doomed)});
  }

  /// What an installer rendered has the label of the mesh as well, and goes with its installation.
  bool is_made_for_this_mesh(const Json& object, const ClusterObservation& seen) const {
    const Json& labels = base::at_path(object, {"metadata", "labels"});
    return is_ours(marks_in(labels), seen) &&
           base::string_at(labels, istio::kManagedByLabel) == istio::kFieldManager &&
           name_of(object) != istio::kReaderServiceAccount;
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
    auto wanted = wanted_installations(mesh_, cluster, &files_);
    if (!wanted) {
      judge_what_runs(cluster, seen, wanted.error());
      return;
    }
    // The last first.
    std::reverse(wanted->begin(), wanted->end());
    Ids before = forgotten(cluster);
    for (Installation& one : *wanted) {
      const Installation installation = profiles::resolve(std::move(one), known_);
      const InstallState state = state_of(owners_, installation, seen);
      using Kind = InstallState::Kind;
      if (state.kind == Kind::kUnknown) {
        planned_.answer.unknowns.push_back(with_context(*state.error, cluster.name));
        continue;
      }
      if (state.kind == Kind::kForeign) {
        foreign_.insert(cluster.name);
        planned_.answer.findings.push_back({.code = "foreign-control-plane",
                                            .severity = Severity::kNote,
                                            .cluster = cluster.name,
                                            .message = state.why + "; it is left alone",
                                            .evidence = state.evidence});
        continue;
      }
      if (state.kind == Kind::kAbsent && !has_remains(installation, seen)) continue;
      uninstalled_.insert(cluster.name);
      const bool is_ingress = installation.kind == Installation::Kind::kIngress;
      add(cluster.name, is_ingress ? "ingress-uninstalled" : "uninstalled",
          fmt::format("Istio {} in {}", installation.version.text(), installation.namespace_name),
          "it was installed for this mesh", before,
          Uninstall{.installation = installation,
                    .marked = marked_by(installation, seen),
                    .webhooks = webhooks_of(installation, seen)});
      before.push_back(id(cluster.name, "uninstalled"));
    }
  }

  /// The mesh file does not say what is installed: a mesh of trust alone has nothing, and nothing
  /// else can be taken away by it. What this mesh did install refuses; a control plane of others
  /// goes on, with all that istiods leave in a cluster.
  void judge_what_runs(const Cluster& cluster,
                       const ClusterObservation& seen,
                       const base::Errors& why) {
    for (const std::string_view resource : {kDeployments, kServices, kMutatingWebhooks}) {
      const auto observed = seen.live.objects.list(resource);
      const auto* list = known(cluster.name, observed);
      if (list == nullptr) continue;
      for (const Json& object : *list) {
        if (!is_of_istiod(cluster, object)) continue;
        const Json& annotations = base::at_path(object, {"metadata", "annotations"});
        const bool is_installed =
            annotations.contains(kInstallationAnnotation) && is_ours(marks_in(annotations), seen);
        if (!is_installed) {
          foreign_.insert(cluster.name);
          continue;
        }
        for (const base::Error& error : why) {
          planned_.answer.unknowns.push_back(with_context(
              error, fmt::format("{}: what is to be uninstalled is not known", cluster.name)));
        }
        return;
      }
    }
  }

  /// Deployment, Service or webhook of an istiod that stands where one of this mesh would.
  bool is_of_istiod(const Cluster& cluster, const Json& object) const {
    const std::string& revision = mesh_.istio.revision;
    const std::string in = base::string_at(base::at_path(object, {"metadata"}), "namespace");
    const auto places = namespaces_of(cluster);
    if (in.empty()) {
      return name_of(object) == istio::injection_webhook(revision, system_namespace());
    }
    return std::find(places.begin(), places.end(), in) != places.end() &&
           (name_of(object).starts_with("istiod") ||
            base::string_at(base::at_path(object, {"metadata", "labels"}), "app") == "istiod");
  }

  DoomedObject marked_by(const Installation& installation, const ClusterObservation& seen) {
    const profiles::Object marked = marked_object(installation);
    const auto observed =
        seen.live.objects.find(resource_of(marked), marked.namespace_name, marked.name);
    const Json* live = known(seen.name, observed);
    return doomed(marked, live == nullptr ? Json() : *live);
  }

  static std::vector<DoomedObject> webhooks_of(const Installation& installation,
                                               const ClusterObservation& seen) {
    std::vector<DoomedObject> doomed;
    for (ControlPlaneWebhooks& one : webhooks_for(installation, seen.live.objects)) {
      const std::string_view resource = one.kind->resource;
      doomed.push_back({.api_version = "admissionregistration.k8s.io/v1",
                        .kind = std::string(one.kind->kind),
                        .resource = std::string(resource.substr(0, resource.find('.'))),
                        .namespace_name = {},
                        .name = std::move(one.name),
                        .uid = std::move(one.uid)});
    }
    return doomed;
  }

  bool is_there(const ClusterObservation& seen,
                std::string_view resource,
                std::string_view in,
                std::string_view name) {
    const auto observed = seen.live.objects.find(resource, in, name);
    return known(seen.name, observed) != nullptr;
  }

  /// Whether webhooks or roles outlived a control plane of this mesh that somebody deleted.
  bool has_remains(const Installation& installation, const ClusterObservation& seen) {
    const NamespaceFacts* facts = known(seen.name, seen.system_namespace);
    const TwinFacts* twin = known(seen.name, seen.twin);
    if (installation.namespace_name != system_namespace() || !is_place_ours(facts, twin, seen)) {
      return false;
    }
    const std::string& revision = installation.revision;
    return is_there(seen, kMutatingWebhooks, {},
                    istio::injection_webhook(revision, system_namespace())) ||
           is_there(seen, kClusterRoles, {},
                    istio::istio_reader_role(revision, system_namespace())) ||
           !webhooks_for(installation, seen.live.objects).empty();
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
    std::vector<DoomedObject> objects = live_ones(seen, profiles::reader(mesh_, cluster));
    if (const auto* tokens = known(cluster.name, seen.live.tokens)) {
      for (const TokenSecretFacts& token : *tokens) {
        if (is_ours(marks_of(token), seen)) {
          objects.push_back(core("Secret", "secrets", token.namespace_name, token.name, token.uid));
        }
      }
    }
    if (const auto* secrets = known(cluster.name, seen.live.remote_secrets)) {
      for (const RemoteSecretFacts& secret : *secrets) {
        if (is_ours(marks_of(secret), seen) && secret.name == istio::kConfigSecret) {
          objects.push_back(
              core("Secret", "secrets", secret.namespace_name, secret.name, secret.uid));
        }
      }
    }
    const NamespaceFacts* facts = known(cluster.name, seen.system_namespace);
    if (facts == nullptr) return;
    const bool stays = !facts->created_by_meshtrust || options_.keep_trust;
    const bool ours = is_place_ours(facts, known(cluster.name, seen.twin), seen);
    // What istiods leave bears no marks.
    const bool sweeps =
        !with_others_trust_.contains(cluster.name) &&
        (uninstalled_.contains(cluster.name) ||
         (ours && !foreign_.contains(cluster.name) && was_installed(cluster, seen)));
    if (stays && sweeps) append_locks(objects);
    if (!objects.empty()) {
      add(cluster.name, "rest", "tokens, readers, and the locks of istiods",
          "nobody needs them any more", after_everything(cluster), Delete{std::move(objects)});
    }
    if (!sweeps) return;
    swept_.insert(cluster.name);
    Ids needs = after_everything(cluster);
    needs.push_back(id(cluster.name, "rest"));
    add(cluster.name, "sweep", "roots in every namespace, gateway classes, unused CRDs",
        "istiods leave them all over a cluster", std::move(needs),
        Sweep{.namespaces = namespaces_of(cluster), .revision = mesh_.istio.revision});
  }

  std::vector<std::string> namespaces_of(const Cluster& cluster) const {
    std::vector<std::string> names{system_namespace()};
    if (cluster.role == Role::kExternal && mesh_.istio.ingress_namespace != names.front()) {
      names.push_back(mesh_.istio.ingress_namespace);
    }
    return names;
  }

  bool was_installed(const Cluster& cluster, const ClusterObservation& seen) {
    const auto runs_in = [&](const std::string& in, const std::string& revision) {
      return is_there(seen, cluster.runs_istiod() ? kDeployments : kServices, in,
                      istio::istiod_name(revision));
    };
    return known(cluster.name, seen.workload_roots) != nullptr ||
           runs_in(system_namespace(), mesh_.istio.revision) ||
           (cluster.role == Role::kExternal && runs_in(mesh_.istio.ingress_namespace, ""));
  }

  void append_locks(std::vector<DoomedObject>& objects) const {
    const std::string& in = system_namespace();
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
  }

  /// CA and twin, where they are ours and their namespace stays.
  void plan_trust(const Cluster& cluster, const ClusterObservation& seen) {
    if (options_.keep_trust || !is_managed()) return;
    const CacertsFacts* cacerts = known(cluster.name, seen.cacerts);
    std::vector<DoomedObject> objects;
    const bool ours = cacerts != nullptr && is_ours(cluster, *cacerts);
    if (ours) {
      objects.push_back(core("Secret", "secrets", system_namespace(), std::string(istio::kCaSecret),
                             cacerts->uid));
      objects.back().certificate = fingerprint_of(*cacerts);
    }
    const TwinFacts* twin = known(cluster.name, seen.twin);
    if (twin != nullptr && (ours || cacerts == nullptr) && is_ours(marks_of(*twin), seen)) {
      objects.push_back(core("ConfigMap", "configmaps", system_namespace(),
                             std::string(istio::kPublicTwin), twin->uid));
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
    const NamespaceFacts* facts = known(cluster.name, seen.system_namespace);
    if (facts == nullptr || with_others_trust_.contains(cluster.name)) return;
    const bool is_made_by_us = facts->created_by_meshtrust && is_ours(marks_of(*facts), seen);
    if (facts->terminating) {
      if (is_made_by_us) await_namespace_gone(cluster, *facts, std::move(needs));
      return;
    }
    if (!is_made_by_us && options_.with_namespace) {
      note_that_it_stays(cluster, system_namespace(), "meshtrust did not create it");
    }
    if (is_made_by_us && !options_.keep_trust &&
        plan_namespace_gone(cluster, seen, "namespace-gone",
                            core("Namespace", "namespaces", "", system_namespace(), facts->uid),
                            needs)) {
      return;
    }
    if ((facts->network == cluster.network && !facts->network_set_by_others) ||
        (facts->control_planes && !facts->control_planes_set_by_others)) {
      add(cluster.name, "namespace-back", fmt::format("labels of namespace {}", system_namespace()),
          "the namespace itself stays", std::move(needs),
          ReleaseNamespace{.name = system_namespace(), .uid = facts->uid});
    }
  }

  /// Something in it may hold it for ever, and then nothing of this mesh can be made there again.
  void await_namespace_gone(const Cluster& cluster, const NamespaceFacts& facts, Ids needs) {
    add(cluster.name, "namespace-gone", "namespace " + system_namespace(),
        "it is being deleted already", std::move(needs),
        DeleteNamespace{
            .object = core("Namespace", "namespaces", "", system_namespace(), facts.uid),
            .of_others = {},
            .leaving = {}},
        {"- Namespace " + system_namespace()});
  }

  /// Somebody else's CA or control plane, with which no namespace is ever deleted; empty without.
  std::string foreign_trust_in(const Cluster& cluster,
                               const ClusterObservation& seen,
                               bool is_system,
                               const std::vector<ContentFacts>& others) {
    const char* const foreign_ca = is_managed() ? "a cacerts that this trust store did not issue"
                                                : "a cacerts, whose trust others manage";
    const CacertsFacts* cacerts = known(cluster.name, seen.cacerts);
    if (is_system && cacerts != nullptr && !is_ours(cluster, *cacerts)) return foreign_ca;
    for (const ContentFacts& one : others) {
      const auto app = one.labels.find("app");
      if (one.kind == "Secret" && one.name == istio::kCaSecret) {
        return foreign_ca;
      }
      if (one.kind == "Deployment" && app != one.labels.end() && app->second == "istiod") {
        return fmt::format("control plane {}, which is not of this mesh", one.name);
      }
    }
    return foreign_.contains(cluster.name) ? "a control plane that is not of this mesh" : "";
  }

  void note_that_it_stays(const Cluster& cluster,
                          const std::string& name,
                          const std::string& why,
                          std::vector<std::string> evidence = {},
                          std::vector<std::string> hints = {}) {
    planned_.answer.findings.push_back(
        {.code = "namespace-stays",
         .severity = Severity::kNote,
         .cluster = cluster.name,
         .message = fmt::format("namespace '{}' stays: {}", name, why),
         .evidence = std::move(evidence),
         .hints = std::move(hints)});
  }

  /// False where others keep things in it, which is told.
  bool plan_namespace_gone(const Cluster& cluster,
                           const ClusterObservation& seen,
                           std::string_view what,
                           DoomedObject object,
                           const Ids& needs) {
    const auto* contents = known(cluster.name, seen.live.contents);
    if (contents == nullptr) return false;
    const bool is_system = object.name == system_namespace();
    Leaving leaving{.mesh = mesh_.name,
                    .roots = owners_.root_marks(),
                    .revision = istio::revision_label_value(is_system ? mesh_.istio.revision : ""),
                    .doomed = doomed_in(cluster.name),
                    .installer_goes = uninstalled_.contains(cluster.name),
                    // That of the gateway of a hosting cluster has no cacerts.
                    .had_own_ca = !is_system && swept_.contains(cluster.name)};
    std::vector<ContentFacts> others = kept_by_others(*contents, object.name, leaving);
    const std::string foreign = foreign_trust_in(cluster, seen, is_system, others);
    if (!foreign.empty() && options_.with_namespace) {
      planned_.answer.findings.push_back(
          {.code = "namespace-of-others",
           .cluster = cluster.name,
           .message = fmt::format("namespace '{}' holds {}, and is not deleted with it",
                                  object.name, foreign),
           .hints = {"leave out --with-namespace: then the namespace stays"}});
      return false;
    }
    if (!foreign.empty() && others.empty()) {
      note_that_it_stays(cluster, object.name, "it holds " + foreign);
      return false;
    }
    if (!others.empty() && !options_.with_namespace) {
      note_that_it_stays(cluster, object.name, "others keep things in it", described(others),
                         {"--with-namespace deletes it with all that is in it"});
      return false;
    }
    std::vector<std::string> diff;
    for (const std::string& line : described(others)) {
      diff.push_back(fmt::format("- {} (of others)", line));
    }
    diff.push_back("- Namespace " + object.name);
    // By then the installer's work is gone, and what is left with its labels is somebody's.
    leaving.installer_goes = false;
    leaving.doomed.clear();
    std::string title = "namespace " + object.name;
    add(cluster.name, what, std::move(title), "meshtrust created it", needs,
        DeleteNamespace{.object = std::move(object),
                        .of_others = std::move(others),
                        .leaving = std::move(leaving)},
        std::move(diff));
    return true;
  }

  /// The uids of all that the plan deletes in a cluster up to here.
  std::set<std::string> doomed_in(const std::string& cluster) const {
    std::set<std::string> uids;
    for (const Step& step : planned_.plan.steps) {
      const auto* remove = std::get_if<Delete>(&step.action);
      if (remove == nullptr || step.cluster != cluster) continue;
      for (const DoomedObject& object : remove->objects) {
        if (!object.uid.empty()) uids.insert(object.uid);
      }
    }
    return uids;
  }

  void plan_ingress_namespace(const Cluster& cluster,
                              const ClusterObservation& seen,
                              const Ids& needs) {
    const std::string& ingress = mesh_.istio.ingress_namespace;
    const auto observed = seen.live.objects.find(kNamespaces, {}, ingress);
    const Json* live = known(cluster.name, observed);
    if (live == nullptr || ingress == system_namespace()) return;
    const Json& metadata = base::at_path(*live, {"metadata"});
    if (base::string_at(base::at_path(metadata, {"annotations"}), istio::kCreatedByAnnotation) !=
            istio::kFieldManager ||
        !is_ours(marks_of(*live), seen)) {
      return;
    }
    (void)plan_namespace_gone(cluster, seen, "namespace-ingress-gone",
                              core("Namespace", "namespaces", "", ingress, uid_of(*live)), needs);
  }

  const Mesh& mesh_;
  const Observation& observation_;
  const DestroyOptions& options_;
  const BaseFiles& files_;
  const profiles::Lookup known_;
  const OwnerJudge owners_;
  Planned planned_;
  std::set<std::string> uninstalled_;        ///< clusters in which something of ours is uninstalled
  std::set<std::string> swept_;              ///< clusters in which an istiod of ours ran
  std::set<std::string> foreign_;            ///< clusters in which somebody else's control plane is
  std::set<std::string> with_others_trust_;  ///< clusters of which the CA is not ours
};

}  // namespace

bool DestroyOptions::leaves(const std::string& cluster) const {
  return clusters.empty() || std::find(clusters.begin(), clusters.end(), cluster) != clusters.end();
}

bool DestroyOptions::gives_up(const std::string& cluster) const {
  return std::find(given_up.begin(), given_up.end(), cluster) != given_up.end();
}

std::vector<std::string> DestroyOptions::unanswering(const Observation& observation) const {
  std::vector<std::string> names;
  for (const ClusterObservation& seen : observation.clusters) {
    const base::Error* why = seen.server.why_unknown();
    const bool is_silent = why != nullptr && why->code == base::Code::kUnavailable;
    if (is_silent && leaves(seen.name)) names.push_back(seen.name);
  }
  return names;
}

Planned plan_destroy(const Mesh& mesh,
                     const Observation& observation,
                     const DestroyOptions& options,
                     const BaseFiles& files) {
  return DestroyPlanner(mesh, observation, options, files).run();
}

}  // namespace meshtrust::mesh
