#include "base/text.h"
#include "istio/names.h"
#include "mesh/check/installation.h"
#include "mesh/installed.h"
#include "mesh/known.h"
#include "profiles/environment.h"
#include "profiles/gateway.h"
#include "profiles/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>

namespace meshtrust::mesh {
namespace {

using base::Json;
using profiles::Cluster;

/// Whether the other clusters' istiods are given a way into this one.
bool is_read_by_others(const CheckSubject& subject, const Cluster& cluster) {
  const auto intents = profiles::remote_secrets(subject.mesh);
  return std::any_of(intents.begin(), intents.end(),
                     [&cluster](const auto& intent) { return intent.source == cluster.name; });
}

/// The address of the only control-plane node, at which kind clusters reach each other.
std::optional<std::string> address_of_only_node(const ClusterObservation& seen) {
  const auto listed = seen.live.objects.list(kNodes);
  const auto* nodes = listed.found(Unknown::kNothingFollows);
  if (nodes == nullptr) return std::nullopt;
  std::vector<std::string> addresses;
  for (const Json& node : *nodes) {
    const Json& labels = base::at_path(node, {"metadata", "labels"});
    if (!labels.contains("node-role.kubernetes.io/control-plane")) continue;
    for (const Json& address : list_at(node, {"status", "addresses"})) {
      const std::string text = base::string_at(address, "address");
      if (base::string_at(address, "type") == "InternalIP" && text.find(':') == std::string::npos) {
        addresses.push_back(text);
      }
    }
  }
  if (addresses.size() != 1) return std::nullopt;
  return addresses.front();
}

/// An IPv4 network; others are left to people.
struct Network {
  std::uint32_t address = 0;
  std::uint32_t mask = 0;
  std::string text;
};

std::optional<Network> parse_network(const std::string& text) {
  std::array<unsigned, 5> parts{};
  std::size_t part = 0;
  bool digit = false;
  for (const char one : text) {
    if (one >= '0' && one <= '9') {
      parts[part] = (parts[part] * 10) + static_cast<unsigned>(one - '0');
      digit = true;
      if (parts[part] > 255) return std::nullopt;
    } else if ((one == '.' || one == '/') && digit && ++part < parts.size()) {
      digit = false;
    } else {
      return std::nullopt;
    }
  }
  if (part != 4 || parts[4] > 32) return std::nullopt;
  const std::uint32_t mask = parts[4] == 0 ? 0 : ~std::uint32_t{0} << (32U - parts[4]);
  const std::uint32_t address = (parts[0] << 24U) | (parts[1] << 16U) | (parts[2] << 8U) | parts[3];
  return Network{.address = address & mask, .mask = mask, .text = text};
}

/// The IP address at which the mesh file tells others to call the istiod of a cluster.
std::optional<std::string> stated_address(const CheckSubject& subject, const Cluster& cluster) {
  if (cluster.external) {
    if (cluster.external->host) return std::nullopt;
    return cluster.external->ip ? cluster.external->ip : cluster.gateway.address;
  }
  return profiles::exposes_istiod(subject.mesh, cluster) ? cluster.gateway.address : std::nullopt;
}

/// The bytes of an IP address, which may be written in several ways; empty where it is none.
std::string address_bytes(const std::string& text) {
  std::string bytes(sizeof(in6_addr), '\0');
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
  bytes.resize(sizeof(in_addr));
  return inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ? bytes : std::string();
}

bool is_same_address(const std::string& one, const std::string& other) {
  return one == other ||
         (!address_bytes(one).empty() && address_bytes(one) == address_bytes(other));
}

std::string namespace_of(const Json& object) {
  return base::string_at(base::at_path(object, {"metadata"}), "namespace");
}

std::vector<Network> pod_networks(const ClusterObservation& seen) {
  std::vector<Network> networks;
  const auto listed = seen.live.objects.list(kNodes);
  const auto* nodes = listed.found(Unknown::kNothingFollows);
  if (nodes == nullptr) return networks;
  for (const Json& node : *nodes) {
    for (const Json& cidr : list_at(node, {"spec", "podCIDRs"})) {
      if (!cidr.is_string()) continue;
      if (auto network = parse_network(cidr.get<std::string>())) {
        networks.push_back(*std::move(network));
      }
    }
  }
  return networks;
}

bool overlap(const Network& a, const Network& b) {
  const std::uint32_t mask = a.mask & b.mask;
  return (a.address & mask) == (b.address & mask);
}

bool is_private(const std::string& address) {
  const auto network = parse_network(address + "/32");
  if (!network) return false;
  constexpr std::array kPrivate{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"};
  return std::any_of(kPrivate.begin(), kPrivate.end(), [&network](const char* text) {
    return overlap(*network, *parse_network(text));
  });
}

/// What the kubeconfig has to go through counts for nobody else: an istiod given the bare address
/// may never get there, and one given the proxy may reach neither.
void report_proxy(const Cluster& cluster, const ServerFacts& server, Answer& answer) {
  answer.findings.push_back(
      {.code = "api-server-behind-proxy",
       .cluster = cluster.name,
       .message = fmt::format("its API server is reached through the proxy {}, and nothing says "
                              "whether istiods of other clusters reach it without",
                              server.proxy),
       .evidence = {"the proxy is the 'proxy-url' of the kubeconfig"},
       .hints = {fmt::format(
           "write the address at which they reach it as its 'apiServer': '{}' where "
           "they need no proxy",
           server.url)},
       .place = cluster.context_place});
}

}  // namespace

void check_api_servers(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    const ServerFacts* server = seen == nullptr ? nullptr : seen->server.found(Unknown::kTold);
    if (server == nullptr || cluster.api_server || !is_read_by_others(subject, cluster)) continue;
    if (!server->proxy.empty()) report_proxy(cluster, *server, answer);
    if (!profiles::is_loopback_server(server->url)) continue;
    Finding finding{
        .code = "api-server-loopback",
        .cluster = cluster.name,
        .message = fmt::format("its API server is {}, which istiods of other clusters cannot reach",
                               server->url),
        .evidence = {"that is what the kubeconfig says"},
        .place = cluster.context_place};
    if (const auto address = address_of_only_node(*seen)) {
      finding.hints.push_back(fmt::format(
          "write 'apiServer: https://{}:6443' for it, the address of its node", *address));
    } else {
      finding.hints.emplace_back("write the address that peers reach it at as its 'apiServer'");
    }
    answer.findings.push_back(std::move(finding));
  }
}

void check_pod_addresses(const CheckSubject& subject, Answer& answer) {
  const auto& clusters = subject.mesh.clusters;
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    for (std::size_t j = i + 1; j < clusters.size(); ++j) {
      const ClusterObservation* a = subject.observed(clusters[i]);
      const ClusterObservation* b = subject.observed(clusters[j]);
      if (clusters[i].network != clusters[j].network || a == nullptr || b == nullptr) continue;
      const auto ours = pod_networks(*a);
      const auto theirs = pod_networks(*b);
      for (const Network& one : ours) {
        const auto same = std::find_if(theirs.begin(), theirs.end(), [&one](const Network& other) {
          return overlap(one, other);
        });
        if (same == theirs.end()) continue;
        answer.findings.push_back(
            {.code = "pod-addresses-overlap",
             .cluster = clusters[j].name,
             .message = fmt::format("its pods share addresses with those of '{}', though both are "
                                    "on network '{}'",
                                    clusters[i].name, clusters[i].network),
             .evidence = {fmt::format("nodes of '{}' have {}, nodes of '{}' have {}",
                                      clusters[i].name, one.text, clusters[j].name, same->text)},
             .hints = {"give them networks of different names, so that traffic goes through "
                       "gateways, or create one of them with another pod subnet"},
             .place = clusters[j].network_place});
        break;
      }
    }
  }
}

void check_stated_addresses(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    const std::optional<std::string> stated = stated_address(subject, cluster);
    if (seen == nullptr || !stated) continue;
    const auto observed = called_service(subject.mesh, cluster, seen->live.objects);
    const Json* service = observed.found(Unknown::kNothingFollows);
    if (service == nullptr) continue;
    // Without any it is waited for, and what a name leads to is not known here.
    const std::vector<std::string> live = ip_addresses_of_service(*service);
    const bool has_stated = std::any_of(live.begin(), live.end(), [&stated](const auto& one) {
      return is_same_address(one, *stated);
    });
    if (live.empty() || has_stated) continue;
    const bool by_external = cluster.external && cluster.external->ip;
    // Whoever translates addresses on the way states one of his own with good reason.
    answer.findings.push_back(
        {.code = "gateway-address-differs",
         .severity = Severity::kNote,
         .cluster = cluster.name,
         .message = fmt::format("others are told to call its gateway at {}, and its Service has {}",
                                *stated, base::join(live, ", ")),
         .evidence = {fmt::format("service {}/{}", namespace_of(*service), name_of(*service))},
         .hints = {fmt::format("does something outside of Kubernetes lead {} to it? If not, write "
                               "{} as its '{}', or leave that out",
                               *stated, live.front(),
                               by_external ? "external.ip" : "eastWestGateway.address")},
         .place = by_external ? cluster.external->place : cluster.gateway.place});
  }
}

void check_open_gateways(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    const bool hosting = cluster.role == profiles::Role::kExternal;
    if (seen == nullptr || (!hosting && !profiles::exposes_istiod(subject.mesh, cluster))) continue;
    const auto& gateway = cluster.gateway;
    if (!profiles::is_open_to_the_world(gateway)) continue;
    const auto observed = hosting ? hosting_address(subject.mesh, seen->live.objects)
                                  : east_west_address(subject.mesh, cluster, seen->live.objects);
    const Address* address = observed.found(Unknown::kTold);
    if (address == nullptr || is_private(address->text)) continue;
    answer.findings.push_back(
        {.code = "gateway-open-to-all",
         .severity = Severity::kWarning,
         .cluster = cluster.name,
         .message =
             fmt::format("anybody can reach the control ports of its gateway at {}", address->text),
         .hints = {"write 'eastWestGateway.sourceRanges', or an annotation that makes its load "
                   "balancer internal"},
         .place = gateway.place});
  }
}

}  // namespace meshtrust::mesh
