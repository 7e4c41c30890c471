#include "run/rehearse.h"

#include "base/check.h"
#include "istio/names.h"
#include "profiles/reference.h"
#include "profiles/trust_objects.h"
#include "run/pool.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Json;

struct Trial {
  std::string step;
  k8s::ObjectRef ref;
  Json object;
};

/// Whether an object is taken does not hang on the value of that label.
std::optional<std::string> some_root(const std::string& reference) {
  constexpr std::size_t kDigits = 40;
  if (reference != profiles::kRootReference) return std::nullopt;
  return std::string(kDigits, '0');
}

/// Everything that can be tried of a step: objects, but no secret ones.
std::vector<Trial> trials_of(const profiles::Mesh& mesh, const mesh::Step& step) {
  std::vector<Trial> trials;
  if (const auto* wanted = std::get_if<mesh::ApplyObjects>(&step.action)) {
    for (const profiles::Object& object : wanted->objects) {
      k8s::ObjectRef ref{.api_version = object.api_version,
                         .kind = object.kind,
                         .resource = object.resource,
                         .namespace_name = object.namespace_name,
                         .name = object.name};
      MESHTRUST_CHECK(!ref.is_secret());
      // What is filled in only later cannot be judged now.
      Json body = profiles::resolve(object.body, some_root);
      if (profiles::references_in(body).empty()) {
        trials.push_back({.step = step.id, .ref = std::move(ref), .object = std::move(body)});
      }
    }
  } else if (const auto* twin = std::get_if<mesh::PublishTwin>(&step.action)) {
    const profiles::Cluster* cluster = mesh.find(step.cluster);
    MESHTRUST_CHECK(cluster != nullptr);
    trials.push_back({.step = step.id,
                      .ref = k8s::config_map_ref(twin->namespace_name, istio::kPublicTwin),
                      .object = profiles::resolve(
                          profiles::twin_object(mesh, *cluster,
                                                twin->certificates.value_or(istio::PublicBundle{})),
                          some_root)});
  }
  return trials;
}

bool creates_namespace(const std::vector<Trial>& trials, const std::string& name) {
  return std::any_of(trials.begin(), trials.end(), [&](const Trial& trial) {
    return trial.ref.resource == "namespaces" && trial.ref.name == name;
  });
}

/// Whether the kind of an object is one that the installation before it brings.
bool is_brought(const k8s::ObjectRef& ref, bool installs) {
  return installs && ref.group().ends_with(".istio.io");
}

Rehearsal rehearse_in(const std::string& cluster,
                      const std::vector<Trial>& trials,
                      bool installs,
                      k8s::ApiClient& client) {
  Rehearsal out;
  for (const Trial& trial : trials) {
    if (is_brought(trial.ref, installs)) {
      out.untried.push_back(trial.step + ": its kind and its webhooks come with Istio");
      continue;
    }
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
  std::set<std::string> installing;
  for (const mesh::Step& step : plan.steps) {
    for (Trial& trial : trials_of(mesh, step)) {
      by_cluster[step.cluster].push_back(std::move(trial));
    }
    if (std::holds_alternative<mesh::Install>(step.action)) installing.insert(step.cluster);
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
      found[index] = rehearse_in(name, by_cluster.at(name), installing.contains(name), **client);
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
