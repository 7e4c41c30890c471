#pragma once

#include "mesh/condition.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The questions of the table in condition.cpp, and what they share.

namespace meshtrust::mesh {

inline Verdict yes(std::string why, std::string value = {}) {
  return {.state = Verdict::State::kYes, .why = std::move(why), .value = std::move(value)};
}
inline Verdict no(std::string why, std::vector<std::string> evidence = {}) {
  return {.state = Verdict::State::kNo, .why = std::move(why), .evidence = std::move(evidence)};
}
inline Verdict unknown(const base::Error& why) {
  return {.state = Verdict::State::kUnknown,
          .why = why.message,
          .hints = why.hints,
          .is_forbidden = why.code == base::Code::kPermission};
}

/// Where the istiod of a cluster runs: of a remote, and of one that has its configuration alone, in
/// the cluster that manages it.
const profiles::Cluster& home_of_istiod(const Situation& situation);

/// "likely cause: ...", and the command to look with, its places filled in as in `Condition`.
std::vector<std::string> cause_and_look(const Situation& situation,
                                        std::string_view cause,
                                        std::string_view command_with_places);

inline Verdict with_hints(Verdict verdict, std::vector<std::string> hints) {
  verdict.hints = std::move(hints);
  return verdict;
}

/// Of something that a plan makes.
inline Verdict is_not_there(std::string_view kind, std::string_view space, std::string_view name) {
  return with_hints(no(fmt::format("there is no {} {}/{}", kind, space, name)),
                    {"'meshtrust apply' makes it"});
}

/// Whether the Deployment of that name has rolled out what it was last told.
Verdict ask_deployment(const Situation& situation, const std::string& name);
/// Whether a webhook configuration is of the revision of the control plane, or of none.
bool is_of_revision(const base::Json& configuration, const Situation& situation);
/// The webhooks of a configuration that call the namespace of the control plane.
std::vector<base::Json> webhooks_of(const base::Json& configuration, const Situation& situation);

/// The first injection webhook configuration of the control plane that has a webhook without a CA;
/// empty where there is none.
std::string injector_without_ca(const Situation& situation);
/// Whether the injection webhook of the control plane has its CA bundle, and the mesh's root in it.
Verdict ask_injection(const Situation& situation);

Verdict ask_trust_proved(const Situation& situation);
Verdict ask_control_plane_ready(const Situation& situation);
Verdict ask_node_agents_ready(const Situation& situation);
Verdict ask_webhooks_answer(const Situation& situation);
Verdict ask_gateway_up(const Situation& situation);
Verdict ask_ingress_up(const Situation& situation);
Verdict ask_gateway_address_known(const Situation& situation);
Verdict ask_gateway_nodes_known(const Situation& situation);
Verdict ask_ingress_address_known(const Situation& situation);
Verdict ask_clusters_synced(const Situation& situation);
Verdict ask_networks_known(const Situation& situation);
Verdict ask_adopted(const Situation& situation);

}  // namespace meshtrust::mesh
