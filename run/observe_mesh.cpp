#include "run/observe_mesh.h"

#include "istio/names.h"
#include "mesh/installed.h"
#include "mesh/webhooks.h"
#include "profiles/gateway.h"
#include "run/istiod_debug.h"
#include "run/secret_facts.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace meshtrust::run {
namespace {

using base::Json;
using mesh::Absent;
using mesh::Observed;
using List = mesh::Objects::List;

/// A kind of object that may belong to a mesh, and where it is looked for.
struct Kind {
  enum class Where {
    kNamespaces,  ///< all of it in the namespaces of the mesh
    kReaders,     ///< in no namespace, what bears the label of this mesh, and Istio's reader
    kWebhooks,    ///< in no namespace, what calls the namespaces of the mesh or is of Istio's kinds
    kNames,       ///< by names that are known
    kNodes,
  };
  std::string_view resource;
  const char* api_version;
  const char* kind;
  const char* plural;
  Where where = Where::kNamespaces;
  bool may_be_missing = false;  ///< a CRD
};

constexpr const char* kRbac = "rbac.authorization.k8s.io/v1";
constexpr const char* kAdmission = "admissionregistration.k8s.io/v1";
constexpr const char* kIstioApi = "networking.istio.io/v1";

constexpr std::array kKinds{
    Kind{mesh::kServices, "v1", "Service", "services"},
    Kind{mesh::kServiceAccounts, "v1", "ServiceAccount", "serviceaccounts"},
    Kind{mesh::kDeployments, "apps/v1", "Deployment", "deployments"},
    Kind{mesh::kDaemonSets, "apps/v1", "DaemonSet", "daemonsets"},
    Kind{"roles.rbac.authorization.k8s.io", kRbac, "Role", "roles"},
    Kind{"rolebindings.rbac.authorization.k8s.io", kRbac, "RoleBinding", "rolebindings"},
    Kind{"horizontalpodautoscalers.autoscaling", "autoscaling/v2", "HorizontalPodAutoscaler",
         "horizontalpodautoscalers"},
    Kind{"poddisruptionbudgets.policy", "policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"},
    Kind{mesh::kEndpointSlices, "discovery.k8s.io/v1", "EndpointSlice", "endpointslices"},
    Kind{mesh::kIstioGateways, kIstioApi, "Gateway", "gateways", Kind::Where::kNamespaces, true},
    Kind{"virtualservices.networking.istio.io", kIstioApi, "VirtualService", "virtualservices",
         Kind::Where::kNamespaces, true},
    Kind{"destinationrules.networking.istio.io", kIstioApi, "DestinationRule", "destinationrules",
         Kind::Where::kNamespaces, true},
    Kind{mesh::kApiGateways, "gateway.networking.k8s.io/v1", "Gateway", "gateways",
         Kind::Where::kNamespaces, true},
    Kind{mesh::kConfigMaps, "v1", "ConfigMap", "configmaps", Kind::Where::kNames},
    Kind{mesh::kNamespaces, "v1", "Namespace", "namespaces", Kind::Where::kNames},
    Kind{mesh::kNodes, "v1", "Node", "nodes", Kind::Where::kNodes},
    Kind{mesh::kClusterRoles, kRbac, "ClusterRole", "clusterroles", Kind::Where::kReaders},
    Kind{mesh::kClusterRoleBindings, kRbac, "ClusterRoleBinding", "clusterrolebindings",
         Kind::Where::kReaders},
    Kind{mesh::kMutatingWebhooks, kAdmission, "MutatingWebhookConfiguration",
         "mutatingwebhookconfigurations", Kind::Where::kWebhooks},
    Kind{mesh::kValidatingWebhooks, kAdmission, "ValidatingWebhookConfiguration",
         "validatingwebhookconfigurations", Kind::Where::kWebhooks},
};

k8s::ObjectRef ref_to(const Kind& kind, std::string_view namespace_name, std::string_view name) {
  return {.api_version = kind.api_version,
          .kind = kind.kind,
          .resource = kind.plural,
          .namespace_name = std::string(namespace_name),
          .name = std::string(name)};
}

/// Without what only the server keeps, and what `kubectl apply` copies.
Json trimmed(Json object) {
  Json& metadata = object["metadata"];
  for (const char* key : {"managedFields", "resourceVersion", "selfLink"}) {
    metadata.erase(key);
  }
  if (metadata.contains("annotations")) {
    metadata["annotations"].erase("kubectl.kubernetes.io/last-applied-configuration");
  }
  return object;
}

/// What of a node can matter: which of the cluster's addresses are its, and which of the labels
/// `kept` it has.
Json trimmed_node(const Json& node, const std::set<std::string>& kept) {
  const Json& metadata = base::at_path(node, {"metadata"});
  Json labels = Json::object();
  for (const auto& [label, value] : base::at_path(metadata, {"labels"}).items()) {
    if (kept.contains(label)) labels[label] = value;
  }
  return {{"metadata", {{"name", base::string_at(metadata, "name")}, {"labels", labels}}},
          {"spec", {{"podCIDRs", base::at_path(node, {"spec", "podCIDRs"})}}},
          {"status", {{"addresses", base::at_path(node, {"status", "addresses"})}}}};
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Whether a mesh in these namespaces may have to do with the configuration.
bool matters(const Json& configuration, const std::vector<std::string>& namespaces) {
  const Json& webhooks = mesh::list_at(configuration, {"webhooks"});
  return std::any_of(webhooks.begin(), webhooks.end(), [&namespaces](const Json& webhook) {
    return mesh::is_istio_webhook(webhook) ||
           contains(namespaces, mesh::target_of(webhook).namespace_name);
  });
}

std::vector<std::string> namespaces_of(const profiles::Mesh& mesh,
                                       const profiles::Cluster& cluster) {
  std::vector<std::string> names{mesh.istio.system_namespace};
  if (cluster.role == profiles::Role::kExternal && mesh.istio.ingress_namespace != names.front()) {
    names.push_back(mesh.istio.ingress_namespace);
  }
  return names;
}

/// Finds what there is of one kind after the other.
class Finder {
 public:
  Finder(const profiles::Mesh& mesh, const profiles::Cluster& cluster, k8s::ApiClient& client)
      : mesh_(mesh), cluster_(cluster), client_(client), spaces_(namespaces_of(mesh, cluster)) {}

  Observed<List> find(const Kind& kind) {
    switch (kind.where) {
      case Kind::Where::kNamespaces:
        return in_namespaces(kind);
      case Kind::Where::kReaders:
        return readers(ref_to(kind, "", ""));
      case Kind::Where::kWebhooks:
        return webhooks(kind);
      case Kind::Where::kNames:
        return by_names(kind);
      case Kind::Where::kNodes:
        break;
    }
    return nodes(ref_to(kind, "", ""));
  }

  /// The Services that webhooks call elsewhere, one by one: a right to list the Services of all
  /// namespaces is no right of this mesh's. Of webhooks that cannot be listed nobody is called.
  void add_called(mesh::Objects& objects) {
    std::set<mesh::WebhookTarget> targets;
    for (const Kind& one : kKinds) {
      if (one.where != Kind::Where::kWebhooks) continue;
      const List* found = webhooks(one).found(mesh::Unknown::kTold);
      if (found != nullptr) add_called(*found, targets);
    }
    for (const mesh::WebhookTarget& target : targets) {
      objects.add(mesh::key_of_called(target), look_at(target));
    }
  }

 private:
  Observed<List> list(const k8s::ObjectRef& ref, const std::string& selector = {}) {
    auto found = client_.list(ref, {.label_selector = selector});
    if (!found) return Observed<List>::unknown(std::move(found).error());
    List objects;
    for (Json& item : found->items) {
      objects.push_back(trimmed(std::move(item)));
    }
    return objects;
  }

  Observed<List> named(const std::vector<k8s::ObjectRef>& refs) {
    List objects;
    for (const k8s::ObjectRef& ref : refs) {
      auto found = client_.get(ref);
      if (!found) return Observed<List>::unknown(std::move(found).error());
      if (*found) objects.push_back(trimmed(**std::move(found)));
    }
    return objects;
  }

  Observed<List> in_namespaces(const Kind& kind) {
    if (kind.may_be_missing) {
      const auto served = client_.serves(ref_to(kind, "", ""));
      if (!served) return Observed<List>::unknown(served.error());
      if (!*served) return Absent{};
    }
    List all;
    for (const std::string& space : spaces_) {
      auto listed = list(ref_to(kind, space, ""));
      const List* found = listed.found(mesh::Unknown::kTold);
      if (found == nullptr) return listed;
      all.insert(all.end(), found->begin(), found->end());
    }
    return all;
  }

  Observed<List> readers(const k8s::ObjectRef& kind) {
    auto ours = list(kind, std::string(istio::kMeshLabel) + "=" + mesh_.name);
    k8s::ObjectRef ref = kind;
    ref.name = istio::istio_reader_role(mesh_.istio.revision, mesh_.istio.system_namespace);
    const List* found = ours.found(mesh::Unknown::kTold);
    const bool is_listed =
        found == nullptr || std::any_of(found->begin(), found->end(), [&ref](const Json& one) {
          return mesh::name_of(one) == ref.name;
        });
    if (is_listed) return ours;
    auto istios = named({ref});
    const List* one_more = istios.found(mesh::Unknown::kTold);
    if (one_more == nullptr) return istios;
    List both = *found;
    both.insert(both.end(), one_more->begin(), one_more->end());
    return both;
  }

  /// Listed once: they say as well which Services are called.
  const Observed<List>& webhooks(const Kind& kind) {
    const auto known = webhooks_.find(kind.resource);
    if (known != webhooks_.end()) return known->second;
    return webhooks_.emplace(kind.resource, those_that_matter(list(ref_to(kind, "", ""))))
        .first->second;
  }

  Observed<List> those_that_matter(Observed<List> all) const {
    const List* found = all.found(mesh::Unknown::kTold);
    if (found == nullptr) return all;
    List kept;
    std::copy_if(found->begin(), found->end(), std::back_inserter(kept),
                 [this](const Json& configuration) { return matters(configuration, spaces_); });
    return kept;
  }

  Observed<List> look_at(const mesh::WebhookTarget& called) {
    const k8s::ObjectRef ref{.api_version = "v1",
                             .kind = "Service",
                             .resource = "services",
                             .namespace_name = called.namespace_name,
                             .name = called.service};
    const auto service = client_.get_metadata(ref);
    if (!service) return Observed<List>::unknown(service.error());
    if (!*service) return Absent{};
    return List{{{"metadata", {{"namespace", ref.namespace_name}, {"name", ref.name}}}}};
  }

  /// Services elsewhere without which something is refused.
  void add_called(const List& configurations, std::set<mesh::WebhookTarget>& targets) const {
    for (const Json& configuration : configurations) {
      for (const Json& webhook : mesh::list_at(configuration, {"webhooks"})) {
        mesh::WebhookTarget target = mesh::target_of(webhook);
        const bool is_elsewhere =
            !target.service.empty() && !contains(spaces_, target.namespace_name);
        if (is_elsewhere && mesh::is_istio_webhook(webhook) && mesh::fails_closed(webhook)) {
          targets.insert(std::move(target));
        }
      }
    }
  }

  static void add_config_maps(const Kind& kind,
                              const std::string& space,
                              const std::string& revision,
                              std::vector<k8s::ObjectRef>& refs) {
    for (const std::string& name : mesh::settings_maps(revision)) {
      refs.push_back(ref_to(kind, space, name));
    }
    refs.push_back(ref_to(kind, space, mesh::installing_marker(revision)));
  }

  Observed<List> by_names(const Kind& kind) {
    std::vector<k8s::ObjectRef> refs;
    for (const std::string& space : spaces_) {
      if (kind.resource == mesh::kNamespaces) {
        refs.push_back(ref_to(kind, "", space));
        continue;
      }
      add_config_maps(kind, space, mesh_.istio.revision, refs);
      const bool has_revision = !mesh_.istio.revision.empty();
      if (has_revision && space != spaces_.front()) add_config_maps(kind, space, {}, refs);
    }
    return named(refs);
  }

  /// Nodes are many, and matter for addresses alone.
  Observed<List> nodes(const k8s::ObjectRef& kind) {
    const bool shares_its_network =
        std::count_if(mesh_.clusters.begin(), mesh_.clusters.end(),
                      [this](const auto& one) { return one.network == cluster_.network; }) > 1;
    const bool is_local = client_.settings().server.text().find("://127.") != std::string::npos;
    const bool is_reached_by_nodes =
        cluster_.gateway.type == profiles::EastWestGateway::Type::kNodePort;
    if (!is_local && !shares_its_network && !is_reached_by_nodes) return List{};
    auto all = list(kind);
    const List* found = all.found(mesh::Unknown::kTold);
    if (found == nullptr) return all;
    std::set<std::string> labels{"node-role.kubernetes.io/control-plane"};
    for (const auto& [label, value] : profiles::node_selector(cluster_.gateway)) {
      labels.insert(label);
    }
    List small;
    small.reserve(found->size());
    for (const Json& node : *found) {
      small.push_back(trimmed_node(node, labels));
    }
    return small;
  }

  const profiles::Mesh& mesh_;
  const profiles::Cluster& cluster_;
  k8s::ApiClient& client_;
  const std::vector<std::string> spaces_;
  std::map<std::string_view, Observed<List>> webhooks_ = {};  ///< by resource
};

}  // namespace

std::optional<k8s::ObjectRef> ref_of(std::string_view resource, std::string_view namespace_name) {
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(),
                                 [resource](const Kind& one) { return one.resource == resource; });
  if (kind == kKinds.end()) return std::nullopt;
  const bool in_namespace = kind->where == Kind::Where::kNamespaces;
  return ref_to(*kind, in_namespace ? namespace_name : std::string_view(), "");
}

mesh::LiveMesh MeshObserver::observe(mesh::Level level) {
  mesh::LiveMesh live;
  live.objects = objects();
  live.remote_secrets = remote_secrets();
  live.tokens = tokens();
  if (level == mesh::Level::kDeep) live.istiods = istiods();
  return live;
}

mesh::Objects MeshObserver::objects(const std::vector<std::string_view>& resources) {
  mesh::Objects objects;
  Finder finder(mesh_, cluster_, client_);
  for (const Kind& kind : kKinds) {
    const bool is_wanted = resources.empty() || std::find(resources.begin(), resources.end(),
                                                          kind.resource) != resources.end();
    if (is_wanted) objects.add(kind.resource, finder.find(kind));
  }
  if (resources.empty()) finder.add_called(objects);
  return objects;
}

Observed<std::vector<mesh::RemoteSecretFacts>> MeshObserver::remote_secrets() {
  using Fact = Observed<std::vector<mesh::RemoteSecretFacts>>;
  std::vector<mesh::RemoteSecretFacts> facts;
  const std::string& in = mesh_.istio.system_namespace;
  auto watched =
      client_.list_metadata(k8s::secret_ref(in, ""),
                            {.label_selector = std::string(istio::kMultiClusterLabel) + "=true"});
  if (!watched) return Fact::unknown(std::move(watched).error());
  std::vector<std::string> names;
  for (const k8s::SecretFacts& one : watched->items) {
    names.push_back(one.name);
  }
  if (cluster_.role == profiles::Role::kExternal) names.emplace_back(istio::kConfigSecret);
  for (const std::string& name : names) {
    auto secret = client_.get_secret(k8s::secret_ref(in, name));
    if (!secret) return Fact::unknown(std::move(secret).error());
    if (*secret) facts.push_back(remote_secret_facts(**secret));
  }
  return facts;
}

Observed<std::vector<mesh::TokenSecretFacts>> MeshObserver::tokens() {
  using Fact = Observed<std::vector<mesh::TokenSecretFacts>>;
  std::vector<mesh::TokenSecretFacts> facts;
  const std::string& in = mesh_.istio.system_namespace;
  const std::array accounts{std::string(istio::kReaderServiceAccount),
                            istio::istiod_name(mesh_.istio.revision)};
  for (const std::string& account : accounts) {
    auto secret = client_.get_secret(k8s::secret_ref(in, istio::token_secret_name(account)));
    if (!secret) return Fact::unknown(std::move(secret).error());
    if (*secret) facts.push_back(token_secret_facts(**secret));
  }
  return facts;
}

/// The istiods of this mesh in a namespace, not those of other revisions beside them.
std::string MeshObserver::selector_in(const std::string& space) const {
  const bool is_the_mesh = space == mesh_.istio.system_namespace;
  return fmt::format("{},{}={}", istio::kIstiodSelector, istio::kRevisionLabel,
                     istio::revision_label_value(is_the_mesh ? mesh_.istio.revision : ""));
}

/// Names of pods.
base::Result<std::vector<std::string>> MeshObserver::running_istiods(const std::string& space) {
  MESHTRUST_TRY(const auto pods,
                client_.list(k8s::pods_ref(space), {.label_selector = selector_in(space),
                                                    .field_selector = "status.phase=Running"}));
  std::vector<std::string> names;
  names.reserve(pods.items.size());
  for (const Json& pod : pods.items) {
    if (base::at_path(pod, {"metadata"}).contains("deletionTimestamp")) continue;
    names.push_back(mesh::name_of(pod));
  }
  return names;
}

Observed<std::vector<mesh::IstiodView>> MeshObserver::istiods() {
  using Fact = Observed<std::vector<mesh::IstiodView>>;
  std::vector<mesh::IstiodView> views;
  for (const std::string& space : namespaces_of(mesh_, cluster_)) {
    auto pods = running_istiods(space);
    if (!pods) return Fact::unknown(std::move(pods).error());
    for (const std::string& pod : *pods) {
      auto view = view_of_istiod(client_, space, pod);
      if (!view) return Fact::unknown(std::move(view).error());
      views.push_back(*std::move(view));
    }
  }
  return views;
}

base::Result<std::vector<mesh::Refusals>> MeshObserver::refusals(const std::string& source) {
  const std::string& space = mesh_.istio.system_namespace;
  MESHTRUST_TRY(const std::vector<std::string> pods, running_istiods(space));
  std::vector<mesh::Refusals> all;
  all.reserve(pods.size());
  for (const std::string& pod : pods) {
    MESHTRUST_TRY(const std::uint64_t count, refusals_of_istiod(client_, space, pod, source));
    all.push_back({.pod = pod, .count = count});
  }
  return all;
}

}  // namespace meshtrust::run
