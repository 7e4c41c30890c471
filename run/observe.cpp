#include "run/observe.h"

#include "base/encoding.h"
#include "base/yaml.h"
#include "ca/revocation.h"
#include "istio/names.h"
#include "mesh/adoption.h"
#include "mesh/objects.h"
#include "mesh/ownership.h"
#include "run/observe_mesh.h"
#include "run/observe_workloads.h"
#include "run/pool.h"
#include "run/secret_facts.h"
#include "run/writing.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace meshtrust::run {
namespace {

using base::Error;
using base::Json;
using mesh::Absent;
using mesh::Observed;

/// Turns an answer of the API ("there it is", "there is none", "it failed") into a fact.
template <class Fact, class Answer, class Read>
Observed<Fact> fact_from(base::Result<std::optional<Answer>> answer, Read read) {
  if (!answer) return Observed<Fact>::unknown(std::move(answer).error());
  if (!answer->has_value()) return Absent{};
  return read(**answer);
}

Observed<mesh::ServerFacts> observe_server(k8s::ApiClient& client) {
  using Fact = Observed<mesh::ServerFacts>;
  auto version = client.server_version();
  if (!version) return Fact::unknown(std::move(version).error());
  const k8s::ObjectRef kube_system = k8s::namespace_ref("kube-system");
  auto system = client.get(kube_system);
  if (!system) return Fact::unknown(std::move(system).error());
  const std::string uid = *system ? mesh::uid_of(**system) : std::string();
  if (uid.empty()) {
    return Fact::unknown({.code = base::Code::kUnavailable,
                          .message = "the API server has no namespace kube-system, by whose UID "
                                     "clusters are told apart"});
  }
  return mesh::ServerFacts{.url = client.settings().server.text(),
                           .ca = client.settings().describe_authority(),
                           .proxy = client.settings().proxy_url.empty() ? "" : client.proxy(),
                           .version = version->git_version,
                           .major = version->major,
                           .minor = version->minor,
                           .cluster_uid = uid};
}

mesh::NamespaceFacts namespace_facts(const Json& object) {
  mesh::NamespaceFacts facts;
  const Json& metadata = base::at_path(object, {"metadata"});
  const std::string network =
      base::string_at(base::at_path(metadata, {"labels"}), istio::kNetworkLabel);
  if (!network.empty()) facts.network = network;
  facts.uid = base::string_at(metadata, "uid");
  facts.mesh = base::string_at(base::at_path(metadata, {"labels"}), istio::kMeshLabel);
  facts.root = base::string_at(base::at_path(metadata, {"labels"}), istio::kRootLabel);
  facts.cluster = base::string_at(base::at_path(metadata, {"labels"}), istio::kClusterLabel);
  facts.network_set_by_others = is_label_of_others(metadata, istio::kNetworkLabel);
  const Json& annotations = base::at_path(metadata, {"annotations"});
  if (annotations.is_object() && annotations.contains(istio::kControlPlaneAnnotation)) {
    facts.control_planes = base::string_at(annotations, istio::kControlPlaneAnnotation);
    facts.control_planes_set_by_others =
        is_annotation_of_others(metadata, istio::kControlPlaneAnnotation);
  }
  facts.terminating = base::string_at(base::at_path(object, {"status"}), "phase") == "Terminating";
  facts.created_by_meshtrust = base::string_at(base::at_path(metadata, {"annotations"}),
                                               istio::kCreatedByAnnotation) == istio::kFieldManager;
  return facts;
}

mesh::CacertsFacts cacerts_facts(const k8s::SecretObject& secret) {
  mesh::CacertsFacts facts{.resource_version = secret.facts.resource_version,
                           .files = {},
                           .certificates = public_bundle_in(secret),
                           .key = istio::KeyMatch::kUnreadable,
                           .managers = secret.facts.managers,
                           .uid = secret.facts.uid};
  for (const auto& [name, content] : secret.data) {
    facts.files.push_back(name);
  }
  const auto key = secret.data.find(std::string(istio::kCaKeyFile));
  if (key != secret.data.end()) {
    facts.key = istio::match_key(key->second, facts.certificates);
  }
  return facts;
}

mesh::IstiodFacts istiod_facts(const std::vector<Json>& deployments) {
  mesh::IstiodFacts facts;
  for (const Json& one : deployments) {
    facts.deployments.push_back(mesh::name_of(one));
  }
  const Json& containers =
      mesh::list_at(deployments.front(), {"spec", "template", "spec", "containers"});
  if (!containers.empty()) facts.image = base::string_at(containers.front(), "image");
  return facts;
}

/// A pod that ends, or has ended, reads no CA any more.
bool is_to_stay(const Json& pod) {
  const std::string phase = base::string_at(base::at_path(pod, {"status"}), "phase");
  return !base::at_path(pod, {"metadata"}).contains("deletionTimestamp") && phase != "Failed" &&
         phase != "Succeeded";
}

/// Pods as well, for what is mounted in one may be decided by a webhook when it is made.
Observed<mesh::CaVolume> observe_other_ca(k8s::ApiClient& client,
                                          const std::string& name_space,
                                          const std::vector<Json>& deployments) {
  for (const Json& one : deployments) {
    auto other = mesh::other_ca_in(base::at_path(one, {"spec", "template", "spec"}));
    if (!other) continue;
    other->workload = fmt::format("deployment '{}'", mesh::name_of(one));
    return *std::move(other);
  }
  const auto pods = client.list(k8s::pods_ref(name_space),
                                {.label_selector = std::string(istio::kIstiodSelector)});
  if (!pods) return Observed<mesh::CaVolume>::unknown(pods.error());
  for (const Json& pod : pods->items) {
    auto other = mesh::other_ca_in(base::at_path(pod, {"spec"}));
    if (!other || !is_to_stay(pod)) continue;
    other->workload = fmt::format("pod '{}'", mesh::name_of(pod));
    other->is_of_pod = true;
    return *std::move(other);
  }
  return Absent{};
}

void observe_istiods(k8s::ApiClient& client,
                     const std::string& name_space,
                     mesh::ClusterObservation& seen) {
  const auto found = client.list(k8s::deployment_ref(name_space, ""),
                                 {.label_selector = std::string(istio::kIstiodSelector)});
  if (!found) {
    seen.istiod = Observed<mesh::IstiodFacts>::unknown(found.error());
    seen.other_ca = Observed<mesh::CaVolume>::unknown(found.error());
  } else if (found->items.empty()) {
    seen.istiod = Absent{};
    seen.other_ca = Absent{};
  } else {
    seen.istiod = istiod_facts(found->items);
    seen.other_ca = observe_other_ca(client, name_space, found->items);
  }
}

/// `trustDomain` of the mesh configuration, or Istio's default where it is left to that.
Observed<std::string> trust_domain_in(const Json& config_map) {
  const std::string text = base::string_at(base::at_path(config_map, {"data"}), "mesh");
  const auto documents = base::parse_yaml("configmap 'istio'", text);
  if (!documents) return Observed<std::string>::unknown(documents.error());
  if (documents->empty()) return Absent{};
  const base::YamlNode* domain = documents->front().find("trustDomain");
  if (domain == nullptr || domain->scalar.empty()) return std::string(istio::kDefaultTrustDomain);
  return domain->scalar;
}

/// Marks everything about a cluster as unknown for one reason.
void nothing_known(mesh::ClusterObservation& seen, const Error& why) {
  seen.server = Observed<mesh::ServerFacts>::unknown(why);
  seen.system_namespace = Observed<mesh::NamespaceFacts>::unknown(why);
  seen.cacerts = Observed<mesh::CacertsFacts>::unknown(why);
  seen.twin = Observed<mesh::TwinFacts>::unknown(why);
  seen.istiod = Observed<mesh::IstiodFacts>::unknown(why);
  seen.other_ca = Observed<mesh::CaVolume>::unknown(why);
  seen.workload_roots = Observed<std::string>::unknown(why);
  seen.trust_domain = Observed<std::string>::unknown(why);
}

void look_inside(k8s::ApiClient& client,
                 const profiles::IstioProfile& istio,
                 mesh::ClusterObservation& seen) {
  const std::string& name_space = istio.system_namespace;
  seen.system_namespace =
      fact_from<mesh::NamespaceFacts>(client.get(k8s::namespace_ref(name_space)), namespace_facts);
  seen.cacerts = fact_from<mesh::CacertsFacts>(
      client.get_secret(k8s::secret_ref(name_space, istio::kCaSecret)), cacerts_facts);
  seen.twin = fact_from<mesh::TwinFacts>(
      client.get(k8s::config_map_ref(name_space, istio::kPublicTwin)), [](const Json& object) {
        const mesh::Marks marks = mesh::marks_of(object);
        mesh::TwinFacts twin{.data = {}, .mesh = marks.mesh, .root = marks.root};
        twin.uid = mesh::uid_of(object);
        const Json& data = base::at_path(object, {"data"});
        if (!data.is_object()) return twin;
        for (const auto& [key, value] : data.items()) {
          if (value.is_string()) twin.data[key] = value.get<std::string>();
        }
        return twin;
      });
  observe_istiods(client, name_space, seen);
  seen.workload_roots = fact_from<std::string>(
      client.get(k8s::config_map_ref(name_space, istio::kRootConfigMap)), [](const Json& object) {
        return base::string_at(base::at_path(object, {"data"}), istio::kRootCertFile);
      });
  auto mesh_config =
      client.get(k8s::config_map_ref(name_space, istio::mesh_config_map(istio.revision)));
  if (!mesh_config) {
    seen.trust_domain = Observed<std::string>::unknown(std::move(mesh_config).error());
  } else if (!mesh_config->has_value()) {
    seen.trust_domain = Absent{};
  } else {
    seen.trust_domain = trust_domain_in(**mesh_config);
  }
}

/// How clusters are looked at.
struct Looking {
  const profiles::Mesh& mesh;
  const World& world;
  Depth depth = mesh::Level::kTrust;
  const Onlooker& onlooker;
  const base::ProcessTable* processes = nullptr;  ///< null where nobody asks for runs
};

/// One cluster, and who is at work there, where that was asked.
struct ClusterSight {
  mesh::ClusterObservation seen;
  std::optional<Observed<LeaseHolder>> holder;
};

void look_around(const Looking& how,
                 const profiles::Cluster& cluster,
                 k8s::ApiClient& client,
                 mesh::ClusterObservation& seen) {
  look_inside(client, how.mesh.istio, seen);
  if (how.depth.level == mesh::Level::kTrust) return;
  seen.live = MeshObserver(how.mesh, cluster, client).observe(how.depth.level);
  // Beside a control plane that is hosted for others are workloads of another mesh.
  if (how.depth.level == mesh::Level::kDeep && how.depth.most_pods != 0 &&
      cluster.role != profiles::Role::kExternal) {
    seen.live.workloads = find_workloads(how.mesh, client, how.depth.most_pods);
  }
}

Error being_changed(const LeaseHolder& run) {
  return {.code = base::Code::kLocked,
          .message = fmt::format("it is not judged while a run is at work there: {}, since {}",
                                 run.who, run.since)};
}

/// Looks around unless a run is at work; of what a run may have changed meanwhile nothing is known.
Observed<LeaseHolder> look_between_runs(const Looking& how,
                                        const profiles::Cluster& cluster,
                                        k8s::ApiClient& client,
                                        mesh::ClusterObservation& seen) {
  const std::string lease = istio::lease_name(how.mesh.istio.system_namespace);
  const auto look = [&] {
    return look_for_run(client, lease, how.world.environment.clock, *how.processes);
  };
  Observed<LeaseHolder> holder = look();
  if (holder.found(mesh::Unknown::kTold) == nullptr) {
    look_around(how, cluster, client, seen);
    Observed<LeaseHolder> after = look();
    if (!after.is_absent()) holder = std::move(after);
  }
  if (const LeaseHolder* run = holder.found(mesh::Unknown::kTold)) {
    seen.live = {};
    nothing_known(seen, being_changed(*run));
  }
  return holder;
}

ClusterSight observe_cluster(const Looking& how, const profiles::Cluster& cluster) {
  ClusterSight sight;
  mesh::ClusterObservation& seen = sight.seen;
  seen.name = cluster.name;
  seen.context = cluster.context;
  const auto client = how.world.clusters.client(cluster.name);
  if (!client) {
    nothing_known(seen, client.error());
    return sight;
  }
  const Asking asking(how.onlooker, cluster.name, (*client)->settings().server.text());
  seen.server = observe_server(**client);
  // A server that does not answer, or takes us for nobody, is asked once, not eight times.
  if (const Error* why = seen.server.why_unknown();
      why != nullptr && (why->code != base::Code::kPermission || (*client)->is_refused())) {
    const Error reason = *why;
    nothing_known(seen, reason);
  } else if (how.processes != nullptr) {
    sight.holder = look_between_runs(how, cluster, **client, seen);
  } else {
    look_around(how, cluster, **client, seen);
  }
  (*client)->close_idle();
  return sight;
}

/// SHA-256 of every list that a root of the store made.
std::vector<std::string> lists_made(const ca::TrustStore& store) {
  std::set<std::string> roots;
  for (const ca::Root& root : store.roots()) {
    roots.insert(root.certificate.fingerprint());
  }
  std::vector<std::string> made;
  for (const ledger::Record& record : store.log()) {
    const auto* crl = std::get_if<ledger::CrlMade>(&record.event);
    if (crl == nullptr || !roots.contains(crl->fingerprint)) continue;
    made.push_back(base::to_hex(base::sha256(crl->crl)));
  }
  return made;
}

/// What stands above the root, and what stood there when something was issued.
std::vector<pki::Certificate> ever_above(const std::vector<ledger::Authority>& issued) {
  std::vector<pki::Certificate> found;
  for (const ledger::Authority& entry : issued) {
    for (const pki::Certificate& one : entry.above) {
      if (std::find(found.begin(), found.end(), one) == found.end()) found.push_back(one);
    }
  }
  return found;
}

}  // namespace

Observed<mesh::StoreFacts> observe_store(const World& world) {
  const auto store = ca::TrustStore::open(world.environment, world.store);
  if (store) return facts_of(*store);
  if (store.error().code == base::Code::kNotFound) return Absent{};
  return Observed<mesh::StoreFacts>::unknown(store.error());
}

mesh::ClusterObservation observe_trust(const profiles::Mesh& mesh,
                                       const profiles::Cluster& cluster,
                                       const World& world) {
  const Onlooker nobody;
  return observe_cluster({.mesh = mesh, .world = world, .onlooker = nobody}, cluster).seen;
}

mesh::StoreFacts facts_of(const ca::TrustStore& store) {
  mesh::StoreFacts facts;
  if (const auto root = store.root()) {
    facts.root = root->certificate.pem();
    facts.above = pki::to_pem(root->above);
    facts.declared_subject = root->declared_subject;
    facts.key_is_encrypted = root->key_is_encrypted;
  }
  for (const ca::Root& root : store.roots()) {
    facts.roots.push_back(root.certificate.pem());
  }
  // A ledger whose lists no longer parse says so when one is to be used.
  if (const auto lists = ca::newest_crls(store)) facts.lists = pki::to_pem(lists->crls);
  if (const auto lacking = ca::lacking_a_crl(store)) {
    for (const pki::Certificate& one : *lacking) {
      facts.without_list.push_back(one.facts().subject);
    }
  }
  facts.lists_made = lists_made(store);
  const std::vector<ledger::Authority> issued = store.issued();
  facts.ever_above = pki::to_pem(ever_above(issued));
  for (const ledger::Authority& entry : issued) {
    facts.issued.push_back({.fingerprint = entry.fingerprint(),
                            .is_root = entry.kind == ledger::AuthorityKind::kRoot,
                            .cluster = entry.cluster,
                            .issuer = entry.issuer,
                            .serial = entry.certificate.facts().serial,
                            .state = std::string(ledger::name_of(entry.state)),
                            .revoked = entry.revoked.has_value(),
                            .not_after = entry.certificate.facts().not_after});
  }
  return facts;
}

namespace {

/// A plan needs no way into pods, but where only istiods themselves can tell what is wrong.
void ask_istiods(const Looking& how, mesh::Observation& observation) {
  for (const std::string& name : mesh::istiods_to_ask(how.mesh, observation)) {
    const auto client = how.world.clusters.client(name);
    if (!client) continue;
    const Asking asking(how.onlooker, name, "its istiods");
    const auto seen = std::find_if(observation.clusters.begin(), observation.clusters.end(),
                                   [&name](const auto& one) { return one.name == name; });
    seen->live.istiods = MeshObserver(how.mesh, *how.mesh.find(name), **client).istiods();
    (*client)->close_idle();
  }
}

Sight look(const Looking& how) {
  const std::vector<profiles::Cluster>& clusters = how.mesh.clusters;
  std::vector<ClusterSight> sights(clusters.size());
  const base::Instant at = how.world.environment.clock.now();
  for_each_index(clusters.size(), how.world.jobs, [&](std::size_t index) {
    sights[index] = observe_cluster(how, clusters[index]);
    if (how.onlooker.seen) how.onlooker.seen(sights[index].seen);
  });
  Sight sight{.observation = {.at = at,
                              .mesh = how.mesh.name,
                              .level = how.depth.level,
                              .store = {},
                              .clusters = {}},
              .runs = {}};
  sight.observation.clusters.reserve(clusters.size());
  for (ClusterSight& one : sights) {
    if (one.holder) sight.runs.push_back({one.seen.name, *std::move(one.holder)});
    sight.observation.clusters.push_back(std::move(one.seen));
  }
  // The store comes last: the ledger knows of a certificate before a cluster does, so whatever was
  // seen of our issue is in it, also while another run is at work.
  sight.observation.store = observe_store(how.world);
  if (how.depth.level == mesh::Level::kMesh) ask_istiods(how, sight.observation);
  if (how.depth.level == mesh::Level::kDeep) {
    try_remote_secrets(how.mesh, how.world, sight.observation, how.onlooker);
    ask_workloads(how.world, sight.observation, how.onlooker);
  }
  return sight;
}

}  // namespace

mesh::Observation observe(const profiles::Mesh& mesh,
                          const World& world,
                          const Onlooker& onlooker,
                          Depth depth) {
  return look({.mesh = mesh, .world = world, .depth = depth, .onlooker = onlooker}).observation;
}

Sight observe_between_runs(const profiles::Mesh& mesh,
                           const World& world,
                           const base::ProcessTable& processes,
                           const Onlooker& onlooker,
                           Depth depth) {
  return look({.mesh = mesh,
               .world = world,
               .depth = depth,
               .onlooker = onlooker,
               .processes = &processes});
}

}  // namespace meshtrust::run
