#include "cli/sample_proof.h"

#include "base/text.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "k8s/plugin_cache.h"
#include "run/samples.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::cli {
namespace {

using base::Json;
using State = mesh::SampleWay::State;

/// "4 of 4 sample pods got a sidecar".
std::string injection_line(const std::vector<mesh::SampleSite>& sites) {
  std::size_t pods = 0;
  std::size_t injected = 0;
  for (const mesh::SampleSite& site : sites) {
    pods += site.pods.size();
    injected += static_cast<std::size_t>(
        std::count_if(site.pods.begin(), site.pods.end(),
                      [](const mesh::SamplePod& pod) { return pod.sidecar.has_value(); }));
  }
  return fmt::format("{} of {} got a sidecar", injected, base::count_of(pods, "sample pod"));
}

Json pod_to_json(const std::string& cluster, const mesh::SamplePod& pod) {
  Json json = {{"cluster", cluster}, {"name", pod.name}, {"app", pod.app}, {"ready", pod.is_ready}};
  if (!pod.state.empty()) json["state"] = pod.state;
  if (pod.sidecar) {
    json["sidecar"] = {{"clusterID", pod.sidecar->cluster_id}, {"network", pod.sidecar->network}};
  }
  return json;
}

}  // namespace

SampleProof prove_with_samples(Session& session,
                               const profiles::Mesh& mesh,
                               const mesh::Observation& observation,
                               const SampleWish& wish) {
  // What cleans up hears of no Ctrl-C, and finds the answers of plugins, which no longer run then.
  k8s::PluginCache plugins;
  const base::Cancellation never;
  const run::ClusterAccess access = cluster_access(session, wish.trust);
  k8s::ClientEffects effects = client_effects(session);
  effects.plugins = &plugins;
  const run::Clusters clusters(mesh, access, effects);
  const run::Clusters cleaning(mesh, access,
                               {.clock = effects.clock,
                                .random = effects.random,
                                .files = effects.files,
                                .processes = effects.processes,
                                .cancellation = never,
                                .plugins = &plugins});
  const run::World world{.clusters = clusters,
                         .environment = session.environment(),
                         .cancellation = session.around.cancellation,
                         .store = {},
                         .who = session.who(),
                         .jobs = session.options.jobs};
  const auto progress = make_progress(session);
  run::SampleRun run = run::try_samples(mesh, observation, world, cleaning, *progress,
                                        {.clusters = wish.clusters,
                                         .namespace_name = wish.namespace_name,
                                         .at_most = session.timeout});
  progress->close();
  SampleProof proof{.namespace_name = wish.namespace_name,
                    .sites = std::move(run.sites),
                    .verdict = {},
                    .errors = std::move(run.errors),
                    .left = std::move(run.left)};
  proof.verdict = judge_samples(mesh, proof.sites);
  return proof;
}

std::string render_samples(const profiles::Mesh& mesh, const SampleProof& proof) {
  if (proof.sites.empty()) return "traffic was not tried: no samples were started anywhere\n";
  std::vector<std::vector<std::string>> rows{{"FROM", "TO", "ANSWERS", "SEEN"}};
  std::size_t proved = 0;
  for (const mesh::SampleWay& way : proof.verdict.ways) {
    // Why something was not proved is a note of its own, and long.
    rows.push_back({way.from, way.to, std::string(name_of(way.state)),
                    way.state == State::kNotProved ? "" : way.why});
    proved += way.state == State::kAnswered ? 1 : 0;
  }
  const std::string injected = mesh.istio.data_plane == profiles::DataPlane::kAmbient
                                   ? std::string()
                                   : injection_line(proof.sites) + "\n";
  return fmt::format("{}\n{}{} of {} proved by traffic\n", table(rows), injected, proved,
                     base::count_of(proof.verdict.ways.size(), "way"));
}

Json samples_to_json(const SampleProof& proof) {
  Json json = {
      {"namespace", proof.namespace_name}, {"pods", Json::array()},   {"ways", Json::array()},
      {"losses", Json::array()},           {"errors", Json::array()}, {"left", Json::array()}};
  for (const mesh::SampleSite& site : proof.sites) {
    for (const mesh::SamplePod& pod : site.pods) {
      json["pods"].push_back(pod_to_json(site.cluster, pod));
    }
  }
  for (const mesh::SampleSite& site : proof.sites) {
    if (site.calls.settled == 0) continue;  // not counted
    json["losses"].push_back(
        {{"from", site.cluster}, {"calls", site.calls.settled}, {"lost", site.calls.lost}});
  }
  for (const mesh::SampleWay& way : proof.verdict.ways) {
    json["ways"].push_back({{"from", way.from},
                            {"to", way.to},
                            {"answers", name_of(way.state)},
                            {"count", way.answers},
                            {"seen", way.why}});
  }
  for (const base::Error& error : proof.errors) {
    json["errors"].push_back({{"code", base::name_of(error.code)}, {"message", error.message}});
  }
  for (const base::Error& error : proof.left) {
    json["left"].push_back(error.message);
  }
  return json;
}

}  // namespace meshtrust::cli
