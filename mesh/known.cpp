#include "mesh/known.h"

#include "istio/names.h"
#include "mesh/ownership.h"
#include "profiles/installation.h"
#include "profiles/model.h"

namespace meshtrust::mesh {
namespace {

using base::Json;
using profiles::Cluster;
using profiles::Mesh;

/// The name of the ingress gateway's Service (profiles/gateway.h makes it).
constexpr std::string_view kIngressGatewayName = "istio-ingressgateway";

template <class T>
Observed<Address> address_in(const Observed<Json>& object, T read) {
  if (const base::Error* why = object.why_unknown()) return Observed<Address>::unknown(*why);
  if (object.is_absent()) return Absent{};
  if (auto address = read(*object.found(Unknown::kTold))) return *std::move(address);
  return Absent{};
}

/// The address that a remote of `cluster` was given when its gateway's name was resolved.
std::optional<std::string> pinned_address(const Mesh& mesh,
                                          const Cluster& cluster,
                                          const Observation& observation) {
  const std::string service = istio::istiod_name(mesh.istio.revision);
  for (const Cluster* remote : profiles::managed_by(mesh, cluster)) {
    const ClusterObservation* seen = observation.find(remote->name);
    if (seen == nullptr || !cluster.gateway.pin_hostname) continue;
    const auto slice =
        seen->live.objects.find(kEndpointSlices, mesh.istio.system_namespace, service);
    const Json* found = slice.found(Unknown::kNothingFollows);
    if (found == nullptr) continue;
    const Json& endpoints = base::at_path(*found, {"endpoints"});
    if (!endpoints.is_array() || endpoints.empty()) continue;
    const Json& addresses = base::at_path(endpoints.front(), {"addresses"});
    if (addresses.is_array() && !addresses.empty() && addresses.front().is_string()) {
      return addresses.front().get<std::string>();
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Address> address_of_service(const Json& service) {
  const Json& ingress = base::at_path(service, {"status", "loadBalancer", "ingress"});
  std::optional<Address> name;
  for (const Json& entry : ingress.is_array() ? ingress : Json::array()) {
    const std::string ip = base::string_at(entry, "ip");
    if (!ip.empty()) return Address{.text = ip};
    const std::string host = base::string_at(entry, "hostname");
    if (!name && !host.empty()) name = Address{.text = host, .is_hostname = true};
  }
  // Addresses that somebody routes to the nodes stand in for a load balancer's name, which would
  // have to be resolved.
  const Json& external = base::at_path(service, {"spec", "externalIPs"});
  if (external.is_array() && !external.empty() && external.front().is_string()) {
    return Address{.text = external.front().get<std::string>()};
  }
  return name;
}

std::vector<std::string> ip_addresses_of_service(const Json& service) {
  std::vector<std::string> addresses;
  for (const Json& entry : list_at(service, {"status", "loadBalancer", "ingress"})) {
    std::string ip = base::string_at(entry, "ip");
    if (!ip.empty()) addresses.push_back(std::move(ip));
  }
  for (const Json& one : list_at(service, {"spec", "externalIPs"})) {
    if (one.is_string()) addresses.push_back(one.get<std::string>());
  }
  return addresses;
}

std::optional<Address> address_of_api_gateway(const Json& gateway) {
  const Json& conditions = base::at_path(gateway, {"status", "conditions"});
  bool programmed = false;
  for (const Json& condition : conditions.is_array() ? conditions : Json::array()) {
    programmed |= base::string_at(condition, "type") == "Programmed" &&
                  base::string_at(condition, "status") == "True";
  }
  if (!programmed) return std::nullopt;
  const Json& addresses = base::at_path(gateway, {"status", "addresses"});
  for (const Json& address : addresses.is_array() ? addresses : Json::array()) {
    const std::string text = base::string_at(address, "value");
    if (text.empty()) continue;
    return Address{.text = text, .is_hostname = base::string_at(address, "type") == "Hostname"};
  }
  return std::nullopt;
}

Observed<Address> east_west_address(const profiles::Mesh& mesh,
                                    const profiles::Cluster& /*cluster*/,
                                    const Objects& objects) {
  const std::string name = istio::east_west_gateway_name(mesh.istio.revision);
  const std::string& in = mesh.istio.system_namespace;
  if (mesh.istio.data_plane == profiles::DataPlane::kAmbient) {
    return address_in(objects.find(kApiGateways, in, name), address_of_api_gateway);
  }
  return address_in(objects.find(kServices, in, name), address_of_service);
}

Observed<Address> hosting_address(const profiles::Mesh& mesh, const Objects& objects) {
  return address_in(objects.find(kServices, mesh.istio.ingress_namespace, kIngressGatewayName),
                    address_of_service);
}

Observed<Json> called_service(const Mesh& mesh, const Cluster& cluster, const Objects& objects) {
  if (cluster.role == profiles::Role::kExternal) {
    return objects.find(kServices, mesh.istio.ingress_namespace, kIngressGatewayName);
  }
  return objects.find(kServices, mesh.istio.system_namespace,
                      istio::east_west_gateway_name(mesh.istio.revision));
}

std::string why_not_by_name(const Mesh& mesh, const Cluster& cluster) {
  if (!profiles::exposes_istiod(mesh, cluster) || cluster.gateway.pin_hostname) return {};
  return "its load balancer has a name and no address, and remotes have to call an address";
}

profiles::Lookup known_values(const profiles::Mesh& mesh, const Observation& observation) {
  const profiles::Lookup stated = profiles::stated_addresses(mesh);
  const std::optional<std::string> root = OwnerJudge(mesh, observation).root();
  return [&mesh, &observation, stated,
          root](const std::string& name) -> std::optional<std::string> {
    if (name == profiles::kRootReference) return root;
    if (auto value = stated(name)) return value;
    for (const profiles::Cluster& cluster : mesh.clusters) {
      const ClusterObservation* seen = observation.find(cluster.name);
      if (seen == nullptr) continue;
      Observed<Address> address = Absent{};
      if (name == profiles::gateway_address(cluster.name)) {
        address = east_west_address(mesh, cluster, seen->live.objects);
        const Address* gateway = address.found(Unknown::kNothingFollows);
        if (gateway != nullptr && gateway->is_hostname && profiles::exposes_istiod(mesh, cluster)) {
          return pinned_address(mesh, cluster, observation);
        }
      } else if (name == profiles::ingress_address(cluster.name)) {
        address = hosting_address(mesh, seen->live.objects);
      }
      // What is unknown is waited for, like what is not there yet.
      if (const Address* known = address.found(Unknown::kNothingFollows)) return known->text;
    }
    return std::nullopt;
  };
}

}  // namespace meshtrust::mesh
