#pragma once

#include "base/time.h"
#include "mesh/observation.h"
#include "profiles/mesh.h"

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {

/// What a condition looks at: one cluster, and of it one control plane or gateway.
struct Situation {
  const profiles::Mesh& mesh;
  const profiles::Cluster& cluster;
  const Observation& observation;  ///< holds `cluster`
  base::Instant at;
  std::string namespace_name;  ///< of the control plane or gateway
  std::string revision;

  const ClusterObservation& seen() const;
};

/// The answer of a condition.
struct Verdict {
  enum class State { kYes, kNo, kUnknown };
  State state = State::kUnknown;
  std::string why = {};                    ///< what was seen: "0 of 1 replicas are ready"
  std::vector<std::string> evidence = {};  ///< more of it, a fact a line
  std::string value = {};                  ///< what it found out, such as an address
  /// Its likely cause, and what to look at or do.
  std::vector<std::string> hints = {};
  bool is_forbidden = false;   ///< unknown for want of a right, which no waiting brings
  bool awaits_person = false;  ///< no, and nothing but a person changes it
};

/// What has to be looked at anew to answer a condition.
struct Look {
  bool trust = false;    ///< of the cluster, and of the clusters that sign for it
  bool secrets = false;  ///< remote secrets and tokens
  bool istiods = false;  ///< what istiods say
  std::vector<std::string_view> resources = {};
  std::string_view watched = {};  ///< the resource whose change may change the answer
  /// Between two looks at what is not watched, such as what always changes.
  std::chrono::milliseconds pause{500};
};

/// A condition of a working mesh. Waits, `status` and `verify` ask the same.
struct Condition {
  std::string_view id;
  std::string_view question;
  Verdict (*ask)(const Situation& situation);
  Look look;
  // What is told where the question itself says nothing of the case.
  std::string_view likely_cause;
  /// The command that shows more; {context}, {istiod-context}, {namespace}, {istiod} and {gateway}
  /// are filled in.
  std::string_view next_command;
};

inline constexpr std::string_view kTrustProved = "trust-proved";
inline constexpr std::string_view kControlPlaneReady = "control-plane-ready";
inline constexpr std::string_view kNodeAgentsReady = "node-agents-ready";
inline constexpr std::string_view kWebhooksAnswer = "webhooks-answer";
inline constexpr std::string_view kGatewayUp = "gateway-up";
inline constexpr std::string_view kIngressUp = "ingress-gateway-up";
inline constexpr std::string_view kGatewayAddressKnown = "gateway-address-known";
inline constexpr std::string_view kGatewayNodesKnown = "gateway-nodes-known";
inline constexpr std::string_view kIngressAddressKnown = "ingress-address-known";
inline constexpr std::string_view kClustersSynced = "clusters-synced";
inline constexpr std::string_view kNetworksKnown = "networks-known";
inline constexpr std::string_view kAdopted = "adopted";

/// The table.
std::span<const Condition> conditions();
/// The one with that id; it has to exist.
const Condition& condition(std::string_view id);

/// Asks it, and says what helps where the answer is no.
Verdict ask(const Condition& condition, const Situation& situation);

}  // namespace meshtrust::mesh
