#include "run/rehearse.h"

#include "base/check.h"
#include "istio/names.h"
#include "profiles/trust_objects.h"
#include "run/pool.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Json;

struct Trial {
  std::string step;
  k8s::ObjectRef ref;
  Json object;
};

/// What can be tried of a step; nothing where there is no object, or a secret one.
std::optional<Trial> trial_of(const profiles::Mesh& mesh, const mesh::Step& step) {
  if (const auto* wanted = std::get_if<mesh::ApplyObject>(&step.action)) {
    k8s::ObjectRef ref{.api_version = wanted->api_version,
                       .kind = wanted->kind,
                       .resource = wanted->resource,
                       .namespace_name = wanted->namespace_name,
                       .name = wanted->name};
    MESHTRUST_CHECK(!ref.is_secret());
    return Trial{.step = step.id, .ref = std::move(ref), .object = wanted->object};
  }
  if (const auto* wanted = std::get_if<mesh::PublishTwin>(&step.action)) {
    const profiles::Cluster* cluster = mesh.find(step.cluster);
    MESHTRUST_CHECK(cluster != nullptr);
    return Trial{.step = step.id,
                 .ref = k8s::config_map_ref(wanted->namespace_name, istio::kPublicTwin),
                 .object = profiles::twin_object(
                     mesh, *cluster, wanted->certificates.value_or(istio::PublicBundle{}))};
  }
  return std::nullopt;
}

bool creates_namespace(const std::vector<Trial>& trials, const std::string& name) {
  return std::any_of(trials.begin(), trials.end(), [&](const Trial& trial) {
    return trial.ref.resource == "namespaces" && trial.ref.name == name;
  });
}

Rehearsal rehearse_in(const std::string& cluster,
                      const std::vector<Trial>& trials,
                      k8s::ApiClient& client) {
  Rehearsal out;
  for (const Trial& trial : trials) {
    auto said = client.rehearse(trial.ref, trial.object);
    if (!said) {
      const bool gone = said.error().code == Code::kUnavailable;
      out.refusals.push_back(with_context(std::move(said).error(), cluster));
      if (gone) break;
    } else if (*said == k8s::Rehearsed::kNotSupported) {
      out.untried.push_back(trial.step + ": a webhook of the cluster does not take part in it");
    } else if (*said == k8s::Rehearsed::kNoNamespace) {
      const std::string& name = trial.ref.namespace_name;
      if (creates_namespace(trials, name)) {
        out.untried.push_back(trial.step + ": its namespace does not exist yet");
      } else {
        out.refusals.push_back(
            {.code = Code::kConflict,
             .message = fmt::format("{}: namespace '{}' has disappeared", cluster, name)});
      }
    }
  }
  client.close_idle();
  return out;
}

}  // namespace

Rehearsal rehearse(const profiles::Mesh& mesh, const mesh::Plan& plan, const World& world) {
  std::map<std::string, std::vector<Trial>> by_cluster;
  for (const mesh::Step& step : plan.steps) {
    if (auto trial = trial_of(mesh, step)) by_cluster[step.cluster].push_back(*std::move(trial));
  }
  std::vector<std::string> names;
  names.reserve(by_cluster.size());
  for (const auto& [name, trials] : by_cluster) {
    names.push_back(name);
  }
  std::vector<Rehearsal> found(names.size());
  for_each_index(names.size(), world.jobs, [&](std::size_t index) {
    const std::string& name = names[index];
    const auto client = world.clusters.client(name);
    if (client) {
      found[index] = rehearse_in(name, by_cluster.at(name), **client);
    } else {
      found[index].refusals.push_back(with_context(client.error(), name));
    }
  });
  Rehearsal all;
  for (Rehearsal& one : found) {
    std::move(one.refusals.begin(), one.refusals.end(), std::back_inserter(all.refusals));
    std::move(one.untried.begin(), one.untried.end(), std::back_inserter(all.untried));
  }
  return all;
}

}  // namespace meshtrust::run
