// What each role of a cluster is given, by the paths of Helm values.
#include "profiles/payload.h"

#include "istio/names.h"
#include "profiles/model.h"
#include "profiles/reader.h"

#include <fmt/format.h>

#include <utility>

namespace meshtrust::profiles {
namespace {

using base::Json;
using Kind = Installation::Kind;

/// The address at which the clusters that `manager` manages reach its istiod.
std::string address_of(const Cluster& manager) {
  return manager.role == Role::kExternal ? ingress_address(manager.name)
                                         : gateway_address(manager.name);
}

/// The manager that a remote or config cluster calls.
const Cluster& manager_of(const Mesh& mesh, const Cluster& cluster) {
  MESHTRUST_CHECK(!cluster.control_plane.empty());
  const Cluster* manager = mesh.find(cluster.control_plane.front());
  MESHTRUST_CHECK(manager != nullptr);
  return *manager;
}

bool has_host(const Cluster& manager) {
  return manager.external && manager.external->host.has_value();
}

std::string injection_path(const Cluster& cluster) {
  return fmt::format("/inject/cluster/{}/net/{}", cluster.name, cluster.network);
}

/// Who an istiod is: what its proxies and its peers know it by.
void set_identity(const Mesh& mesh, const Cluster& cluster, Json& values) {
  values["global"]["meshID"] = mesh.mesh_id;
  values["global"]["network"] = cluster.network;
  values["global"]["multiCluster"]["clusterName"] = cluster.name;
}

/// How a cluster without an istiod calls one: through the manager's gateway, to which a Service of
/// istiod's name leads; or by the name that the gateway's own certificate is for.
void set_injection(const Mesh& mesh, const Cluster& cluster, Json& values) {
  const Cluster& manager = manager_of(mesh, cluster);
  if (has_host(manager)) {
    const std::string url =
        fmt::format("https://{{host}}:{}{}", istio::kWebhookPort, injection_path(cluster));
    values["istiodRemote"]["injectionURL"] = reference_in(address_of(manager), url);
    return;
  }
  values["istiodRemote"]["injectionPath"] = injection_path(cluster);
  values["global"]["remotePilotAddress"] = reference(address_of(manager));
}

/// Leaves Istio's own reader out where ours, which cannot read the CA key, takes its place.
void set_reader(const Mesh& mesh, const Cluster& cluster, Json& values) {
  if (reader_role(mesh, cluster) == ReaderRole::kOwn) values["global"]["enableReaderRBAC"] = false;
}

void set_primary(const Mesh& mesh, const Cluster& cluster, Payload& payload) {
  set_identity(mesh, cluster, payload.values);
  Json& values = payload.values;
  if (!managed_by(mesh, cluster).empty()) {
    values["global"]["externalIstiod"] = true;
    values["pilot"]["env"]["EXTERNAL_ISTIOD"] = "true";
  }
  if (mesh.istio.data_plane == DataPlane::kAmbient) {
    values["pilot"]["env"]["AMBIENT_ENABLE_MULTI_NETWORK"] = "true";
  }
}

void set_remote(const Mesh& mesh, const Cluster& cluster, Payload& payload) {
  set_injection(mesh, cluster, payload.values);
  set_identity(mesh, cluster, payload.facts);  // without effect there, but said by many a file
}

void set_config(const Mesh& mesh, const Cluster& cluster, Payload& payload) {
  set_remote(mesh, cluster, payload);
  Json& values = payload.values;
  values["global"]["configCluster"] = true;
  values["pilot"]["configMap"] = true;
  values["defaultRevision"] = istio::kDefaultRevision;
  const Cluster& manager = manager_of(mesh, cluster);
  if (!has_host(manager)) return;
  values["base"]["validationURL"] = reference_in(
      address_of(manager), fmt::format("https://{{host}}:{}/validate", istio::kWebhookPort));
}

/// The ConfigMaps beside an external istiod, which count more than those of its config cluster.
void set_volumes(const Mesh& mesh, Json& pilot) {
  const auto volume = [](const char* name, const std::string& config_map) {
    return Json{{"name", name}, {"configMap", {{"name", config_map}}}};
  };
  const auto mount = [](const char* name, const char* path) {
    return Json{{"name", name}, {"mountPath", path}};
  };
  const std::string& revision = mesh.istio.revision;
  pilot["volumes"] = Json::array({volume("config-volume", istio::mesh_config_map(revision)),
                                  volume("inject-volume", istio::injector_config_map(revision))});
  pilot["volumeMounts"] = Json::array({mount("config-volume", "/etc/istio/config"),
                                       mount("inject-volume", "/var/lib/istio/inject")});
}

void set_external(const Mesh& mesh, const Cluster& host, Payload& payload) {
  const Cluster* config = config_cluster(mesh);
  MESHTRUST_CHECK(config != nullptr);
  Json& values = payload.values;
  set_identity(mesh, *config, values);
  const Json discovery =
      reference_in(address_of(host), fmt::format("{{host}}:{}", istio::kDiscoveryPort));
  values["global"]["caAddress"] = discovery;
  values["global"]["operatorManageWebhooks"] = true;
  values["global"]["configValidation"] = false;

  const std::string& revision = mesh.istio.revision;
  const std::string& system_namespace = mesh.istio.system_namespace;
  Json& env = values["pilot"]["env"];
  env["EXTERNAL_ISTIOD"] = "true";
  env["LOCAL_CLUSTER_SECRET_WATCHER"] = "true";
  env["SHARED_MESH_CONFIG"] = istio::mesh_config_map(revision);
  // Behind a certificate of the gateway's own there is no CA that istiod could write into webhooks.
  env["INJECTION_WEBHOOK_CONFIG_NAME"] =
      has_host(host) ? "" : istio::injection_webhook(revision, system_namespace);
  env["VALIDATION_WEBHOOK_CONFIG_NAME"] =
      has_host(host) ? "" : istio::validating_webhook(revision, system_namespace);
  set_volumes(mesh, values["pilot"]);

  Json& mesh_config = values["meshConfig"];
  mesh_config["rootNamespace"] = system_namespace;
  mesh_config["defaultConfig"]["discoveryAddress"] = discovery;
  if (!has_host(host)) return;
  constexpr const char* kSystemRoots = "/etc/ssl/certs/ca-certificates.crt";
  mesh_config["defaultConfig"]["proxyMetadata"] = {{"XDS_ROOT_CA", kSystemRoots},
                                                   {"CA_ROOT_CA", kSystemRoots}};
}

}  // namespace

Payload payload_of(const Mesh& mesh, const Cluster& cluster, Kind kind) {
  const bool is_ingress = kind == Kind::kIngress;
  const std::string& system_namespace =
      is_ingress ? mesh.istio.ingress_namespace : mesh.istio.system_namespace;
  Payload payload;
  payload.values["global"]["istioNamespace"] = system_namespace;
  if (kind != Kind::kRemote) payload.values["meshConfig"]["trustDomain"] = mesh.trust_domain;
  set_reader(mesh, cluster, payload.values);
  payload.facts["revision"] = is_ingress ? "" : mesh.istio.revision;
  payload.facts["meshConfig"]["trustDomain"] = mesh.trust_domain;
  switch (kind) {
    case Kind::kIstiod:
      set_primary(mesh, cluster, payload);
      break;
    case Kind::kRemote:
      set_remote(mesh, cluster, payload);
      break;
    case Kind::kConfig:
      set_config(mesh, cluster, payload);
      break;
    case Kind::kIngress:
      payload.values["global"]["multiCluster"]["clusterName"] = cluster.name;
      break;
    case Kind::kExternal:
      set_external(mesh, cluster, payload);
      break;
  }
  return payload;
}

std::string profile_of(const Mesh& mesh, Kind kind) {
  switch (kind) {
    case Kind::kRemote:
    case Kind::kConfig:
      return "remote";
    case Kind::kExternal:
      return "empty";
    case Kind::kIstiod:
    case Kind::kIngress:
      break;
  }
  // The default profile would bring an ingress gateway that nobody asked for.
  return mesh.istio.data_plane == DataPlane::kAmbient ? "ambient" : "minimal";
}

}  // namespace meshtrust::profiles
