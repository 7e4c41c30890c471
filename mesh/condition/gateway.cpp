#include "profiles/gateway.h"

#include "base/text.h"
#include "istio/names.h"
#include "mesh/condition/asking.h"
#include "mesh/known.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <string>

namespace meshtrust::mesh {
namespace {

constexpr std::string_view kIngressGatewayName = "istio-ingressgateway";

/// What to do where nothing gives load balancers an address. Gateways of ambient meshes are always
/// behind one.
std::vector<std::string> without_address(const Situation& situation, const Condition& condition) {
  std::vector<std::string> hints =
      cause_and_look(situation, condition.likely_cause, condition.next_command);
  if (situation.mesh.istio.data_plane != profiles::DataPlane::kAmbient) {
    hints.push_back(
        fmt::format("without a load balancer: which address leads to the nodes of {}? Write it as "
                    "its 'eastWestGateway: {{type: NodePort, address: ADDRESS}}'",
                    situation.cluster.name));
  }
  return hints;
}

/// Whether istiods take a node for one of those by which a gateway is reached.
bool is_selected(const base::Json& node, const std::map<std::string, std::string>& selector) {
  const base::Json& labels = base::at_path(node, {"metadata", "labels"});
  return std::all_of(selector.begin(), selector.end(), [&labels](const auto& wanted) {
    return labels.contains(wanted.first) && base::string_at(labels, wanted.first) == wanted.second;
  });
}

/// Whether a node is reached from outside.
bool has_external_address(const base::Json& node) {
  const base::Json& addresses = list_at(node, {"status", "addresses"});
  return std::any_of(addresses.begin(), addresses.end(), [](const base::Json& address) {
    return base::string_at(address, "type") == "ExternalIP";
  });
}

/// What gets an address, and tells it in its status.
struct Addressee {
  std::string_view resource = kServices;
  std::string_view kind = "service";
  std::string name = {};
};

Verdict address_known(const Situation& situation,
                      std::string_view condition_id,
                      const Observed<Address>& address,
                      std::string_view what,
                      const Addressee& of) {
  if (const auto* why = address.why_unknown()) return unknown(*why);
  const Objects& objects = situation.seen().live.objects;
  if (objects.find(of.resource, situation.namespace_name, of.name).is_absent()) {
    return is_not_there(of.kind, situation.namespace_name, of.name);
  }
  if (address.is_absent()) {
    return with_hints(no(fmt::format("{} has no address yet", what)),
                      without_address(situation, condition(condition_id)));
  }
  const std::string& text = address.found(Unknown::kTold)->text;
  return yes(text, text);
}

}  // namespace

Verdict ask_gateway_up(const Situation& situation) {
  return ask_deployment(situation, istio::east_west_gateway_name(situation.revision));
}

Verdict ask_ingress_up(const Situation& situation) {
  return ask_deployment(situation, std::string(kIngressGatewayName));
}

Verdict ask_gateway_address_known(const Situation& situation) {
  Addressee of{.name = istio::east_west_gateway_name(situation.revision)};
  if (situation.mesh.istio.data_plane == profiles::DataPlane::kAmbient) {
    of.resource = kApiGateways;
    of.kind = "gateway";
  }
  return address_known(
      situation, kGatewayAddressKnown,
      east_west_address(situation.mesh, situation.cluster, situation.seen().live.objects),
      "its east-west gateway", of);
}

Verdict ask_gateway_nodes_known(const Situation& situation) {
  const auto list = situation.seen().live.objects.list(kNodes);
  if (const auto* why = list.why_unknown()) return unknown(*why);
  const auto nodes = list.is_absent() ? Objects::List() : *list.found(Unknown::kTold);
  const auto selector = profiles::node_selector(situation.cluster.gateway);
  const auto reached = std::count_if(nodes.begin(), nodes.end(), [&selector](const auto& node) {
    return is_selected(node, selector) && has_external_address(node);
  });
  if (reached > 0) {
    return yes(base::count_of(static_cast<std::size_t>(reached), "node") +
               " with an external address");
  }
  Verdict verdict = no(selector.empty() ? "no node has an external address"
                                        : "no node that its nodeSelector means has an external "
                                          "address");
  const Condition& asked = condition(kGatewayNodesKnown);
  verdict.hints = cause_and_look(situation, asked.likely_cause, asked.next_command);
  verdict.hints.push_back(
      fmt::format("which address leads to the nodes of {}? Write it as its "
                  "'eastWestGateway.address'",
                  situation.cluster.name));
  return verdict;
}

Verdict ask_ingress_address_known(const Situation& situation) {
  return address_known(situation, kIngressAddressKnown,
                       hosting_address(situation.mesh, situation.seen().live.objects),
                       "its ingress gateway", {.name = std::string(kIngressGatewayName)});
}

}  // namespace meshtrust::mesh
