#include "mesh/plan.h"

#include "base/encoding.h"
#include "base/text.h"
#include "istio/names.h"
#include "mesh/trust.h"
#include "profiles/model.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace meshtrust::mesh {
namespace {

using base::Json;
using profiles::Cluster;
using profiles::Mesh;

constexpr std::string_view kRootStep = "store/root";

/// What a diff shows of a multi-line or long text.
std::string shown(std::string_view text) {
  const auto lines = std::count(text.begin(), text.end(), '\n');
  if (lines > 1) return fmt::format("<{} lines>", lines);
  return std::string(text);
}

/// The names of certificates in a PEM text, for a diff that people can read.
std::string shown_certificates(std::string_view pem) {
  const auto certificates = pki::certificates_from_pem(pem);
  if (!certificates) return shown(pem);
  std::vector<std::string> names;
  for (const auto& certificate : *certificates) {
    names.push_back(fmt::format("{} (sha256 {})", certificate.facts().subject,
                                base::group_hex(certificate.fingerprint().substr(0, 16))));
  }
  return base::join(names, "; ");
}

/// Plans one cluster after the other, in the order of the mesh file.
class TrustPlanner {
 public:
  TrustPlanner(const Mesh& mesh, const Observation& observation)
      : mesh_(mesh), observation_(observation) {}

  Plan namespaces() {
    plan_.mesh = mesh_.name;
    for (const Cluster& cluster : mesh_.clusters) {
      const ClusterObservation* seen = observation_.find(cluster.name);
      if (seen != nullptr) plan_namespace(cluster, *seen);
    }
    return std::move(plan_);
  }

  Plan plan() {
    plan_.mesh = mesh_.name;
    const bool anything_to_issue =
        std::any_of(mesh_.clusters.begin(), mesh_.clusters.end(),
                    [this](const Cluster& cluster) { return needs_intermediate(cluster); });
    if (anything_to_issue && !has_root()) plan_root();
    for (const Cluster& cluster : mesh_.clusters) {
      plan_cluster(cluster);
    }
    return std::move(plan_);
  }

 private:
  const std::string& system_namespace() const { return mesh_.istio.system_namespace; }

  bool has_root() const {
    const StoreFacts* store = observation_.store.found();
    return store != nullptr && store->root.has_value();
  }

  bool needs_intermediate(const Cluster& cluster) const {
    const ClusterObservation* seen = observation_.find(cluster.name);
    return cluster.runs_istiod() && seen != nullptr && seen->cacerts.is_absent();
  }

  void plan_root() {
    const profiles::RootProfile& root = mesh_.trust.root;
    plan_.steps.push_back(
        {.id = std::string(kRootStep),
         .cluster = {},
         .change = Change::kAdd,
         .title = "root CA in the trust store '" + mesh_.trust.store + "'",
         .reason = "the store holds no root yet",
         .needs = {},
         .diff = {"+ subject: " + root.subject.text(),
                  fmt::format("+ key: {}, encrypted", pki::name_of(root.key)),
                  "+ lifetime: " + base::format_duration(root.lifetime)},
         .action = MintRoot{.subject = root.subject, .key = root.key, .lifetime = root.lifetime}});
  }

  void plan_cluster(const Cluster& cluster) {
    const ClusterObservation* seen = observation_.find(cluster.name);
    if (seen == nullptr) return;
    const bool writes_into_namespace = needs_intermediate(cluster);
    plan_namespace(cluster, *seen);
    if (!cluster.runs_istiod()) return;
    if (writes_into_namespace) plan_cacerts(cluster);
    plan_twin(cluster, *seen);
    plan_arrival(cluster, *seen);
  }

  std::string step_id(const Cluster& cluster, std::string_view what) const {
    return fmt::format("{}/{}", cluster.name, what);
  }

  bool has_step(const std::string& id) const {
    return std::any_of(plan_.steps.begin(), plan_.steps.end(),
                       [&id](const Step& step) { return step.id == id; });
  }

  std::vector<std::string> existing(std::initializer_list<std::string> ids) const {
    std::vector<std::string> found;
    std::copy_if(ids.begin(), ids.end(), std::back_inserter(found),
                 [this](const std::string& id) { return has_step(id); });
    return found;
  }

  void plan_namespace(const Cluster& cluster, const ClusterObservation& seen) {
    const NamespaceFacts* live = seen.system_namespace.found();
    const std::string managers = profiles::control_plane_annotation(mesh_, cluster);
    const bool has_network = live != nullptr && live->network == cluster.network;
    const bool has_managers =
        managers.empty() || (live != nullptr && live->control_planes == managers);
    if (has_network && has_managers) return;
    const bool ours = live == nullptr || live->created_by_meshtrust;
    std::vector<std::string> diff;
    if (!has_network) {
      diff.push_back(fmt::format("+ label {}: {}", istio::kNetworkLabel, cluster.network));
    }
    if (!has_managers) {
      diff.push_back(fmt::format("+ annotation {}: {}", istio::kControlPlaneAnnotation, managers));
    }
    if (ours) {
      for (const auto& [key, value] : profiles::ownership_labels(mesh_, cluster)) {
        diff.push_back(fmt::format("+ label {}: {}", key, value));
      }
      diff.push_back(
          fmt::format("+ annotation {}: {}", istio::kCreatedByAnnotation, istio::kFieldManager));
    }
    plan_.steps.push_back(
        {.id = step_id(cluster, "namespace"),
         .cluster = cluster.name,
         .change = live == nullptr ? Change::kAdd : Change::kChange,
         .title = "namespace " + system_namespace(),
         .reason = live == nullptr ? "it does not exist"
                   : has_network   ? "istiods elsewhere are to manage this cluster"
                                   : "it has no network label",
         .needs = {},
         .diff = std::move(diff),
         .action = ApplyObjects{
             {{.api_version = "v1",
               .kind = "Namespace",
               .resource = "namespaces",
               .namespace_name = {},
               .name = system_namespace(),
               .body = profiles::namespace_object(mesh_, cluster,
                                                  ours ? profiles::NamespaceOwner::kMeshtrust
                                                       : profiles::NamespaceOwner::kUser)}}}});
  }

  void plan_cacerts(const Cluster& cluster) {
    const profiles::IntermediateProfile& profile = mesh_.trust.intermediate;
    plan_.steps.push_back(
        {.id = step_id(cluster, istio::kCaSecret),
         .cluster = cluster.name,
         .change = Change::kAdd,
         .title = fmt::format("secret {}/{}", system_namespace(), istio::kCaSecret),
         .reason = "a primary signs its workloads, and this one has no CA yet",
         .needs = existing({std::string(kRootStep), step_id(cluster, "namespace")}),
         .diff = {fmt::format("+ {}: new intermediate, {}, {}", istio::kCaCertFile,
                              pki::name_of(profile.key), base::format_duration(profile.lifetime)),
                  fmt::format("+ {}: <secret, made and forgotten during the push>",
                              istio::kCaKeyFile),
                  fmt::format("+ {}: the intermediate", istio::kCertChainFile),
                  fmt::format("+ {}: {}", istio::kRootCertFile, shown_root())},
         .action = PushTrust{.namespace_name = system_namespace(),
                             .key = profile.key,
                             .lifetime = profile.lifetime}});
  }

  std::string shown_root() const {
    if (!has_root()) return fmt::format("(known after {})", kRootStep);
    return shown_certificates(*observation_.store.found()->root);
  }

  void plan_twin(const Cluster& cluster, const ClusterObservation& seen) {
    const std::string cacerts_step = step_id(cluster, istio::kCaSecret);
    const bool pushed_first = has_step(cacerts_step);
    const CacertsFacts* cacerts = seen.cacerts.found();
    if (!pushed_first && cacerts == nullptr) return;
    const TwinFacts* live = seen.twin.found();
    Step step{.id = step_id(cluster, istio::kPublicTwin),
              .cluster = cluster.name,
              .change = live == nullptr ? Change::kAdd : Change::kChange,
              .title = fmt::format("configmap {}/{}", system_namespace(), istio::kPublicTwin),
              .reason = live == nullptr ? "viewers read the public half of cacerts here"
                                        : "it does not say what cacerts holds",
              .needs = existing({step_id(cluster, "namespace"), cacerts_step}),
              .diff = {},
              .action = PublishTwin{
                  .namespace_name = system_namespace(), .certificates = {}, .after = cacerts_step}};
    if (pushed_first) {
      step.diff.push_back(fmt::format("+ certificates: (known after {})", cacerts_step));
    } else {
      const auto wanted = profiles::twin_data(mesh_, cluster, cacerts->certificates);
      if (live != nullptr && holds(*live, wanted)) return;
      step.diff = twin_diff(live, wanted);
      step.action = PublishTwin{
          .namespace_name = system_namespace(), .certificates = cacerts->certificates, .after = {}};
    }
    plan_.steps.push_back(std::move(step));
  }

  /// Keys that others added are theirs: server-side apply could not take them away.
  static bool holds(const TwinFacts& live, const std::map<std::string, std::string>& wanted) {
    return std::all_of(wanted.begin(), wanted.end(), [&live](const auto& entry) {
      const auto found = live.data.find(entry.first);
      return found != live.data.end() && found->second == entry.second;
    });
  }

  static std::vector<std::string> twin_diff(const TwinFacts* live,
                                            const std::map<std::string, std::string>& wanted) {
    std::vector<std::string> diff;
    for (const auto& [key, value] : wanted) {
      const bool is_pem = key.ends_with(".pem");
      const std::string after = is_pem ? shown_certificates(value) : shown(value);
      if (live == nullptr || !live->data.contains(key)) {
        diff.push_back(fmt::format("+ {}: {}", key, after));
      } else if (live->data.at(key) != value) {
        const std::string& old = live->data.at(key);
        diff.push_back(fmt::format("~ {}: {} -> {}", key,
                                   is_pem ? shown_certificates(old) : shown(old), after));
      }
    }
    return diff;
  }

  /// The ledger says "on its way", the cluster says "here".
  void plan_arrival(const Cluster& cluster, const ClusterObservation& seen) {
    const CacertsFacts* cacerts = seen.cacerts.found();
    const StoreFacts* store = observation_.store.found();
    if (cacerts == nullptr || store == nullptr) return;
    const auto live = pki::certificates_from_pem(cacerts->certificates.ca_cert);
    if (!live) return;
    const auto issued = std::find_if(
        store->issued.begin(), store->issued.end(),
        [&live](const auto& entry) { return entry.fingerprint == live->front().fingerprint(); });
    if (issued == store->issued.end() || issued->state == "pushed") return;
    plan_.steps.push_back({.id = step_id(cluster, "arrival"),
                           .cluster = cluster.name,
                           .change = Change::kChange,
                           .title = "ledger entry of its intermediate",
                           .reason = "an earlier run was interrupted after the push",
                           .needs = {},
                           .diff = {fmt::format("~ state: {} -> pushed", issued->state)},
                           .action = RecordArrival{.fingerprint = issued->fingerprint}});
  }

  const Mesh& mesh_;
  const Observation& observation_;
  Plan plan_;
};

std::string_view name_of(Change change) {
  switch (change) {
    case Change::kAdd:
      return "add";
    case Change::kChange:
      return "change";
    case Change::kWait:
      return "wait";
    case Change::kRemove:
      break;
  }
  return "remove";
}

std::string_view kind_of(const Action& action) {
  struct Names {
    std::string_view operator()(const MintRoot&) const { return "mint-root"; }
    std::string_view operator()(const ApplyObjects&) const { return "apply"; }
    std::string_view operator()(const PushTrust&) const { return "push-trust"; }
    std::string_view operator()(const PublishTwin&) const { return "publish-twin"; }
    std::string_view operator()(const RecordArrival&) const { return "record-arrival"; }
    std::string_view operator()(const Await&) const { return "await"; }
    std::string_view operator()(const Install&) const { return "install"; }
    std::string_view operator()(const ShareAccess&) const { return "share-access"; }
    std::string_view operator()(const Delete&) const { return "delete"; }
    std::string_view operator()(const Uninstall&) const { return "uninstall"; }
    std::string_view operator()(const Sweep&) const { return "sweep"; }
    std::string_view operator()(const ReleaseNamespace&) const { return "release-namespace"; }
  };
  return std::visit(Names{}, action);
}

}  // namespace

bool Plan::requires_root_key() const {
  return std::any_of(steps.begin(), steps.end(), [](const Step& step) {
    return std::holds_alternative<MintRoot>(step.action) ||
           std::holds_alternative<PushTrust>(step.action);
  });
}

void sort_by_needs(Plan& plan) {
  std::vector<Step>& steps = plan.steps;
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    places.emplace(steps[i].id, i);
  }
  std::vector<std::size_t> missing(steps.size());
  std::vector<std::vector<std::size_t>> waiting(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    Step& step = steps[i];
    std::erase_if(step.needs, [&](const std::string& need) {
      return need == step.id || !places.contains(need);
    });
    std::sort(step.needs.begin(), step.needs.end());
    step.needs.erase(std::unique(step.needs.begin(), step.needs.end()), step.needs.end());
    missing[i] = step.needs.size();
    for (const std::string& need : step.needs) {
      waiting[places.at(need)].push_back(i);
    }
  }
  std::set<std::size_t> ready;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (missing[i] == 0) ready.insert(i);
  }
  std::vector<Step> ordered;
  ordered.reserve(steps.size());
  while (!ready.empty()) {
    const std::size_t next = ready.extract(ready.begin()).value();
    for (const std::size_t one : waiting[next]) {
      if (--missing[one] == 0) ready.insert(one);
    }
    ordered.push_back(std::move(steps[next]));
  }
  MESHTRUST_CHECK(ordered.size() == steps.size());
  steps = std::move(ordered);
}

std::optional<istio::Version> Plan::requires_installer() const {
  for (const Step& step : steps) {
    if (const auto* install = std::get_if<Install>(&step.action)) {
      return install->installation.version;
    }
    if (const auto* uninstall = std::get_if<Uninstall>(&step.action)) {
      return uninstall->installation.version;
    }
  }
  return std::nullopt;
}

Json to_json(const Plan& plan) {
  Json json = {{"apiVersion", "meshtrust/v1"},
               {"kind", "Plan"},
               {"mesh", plan.mesh},
               {"steps", Json::array()}};
  for (const Step& step : plan.steps) {
    json["steps"].push_back({{"id", step.id},
                             {"cluster", step.cluster},
                             {"action", kind_of(step.action)},
                             {"change", name_of(step.change)},
                             {"title", step.title},
                             {"reason", step.reason},
                             {"needs", step.needs},
                             {"diff", step.diff}});
  }
  return json;
}

bool Planned::is_refused() const {
  return !answer.unknowns.empty() || has_severity(answer.findings, Severity::kCritical);
}

Plan plan_namespaces(const Mesh& mesh, const Observation& observation) {
  return TrustPlanner(mesh, observation).namespaces();
}

Planned plan_trust(const Mesh& mesh, const Observation& observation, const PlanOptions& options) {
  const bool writes = mesh.trust.mode == profiles::TrustMode::kManaged;
  Planned planned;
  planned.plan.mesh = mesh.name;
  planned.answer = ask_all(trust_checks(), {.mesh = mesh,
                                            .observation = observation,
                                            .at = options.at,
                                            .purpose = writes ? Purpose::kChange : Purpose::kProve,
                                            .allow_unsupported = options.allow_unsupported});
  if (writes && !planned.is_refused()) planned.plan = TrustPlanner(mesh, observation).plan();
  return planned;
}

}  // namespace meshtrust::mesh
