#include "base/text.h"
#include "istio/names.h"
#include "mesh/condition/asking.h"
#include "mesh/installed.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

using base::Json;

std::int64_t number_at(const Json& object, std::string_view key, std::int64_t fallback = 0) {
  const Json& value = base::at_path(object, {key});
  return value.is_number_integer() ? value.get<std::int64_t>() : fallback;
}

/// No autoscaler and no installer changes that: somebody did it, and has to undo it.
Verdict scaled_to_nothing(const Situation& situation, const std::string& name) {
  Verdict verdict = with_hints(
      no(fmt::format("deployment {}/{} is scaled to 0 replicas", situation.namespace_name, name)),
      {fmt::format("nobody but a person brings it back: 'kubectl --context {} -n {} scale "
                   "deployment/{} --replicas=1'",
                   situation.cluster.context, situation.namespace_name, name)});
  verdict.awaits_person = true;
  return verdict;
}

/// Whether a Deployment has rolled out what it was last told.
Verdict judge_deployment(const Json& deployment, std::int64_t wanted) {
  const Json& status = base::at_path(deployment, {"status"});
  const std::int64_t ready = number_at(status, "readyReplicas");
  const std::int64_t updated = number_at(status, "updatedReplicas");
  const std::int64_t generation = number_at(base::at_path(deployment, {"metadata"}), "generation");
  std::vector<std::string> evidence;
  bool available = false;
  for (const Json& condition : list_at(status, {"conditions"})) {
    const std::string type = base::string_at(condition, "type");
    const bool holds = base::string_at(condition, "status") == "True";
    available |= type == "Available" && holds;
    const std::string message = base::string_at(condition, "message");
    // Controllers leave the words of the first failure where they are.
    if (type == "ReplicaFailure" && holds) {
      evidence.push_back(fmt::format("{}, as it began: {}", type, message));
    }
    // A condition that is as it should be explains nothing.
    if (type != "ReplicaFailure" && !holds) {
      evidence.push_back(fmt::format("{}: {}", type, message));
    }
  }
  if (number_at(status, "observedGeneration") < generation) {
    return no("its last change has not been taken up yet", std::move(evidence));
  }
  if (!available || ready < 1 || ready < wanted || updated < wanted) {
    return no(fmt::format("{} of {} ready", ready,
                          base::count_of(static_cast<std::size_t>(wanted), "replica")),
              std::move(evidence));
  }
  return yes(fmt::format("{} ready", base::count_of(static_cast<std::size_t>(ready), "replica")));
}

}  // namespace

Verdict ask_deployment(const Situation& situation, const std::string& name) {
  const auto found =
      situation.seen().live.objects.find(kDeployments, situation.namespace_name, name);
  if (const auto* why = found.why_unknown()) return unknown(*why);
  if (found.is_absent()) return is_not_there("deployment", situation.namespace_name, name);
  const Json& deployment = *found.found(Unknown::kTold);
  const std::int64_t wanted = number_at(base::at_path(deployment, {"spec"}), "replicas", 1);
  return wanted == 0 ? scaled_to_nothing(situation, name) : judge_deployment(deployment, wanted);
}

Verdict ask_control_plane_ready(const Situation& situation) {
  return ask_deployment(situation, istio::istiod_name(situation.revision));
}

Verdict ask_node_agents_ready(const Situation& situation) {
  const auto list = situation.seen().live.objects.list(kDaemonSets);
  if (const auto* why = list.why_unknown()) return unknown(*why);
  bool has_tunnel = false;
  std::size_t nodes = 0;
  const auto* agents = list.found(Unknown::kTold);
  for (const Json& agent : agents != nullptr ? *agents : Objects::List()) {
    const std::string name = name_of(agent);
    if (!is_node_agent(agent)) continue;
    has_tunnel |= name.starts_with("ztunnel");
    const Json& status = base::at_path(agent, {"status"});
    const std::int64_t wanted = number_at(status, "desiredNumberScheduled");
    const std::int64_t ready = number_at(status, "numberReady");
    const Json& metadata = base::at_path(agent, {"metadata"});
    if (number_at(status, "observedGeneration") < number_at(metadata, "generation")) {
      return no(fmt::format("the last change of {} has not been taken up yet", name));
    }
    if (ready < wanted) {
      return no(fmt::format("{} is ready on {} of {}", name, ready,
                            base::count_of(static_cast<std::size_t>(wanted), "node")));
    }
    nodes = std::max(nodes, static_cast<std::size_t>(wanted));
  }
  if (!has_tunnel) return no("there is no ztunnel");
  return yes("on " + base::count_of(nodes, "node"));
}

std::vector<Json> webhooks_of(const Json& configuration, const Situation& situation) {
  std::vector<Json> webhooks;
  for (const Json& webhook : list_at(configuration, {"webhooks"})) {
    const Json& service = base::at_path(webhook, {"clientConfig", "service"});
    if (base::string_at(service, "namespace") == situation.namespace_name) {
      webhooks.push_back(webhook);
    }
  }
  return webhooks;
}

bool is_of_revision(const Json& configuration, const Situation& situation) {
  const std::string revision =
      base::string_at(base::at_path(configuration, {"metadata", "labels"}), istio::kRevisionLabel);
  return revision.empty() || revision == istio::revision_label_value(situation.revision);
}

Verdict ask_webhooks_answer(const Situation& situation) {
  const auto list = situation.seen().live.objects.list(kValidatingWebhooks);
  if (const auto* why = list.why_unknown()) return unknown(*why);
  const std::string service = istio::istiod_name(situation.revision);
  std::size_t answering = 0;
  for (const Json& configuration : *list.found(Unknown::kTold)) {
    if (!is_of_revision(configuration, situation)) continue;
    for (const Json& webhook : webhooks_of(configuration, situation)) {
      const Json& client = base::at_path(webhook, {"clientConfig"});
      if (base::string_at(base::at_path(client, {"service"}), "name") != service) continue;
      if (base::string_at(client, "caBundle").empty()) {
        return no(fmt::format("{} has no CA bundle yet", name_of(configuration)));
      }
      if (base::string_at(webhook, "failurePolicy") != "Fail") {
        return no(fmt::format("istiod has not taken {} into service yet", name_of(configuration)),
                  {"its failurePolicy is still " + base::string_at(webhook, "failurePolicy")});
      }
      ++answering;
    }
  }
  if (answering == 0) return no("there is no validating webhook of this control plane");
  return ask_injection(situation);
}

}  // namespace meshtrust::mesh
