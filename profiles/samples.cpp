#include "profiles/samples.h"

#include "istio/names.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace meshtrust::profiles {
namespace {

using base::Json;

constexpr int kHelloPort = 5000;
/// A version, because what `latest` stands for differs from day to day and node to node.
constexpr std::string_view kCurl = "curl:8.16.0";
constexpr std::string_view kFirst = "v1";
constexpr std::string_view kOther = "v2";

/// `kFirst` in the first cluster with workloads, so that an answer tells where it came from.
std::string_view version_in(const Mesh& mesh, const Cluster& cluster) {
  const auto first = std::find_if(mesh.clusters.begin(), mesh.clusters.end(),
                                  [](const auto& one) { return one.role != Role::kExternal; });
  return first != mesh.clusters.end() && first->name == cluster.name ? kFirst : kOther;
}

std::string image(const SamplesProfile& samples,
                  const std::string& stated,
                  std::string_view public_hub,
                  std::string_view name_and_tag) {
  if (!stated.empty()) return stated;
  return fmt::format("{}/{}", samples.hub.empty() ? public_hub : samples.hub, name_and_tag);
}

/// Istio's samples moved with its images.
std::string hello_image(const Mesh& mesh, std::string_view version) {
  constexpr istio::Version kMoved{.major = 1, .minor = 30, .patch = 0};
  const bool is_old = mesh.istio.version && *mesh.istio.version < kMoved;
  const SamplesProfile& samples = mesh.samples;
  return image(samples, version == kFirst ? samples.helloworld_v1 : samples.helloworld_v2,
               is_old ? "docker.io/istio" : "registry.istio.io/release",
               fmt::format("examples-helloworld-{}:1.0", version));
}

class Builder {
 public:
  Builder(const Mesh& mesh, const Cluster& cluster, std::string_view sample_namespace)
      : mesh_(mesh), cluster_(cluster), namespace_(sample_namespace) {}

  std::vector<Object> build() const {
    std::vector<Object> objects{sample_namespace(), hello_service()};
    // Without waypoints nothing in an ambient mesh repeats a request, nor reads a VirtualService.
    if (!is_ambient()) objects.push_back(route_without_retries());
    objects.push_back(hello());
    objects.push_back(client_account());
    objects.push_back(client());
    return objects;
  }

 private:
  bool is_ambient() const { return mesh_.istio.data_plane == DataPlane::kAmbient; }

  Json labels(Json labels) const {
    labels.update(ownership_labels(mesh_, cluster_));
    return labels;
  }

  Object object(const char* api_version,
                const char* kind,
                const char* resource,
                std::string name,
                Json own_labels,
                Json body) const {
    body["metadata"]["labels"] = labels(std::move(own_labels));
    return {.api_version = api_version,
            .kind = kind,
            .resource = resource,
            .namespace_name = namespace_,
            .name = std::move(name),
            .body = std::move(body)};
  }

  Object sample_namespace() const {
    Json joins{{istio::kPurposeLabel, istio::kSamplesPurpose}};
    if (is_ambient()) {
      joins[std::string(istio::kDataPlaneModeLabel)] = "ambient";
    } else if (mesh_.istio.revision.empty()) {
      joins[std::string(istio::kInjectionLabel)] = "enabled";
    } else {
      joins[std::string(istio::kRevisionLabel)] = mesh_.istio.revision;
    }
    Object made = object("v1", "Namespace", "namespaces", namespace_, std::move(joins), {});
    made.namespace_name.clear();
    made.body["metadata"]["annotations"] = {{istio::kCreatedByAnnotation, istio::kFieldManager}};
    return made;
  }

  Object hello_service() const {
    Json own{{"app", "helloworld"}, {"service", "helloworld"}};
    if (is_ambient()) own[std::string(istio::kGlobalLabel)] = "true";
    const Json port{
        {"name", "http"}, {"port", kHelloPort}, {"protocol", "TCP"}, {"targetPort", kHelloPort}};
    return object(
        "v1", "Service", "services", "helloworld", std::move(own),
        {{"spec", {{"ports", Json::array({port})}, {"selector", {{"app", "helloworld"}}}}}});
  }

  /// Istio repeats calls that fail, twice and elsewhere, unless told otherwise: a path on which
  /// calls get lost would not be seen.
  Object route_without_retries() const {
    const Json route{{"destination", {{"host", "helloworld"}}}};
    const Json http{{"retries", {{"attempts", 0}}}, {"route", Json::array({route})}};
    return object(
        "networking.istio.io/v1", "VirtualService", "virtualservices", "helloworld", Json::object(),
        {{"spec", {{"hosts", Json::array({"helloworld"})}, {"http", Json::array({http})}}}});
  }

  Object deployment(std::string name, const Json& pod_labels, Json pod) const {
    return object(
        "apps/v1", "Deployment", "deployments", std::move(name), pod_labels,
        {{"spec",
          {{"replicas", 1},
           {"selector", {{"matchLabels", pod_labels}}},
           {"template", {{"metadata", {{"labels", pod_labels}}}, {"spec", std::move(pod)}}}}}});
  }

  Object hello() const {
    const std::string version(version_in(mesh_, cluster_));
    const Json container{
        {"name", "helloworld"},
        {"image", hello_image(mesh_, version)},
        {"ports", Json::array({{{"containerPort", kHelloPort}, {"protocol", "TCP"}}})},
        {"resources", {{"requests", {{"cpu", "100m"}}}}}};
    return deployment("helloworld-" + version, {{"app", "helloworld"}, {"version", version}},
                      {{"containers", Json::array({container})}});
  }

  Object client_account() const {
    return object("v1", "ServiceAccount", "serviceaccounts", "curl", Json::object(), {});
  }

  Object client() const {
    const Json container{
        {"name", "curl"},
        {"image", image(mesh_.samples, mesh_.samples.curl, "docker.io/curlimages", kCurl)},
        {"command", {"/bin/sleep", "infinity"}}};
    return deployment("curl", {{"app", "curl"}},
                      {{"serviceAccountName", "curl"},
                       {"terminationGracePeriodSeconds", 0},
                       {"containers", Json::array({container})}});
  }

  const Mesh& mesh_;
  const Cluster& cluster_;
  std::string namespace_;
};

}  // namespace

std::vector<Object> samples(const Mesh& mesh,
                            const Cluster& cluster,
                            std::string_view sample_namespace) {
  return Builder(mesh, cluster, sample_namespace).build();
}

}  // namespace meshtrust::profiles
