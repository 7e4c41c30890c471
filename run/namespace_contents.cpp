#include "run/namespace_contents.h"

#include "istio/names.h"
#include "run/pool.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace meshtrust::run {
namespace {

using base::Json;
using base::Result;
using Contents = std::vector<mesh::ContentFacts>;
using Fact = mesh::Observed<Contents>;

/// Requests at a time to one server.
constexpr std::size_t kWorkers = 8;

/// Calls `one` with each index, several at a time, and gives what they gave or the first error.
template <class T, class One>
Result<std::vector<T>> for_each_of(std::size_t count, const One& one) {
  std::vector<std::optional<Result<T>>> results(count);
  for_each_index(count, kWorkers, [&](std::size_t index) { results[index] = one(index); });
  std::vector<T> all;
  for (auto& result : results) {
    if (!*result) return base::fail(std::move(*result).error());
    all.push_back(**std::move(result));
  }
  return all;
}

bool has_verb(const k8s::ServedResource& resource, std::string_view verb) {
  return std::find(resource.verbs.begin(), resource.verbs.end(), verb) != resource.verbs.end();
}

/// Made from other objects, and without them of no use; events may be thousands.
bool is_derived(const k8s::ObjectRef& kind) {
  const std::string group = kind.group();
  return (kind.resource == "events" && (group.empty() || group == "events.k8s.io")) ||
         (kind.resource == "endpoints" && group.empty()) ||
         (kind.resource == "endpointslices" && group == "discovery.k8s.io");
}

/// Every namespaced kind once, in the version that its group prefers.
Result<std::vector<k8s::ObjectRef>> kinds_in(k8s::ApiClient& client,
                                             const std::string& namespace_name) {
  using Resources = std::vector<k8s::ServedResource>;
  MESHTRUST_TRY(const auto versions, client.api_versions());
  const auto discover = [&](std::size_t index) -> Result<Resources> {
    MESHTRUST_TRY(auto served, client.discover(versions[index]));
    // A version that went since it was listed has nothing any more.
    return std::move(served).value_or(Resources());
  };
  MESHTRUST_TRY(const auto served, for_each_of<Resources>(versions.size(), discover));
  std::vector<k8s::ObjectRef> kinds;
  std::set<std::string> known;
  for (std::size_t i = 0; i < versions.size(); ++i) {
    for (const k8s::ServedResource& one : served[i]) {
      // Subresources, what cannot be kept (reviews), and measurements of something else.
      const bool is_kept = one.namespaced && one.name.find('/') == std::string::npos &&
                           has_verb(one, "list") && has_verb(one, "delete");
      k8s::ObjectRef kind{.api_version = versions[i],
                          .kind = one.kind,
                          .resource = one.name,
                          .namespace_name = namespace_name};
      if (is_kept && !is_derived(kind) && known.insert(kind.group() + "/" + one.name).second) {
        kinds.push_back(std::move(kind));
      }
    }
  }
  return kinds;
}

mesh::ContentFacts content_facts(const k8s::ObjectRef& kind, const k8s::SecretFacts& object) {
  mesh::ContentFacts facts{.api_version = kind.api_version,
                           .kind = kind.kind,
                           .resource = kind.resource,
                           .namespace_name = kind.namespace_name,
                           .name = object.name,
                           .uid = object.uid,
                           .labels = object.labels,
                           .managers = object.managers,
                           .owners = {},
                           .terminating = object.is_being_deleted};
  for (const auto& owner : object.owners) {
    facts.owners.push_back({.kind = owner.kind, .uid = owner.uid});
  }
  return facts;
}

/// The namespaces in `seen` that carry our mark.
std::vector<std::string> made_by_us(const mesh::ClusterObservation& seen,
                                    const std::string& system_namespace) {
  std::vector<std::string> names;
  const auto* facts = seen.system_namespace.found(mesh::Unknown::kTold);
  if (facts != nullptr && facts->created_by_meshtrust) names.push_back(system_namespace);
  const auto observed = seen.live.objects.list(mesh::kNamespaces);
  if (const auto* list = observed.found(mesh::Unknown::kTold)) {
    for (const Json& one : *list) {
      const Json& annotations = base::at_path(one, {"metadata", "annotations"});
      const bool ours =
          base::string_at(annotations, istio::kCreatedByAnnotation) == istio::kFieldManager;
      if (ours && mesh::name_of(one) != system_namespace) names.push_back(mesh::name_of(one));
    }
  }
  return names;
}

Fact look_into(const World& world,
               const mesh::ClusterObservation& seen,
               const std::string& system_namespace) {
  const auto client = world.clusters.client(seen.name);
  if (!client) return Fact::unknown(client.error());
  Contents all;
  for (const std::string& name : made_by_us(seen, system_namespace)) {
    auto contents = contents_of(**client, name);
    if (!contents) return Fact::unknown(std::move(contents).error());
    all.insert(all.end(), contents->begin(), contents->end());
  }
  (*client)->close_idle();
  return all;
}

}  // namespace

Result<Contents> contents_of(k8s::ApiClient& client, const std::string& namespace_name) {
  const auto looking = fmt::format("looking at all that is in namespace '{}'", namespace_name);
  const auto kinds = kinds_in(client, namespace_name);
  if (!kinds) return base::fail(with_context(kinds.error(), looking));
  const auto list = [&](std::size_t index) -> Result<Contents> {
    const k8s::ObjectRef& kind = (*kinds)[index];
    MESHTRUST_TRY(const auto found, client.list_metadata(kind));
    Contents contents;
    std::transform(found.items.begin(), found.items.end(), std::back_inserter(contents),
                   [&kind](const auto& one) { return content_facts(kind, one); });
    return contents;
  };
  const auto lists = for_each_of<Contents>(kinds->size(), list);
  if (!lists) return base::fail(with_context(lists.error(), looking));
  Contents all;
  std::set<std::string> uids;  // one object may be served by two groups
  for (const Contents& contents : *lists) {
    for (const mesh::ContentFacts& one : contents) {
      if (uids.insert(one.uid).second) all.push_back(one);
    }
  }
  return all;
}

void observe_contents(const profiles::Mesh& mesh,
                      const World& world,
                      const mesh::DestroyOptions& options,
                      mesh::Observation& observation,
                      const Onlooker& onlooker) {
  for_each_index(observation.clusters.size(), world.jobs, [&](std::size_t index) {
    mesh::ClusterObservation& seen = observation.clusters[index];
    // A server that does not answer is not asked again.
    if (!options.leaves(seen.name) || seen.server.is_unknown()) return;
    const Asking asking(onlooker, seen.name, "all that is in its namespaces");
    seen.live.contents = look_into(world, seen, mesh.istio.system_namespace);
  });
}

}  // namespace meshtrust::run
