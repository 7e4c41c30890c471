#include "profiles/reader.h"

#include "istio/names.h"
#include "profiles/merge.h"
#include "profiles/model.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace meshtrust::profiles {
namespace {

using base::Json;

constexpr const char* kRbac = "rbac.authorization.k8s.io/v1";
constexpr std::array<const char*, 3> kRead{"get", "list", "watch"};

Json labelled(const Mesh& mesh, const Cluster& cluster) {
  return {{"metadata", {{"labels", ownership_labels(mesh, cluster)}}}};
}

Json rule(const Json& groups, const Json& resources, const Json& verbs) {
  return {{"apiGroups", groups}, {"resources", resources}, {"verbs", verbs}};
}

Json list(std::initializer_list<const char*> words) {
  return Json::array_t(words.begin(), words.end());
}

/// Whether the role may read Secrets, the CA key of the cluster among them.
enum class Secrets { kLeftOut, kReadable };

/// What an istiod reads of a cluster that it learns endpoints from, and asks of its API server: the
/// list of Istio's own chart.
Json reading_rules(Secrets secrets) {
  const Json read = kRead;
  Json core = list({"endpoints", "pods", "services", "nodes", "replicationcontrollers",
                    "namespaces", "configmaps"});
  Json exports = read;
  if (secrets == Secrets::kReadable) {
    core.push_back("secrets");
    exports.push_back("create");
    exports.push_back("delete");
  }
  return Json::array({
      rule(list({"config.istio.io", "security.istio.io", "networking.istio.io",
                 "authentication.istio.io", "rbac.istio.io", "telemetry.istio.io",
                 "extensions.istio.io"}),
           list({"*"}), read),
      rule(list({""}), core, read),
      rule(list({"networking.x-k8s.io", "gateway.networking.k8s.io"}), list({"gateways"}), read),
      rule(list({"apiextensions.k8s.io"}), list({"customresourcedefinitions"}), read),
      rule(list({"discovery.k8s.io"}), list({"endpointslices"}), read),
      rule(list({"multicluster.x-k8s.io"}), list({"serviceexports"}), exports),
      rule(list({"multicluster.x-k8s.io"}), list({"serviceimports"}), read),
      rule(list({"apps"}), list({"replicasets"}), read),
      rule(list({"authentication.k8s.io"}), list({"tokenreviews"}), list({"create"})),
      rule(list({"authorization.k8s.io"}), list({"subjectaccessreviews"}), list({"create"})),
  });
}

/// What an istiod writes into a remote that it manages: the roots, the locks of its elections, and
/// the CA of its webhooks.
void append_managing_rules(Json& rules) {
  rules.push_back(rule(list({""}), list({"configmaps"}), list({"create", "update"})));
  rules.push_back(rule(list({"admissionregistration.k8s.io"}),
                       list({"mutatingwebhookconfigurations"}),
                       list({"get", "list", "watch", "update", "patch"})));
  rules.push_back(rule(list({"admissionregistration.k8s.io"}),
                       list({"validatingwebhookconfigurations"}),
                       list({"get", "list", "watch", "update"})));
}

Object service_account(const Mesh& mesh, const Cluster& cluster) {
  return {.api_version = "v1",
          .kind = "ServiceAccount",
          .resource = "serviceaccounts",
          .namespace_name = mesh.istio.system_namespace,
          .name = std::string(istio::kReaderServiceAccount),
          .body = labelled(mesh, cluster)};
}

Object cluster_role(const Mesh& mesh, const Cluster& cluster, std::string name, Json rules) {
  Json body = labelled(mesh, cluster);
  body["rules"] = std::move(rules);
  return {.api_version = kRbac,
          .kind = "ClusterRole",
          .resource = "clusterroles",
          .namespace_name = {},
          .name = std::move(name),
          .body = std::move(body)};
}

Object cluster_role_binding(const Mesh& mesh, const Cluster& cluster, const std::string& name) {
  Json body = labelled(mesh, cluster);
  body["roleRef"] = {
      {"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "ClusterRole"}, {"name", name}};
  const Json subject{{"kind", "ServiceAccount"},
                     {"name", istio::kReaderServiceAccount},
                     {"namespace", mesh.istio.system_namespace}};
  body["subjects"] = Json::array({subject});
  return {.api_version = kRbac,
          .kind = "ClusterRoleBinding",
          .resource = "clusterrolebindings",
          .namespace_name = {},
          .name = name,
          .body = std::move(body)};
}

std::vector<Object> account_and_role(const Mesh& mesh,
                                     const Cluster& cluster,
                                     const std::string& name,
                                     Json rules) {
  return {service_account(mesh, cluster), cluster_role(mesh, cluster, name, std::move(rules)),
          cluster_role_binding(mesh, cluster, name)};
}

}  // namespace

bool reads_remote_secrets(const Mesh& mesh, const Cluster& cluster) {
  constexpr istio::Version kFirst{.major = 1, .minor = 31, .patch = 0};
  if (!mesh.istio.version || *mesh.istio.version < kFirst) return true;
  Json values = mesh.istio.values.json;
  merge_values(values, cluster.values.json);
  const Json* stated = find_path(values, fmt::format("pilot.env.{}", kReadRemoteSecrets));
  return stated == nullptr || (*stated != "false" && *stated != false);
}

ReaderRole reader_role(const Mesh& mesh, const Cluster& cluster) {
  if (cluster.role == Role::kExternal || cluster.role == Role::kConfig) return ReaderRole::kNone;
  const bool some_read_secrets =
      std::any_of(mesh.clusters.begin(), mesh.clusters.end(), [&mesh](const Cluster& other) {
        return other.runs_istiod() && reads_remote_secrets(mesh, other);
      });
  return some_read_secrets ? ReaderRole::kIstio : ReaderRole::kOwn;
}

std::vector<Object> reader(const Mesh& mesh, const Cluster& cluster) {
  if (reader_role(mesh, cluster) != ReaderRole::kOwn) return {};
  Json rules = reading_rules(Secrets::kLeftOut);
  if (cluster.role == Role::kRemote) append_managing_rules(rules);
  return account_and_role(mesh, cluster,
                          istio::own_reader_role(mesh.istio.revision, mesh.istio.system_namespace),
                          std::move(rules));
}

std::vector<Object> istio_reader(const Mesh& mesh, const Cluster& cluster, ReaderOf use) {
  Json rules = reading_rules(Secrets::kReadable);
  if (use == ReaderOf::kManagedRemote) append_managing_rules(rules);
  return account_and_role(
      mesh, cluster, istio::istio_reader_role(mesh.istio.revision, mesh.istio.system_namespace),
      std::move(rules));
}

std::vector<ReaderRight> rights_to_read(const Mesh& mesh,
                                        const Cluster& istiod,
                                        const Cluster& cluster) {
  struct Resource {
    const char* api_version;
    const char* kind;
    const char* resource;
  };
  std::vector<Resource> read{{"v1", "Service", "services"},
                             {"discovery.k8s.io/v1", "EndpointSlice", "endpointslices"},
                             {"v1", "Pod", "pods"},
                             {"v1", "Node", "nodes"},
                             {"v1", "Namespace", "namespaces"}};
  if (reads_remote_secrets(mesh, istiod)) read.push_back({"v1", "Secret", "secrets"});
  std::vector<ReaderRight> rights;
  rights.reserve(2 * read.size() + 6);
  for (const Resource& one : read) {
    for (const char* verb : {"list", "watch"}) {
      rights.push_back({verb, one.api_version, one.kind, one.resource});
    }
  }
  if (cluster.role != Role::kRemote) return rights;
  // What it manages: it publishes roots there, asks whose a workload's token is before it signs for
  // it, and gives webhooks their CA.
  for (const char* verb : {"create", "update"}) {
    rights.push_back({verb, "v1", "ConfigMap", "configmaps"});
  }
  rights.push_back({"create", "authentication.k8s.io/v1", "TokenReview", "tokenreviews"});
  for (const char* verb : {"list", "watch", "patch"}) {
    rights.push_back({verb, "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration",
                      "mutatingwebhookconfigurations"});
  }
  return rights;
}

std::string name_of_reader_role(const Mesh& mesh, const Cluster& cluster) {
  const std::string& revision = mesh.istio.revision;
  const std::string& space = mesh.istio.system_namespace;
  return reader_role(mesh, cluster) == ReaderRole::kOwn ? istio::own_reader_role(revision, space)
                                                        : istio::istio_reader_role(revision, space);
}

Object token_secret(const Mesh& mesh, const Cluster& cluster, std::string_view service_account) {
  Json body = labelled(mesh, cluster);
  body["metadata"]["annotations"] = {{istio::kServiceAccountAnnotation, service_account}};
  body["type"] = istio::kServiceAccountTokenType;
  return {.api_version = "v1",
          .kind = "Secret",
          .resource = "secrets",
          .namespace_name = mesh.istio.system_namespace,
          .name = istio::token_secret_name(service_account),
          .body = std::move(body)};
}

}  // namespace meshtrust::profiles
