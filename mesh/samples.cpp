#include "mesh/samples.h"

#include "base/text.h"
#include "mesh/pods.h"
#include "profiles/model.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace meshtrust::mesh {
namespace {

using base::Json;
using profiles::DataPlane;
using profiles::Role;

std::optional<SamplePod::Sidecar> sidecar_of(const Json& pod) {
  const Json* container = proxy_container(pod);
  if (container == nullptr) return std::nullopt;
  SamplePod::Sidecar sidecar{.cluster_id = variable_of(*container, "ISTIO_META_CLUSTER_ID"),
                             .network = variable_of(*container, "ISTIO_META_NETWORK")};
  for (const char* list : {"containerStatuses", "initContainerStatuses"}) {
    const Json* status = named_in(base::at_path(pod, {"status", list}), kProxyContainer);
    if (status == nullptr) continue;
    sidecar.is_running = base::at_path(*status, {"state", "running"}).is_object();
    sidecar.is_ready = status->value("ready", false);
  }
  return sidecar;
}

/// Why the end of a way that is `app` in `site` cannot be tried; "" when it can.
std::string why_not_there(const SampleSite& site, std::string_view app) {
  if (!site.not_started.empty()) return fmt::format("{}: {}", site.cluster, site.not_started);
  if (ready_pod(site.pods, app) != nullptr) return {};
  const auto pod = std::find_if(site.pods.begin(), site.pods.end(),
                                [app](const SamplePod& one) { return one.app == app; });
  if (pod != site.pods.end()) {
    return fmt::format("pod {} of {} is not ready: {}", pod->name, site.cluster, pod->state);
  }
  return fmt::format("{} has no pod of {}{}", site.cluster, app,
                     site.no_pods.empty() ? "" : ": " + site.no_pods);
}

std::size_t answers_from(const SampleCalls& calls, const SampleSite& to) {
  std::size_t answers = 0;
  for (const SamplePod& pod : to.pods) {
    const auto found = calls.answers.find(pod.name);
    if (found != calls.answers.end()) answers += found->second;
  }
  return answers;
}

SampleWay way_between(const SampleSite& from, const SampleSite& to) {
  using State = SampleWay::State;
  SampleWay way{.from = from.cluster, .to = to.cluster};
  way.answers = answers_from(from.calls, to);
  if (way.answers > 0) {
    way.state = State::kAnswered;
    way.why = fmt::format("{} of {}", way.answers, base::count_of(from.calls.made, "call"));
    return way;
  }
  for (const std::string& why : {why_not_there(from, kSampleClient), from.calls.impossible,
                                 why_not_there(to, kSampleServer)}) {
    if (why.empty()) continue;
    way.why = why;
    return way;
  }
  if (from.calls.made == 0) {
    way.why = "nothing was called";
    return way;
  }
  way.state = State::kSilent;
  way.why = fmt::format("none of {}{}", base::count_of(from.calls.made, "call"),
                        from.calls.other.empty() ? "" : "; last seen: " + from.calls.other);
  return way;
}

/// What is wrong with how the pods of one cluster joined the mesh.
class Injection {
 public:
  Injection(const profiles::Mesh& mesh, const SampleSite& site, std::vector<Finding>& findings)
      : mesh_(mesh), cluster_(*mesh.find(site.cluster)), site_(site), findings_(findings) {}

  void judge() {
    if (!site_.no_pods.empty()) {
      report("sample-not-created", "Kubernetes makes no pods of the samples", {site_.no_pods},
             "the webhook that injects sidecars may not be reachable from this API server");
    }
    if (mesh_.istio.data_plane == DataPlane::kAmbient) {
      judge_ambient();
    } else {
      judge_sidecars();
    }
  }

 private:
  void judge_ambient() {
    std::vector<std::string> wrong;
    for (const SamplePod& pod : site_.pods) {
      if (pod.sidecar) wrong.push_back(fmt::format("pod {} has a sidecar", pod.name));
    }
    report("sample-injected", "pods of an ambient mesh got sidecars", std::move(wrong),
           "look for a webhook of another control plane that selects the namespace");
  }

  void judge_sidecars() {
    std::vector<std::string> without;
    std::vector<std::string> misplaced;
    std::vector<std::string> unready;
    for (const SamplePod& pod : site_.pods) {
      if (!pod.sidecar) {
        without.push_back(fmt::format("pod {} has no container {}", pod.name, kProxyContainer));
        continue;
      }
      if (pod.sidecar->cluster_id != cluster_.name) {
        misplaced.push_back(fmt::format("pod {} believes to be in cluster '{}', not in '{}'",
                                        pod.name, pod.sidecar->cluster_id, cluster_.name));
      }
      const bool says_network = !pod.sidecar->network.empty() || profiles::is_multi_network(mesh_);
      if (says_network && pod.sidecar->network != cluster_.network) {
        misplaced.push_back(fmt::format("pod {} believes to be on network '{}', not on '{}'",
                                        pod.name, pod.sidecar->network, cluster_.network));
      }
      if (pod.sidecar->is_running && !pod.sidecar->is_ready) {
        unready.push_back(fmt::format("the proxy of pod {} runs and is not ready", pod.name));
      }
    }
    report("sample-not-injected", "pods of the samples got no sidecar", std::move(without),
           "look at the webhook that injects sidecars: its caBundle, and whether it selects the "
           "namespace");
    report("sample-misplaced", "sidecars were told the wrong place", std::move(misplaced),
           "look at the URL or path of the injection webhook, and at global.network of istiod");
    report("sample-proxy-not-ready", "sidecars get no configuration", std::move(unready),
           "look at what the proxies say of their istiod: its address and its certificate");
  }

  void report(const char* code,
              std::string message,
              std::vector<std::string> evidence,
              const char* hint) {
    if (evidence.empty()) return;
    findings_.push_back({.code = code,
                         .cluster = site_.cluster,
                         .message = std::move(message),
                         .evidence = std::move(evidence),
                         .hints = {hint}});
  }

  const profiles::Mesh& mesh_;
  const profiles::Cluster& cluster_;
  const SampleSite& site_;
  std::vector<Finding>& findings_;
};

bool has_unpulled(std::span<const SampleSite> sites) {
  return std::any_of(sites.begin(), sites.end(), [](const SampleSite& site) {
    return std::any_of(site.pods.begin(), site.pods.end(),
                       [](const SamplePod& pod) { return !pod.unpulled.empty(); });
  });
}

/// Every pod answers, and yet some calls do not arrive.
void report_lost(const SampleSite& from, std::vector<Finding>& findings) {
  const SampleCalls& calls = from.calls;
  if (calls.lost == 0) return;
  findings.push_back(
      {.code = "sample-calls-lost",
       .severity = Severity::kWarning,
       .cluster = from.cluster,
       .message = "calls from here get lost, although every pod answers",
       .evidence = {fmt::format("{} of {} lost, with retries off{}", calls.lost,
                                base::count_of(calls.settled, "call"),
                                calls.other.empty() ? "" : "; last seen: " + calls.other)},
       .hints = {"Istio's own retries hide this from most clients: look for an address or a pod of "
                 "an east-west gateway that does not answer"}});
}

/// One finding for all ways from a cluster that end alike.
void report_ways(const std::string& from,
                 const std::vector<SampleWay>& ways,
                 bool lacks_images,
                 std::vector<Finding>& findings) {
  std::vector<std::string> silent;
  std::vector<std::string> reasons;
  for (const SampleWay& way : ways) {
    if (way.from != from) continue;
    if (way.state == SampleWay::State::kSilent) {
      silent.push_back(fmt::format("{} answered {}", way.to, way.why));
    }
    const bool is_new = std::find(reasons.begin(), reasons.end(), way.why) == reasons.end();
    if (way.state == SampleWay::State::kNotProved && is_new) reasons.push_back(way.why);
  }
  if (!silent.empty()) {
    findings.push_back(
        {.code = "sample-no-answer",
         .cluster = from,
         .message = "calls from here are not answered everywhere",
         .evidence = std::move(silent),
         .hints = {"'meshtrust status' says what each istiod sees of the others",
                   "look for what keeps calls in their cluster: a DestinationRule with "
                   "outlierDetection, trafficDistribution, internalTrafficPolicy, or "
                   "exportTo"}});
  }
  if (!reasons.empty()) {
    std::vector<std::string> hints;
    if (lacks_images) {
      hints.emplace_back(
          "spec.samples.hub in the mesh file names a registry that these clusters reach, "
          "spec.samples.images single images");
    }
    findings.push_back({.code = "sample-not-proved",
                        .severity = Severity::kNote,
                        .cluster = from,
                        .message = "traffic not proved here",
                        .evidence = std::move(reasons),
                        .hints = std::move(hints)});
  }
}

}  // namespace

std::optional<SamplePod> sample_pod(const Json& pod) {
  const Json& metadata = base::at_path(pod, {"metadata"});
  if (!base::string_at(metadata, "deletionTimestamp").empty()) return std::nullopt;
  SamplePod read{.name = base::string_at(metadata, "name"),
                 .app = base::string_at(base::at_path(metadata, {"labels"}), "app"),
                 .is_ready = mesh::is_ready(pod),
                 .sidecar = sidecar_of(pod)};
  if (read.is_ready) return read;
  read.state = why_not_ready(pod);
  if (const auto trouble = trouble_of(pod)) read.unpulled = trouble->image;
  return read;
}

const SamplePod* ready_pod(std::span<const SamplePod> pods, std::string_view app) {
  const auto found = std::find_if(pods.begin(), pods.end(), [app](const SamplePod& one) {
    return one.app == app && one.is_ready;
  });
  return found == pods.end() ? nullptr : &*found;
}

std::vector<std::string> reachable_from(const profiles::Mesh& mesh,
                                        const profiles::Cluster& cluster) {
  std::vector<std::string> istiods = cluster.control_plane;
  if (cluster.runs_istiod()) istiods = {cluster.name};
  std::vector<std::string> reachable;
  for (const profiles::Cluster& other : mesh.clusters) {
    if (other.role == Role::kExternal) continue;
    const bool is_read = std::all_of(istiods.begin(), istiods.end(), [&](const auto& name) {
      const profiles::Cluster& istiod = *mesh.find(name);
      return istiod_cluster_id(mesh, istiod) == other.name || reads(mesh, istiod, other);
    });
    if (is_read) reachable.push_back(other.name);
  }
  return reachable;
}

std::vector<std::string> configured_by(const profiles::Mesh& mesh,
                                       const profiles::Cluster& cluster) {
  if (cluster.runs_istiod()) return {cluster.name};
  std::vector<std::string> clusters;
  clusters.reserve(cluster.control_plane.size());
  for (const std::string& name : cluster.control_plane) {
    // An istiod goes by the name of the cluster that holds its configuration.
    clusters.push_back(profiles::istiod_cluster_id(mesh, *mesh.find(name)));
  }
  return clusters;
}

std::string_view name_of(SampleWay::State state) {
  constexpr std::array<std::string_view, 3> kNames{"yes", "no", "not proved"};
  return kNames.at(static_cast<std::size_t>(state));
}

SampleVerdict judge_samples(const profiles::Mesh& mesh, std::span<const SampleSite> sites) {
  SampleVerdict verdict;
  const bool lacks_images = has_unpulled(sites);
  for (const SampleSite& from : sites) {
    Injection(mesh, from, verdict.findings).judge();
    const auto reachable = reachable_from(mesh, *mesh.find(from.cluster));
    for (const SampleSite& to : sites) {
      if (std::find(reachable.begin(), reachable.end(), to.cluster) == reachable.end()) continue;
      verdict.ways.push_back(way_between(from, to));
    }
    report_ways(from.cluster, verdict.ways, lacks_images, verdict.findings);
    report_lost(from, verdict.findings);
  }
  return verdict;
}

}  // namespace meshtrust::mesh
