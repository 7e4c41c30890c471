// What no mesh can be, or nobody has run: one entry a combination. The names are those of the cases
// in tests/data/mesh/bad.
#include "base/text.h"
#include "istio/names.h"
#include "profiles/gateway.h"
#include "profiles/gateway_values.h"
#include "profiles/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace meshtrust::profiles {
namespace {

using base::Error;
using base::Errors;
using base::Place;
using Type = EastWestGateway::Type;

constexpr istio::Version kFirstAmbientMultiNetwork{.major = 1, .minor = 27, .patch = 0};
constexpr istio::Version kFirstRevocationLists{.major = 1, .minor = 27, .patch = 0};
/// Shorter ones end before anybody notices that nobody refreshes them.
constexpr base::Seconds kShortestList = base::days(7);
constexpr istio::Version kFirstIpv6Remote{.major = 1, .minor = 30, .patch = 0};

void add(Errors& errors, const Place& place, std::string message, std::string hint = {}) {
  Error error{.code = base::Code::kInvalidInput, .message = std::move(message), .place = place};
  if (!hint.empty()) error.hints.push_back(std::move(hint));
  errors.push_back(std::move(error));
}

bool is_ambient(const Mesh& mesh) {
  return mesh.istio.data_plane == DataPlane::kAmbient;
}

bool is_ipv6(const std::string& address) {
  return address.find(':') != std::string::npos;
}

/// The first cluster of each role is no mistake, the second of some is.
void second_of(const Mesh& mesh, Role role, std::string_view why, Errors& errors) {
  const Cluster* first = nullptr;
  for (const Cluster& cluster : mesh.clusters) {
    if (cluster.role != role) continue;
    if (first == nullptr) {
      first = &cluster;
    } else {
      add(errors, cluster.role_place,
          fmt::format("a second {} cluster beside '{}': {}", name_of(role), first->name, why),
          "describe each in a mesh file of its own");
    }
  }
}

void external_beside_primaries(const Mesh& mesh, Errors& errors) {
  const Cluster* external = external_cluster(mesh);
  if (external == nullptr) return;
  for (const Cluster& cluster : mesh.clusters) {
    if (cluster.role != Role::kPrimary) continue;
    add(errors, cluster.place,
        fmt::format("'{}' is a primary beside the external control plane in '{}'; nobody has run "
                    "the two together",
                    cluster.name, external->name),
        "let it be a remote of the external cluster, or leave that out");
  }
}

void several_external(const Mesh& mesh, Errors& errors) {
  second_of(mesh, Role::kExternal, "a mesh has one control plane of this kind", errors);
}

void several_config(const Mesh& mesh, Errors& errors) {
  second_of(mesh, Role::kConfig, "the control plane's configuration lies in one place", errors);
}

void external_without_config(const Mesh& mesh, Errors& errors) {
  const Cluster* external = external_cluster(mesh);
  if (external == nullptr || config_cluster(mesh) != nullptr) return;
  add(errors, external->role_place,
      fmt::format("external cluster '{}' has no config cluster, where its configuration lies",
                  external->name),
      "give the first cluster that it manages 'role: config'");
}

void external_and_ingress_in_one_namespace(const Mesh& mesh, Errors& errors) {
  const Cluster* external = external_cluster(mesh);
  if (external == nullptr || mesh.istio.system_namespace != mesh.istio.ingress_namespace) return;
  add(errors, external->external->place,
      fmt::format("namespace '{}' is also that of the ingress gateway's own control plane",
                  mesh.istio.system_namespace),
      "name another 'external.namespace'; the clusters that it serves use it too");
}

void external_with_revision(const Mesh& mesh, Errors& errors) {
  if (external_cluster(mesh) == nullptr || mesh.istio.revision.empty()) return;
  add(errors, mesh.istio.revision_place,
      "an external control plane of a revision of its own has not been tried",
      "leave 'revision' out");
}

void several_control_planes_of_external(const Mesh& mesh, Errors& errors) {
  const Cluster* external = external_cluster(mesh);
  if (external == nullptr) return;
  for (const Cluster& cluster : mesh.clusters) {
    if (cluster.control_plane.size() < 2) continue;
    add(errors, cluster.control_plane_place,
        fmt::format("'{}' names {} control planes, expected '{}' alone", cluster.name,
                    cluster.control_plane.size(), external->name));
  }
}

void ambient_with_other_roles(const Mesh& mesh, Errors& errors) {
  if (!is_ambient(mesh)) return;
  for (const Cluster& cluster : mesh.clusters) {
    if (cluster.role == Role::kPrimary) continue;
    add(errors, cluster.role_place,
        fmt::format("Istio does not support role '{}' in an ambient mesh", name_of(cluster.role)),
        "in an ambient mesh every cluster is a primary");
  }
}

void ambient_before_its_time(const Mesh& mesh, Errors& errors) {
  const auto& version = mesh.istio.version;
  if (!is_ambient(mesh) || !version || *version >= kFirstAmbientMultiNetwork) return;
  add(errors, mesh.istio.version_place,
      fmt::format("ambient across clusters came with Istio 1.27, found '{}'", version->text()),
      "it left alpha with 1.29");
}

void ambient_on_one_network(const Mesh& mesh, Errors& errors) {
  if (!is_ambient(mesh)) return;
  std::map<std::string_view, const Cluster*> taken;
  for (const Cluster& cluster : mesh.clusters) {
    const auto [first, is_free] = taken.emplace(cluster.network, &cluster);
    if (is_free) continue;
    add(errors, cluster.network_place,
        fmt::format("'{}' shares network '{}' with '{}'; ambient clusters on one network have not "
                    "been tried by anybody",
                    cluster.name, cluster.network, first->second->name),
        "give each ambient cluster a network of its own");
  }
}

void ambient_with_revision(const Mesh& mesh, Errors& errors) {
  if (!is_ambient(mesh) || mesh.istio.revision.empty()) return;
  add(errors, mesh.istio.revision_place,
      "ztunnel and CNI have no revisions, so an ambient mesh of one has not been tried",
      "leave 'revision' out");
}

void discovery_of_too_many(const Mesh& mesh, Errors& errors) {
  const auto istiods = static_cast<std::size_t>(
      std::count_if(mesh.clusters.begin(), mesh.clusters.end(),
                    [](const Cluster& cluster) { return cluster.runs_istiod(); }));
  const bool is_all = mesh.discovery.mode == Discovery::Mode::kAll;
  if (!is_all || istiods <= kMostPrimariesToDiscoverAll) return;
  add(errors, mesh.discovery.place,
      fmt::format("{} istiods that learn of every cluster are {} remote secrets, expected 'all' "
                  "for at most {} istiods",
                  istiods, istiods * (mesh.clusters.size() - 1), kMostPrimariesToDiscoverAll),
      "list under 'discovery' which clusters each has to know, or write 'discovery: none'");
}

/// What is only a default does not stand in the way of a mesh that is never installed.
void stated_discovery_of_too_many(const Mesh& mesh, Errors& errors) {
  if (mesh.discovery.is_stated) discovery_of_too_many(mesh, errors);
}

void discovery_by_one_without_istiod(const Mesh& mesh, Errors& errors) {
  for (const auto& [learner, list] : mesh.discovery.lists) {
    const Cluster* cluster = mesh.find(learner);
    if (cluster == nullptr || cluster->runs_istiod()) continue;
    add(errors, mesh.discovery.place,
        fmt::format("'{}' runs no istiod that could discover others", learner),
        fmt::format("list them under '{}'", base::join(cluster->control_plane, "', '")));
  }
}

void node_port_without_selector(const Mesh& mesh, Errors& errors) {
  for (const Cluster& cluster : mesh.clusters) {
    const EastWestGateway& gateway = cluster.gateway;
    if (gateway.type != Type::kNodePort || !has_east_west_gateway(mesh, cluster)) continue;
    if (gateway.annotations.contains(std::string(kNodeSelectorAnnotation)) || gateway.address) {
      continue;
    }
    add(errors, gateway.place,
        fmt::format("the gateway of '{}' is of type NodePort, but nothing says by which nodes it "
                    "is reached",
                    cluster.name),
        fmt::format("add the annotation {}, '{{}}' for all nodes, or 'address'",
                    kNodeSelectorAnnotation));
  }
}

/// Whether clusters without an istiod call that in `cluster` at an address that only its gateway
/// can tell.
bool is_called_at_its_gateway(const Mesh& mesh, const Cluster& cluster) {
  if (cluster.gateway.address) return false;
  if (cluster.external) return !cluster.external->host && !cluster.external->ip;
  return exposes_istiod(mesh, cluster);
}

void node_port_with_remotes(const Mesh& mesh, Errors& errors) {
  for (const Cluster& cluster : mesh.clusters) {
    const bool is_called = is_called_at_its_gateway(mesh, cluster);
    if (cluster.gateway.type != Type::kNodePort || !is_called) continue;
    add(errors, cluster.gateway.place,
        fmt::format("remotes call the istiod of '{}' at ports {} and {}, which a gateway of type "
                    "NodePort does not have",
                    cluster.name, istio::kDiscoveryPort, istio::kWebhookPort),
        "use a LoadBalancer, or name an 'address' that leads to a node with these ports");
  }
}

void node_port_with_source_ranges(const Mesh& mesh, Errors& errors) {
  for (const Cluster& cluster : mesh.clusters) {
    const EastWestGateway& gateway = cluster.gateway;
    if (gateway.type != Type::kNodePort || gateway.source_ranges.empty()) continue;
    add(errors, gateway.place, "'sourceRanges' have no effect on a gateway of type NodePort",
        "only load balancers keep others out");
  }
}

void ambient_with_node_port(const Mesh& mesh, Errors& errors) {
  if (!is_ambient(mesh)) return;
  for (const Cluster& cluster : mesh.clusters) {
    if (cluster.gateway.type != Type::kNodePort) continue;
    add(errors, cluster.gateway.place,
        "istiod makes the gateways of an ambient mesh, always of type LoadBalancer");
  }
}

void address_twice(const Mesh& mesh, Errors& errors) {
  std::map<std::string_view, const Cluster*> taken;
  for (const Cluster& cluster : mesh.clusters) {
    if (!cluster.gateway.address || !has_east_west_gateway(mesh, cluster)) continue;
    const auto [first, is_free] = taken.emplace(*cluster.gateway.address, &cluster);
    if (is_free) continue;
    add(errors, cluster.gateway.place,
        fmt::format("address '{}' of the gateway of '{}' is already that of '{}'",
                    *cluster.gateway.address, cluster.name, first->second->name),
        "give each cluster an address of its own");
  }
}

void ipv6_before_its_time(const Mesh& mesh, Errors& errors) {
  if (!mesh.istio.version || *mesh.istio.version >= kFirstIpv6Remote) return;
  for (const Cluster& cluster : mesh.clusters) {
    const auto& external = cluster.external;
    const bool has_ip = external && external->ip;
    const auto& address = has_ip ? external->ip : cluster.gateway.address;
    const bool is_called = external ? !external->host : exposes_istiod(mesh, cluster);
    if (!address || !is_ipv6(*address) || !is_called) continue;
    add(errors, has_ip ? external->place : cluster.gateway.place,
        fmt::format("remotes take an IPv6 address like '{}' for a host name before Istio 1.30",
                    *address),
        "use an IPv4 address");
  }
}

void lists_of_trust_from_elsewhere(const Mesh& mesh, Errors& errors) {
  if (!mesh.trust.crl || mesh.trust.mode == TrustMode::kManaged) return;
  add(errors, mesh.trust.crl->place, "'crl' goes with trust of mode managed only",
      "lists are made with the keys of the CAs: have them made by whoever manages this mesh's "
      "trust");
}

void lists_before_their_time(const Mesh& mesh, Errors& errors) {
  const auto& version = mesh.istio.version;
  if (!mesh.trust.crl || !version || *version >= kFirstRevocationLists) return;
  add(errors, mesh.trust.crl->place,
      fmt::format("istiod reads revocation lists since Istio 1.27, found '{}'", version->text()),
      "leave 'crl' out");
}

void lists_that_end_too_soon(const Mesh& mesh, Errors& errors) {
  if (!mesh.trust.crl || mesh.trust.crl->lifetime >= kShortestList) return;
  add(errors, mesh.trust.crl->place,
      fmt::format("lists of {} would be over before anybody notices that they were not refreshed, "
                  "expected at least {}",
                  base::format_duration(mesh.trust.crl->lifetime),
                  base::format_duration(kShortestList)),
      "write a longer 'lifetime'");
}

void unknown_gateway_values(const Mesh& mesh, Errors& errors) {
  for (Error& error : refuse_gateway_values(mesh.istio.gateway)) {
    errors.push_back(std::move(error));
  }
}

constexpr std::array kCombinations{
    external_beside_primaries,
    several_external,
    several_config,
    external_without_config,
    external_and_ingress_in_one_namespace,
    external_with_revision,
    several_control_planes_of_external,
    ambient_with_other_roles,
    ambient_before_its_time,
    ambient_on_one_network,
    ambient_with_revision,
    ambient_with_node_port,
    stated_discovery_of_too_many,
    discovery_by_one_without_istiod,
    node_port_without_selector,
    node_port_with_remotes,
    node_port_with_source_ranges,
    address_twice,
    ipv6_before_its_time,
    lists_of_trust_from_elsewhere,
    lists_before_their_time,
    lists_that_end_too_soon,
    unknown_gateway_values,
};

}  // namespace

Errors refuse_combinations(const Mesh& mesh) {
  Errors errors;
  for (const auto& refuse : kCombinations) {
    refuse(mesh, errors);
  }
  std::stable_sort(errors.begin(), errors.end(), [](const Error& a, const Error& b) {
    return std::tie(a.place.line, a.place.column) < std::tie(b.place.line, b.place.column);
  });
  // What stands in one place for several clusters is told once.
  errors.erase(std::unique(errors.begin(), errors.end()), errors.end());
  return errors;
}

Errors refuse_to_install(const Mesh& mesh) {
  Errors errors;
  if (!mesh.istio.version) {
    add(errors, mesh.istio.version_place, "nothing says which Istio to install",
        "write its version, as 'istioctl version' shows it: istio: {version: \"1.30.3\"}; or stop "
        "at "
        "trust with '--only trust'");
  }
  if (!mesh.discovery.is_stated) discovery_of_too_many(mesh, errors);
  return errors;
}

}  // namespace meshtrust::profiles
