#include "run/observe_workloads.h"

#include "run/pod_http.h"
#include "run/pool.h"

#include <nlohmann/json.hpp>

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace meshtrust::run {
namespace {

using mesh::Observed;
using Credentials = std::vector<istio::Credential>;

/// On every pod that istiod injected a proxy into or made as a gateway or waypoint, and on those of
/// ztunnel. Which of them have a proxy of the mesh is seen from the pods themselves.
constexpr const char* kInjected = "service.istio.io/canonical-name";
constexpr const char* kZtunnels = "app=ztunnel,!service.istio.io/canonical-name";

base::Result<std::vector<mesh::WorkloadPod>> pods_of(const profiles::Mesh& mesh,
                                                     k8s::ApiClient& client) {
  std::vector<mesh::WorkloadPod> all;
  std::vector<const char*> selectors{kInjected};
  if (mesh.istio.data_plane == profiles::DataPlane::kAmbient) selectors.push_back(kZtunnels);
  for (const char* selector : selectors) {
    MESHTRUST_TRY(const k8s::ObjectList found,
                  client.list(k8s::pods_ref(""), {.label_selector = selector,
                                                  .field_selector = "status.phase=Running"}));
    for (const base::Json& pod : found.items) {
      auto one = mesh::workload_pod(pod, mesh.istio.revision);
      if (one) all.push_back(*std::move(one));
    }
  }
  return all;
}

base::Result<Credentials> ask(k8s::ApiClient& client, const mesh::WorkloadPod& pod) {
  const k8s::PodPort port{
      .namespace_name = pod.namespace_name, .pod = pod.name, .port = pod.admin_port};
  MESHTRUST_TRY(const base::Json answer, json_from_pod(client, port, istio::kProxySecretsPath));
  auto credentials = istio::credentials_in(answer);
  if (!credentials) {
    return base::fail(base::with_context(std::move(credentials).error(), port.describe()));
  }
  return credentials;
}

Observed<Credentials> credentials_of(k8s::ApiClient& client, const mesh::WorkloadPod& pod) {
  auto credentials = ask(client, pod);
  if (credentials) return *std::move(credentials);
  if (credentials.error().code == base::Code::kNotFound) return mesh::Absent{};
  return Observed<Credentials>::unknown(std::move(credentials).error());
}

}  // namespace

Observed<mesh::WorkloadFacts> find_workloads(const profiles::Mesh& mesh,
                                             k8s::ApiClient& client,
                                             std::size_t most) {
  auto all = pods_of(mesh, client);
  if (all) return mesh::choose_pods(*std::move(all), most);
  base::Error why = std::move(all).error();
  if (why.code == base::Code::kPermission) {
    why.hints.emplace_back(
        "it takes the right 'list' on pods, and 'get' and 'create' on pods/portforward, in all "
        "namespaces: the ClusterRole meshtrust-workload-viewer of docs/rbac.yaml");
  }
  return Observed<mesh::WorkloadFacts>::unknown(std::move(why));
}

void ask_workloads(const World& world, mesh::Observation& observation, const Onlooker& onlooker) {
  struct Task {
    std::string cluster;
    mesh::WorkloadPod* pod;
  };
  // Facts are handed on whole: they are taken out, filled, and put back.
  std::vector<std::optional<mesh::WorkloadFacts>> facts(observation.clusters.size());
  std::vector<Task> tasks;
  for (std::size_t index = 0; index < facts.size(); ++index) {
    const mesh::ClusterObservation& cluster = observation.clusters[index];
    if (!cluster.live.workloads) continue;
    const auto* found = cluster.live.workloads->found(mesh::Unknown::kTold);
    if (found == nullptr) continue;
    facts[index] = *found;
    for (mesh::WorkloadPod& pod : facts[index]->chosen) {
      tasks.push_back({.cluster = cluster.name, .pod = &pod});
    }
  }
  for_each_index(tasks.size(), world.jobs, [&](std::size_t index) {
    const Task& task = tasks[index];
    const auto client = world.clusters.client(task.cluster);
    if (!client) return;  // it was there a moment ago
    const Asking asking(onlooker, task.cluster, "proxies, what they present and trust");
    task.pod->credentials = credentials_of(**client, *task.pod);
    task.pod->read_at = world.environment.clock.now();
  });
  for (std::size_t index = 0; index < facts.size(); ++index) {
    if (facts[index]) observation.clusters[index].live.workloads = *std::move(facts[index]);
  }
}

}  // namespace meshtrust::run
