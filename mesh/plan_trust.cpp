#include "base/encoding.h"
#include "base/text.h"
#include "istio/names.h"
#include "mesh/lists.h"
#include "mesh/ownership.h"
#include "mesh/plan.h"
#include "mesh/trust.h"
#include "profiles/model.h"
#include "profiles/reference.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

using base::Json;
using profiles::Cluster;
using profiles::Mesh;

constexpr std::string_view kRootStep = profiles::kRootReference;
constexpr std::string_view kListStep = "store/lists";
constexpr std::string_view kLists = "lists";

/// What a diff shows of a multi-line or long text.
std::string shown(std::string_view text) {
  const auto lines = std::count(text.begin(), text.end(), '\n');
  if (lines > 1) return fmt::format("<{} lines>", lines);
  return std::string(text);
}

/// By name, for a diff that people can read.
std::string shown_certificate(const pki::Certificate& certificate) {
  return fmt::format("{} (sha256 {})", certificate.facts().subject,
                     base::group_hex(certificate.fingerprint().substr(0, 16)));
}

std::string shown_certificates(std::string_view pem) {
  const auto certificates = pki::certificates_from_pem(pem);
  if (!certificates) return shown(pem);
  std::vector<std::string> names;
  std::transform(certificates->begin(), certificates->end(), std::back_inserter(names),
                 shown_certificate);
  return base::join(names, "; ");
}

/// How many lists, and when the first of them ends.
std::string shown_lists(std::string_view pem) {
  const auto lists = pki::revocation_lists_from_pem(pem);
  if (!lists || lists->empty()) return shown(pem);
  const auto first = std::min_element(
      lists->begin(), lists->end(),
      [](const auto& a, const auto& b) { return a.facts().next_update < b.facts().next_update; });
  return fmt::format("{}, until {}", base::count_of(lists->size(), "list"),
                     first->facts().next_update ? base::format_date(*first->facts().next_update)
                                                : std::string("no stated end"));
}

std::string shown_file(std::string_view name, std::string_view content) {
  if (name == istio::kCaCrlFile) return shown_lists(content);
  return name.ends_with(".pem") ? shown_certificates(content) : shown(content);
}

/// Plans one cluster after the other, in the order of the mesh file.
class TrustPlanner {
 public:
  /// What is unknown and asked for is added to `unknowns`, which forbids the plan.
  TrustPlanner(const Mesh& mesh,
               const Observation& observation,
               base::Instant at,
               base::Errors& unknowns)
      : mesh_(mesh),
        observation_(observation),
        at_(at),
        unknowns_(unknowns),
        owners_(mesh, observation),
        root_(owners_.root()) {}

  Plan namespaces() {
    plan_.mesh = mesh_.name;
    for (const Cluster& cluster : mesh_.clusters) {
      const ClusterObservation* seen = observation_.find(cluster.name);
      if (seen != nullptr) plan_namespace(cluster, *seen);
    }
    if (!root_) {
      unknowns_.push_back(
          {.code = base::Code::kRefused,
           .message = "the clusters share no root, and whatever is made has to bear that of its "
                      "mesh",
           .hints = {"have one root put into every cacerts by whoever manages this mesh's trust"}});
    }
    return std::move(plan_);
  }

  Plan plan() {
    Plan plan = sketch();
    refuse_without_root(plan);
    return plan;
  }

  /// What can be planned although other things are unknown.
  Plan sketch() {
    plan_.mesh = mesh_.name;
    for (const Cluster& cluster : mesh_.clusters) {
      if (needs_intermediate(cluster)) issued_.push_back(step_id(cluster, istio::kCaSecret));
    }
    if (!issued_.empty() && !has_root()) plan_root();
    if (mesh_.trust.crl) plan_root_list(*mesh_.trust.crl);
    for (const Cluster& cluster : mesh_.clusters) {
      plan_cluster(cluster);
    }
    // Nothing but lists waits for clusters further down.
    if (mesh_.trust.crl) sort_by_needs(plan_);
    return std::move(plan_);
  }

 private:
  const std::string& system_namespace() const { return mesh_.istio.system_namespace; }

  /// What was found, or null where it is absent; what is unknown is told.
  template <class T>
  const T* known(const Cluster& cluster, const Observed<T>& fact) const {
    Unknowns unknowns(unknowns_, cluster.name);
    return fact.found(unknowns);
  }
  const StoreFacts* known_store() const {
    Unknowns unknowns(unknowns_);
    return observation_.store.found(unknowns);
  }

  bool has_root() const {
    const StoreFacts* store = known_store();
    return store != nullptr && store->root.has_value();
  }

  /// Whatever is made bears the root, so there has to be one, also for remotes by themselves.
  void refuse_without_root(const Plan& plan) const {
    const bool is_minted = std::any_of(plan.steps.begin(), plan.steps.end(),
                                       [](const Step& step) { return step.id == kRootStep; });
    if (has_root() || is_minted) return;
    const bool any_signs = std::any_of(mesh_.clusters.begin(), mesh_.clusters.end(),
                                       [](const Cluster& one) { return one.runs_istiod(); });
    if (any_signs) return;  // then a check has said already what stands in the way
    unknowns_.push_back(
        {.code = base::Code::kRefused,
         .message = fmt::format("the trust store '{}' holds no root to mark things with, and no "
                                "cluster of this run needs one",
                                mesh_.trust.store),
         .hints = {"run 'meshtrust apply' with the clusters that have an istiod, which mints it"}});
  }

  bool needs_intermediate(const Cluster& cluster) const {
    const ClusterObservation* seen = observation_.find(cluster.name);
    return cluster.runs_istiod() && seen != nullptr && lacks_cacerts(*seen);
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

  /// Nothing where no CA is there or about to be: then nobody looks anything up.
  void plan_root_list(const profiles::CrlProfile& crl) {
    const StoreFacts* store = known_store();
    if (!has_root() && issued_.empty()) return;
    const auto next = next_list(has_root() ? store : nullptr, crl, at_);
    if (!next) return;
    const bool is_first = store == nullptr || store->lists.empty() || !has_root();
    plan_.steps.push_back(
        {.id = std::string(kListStep),
         .cluster = {},
         .change = is_first ? Change::kAdd : Change::kChange,
         .title = "revocation list of the root",
         .reason = next->why,
         .needs = {std::string(kRootStep)},
         .diff = {"+ lifetime: " + base::format_duration(crl.lifetime),
                  fmt::format("+ revoked: {}",
                              base::count_of(store == nullptr ? 0 : revoked_at(*store, at_).size(),
                                             "certificate")),
                  "+ to be refreshed by: " + crl.refresh},
         .action = MakeLists{.lifetime = crl.lifetime},
         .lack = !issued_.empty()   ? Lack::kTold
                 : next->is_in_time ? Lack::kDue
                                    : Lack::kDrifted});
  }

  void plan_cluster(const Cluster& cluster) {
    const ClusterObservation* seen = observation_.find(cluster.name);
    if (seen == nullptr) return;
    plan_namespace(cluster, *seen);
    // What istiod does not read is not written; that it does not is told.
    if (!cluster.runs_istiod() || known(cluster, seen->other_ca) != nullptr) return;
    if (needs_intermediate(cluster)) plan_cacerts(cluster, *seen);
    if (mesh_.trust.crl) plan_lists(cluster, *seen);
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
    const NamespaceFacts* live = known(cluster, seen.system_namespace);
    if (seen.system_namespace.is_unknown()) return;
    const std::string managers = profiles::control_plane_annotation(mesh_, cluster);
    const bool has_network = live != nullptr && live->network == cluster.network;
    const bool has_managers =
        managers.empty() || (live != nullptr && live->control_planes == managers);
    const bool ours = live == nullptr || live->created_by_meshtrust;
    const bool has_marks =
        live != nullptr && (!ours || (live->mesh == mesh_.name && bears_root(live->root)));
    if (has_network && has_managers && has_marks) return;
    Json body = with_root(profiles::namespace_object(
        mesh_, cluster,
        ours ? profiles::NamespaceOwner::kMeshtrust : profiles::NamespaceOwner::kUser));
    std::vector<std::string> diff;
    if (!has_network) {
      diff.push_back(fmt::format("+ label {}: {}", istio::kNetworkLabel, cluster.network));
    }
    if (!has_managers) {
      diff.push_back(fmt::format("+ annotation {}: {}", istio::kControlPlaneAnnotation, managers));
    }
    if (!has_marks) append_marks(live, body, diff);
    plan_.steps.push_back({.id = step_id(cluster, "namespace"),
                           .cluster = cluster.name,
                           .change = live == nullptr ? Change::kAdd : Change::kChange,
                           .title = "namespace " + system_namespace(),
                           .reason = live == nullptr ? "it does not exist"
                                     : !has_network  ? "it has no network label"
                                     : !has_managers
                                         ? "nothing says that istiods elsewhere manage this cluster"
                                         : "it does not bear the root of this mesh yet",
                           .needs = existing({std::string(kRootStep)}),
                           .diff = std::move(diff),
                           .action = ApplyObjects{{{.api_version = "v1",
                                                    .kind = "Namespace",
                                                    .resource = "namespaces",
                                                    .namespace_name = {},
                                                    .name = system_namespace(),
                                                    .body = std::move(body)}}},
                           .lack = live == nullptr ? lack_without_namespace(cluster)
                                                   : lack_of(*live, managers, has_marks, seen)});
  }

  /// Where it is to hold a CA, that the CA is missing says it all.
  Lack lack_without_namespace(const Cluster& cluster) const {
    return needs_intermediate(cluster) ? Lack::kTold : Lack::kMissing;
  }

  /// Checks tell of another network, of other managers and of the marks of another mesh.
  Lack lack_of(const NamespaceFacts& live,
               const std::string& managers,
               bool has_marks,
               const ClusterObservation& seen) const {
    const bool is_managed = live.control_planes && !live.control_planes->empty();
    if (!live.network || (!managers.empty() && !is_managed)) return Lack::kMissing;
    return has_marks ? Lack::kTold : lack_of_marks(marks_of(live), seen);
  }

  Lack lack_of_marks(const Marks& marks, const ClusterObservation& seen) const {
    return owners_.owner_of(marks, seen) == Owner::kAnotherMesh ? Lack::kTold : Lack::kDrifted;
  }

  /// What of the marks in `body` the live namespace lacks; all of them where there is none.
  void append_marks(const NamespaceFacts* live,
                    const Json& body,
                    std::vector<std::string>& diff) const {
    if (live != nullptr) {
      if (live->mesh.empty()) {
        diff.push_back(fmt::format("+ label {}: {}", istio::kMeshLabel, mesh_.name));
      }
      if (!bears_root(live->root)) diff.push_back(shown_root_label(live->root));
      return;
    }
    const Json shown = profiles::shown(body.at("metadata").at("labels"));
    for (const auto& [key, value] : shown.items()) {
      if (key == istio::kNetworkLabel) continue;
      diff.push_back(fmt::format("+ label {}: {}", key, value.get<std::string>()));
    }
    diff.push_back(
        fmt::format("+ annotation {}: {}", istio::kCreatedByAnnotation, istio::kFieldManager));
  }

  /// Whether an object with this root in its marks bears that of the mesh, as far as anybody knows.
  bool bears_root(const std::string& live) const { return !root_ || live == *root_; }

  /// `body` with the root in its labels, where it is known already.
  Json with_root(Json body) const {
    return profiles::resolve(std::move(body), [this](const std::string&) { return root_; });
  }

  /// Of an object that has it no more or not yet.
  std::string shown_root_label(const std::string& live) const {
    const std::string wanted = root_.value_or(fmt::format("(known after {})", kRootStep));
    if (live.empty()) return fmt::format("+ label {}: {}", istio::kRootLabel, wanted);
    return fmt::format("~ label {}: {} -> {}", istio::kRootLabel, live, wanted);
  }

  void plan_cacerts(const Cluster& cluster, const ClusterObservation& seen) {
    const profiles::IntermediateProfile& profile = mesh_.trust.intermediate;
    const bool is_running = !seen.istiod.is_absent();
    plan_.steps.push_back(
        {.id = step_id(cluster, istio::kCaSecret),
         .cluster = cluster.name,
         .change = Change::kAdd,
         .title = fmt::format("secret {}/{}", system_namespace(), istio::kCaSecret),
         .reason = is_running ? "without it the next istiod to start makes a CA of its own"
                              : "a primary signs its workloads, and this one has no CA yet",
         .needs = existing({std::string(kRootStep), step_id(cluster, "namespace")}),
         .diff = {fmt::format("+ {}: new intermediate, {}, {}", istio::kCaCertFile,
                              pki::name_of(profile.key), base::format_duration(profile.lifetime)),
                  fmt::format("+ {}: <secret, made and forgotten during the push>",
                              istio::kCaKeyFile),
                  fmt::format("+ {}: the intermediate{}", istio::kCertChainFile, shown_between()),
                  fmt::format("+ {}: {}", istio::kRootCertFile, shown_root())},
         .action = PushTrust{.namespace_name = system_namespace(),
                             .key = profile.key,
                             .lifetime = profile.lifetime}});
  }

  /// Every cluster gets the lists of all CAs, those of its peers too, and the same of each.
  void plan_lists(const Cluster& cluster, const ClusterObservation& seen) {
    const CacertsFacts* cacerts = known(cluster, seen.cacerts);
    const bool pushed_first = needs_intermediate(cluster);
    if (!pushed_first && cacerts == nullptr) return;
    const StoreFacts* store = known_store();
    const bool known_later = has_step(std::string(kListStep)) || !issued_.empty();
    const std::string wanted = known_later || store == nullptr ? std::string() : store->lists;
    const std::string live = cacerts == nullptr ? std::string() : cacerts->certificates.ca_crl;
    if (!known_later && live == wanted) return;
    std::vector<std::string> needs = issued_;
    needs.emplace_back(kListStep);
    plan_.steps.push_back(
        {.id = step_id(cluster, kLists),
         .cluster = cluster.name,
         .change = Change::kChange,
         .title = fmt::format("{} in secret {}/{}", istio::kCaCrlFile, system_namespace(),
                              istio::kCaSecret),
         .reason = live.empty() ? "the mesh file asks for revocation lists"
                                : "the lists in it are no longer those of the mesh",
         .needs = std::move(needs),
         .diff = {fmt::format(
             "{} {}: {}{}", live.empty() ? '+' : '~', istio::kCaCrlFile,
             live.empty() ? "" : shown_lists(live) + " -> ",
             known_later ? "(known after the steps before)" : shown_lists(wanted))},
         .action = PushLists{.namespace_name = system_namespace()}});
  }

  std::optional<StoreRoot> root() const {
    const StoreFacts* store = known_store();
    return store == nullptr ? std::nullopt : root_of(*store);
  }

  std::string shown_root() const {
    const auto found = root();
    if (!found) return fmt::format("(known after {})", kRootStep);
    return shown_certificate(found->anchor());
  }

  /// Of a root below another organisation's CA what a chain holds above the intermediate.
  std::string shown_between() const {
    std::string shown;
    const auto found = root();
    if (!found) return shown;
    for (std::size_t i = 0; i + 1 < found->above.size(); ++i) {
      shown += "; " + shown_certificate(found->above[i]);
    }
    return shown;
  }

  void plan_twin(const Cluster& cluster, const ClusterObservation& seen) {
    const std::string lists_step = step_id(cluster, kLists);
    const std::string cacerts_step =
        has_step(lists_step) ? lists_step : step_id(cluster, istio::kCaSecret);
    const bool pushed_first = has_step(cacerts_step);
    const CacertsFacts* cacerts = known(cluster, seen.cacerts);
    if (!pushed_first && cacerts == nullptr) return;
    const TwinFacts* live = known(cluster, seen.twin);
    if (seen.twin.is_unknown()) return;
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
      step.diff.push_back(fmt::format("{} certificates: (known after {})",
                                      live == nullptr ? '+' : '~', cacerts_step));
    } else {
      const auto wanted = profiles::twin_data(mesh_, cluster, cacerts->certificates);
      const bool is_marked = live != nullptr && bears_root(live->root);
      if (live != nullptr && holds(*live, wanted) && is_marked) return;
      step.diff = twin_diff(live, wanted);
      if (live == nullptr) {
        step.reason = "it does not exist, and viewers read the public half of cacerts here";
      } else if (holds(*live, wanted)) {
        step.reason = "it does not bear the root of this mesh yet";
      }
      if (live != nullptr && !is_marked) step.diff.push_back(shown_root_label(live->root));
      step.action = PublishTwin{
          .namespace_name = system_namespace(), .certificates = cacerts->certificates, .after = {}};
      step.lack = live == nullptr ? Lack::kUnrecorded : lack_of(*live, wanted, seen);
    }
    plan_.steps.push_back(std::move(step));
  }

  /// A check tells where it was written for another mesh, cluster or trust domain.
  Lack lack_of(const TwinFacts& live,
               std::map<std::string, std::string> wanted,
               const ClusterObservation& seen) const {
    for (const std::string_view key :
         {profiles::kTwinMesh, profiles::kTwinCluster, profiles::kTwinTrustDomain}) {
      if (live.data.contains(std::string(key))) wanted.erase(std::string(key));
    }
    if (!holds(live, wanted)) return Lack::kDrifted;
    return bears_root(live.root) ? Lack::kTold : lack_of_marks(marks_of(live), seen);
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
      const std::string after = shown_file(key, value);
      if (live == nullptr || !live->data.contains(key)) {
        diff.push_back(fmt::format("+ {}: {}", key, after));
      } else if (live->data.at(key) != value) {
        const std::string& old = live->data.at(key);
        diff.push_back(fmt::format("~ {}: {} -> {}", key, shown_file(key, old), after));
      }
    }
    return diff;
  }

  /// The ledger says "on its way", the cluster says "here".
  void plan_arrival(const Cluster& cluster, const ClusterObservation& seen) {
    const CacertsFacts* cacerts = known(cluster, seen.cacerts);
    const StoreFacts* store = known_store();
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
                           .action = RecordArrival{.fingerprint = issued->fingerprint},
                           .lack = Lack::kUnrecorded});
  }

  const Mesh& mesh_;
  const Observation& observation_;
  base::Instant at_;
  base::Errors& unknowns_;
  const OwnerJudge owners_;
  const std::optional<std::string> root_;  ///< the value of its label, once there is one
  std::vector<std::string> issued_;        ///< ids of the steps that mint an intermediate
  Plan plan_;
};

}  // namespace

Plan plan_namespaces(const Mesh& mesh, const Observation& observation, base::Errors& unknowns) {
  return TrustPlanner(mesh, observation, observation.at, unknowns).namespaces();
}

Planned plan_trust(const Mesh& mesh, const Observation& observation, const PlanOptions& options) {
  const bool writes = mesh.trust.mode == profiles::TrustMode::kManaged;
  Planned planned;
  planned.plan.mesh = mesh.name;
  planned.answer = ask_all(trust_checks(), {.mesh = mesh,
                                            .observation = observation,
                                            .at = options.at,
                                            .purpose = writes ? Purpose::kChange : Purpose::kProve,
                                            .allow_unsupported = options.allow_unsupported,
                                            .left_out = options.left_out});
  if (writes && !planned.is_refused()) {
    planned.plan = TrustPlanner(mesh, observation, options.at, planned.answer.unknowns).plan();
    if (planned.is_refused()) planned.plan.steps.clear();
    note_servers(planned, mesh, observation);
  }
  return planned;
}

Planned sketch_trust(const Mesh& mesh, const Observation& observation, const PlanOptions& options) {
  Planned planned;
  planned.plan.mesh = mesh.name;
  if (mesh.trust.mode == profiles::TrustMode::kManaged) {
    planned.plan = TrustPlanner(mesh, observation, options.at, planned.answer.unknowns).sketch();
  }
  return planned;
}

}  // namespace meshtrust::mesh
