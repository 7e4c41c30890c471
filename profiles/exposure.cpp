#include "profiles/exposure.h"

#include "istio/names.h"
#include "profiles/merge.h"
#include "profiles/model.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace meshtrust::profiles {
namespace {

using base::Json;

constexpr const char* kNetworking = "networking.istio.io/v1";
constexpr std::string_view kClusterDomain = "cluster.local";

/// The domain of Services, where the user's values name another than the usual one.
std::string cluster_domain(const Mesh& mesh, const Cluster& cluster) {
  Json values = mesh.istio.values.json;
  merge_values(values, cluster.values.json);
  const Json* domain = find_path(values, "global.proxy.clusterDomain");
  const bool is_stated = domain != nullptr && domain->is_string();
  return is_stated ? domain->get<std::string>() : std::string(kClusterDomain);
}

/// `name`, and "-R" behind it unless the revision is the default one: two revisions in a namespace
/// have configuration of their own.
std::string with_revision(std::string_view name, const Mesh& mesh) {
  const std::string& revision = mesh.istio.revision;
  return revision.empty() ? std::string(name) : fmt::format("{}-{}", name, revision);
}

Object configuration(const Mesh& mesh,
                     const Cluster& cluster,
                     const char* kind,
                     const char* resource,
                     std::string name,
                     Json spec) {
  Json labels = ownership_labels(mesh, cluster);
  labels[std::string(istio::kRevisionLabel)] = istio::revision_label_value(mesh.istio.revision);
  return {.api_version = kNetworking,
          .kind = kind,
          .resource = resource,
          .namespace_name = mesh.istio.system_namespace,
          .name = std::move(name),
          .body = {{"metadata", {{"labels", std::move(labels)}}}, {"spec", std::move(spec)}}};
}

Json server(int port, std::string_view name, std::string_view protocol, Json tls, Json hosts) {
  return {{"port", {{"number", port}, {"name", name}, {"protocol", protocol}}},
          {"tls", std::move(tls)},
          {"hosts", std::move(hosts)}};
}

Json destination(const std::string& host, int port) {
  const Json to{{"host", host}, {"port", {{"number", port}}}};
  return Json::array({{{"destination", to}}});
}

/// One TLS route that looks at the name that the client asks for.
Json passed_through(int port, const Json& names, const std::string& host, int host_port) {
  return {{"match", Json::array({{{"port", port}, {"sniHosts", names}}})},
          {"route", destination(host, host_port)}};
}

Object service_exposure(const Mesh& mesh, const Cluster& cluster) {
  // istiod's suffix for the usual domain, and what its guides write.
  const std::string domain = cluster_domain(mesh, cluster);
  const std::string host = domain == kClusterDomain ? "*.local" : "*." + domain;
  return configuration(
      mesh, cluster, "Gateway", "gateways", with_revision("cross-network-gateway", mesh),
      {{"selector", {{"istio", istio::kEastWestGateway}}},
       {"servers", Json::array({server(istio::kCrossNetworkPort, "tls", "TLS",
                                       {{"mode", "AUTO_PASSTHROUGH"}}, Json::array({host}))})}});
}

/// Only the names of this istiod are let through: several revisions can share a gateway, and nobody
/// gets anything else by it.
std::vector<Object> istiod_exposure(const Mesh& mesh, const Cluster& cluster) {
  const std::string host = istio::istiod_host(mesh.istio.revision, mesh.istio.system_namespace);
  const std::string full_host = fmt::format("{}.{}", host, cluster_domain(mesh, cluster));
  const Json names = Json::array({host, full_host});
  const std::string gateway = with_revision("istiod-gateway", mesh);
  const Json tls{{"mode", "PASSTHROUGH"}};
  Object opening = configuration(
      mesh, cluster, "Gateway", "gateways", gateway,
      {{"selector", {{"istio", istio::kEastWestGateway}}},
       {"servers",
        Json::array({server(istio::kDiscoveryPort, "tls-istiod", "TLS", tls, names),
                     server(istio::kWebhookPort, "tls-istiodwebhook", "TLS", tls, names)})}});
  Object route = configuration(
      mesh, cluster, "VirtualService", "virtualservices", with_revision("istiod-vs", mesh),
      {{"hosts", names},
       {"gateways", Json::array({gateway})},
       {"tls",
        Json::array(
            {passed_through(istio::kDiscoveryPort, names, full_host, istio::kDiscoveryPort),
             passed_through(istio::kWebhookPort, names, full_host, istio::kWebhookServicePort)})}});
  return {std::move(opening), std::move(route)};
}

constexpr const char* kExternalGateway = "external-istiod-gw";

/// TLS goes through the gateway untouched, whatever name is asked for.
std::vector<Object> passed_to_external(const Mesh& mesh,
                                       const Cluster& host,
                                       const std::string& istiod) {
  const Json tls{{"mode", "PASSTHROUGH"}};
  const Json any = Json::array({"*"});
  return {
      configuration(mesh, host, "Gateway", "gateways", kExternalGateway,
                    {{"selector", {{"istio", istio::kIngressGateway}}},
                     {"servers",
                      Json::array({server(istio::kDiscoveryPort, "tls-xds", "TLS", tls, any),
                                   server(istio::kWebhookPort, "tls-webhook", "TLS", tls, any)})}}),
      configuration(
          mesh, host, "VirtualService", "virtualservices", "external-istiod-vs",
          {{"hosts", any},
           {"gateways", Json::array({kExternalGateway})},
           {"tls",
            Json::array(
                {passed_through(istio::kDiscoveryPort, any, istiod, istio::kDiscoveryPort),
                 passed_through(istio::kWebhookPort, any, istiod, istio::kWebhookServicePort)})}}),
  };
}

Json http_route(int port, const std::string& host, int host_port) {
  return {{"match", Json::array({{{"port", port}}})}, {"route", destination(host, host_port)}};
}

/// TLS ends at the gateway, with a certificate for the host, and begins anew towards istiod.
std::vector<Object> ended_before_external(const Mesh& mesh,
                                          const Cluster& host,
                                          const std::string& istiod) {
  const ExternalHosting& external = *host.external;
  const Json tls{{"mode", "SIMPLE"}, {"credentialName", *external.tls_secret}};
  const Json names = Json::array({*external.host});
  const Json simple{{"mode", "SIMPLE"}};
  const Json discovery{{"port", {{"number", istio::kDiscoveryPort}}},
                       {"tls", simple},
                       {"connectionPool", {{"http", {{"h2UpgradePolicy", "UPGRADE"}}}}}};
  const Json webhook{{"port", {{"number", istio::kWebhookServicePort}}}, {"tls", simple}};
  return {
      configuration(
          mesh, host, "Gateway", "gateways", kExternalGateway,
          {{"selector", {{"istio", istio::kIngressGateway}}},
           {"servers",
            Json::array({server(istio::kDiscoveryPort, "https-xds", "HTTPS", tls, names),
                         server(istio::kWebhookPort, "https-webhook", "HTTPS", tls, names)})}}),
      configuration(
          mesh, host, "VirtualService", "virtualservices", "external-istiod-vs",
          {{"hosts", names},
           {"gateways", Json::array({kExternalGateway})},
           {"http",
            Json::array({http_route(istio::kDiscoveryPort, istiod, istio::kDiscoveryPort),
                         http_route(istio::kWebhookPort, istiod, istio::kWebhookServicePort)})}}),
      configuration(
          mesh, host, "DestinationRule", "destinationrules", "external-istiod-dr",
          {{"host", istiod},
           {"trafficPolicy", {{"portLevelSettings", Json::array({discovery, webhook})}}}}),
  };
}

}  // namespace

std::vector<Object> exposure(const Mesh& mesh, const Cluster& cluster) {
  std::vector<Object> objects;
  if (exposes_services(mesh, cluster)) objects.push_back(service_exposure(mesh, cluster));
  if (exposes_istiod(mesh, cluster)) {
    for (Object& object : istiod_exposure(mesh, cluster)) {
      objects.push_back(std::move(object));
    }
  }
  return objects;
}

std::vector<Object> external_routing(const Mesh& mesh, const Cluster& host) {
  const std::string istiod =
      fmt::format("{}.{}", istio::istiod_host(mesh.istio.revision, mesh.istio.system_namespace),
                  cluster_domain(mesh, host));
  const bool has_host = host.external && host.external->host;
  return has_host ? ended_before_external(mesh, host, istiod)
                  : passed_to_external(mesh, host, istiod);
}

}  // namespace meshtrust::profiles
