#include "base/text.h"
#include "istio/names.h"
#include "mesh/access.h"
#include "mesh/adoption.h"
#include "mesh/installed.h"
#include "mesh/known.h"
#include "mesh/plan.h"
#include "mesh/plan_waits.h"
#include "mesh/reader.h"
#include "profiles/exposure.h"
#include "profiles/gateway.h"
#include "profiles/istioctl.h"
#include "profiles/reader.h"
#include "profiles/remote_secret.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace meshtrust::mesh {
namespace {

using base::Json;
using profiles::Cluster;
using profiles::Installation;
using profiles::Mesh;
using profiles::RemoteSecretIntent;
using profiles::Role;

using Ids = std::vector<std::string>;

/// Everything after trust. Steps are made in whatever order is easy to read, each with all that it
/// could need; needs without a step are as they should be, and left out at the end.
class MeshPlanner {
 public:
  MeshPlanner(const Mesh& mesh,
              const Observation& observation,
              const PlanOptions& options,
              const BaseFiles& files,
              Planned planned)
      : mesh_(mesh),
        observation_(observation),
        options_(options),
        files_(files),
        known_(known_values(mesh, observation)),
        owners_(mesh, observation),
        planned_(std::move(planned)) {}

  Planned run() {
    Planned planned = sketch();
    if (planned.is_refused()) planned.plan.steps.clear();
    note_servers(planned, mesh_, observation_);
    return planned;
  }

  /// What can be planned although other things are unknown.
  Planned sketch() {
    planned_.plan.mesh = mesh_.name;
    for (const Cluster& cluster : mesh_.clusters) {
      if (observation_.find(cluster.name) == nullptr) continue;
      plan_cluster(cluster);
    }
    plan_access();
    plan_taking_up();
    plan_restarts();
    plan_forgetting();
    add_waits(mesh_, observation_, options_.at, known_, planned_.plan);
    sort_by_needs(planned_.plan);
    return std::move(planned_);
  }

 private:
  static std::string id(const std::string& cluster, std::string_view what) {
    return fmt::format("{}/{}", cluster, what);
  }
  const ClusterObservation& seen(const Cluster& cluster) const {
    return *observation_.find(cluster.name);
  }

  /// What was found, or null where it is absent; what is unknown is told, and forbids the plan.
  template <class T>
  const T* known(const Cluster& cluster, const Observed<T>& fact) {
    Unknowns unknowns(planned_.answer.unknowns, cluster.name);
    return fact.found(unknowns);
  }

  void add(Step step) { planned_.plan.steps.push_back(std::move(step)); }

  void plan_cluster(const Cluster& cluster) {
    if (cluster.role == Role::kExternal) plan_hosting(cluster);
    plan_installations(cluster);
    plan_reader(cluster);
    plan_gateway(cluster);
    plan_exposure(cluster);
  }

  // -- the control planes

  void plan_installations(const Cluster& cluster) {
    auto wanted = wanted_installations(mesh_, cluster, &files_);
    if (!wanted) {
      for (base::Error& error : wanted.error()) {
        planned_.answer.unknowns.push_back(std::move(error));
      }
      return;
    }
    for (Installation& installation : *wanted) {
      plan_installation(cluster, profiles::resolve(std::move(installation), known_));
    }
  }

  void plan_installation(const Cluster& cluster, Installation installation) {
    // What stands in another way is one of `mesh_checks()`, asked already.
    const InstallState state = state_of(owners_, installation, seen(cluster));
    using Kind = InstallState::Kind;
    if (state.kind == Kind::kAsWanted) plan_mark(cluster, installation, state.root);
    if (state.kind != Kind::kAbsent && state.kind != Kind::kUnfinished &&
        state.kind != Kind::kDiffers) {
      return;
    }
    const std::string what(profiles::id_of(installation.kind));
    Ids needs = needs_of(cluster, installation);
    for (const std::string& reference : profiles::references_in(installation)) {
      needs.push_back(reference);
    }
    needs.emplace_back(profiles::kRootReference);
    add({.id = id(cluster.name, what),
         .cluster = cluster.name,
         .change = state.kind == Kind::kAbsent ? Change::kAdd : Change::kChange,
         .title = title_of(installation),
         .reason = state.why,
         .needs = std::move(needs),
         .diff = diff_of(installation),
         .action = Install{.installation = std::move(installation)}});
  }

  /// The mark of what an earlier version installed: nothing is installed or restarted for it.
  void plan_mark(const Cluster& cluster,
                 const Installation& installation,
                 const std::string& live) {
    if (!owners_.root() || live == *owners_.root()) return;
    profiles::Object marked = marked_object(installation);
    marked.body = {{"metadata", {{"annotations", {{kRootAnnotation, *owners_.root()}}}}}};
    add({.id = id(cluster.name, fmt::format("{}-mark", profiles::id_of(installation.kind))),
         .cluster = cluster.name,
         .change = Change::kChange,
         .title = fmt::format("mark of Istio {} in {}", installation.version.text(),
                              installation.namespace_name),
         .reason = "it does not bear the root of this mesh yet",
         .needs = {},
         .diff = {live.empty()
                      ? fmt::format("+ annotation {}: {}", kRootAnnotation, *owners_.root())
                      : fmt::format("~ annotation {}: {} -> {}", kRootAnnotation, live,
                                    *owners_.root())},
         .action = Annotate{.object = std::move(marked)},
         .lack = Lack::kDrifted});
  }

  static std::string title_of(const Installation& installation) {
    const std::string in =
        fmt::format("Istio {} in {}", installation.version.text(), installation.namespace_name);
    switch (installation.kind) {
      case Installation::Kind::kIstiod:
        return "control plane, " + in;
      case Installation::Kind::kRemote:
        return "remote profile, " + in;
      case Installation::Kind::kConfig:
        return "config cluster profile, " + in;
      case Installation::Kind::kIngress:
        return "control plane of the ingress gateway, " + in;
      case Installation::Kind::kExternal:
        break;
    }
    return "external control plane, " + in;
  }

  /// The leaves of the values, with what is known later said so. Values are the user's and may hold
  /// what nobody should read over a shoulder: only those that the mesh file itself says are shown.
  static std::vector<std::string> diff_of(const Installation& installation) {
    std::vector<std::string> diff{"+ profile: " + installation.profile};
    if (!installation.revision.empty()) diff.push_back("+ revision: " + installation.revision);
    const Json shown = profiles::shown(installation.values);
    const auto add = [&](std::string_view path, const Json& value) {
      if (!value.is_string() || value.get_ref<const std::string&>().empty()) return;
      diff.push_back(fmt::format("+ {}: {}", path, value.get<std::string>()));
    };
    add("global.meshID", base::at_path(shown, {"global", "meshID"}));
    add("global.multiCluster.clusterName",
        base::at_path(shown, {"global", "multiCluster", "clusterName"}));
    add("global.network", base::at_path(shown, {"global", "network"}));
    add("global.remotePilotAddress", base::at_path(shown, {"global", "remotePilotAddress"}));
    add("istiodRemote.injectionPath", base::at_path(shown, {"istiodRemote", "injectionPath"}));
    add("istiodRemote.injectionURL", base::at_path(shown, {"istiodRemote", "injectionURL"}));
    return diff;
  }

  Ids needs_of(const Cluster& cluster, const Installation& installation) const {
    const std::string& name = cluster.name;
    switch (installation.kind) {
      case Installation::Kind::kIstiod:
        return {id(name, "namespace"), id(name, "proved")};
      case Installation::Kind::kRemote:
      case Installation::Kind::kConfig: {
        Ids needs{id(name, "namespace")};
        for (const std::string& manager : cluster.control_plane) {
          needs.push_back(id(manager, "exposure"));
        }
        return needs;
      }
      case Installation::Kind::kIngress:
        return {id(name, "namespace-ingress")};
      case Installation::Kind::kExternal:
        break;
    }
    const Cluster* config = profiles::config_cluster(mesh_);
    // Two installations in one cluster want the same CRDs: one after the other.
    Ids needs{id(name, "namespace"), id(name, "proved"), id(name, "ingress-control-plane")};
    if (config != nullptr) needs.push_back(id(name, "config-access"));
    return needs;
  }

  // -- objects

  /// A step that applies those of `objects` that are not live as wanted. Says whether it made one.
  bool plan_objects(const Cluster& cluster,
                    std::string_view what,
                    const std::string& title,
                    std::vector<profiles::Object> objects,
                    Ids needs) {
    std::vector<profiles::Object> missing;
    std::vector<std::string> diff;
    bool any_live = false;
    bool any_gone = false;
    for (profiles::Object& object : objects) {
      const auto observed =
          seen(cluster).live.objects.find(resource_of(object), object.namespace_name, object.name);
      const Json* live = known(cluster, observed);
      if (observed.is_unknown()) return false;
      object.body = as_known(std::move(object.body));
      for (const std::string& reference : profiles::references_in(object.body)) {
        needs.push_back(reference);
      }
      any_live |= live != nullptr;
      any_gone |= live == nullptr;
      if (live != nullptr) {
        const auto differs = profiles::differences(profiles::shown(object.body), *live);
        if (differs.empty()) continue;
        for (const profiles::Difference& one : differs) {
          diff.push_back(fmt::format("~ {} {}: {}", object.kind, object.name, text_of(one)));
        }
      } else {
        diff.push_back(fmt::format("+ {} {}{}{}", object.kind, object.namespace_name,
                                   object.namespace_name.empty() ? "" : "/", object.name));
      }
      missing.push_back(std::move(object));
    }
    if (missing.empty()) return false;
    add({.id = id(cluster.name, what),
         .cluster = cluster.name,
         .change = any_live ? Change::kChange : Change::kAdd,
         .title = title,
         .reason = !any_live  ? "it does not exist"
                   : any_gone ? "a part of it does not exist"
                              : "it is not as the mesh file says",
         .needs = std::move(needs),
         .diff = std::move(diff),
         .action = ApplyObjects{.objects = std::move(missing)},
         .lack = any_gone ? Lack::kMissing : Lack::kDrifted});
    return true;
  }

  /// `body` with what is known by now, and without a root that nobody knows.
  Json as_known(Json body) const {
    body = profiles::resolve(std::move(body), known_);
    if (!has_step(std::string(profiles::kRootReference))) profiles::leave_out_open_root(body);
    return body;
  }

  static std::string text_of(const profiles::Difference& difference) {
    const auto text = [](const Json& value) {
      if (value.is_null()) return std::string("none");
      return value.is_string() ? value.get<std::string>() : base::compact(value);
    };
    return fmt::format("{}: {} -> {}", difference.path, text(difference.found),
                       text(difference.wanted));
  }

  /// After which a cluster's own webhooks let gateways and configuration through.
  Ids injection_works(const Cluster& cluster) const {
    if (cluster.role == Role::kPrimary) {
      return {id(cluster.name, "control-plane"), id(cluster.name, "webhooks")};
    }
    return {id(cluster.name, "adopted")};
  }

  void plan_reader(const Cluster& cluster) {
    const auto intents = profiles::remote_secrets(mesh_);
    const bool is_read = std::any_of(intents.begin(), intents.end(), [&cluster](const auto& one) {
      return one.source == cluster.name && one.kind == RemoteSecretIntent::Kind::kRemote;
    });
    if (!is_read) return;
    // The installer makes a service account of that name as well; ours comes after it.
    plan_objects(cluster, "reader", "reader role for other clusters' istiods",
                 profiles::reader(mesh_, cluster),
                 {id(cluster.name, "namespace"), id(cluster.name, "istiod"),
                  id(cluster.name, "remote"), id(cluster.name, "config")});
  }

  void plan_gateway(const Cluster& cluster) {
    if (!profiles::has_east_west_gateway(mesh_, cluster)) return;
    plan_objects(cluster, "gateway", "east-west gateway",
                 profiles::east_west_gateway(mesh_, cluster), injection_works(cluster));
  }

  void plan_exposure(const Cluster& cluster) {
    Ids needs = injection_works(cluster);
    needs.push_back(id(cluster.name, "webhooks"));
    auto objects = profiles::exposure(mesh_, cluster);
    if (!objects.empty()) {
      plan_objects(cluster, "exposure", "what the east-west gateways let in", std::move(objects),
                   std::move(needs));
    }
  }

  /// The ingress gateway of a cluster that hosts a control plane, and the way through it.
  void plan_hosting(const Cluster& host) {
    const auto live = seen(host).live.objects.find(kNamespaces, {}, mesh_.istio.ingress_namespace);
    const Json* there = known(host, live);
    if (live.is_unknown()) return;
    const bool is_made_by_us = there != nullptr &&
                               mesh_.istio.ingress_namespace != mesh_.istio.system_namespace &&
                               base::string_at(base::at_path(*there, {"metadata", "annotations"}),
                                               istio::kCreatedByAnnotation) == istio::kFieldManager;
    if (there == nullptr || is_made_by_us) {
      plan_objects(host, "namespace-ingress", "namespace " + mesh_.istio.ingress_namespace,
                   {{.api_version = "v1",
                     .kind = "Namespace",
                     .resource = "namespaces",
                     .namespace_name = {},
                     .name = mesh_.istio.ingress_namespace,
                     .body = profiles::ingress_namespace_object(
                         mesh_, host, profiles::NamespaceOwner::kMeshtrust)}},
                   {});
    }
    plan_objects(host, "ingress-gateway", "gateway through which other clusters reach it",
                 profiles::ingress_gateway(mesh_, host),
                 {id(host.name, "ingress-control-plane"), id(host.name, "ingress-webhooks")});
    plan_objects(host, "exposure", "what leads from that gateway to the control plane",
                 profiles::external_routing(mesh_, host),
                 {id(host.name, "namespace"), id(host.name, "ingress-webhooks")});
  }

  // -- remote secrets

  void plan_access() {
    for (const RemoteSecretIntent& intent : profiles::remote_secrets(mesh_)) {
      if (observation_.find(intent.source) == nullptr ||
          observation_.find(intent.target) == nullptr) {
        continue;
      }
      const AccessState state = state_of(mesh_, observation_, owners_, intent);
      if (state.error) {
        Unknowns(planned_.answer.unknowns, intent.target).add(*state.error);
        continue;
      }
      const bool is_absent = state.kind == AccessState::Kind::kAbsent;
      if (is_absent || state.kind == AccessState::Kind::kDiffers ||
          state.kind == AccessState::Kind::kUnmarked) {
        plan_access(intent, state, is_absent ? Change::kAdd : Change::kChange);
      }
    }
  }

  /// An istiod that was refused something goes on with what it knew, and asks again by its own
  /// timetable: where this plan gives its reader a right back, that is waited for.
  void plan_taking_up() {
    for (const RemoteSecretIntent& intent : profiles::remote_secrets(mesh_)) {
      const ClusterObservation* source = observation_.find(intent.source);
      if (source == nullptr || observation_.find(intent.target) == nullptr ||
          intent.kind != RemoteSecretIntent::Kind::kRemote) {
        continue;
      }
      const AccessState::Kind stands = state_of(mesh_, observation_, owners_, intent).kind;
      const bool reads =
          stands == AccessState::Kind::kAsWanted || stands == AccessState::Kind::kUnmarked;
      const auto missing = rights_not_given(mesh_, *mesh_.find(intent.target),
                                            *mesh_.find(intent.source), source->live.objects);
      Ids mending = reader_of(intent.source);
      std::erase_if(mending, [this](const std::string& step) { return !has_step(step); });
      if (!reads || !missing || missing->empty() || mending.empty()) continue;
      add({.id = take_up_step(intent),
           .cluster = intent.target,
           .change = Change::kWait,
           .title = fmt::format("do its istiods read {} by the rights that its reader gets back?",
                                intent.source),
           .reason = {},
           .needs = std::move(mending),
           .diff = {},
           .action = AwaitTakeUp{.source = intent.source,
                                 .namespace_name = mesh_.istio.system_namespace}});
    }
  }

  /// Of istiods that have to ask anew whether they manage a cluster. By a restart, not by writing
  /// the remote secret anew: with that gone for a moment all endpoints of the remote are, and
  /// istiods of several releases do not outlive its being changed.
  void plan_restarts() {
    std::map<std::string, std::vector<Unmanaged>> by_manager;
    for (Unmanaged& one : unmanaged_remotes(mesh_, observation_)) {
      by_manager[one.manager].push_back(std::move(one));
    }
    for (const auto& [manager, remotes] : by_manager) {
      Ids needs{id(manager, "proved"), id(manager, "istiod"), id(manager, "external")};
      std::vector<std::string> why;
      why.reserve(remotes.size());
      for (const Unmanaged& one : remotes) {
        why.push_back(
            fmt::format("it has read {} and does not manage it ({})", one.remote, one.lacks));
        // It asks about the annotation alone; what the remote lacks beside it may wait for istiod.
        needs.push_back(id(one.remote, "namespace"));
      }
      const std::string name = istio::istiod_name(mesh_.istio.revision);
      add({.id = id(manager, "restart"),
           .cluster = manager,
           .change = Change::kChange,
           .title = fmt::format("rolling restart of deployment {}/{}", mesh_.istio.system_namespace,
                                name),
           .reason = base::join(why, "; "),
           .needs = std::move(needs),
           .diff = {fmt::format("~ pod template, annotation {}: <the time of the restart>",
                                kRestartAnnotation)},
           .action =
               RestartIstiod{.namespace_name = mesh_.istio.system_namespace, .deployment = name}});
    }
  }

  /// The steps that give the reader of a cluster its role.
  static Ids reader_of(const std::string& cluster) {
    return {id(cluster, "reader"), id(cluster, "istiod"), id(cluster, "remote"),
            id(cluster, "config")};
  }

  bool has_step(const std::string& step) const {
    const auto& steps = planned_.plan.steps;
    return std::any_of(steps.begin(), steps.end(),
                       [&step](const Step& one) { return one.id == step; });
  }

  /// Secrets of this mesh that describe clusters which have left it, or that are not to be seen.
  void plan_forgetting() {
    const auto intents = profiles::remote_secrets(mesh_);
    for (const Cluster& cluster : mesh_.clusters) {
      const ClusterObservation* observed = observation_.find(cluster.name);
      const auto* secrets =
          observed == nullptr ? nullptr : known(cluster, observed->live.remote_secrets);
      if (secrets == nullptr) continue;
      const auto is_wanted = [&](const RemoteSecretFacts& secret) {
        return std::any_of(intents.begin(), intents.end(), [&](const RemoteSecretIntent& intent) {
          return intent.target == cluster.name &&
                 profiles::remote_secret(mesh_, intent).name == secret.name;
        });
      };
      Delete stale;
      std::vector<std::string> diff;
      for (const RemoteSecretFacts& secret : *secrets) {
        const Owner owner = owners_.owner_of(marks_of(secret), *observed);
        if (owner != Owner::kThisMesh || is_wanted(secret)) continue;
        stale.objects.push_back({.api_version = "v1",
                                 .kind = "Secret",
                                 .resource = "secrets",
                                 .namespace_name = secret.namespace_name,
                                 .name = secret.name,
                                 .uid = secret.uid});
        diff.push_back(fmt::format("- Secret {}/{}", secret.namespace_name, secret.name));
      }
      if (stale.objects.empty()) continue;
      add({.id = id(cluster.name, "forget"),
           .cluster = cluster.name,
           .change = Change::kRemove,
           .title = "remote secrets of clusters that it is not to see",
           .reason = "the mesh file does not have them, or 'discovery' leaves them out",
           .needs = {},
           .diff = std::move(diff),
           .action = std::move(stale),
           .lack = Lack::kSurplus});
    }
  }

  void plan_access(const RemoteSecretIntent& intent, const AccessState& state, Change change) {
    const Cluster& source = *mesh_.find(intent.source);
    const std::string server = server_for_peers(source, observation_).value_or("");
    const profiles::RemoteSecret secret = profiles::remote_secret(mesh_, intent);
    const std::string account = profiles::service_account_of(mesh_, intent);
    Ids needs = reader_of(intent.source);
    needs.push_back(id(intent.target, "namespace"));
    needs.push_back(id(intent.source, "namespace"));
    needs.emplace_back(profiles::kRootReference);
    std::vector<std::string> diff{
        fmt::format("+ server: {}", server),
        fmt::format("+ token: <of service account {} in {}, never shown>", account, intent.source)};
    if (state.kind == AccessState::Kind::kUnmarked) {
      diff = {fmt::format("~ label {}: {}", istio::kRootLabel, *owners_.root())};
    }
    add({.id = access_step(intent),
         .cluster = intent.target,
         .change = change,
         .title = fmt::format("secret {}/{}", secret.namespace_name, secret.name),
         .reason = change == Change::kAdd ? fmt::format("its istiod is to read {}", intent.source)
                                          : state.why,
         .needs = std::move(needs),
         .diff = std::move(diff),
         .action = ShareAccess{.intent = intent,
                               .namespace_name = mesh_.istio.system_namespace,
                               .server = server,
                               .account = account,
                               .token = token_of(intent.source, account)},
         .lack = state.kind == AccessState::Kind::kUnmarked ? Lack::kDrifted : Lack::kMissing});
  }

  ShareAccess::Token token_of(const std::string& source, const std::string& account) const {
    const ClusterObservation& seen = *observation_.find(source);
    const TokenSecretFacts* token = mesh::token_of(seen, account);
    if (token == nullptr) return ShareAccess::Token::kAsk;
    return is_unmarked(owners_, marks_of(*token), seen) ? ShareAccess::Token::kMark
                                                        : ShareAccess::Token::kRead;
  }

  const Mesh& mesh_;
  const Observation& observation_;
  const PlanOptions& options_;
  const BaseFiles& files_;
  const profiles::Lookup known_;
  const OwnerJudge owners_;
  Planned planned_;
};

}  // namespace

Planned plan_mesh(const Mesh& mesh,
                  const Observation& observation,
                  const PlanOptions& options,
                  const BaseFiles& files) {
  Planned planned = plan_trust(mesh, observation, options);
  Answer more = ask_all(mesh_checks(), {.mesh = mesh,
                                        .observation = observation,
                                        .at = options.at,
                                        .purpose = Purpose::kChange,
                                        .allow_unsupported = options.allow_unsupported,
                                        .files = &files});
  Answer& answer = planned.answer;
  std::move(more.findings.begin(), more.findings.end(), std::back_inserter(answer.findings));
  std::move(more.unknowns.begin(), more.unknowns.end(), std::back_inserter(answer.unknowns));
  if (planned.is_refused()) {
    planned.plan = {.mesh = mesh.name, .steps = {}};
    return planned;
  }
  // What is being mended is mended first: nothing is built on it.
  if (has_severity(answer.findings, Severity::kCritical)) return planned;
  if (mesh.trust.mode == profiles::TrustMode::kObserved) {
    planned.plan = plan_namespaces(mesh, observation, answer.unknowns);
  }
  return MeshPlanner(mesh, observation, options, files, std::move(planned)).run();
}

Planned sketch_mesh(const Mesh& mesh,
                    const Observation& observation,
                    const PlanOptions& options,
                    const BaseFiles& files) {
  Planned planned;
  if (mesh.trust.mode == profiles::TrustMode::kObserved) {
    base::Errors told_by_checks;
    planned.plan = plan_namespaces(mesh, observation, told_by_checks);
  }
  return MeshPlanner(mesh, observation, options, files, std::move(planned)).sketch();
}

}  // namespace meshtrust::mesh
