#include "mesh/condition.h"

#include "base/check.h"
#include "istio/names.h"
#include "mesh/condition/asking.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace meshtrust::mesh {

const profiles::Cluster& home_of_istiod(const Situation& situation) {
  const profiles::Cluster& cluster = situation.cluster;
  if (cluster.runs_istiod() || cluster.control_plane.empty()) return cluster;
  const profiles::Cluster* manager = situation.mesh.find(cluster.control_plane.front());
  return manager == nullptr ? cluster : *manager;
}

const ClusterObservation& Situation::seen() const {
  const ClusterObservation* found = observation.find(cluster.name);
  MESHTRUST_CHECK(found != nullptr);
  return *found;
}

std::span<const Condition> conditions() {
  static const std::array kConditions{
      Condition{kTrustProved,
                "is its trust proved?",
                ask_trust_proved,
                {.trust = true},
                "another run is changing it, or cacerts was changed by hand",
                "meshtrust verify"},
      Condition{
          kControlPlaneReady,
          "is the control plane ready?",
          ask_control_plane_ready,
          {.resources = {kDeployments}, .watched = kDeployments},
          "its pod cannot be scheduled, its image cannot be pulled, or istiod does not accept "
          "cacerts",
          "kubectl --context {context} -n {namespace} describe pods -l app=istiod"},
      Condition{kNodeAgentsReady,
                "do ztunnel and the CNI agent run on every node?",
                ask_node_agents_ready,
                {.resources = {kDaemonSets}, .watched = kDaemonSets},
                "a node does not take their pods: its taints, or a CNI that forbids chaining",
                "kubectl --context {context} -n {namespace} describe daemonsets"},
      Condition{kWebhooksAnswer,
                "do its webhooks answer?",
                ask_webhooks_answer,
                {.trust = true,
                 .resources = {kValidatingWebhooks, kMutatingWebhooks},
                 .watched = kValidatingWebhooks},
                "the API server cannot reach istiod on port 15017 (a firewall between control "
                "plane and nodes)",
                "kubectl --context {istiod-context} -n {namespace} logs deploy/{istiod}"},
      Condition{kGatewayUp,
                "is the east-west gateway up?",
                ask_gateway_up,
                {.resources = {kDeployments}, .watched = kDeployments},
                "injection does not work, or its pod cannot be scheduled",
                "kubectl --context {context} -n {namespace} describe deployment "
                "{gateway}"},
      Condition{kIngressUp,
                "is the ingress gateway up?",
                ask_ingress_up,
                {.resources = {kDeployments}, .watched = kDeployments},
                "injection does not work, or its pod cannot be scheduled",
                "kubectl --context {context} -n {namespace} describe deployment "
                "istio-ingressgateway"},
      Condition{kGatewayAddressKnown,
                "does the east-west gateway have an address?",
                ask_gateway_address_known,
                {.resources = {kServices, kApiGateways}, .watched = kServices},
                "nothing in the cluster gives load balancers an address: MetalLB, "
                "cloud-provider-kind or a cloud's controller",
                "kubectl --context {context} -n {namespace} describe service "
                "{gateway}"},
      Condition{kGatewayNodesKnown,
                "do its nodes have addresses, by which the east-west gateway is reached?",
                ask_gateway_nodes_known,
                {.resources = {kNodes}, .pause = std::chrono::seconds(5)},
                "no node has an address of type ExternalIP, by which istiods of other networks "
                "reach a gateway of type NodePort",
                "kubectl --context {context} get nodes -o wide"},
      Condition{kIngressAddressKnown,
                "does the ingress gateway have an address?",
                ask_ingress_address_known,
                {.resources = {kServices}, .watched = kServices},
                "nothing in the cluster gives load balancers an address: MetalLB, "
                "cloud-provider-kind or a cloud's controller",
                "kubectl --context {context} -n {namespace} describe service "
                "istio-ingressgateway"},
      Condition{kClustersSynced,
                "does every istiod see its clusters?",
                ask_clusters_synced,
                {.istiods = true},
                "istiod cannot reach the other API server at the address in the remote secret, or "
                "its token lacks rights",
                "kubectl --context {context} -n {namespace} logs deploy/{istiod}"},
      Condition{kNetworksKnown,
                "does every istiod know the way to other networks?",
                ask_networks_known,
                {.istiods = true},
                "the Service of the other gateway has no address or lacks the label "
                "topology.istio.io/network",
                "kubectl --context {context} -n {namespace} get services -l "
                "topology.istio.io/network"},
      Condition{kAdopted,
                "is it adopted by its control plane?",
                ask_adopted,
                {.trust = true, .resources = {kMutatingWebhooks}, .watched = kMutatingWebhooks},
                "its namespace was not annotated when istiod read the remote secret, or the reader "
                "may not patch webhooks",
                "kubectl --context {context} get mutatingwebhookconfigurations"},
  };
  return kConditions;
}

const Condition& condition(std::string_view id) {
  const auto all = conditions();
  const auto found =
      std::find_if(all.begin(), all.end(), [id](const Condition& one) { return one.id == id; });
  MESHTRUST_CHECK(found != all.end());
  return *found;
}

std::vector<std::string> cause_and_look(const Situation& situation,
                                        std::string_view cause,
                                        std::string_view command_with_places) {
  std::string command(command_with_places);
  const auto fill = [&command](std::string_view what, const std::string& value) {
    for (auto at = command.find(what); at != std::string::npos; at = command.find(what)) {
      command.replace(at, what.size(), value);
    }
  };
  fill("{context}", situation.cluster.context);
  fill("{istiod-context}", home_of_istiod(situation).context);
  fill("{namespace}", situation.namespace_name);
  fill("{istiod}", istio::istiod_name(situation.revision));
  fill("{gateway}", istio::east_west_gateway_name(situation.revision));
  return {fmt::format("likely cause: {}", cause), fmt::format("look with '{}'", command)};
}

Verdict ask(const Condition& condition, const Situation& situation) {
  Verdict verdict = condition.ask(situation);
  if (verdict.state == Verdict::State::kNo && verdict.hints.empty()) {
    verdict.hints = cause_and_look(situation, condition.likely_cause, condition.next_command);
  }
  return verdict;
}

}  // namespace meshtrust::mesh
