#include "istio/names.h"
#include "mesh/condition/asking.h"
#include "mesh/known.h"

#include <fmt/format.h>

namespace meshtrust::mesh {
namespace {

constexpr std::string_view kIngressGatewayName = "istio-ingressgateway";

Verdict address_known(const Observed<Address>& address, std::string_view what) {
  if (const auto* why = address.why_unknown()) return unknown(*why);
  if (address.is_absent()) return no(fmt::format("{} has no address yet", what));
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
  return address_known(
      east_west_address(situation.mesh, situation.cluster, situation.seen().live.objects),
      "its east-west gateway");
}

Verdict ask_ingress_address_known(const Situation& situation) {
  return address_known(hosting_address(situation.mesh, situation.seen().live.objects),
                       "its ingress gateway");
}

}  // namespace meshtrust::mesh
