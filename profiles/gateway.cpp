#include "profiles/gateway.h"

#include "istio/names.h"
#include "profiles/gateway_values.h"
#include "profiles/merge.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace meshtrust::profiles {
namespace {

using base::Json;

/// The user that Istio's gateways run as, unless the platform gives each namespace its own.
constexpr int kProxyUser = 1337;
constexpr int kProxyMetricsPort = 15090;

struct Port {
  const char* name;
  int number;
};

/// One gateway made of a Deployment that an istiod injects.
struct Plan {
  std::string name;
  std::string namespace_name;
  std::string_view selector;  ///< the value of its label `istio`
  std::string network;        ///< empty for an ingress gateway
  std::string revision;
  std::vector<Port> ports;
};

class Builder {
 public:
  Builder(const Mesh& mesh, const Cluster& cluster, Plan plan)
      : mesh_(mesh), cluster_(cluster), plan_(std::move(plan)), values_(gateway_values(mesh)) {}

  std::vector<Object> build() const {
    std::vector<Object> objects{service_account(), role(), role_binding(), deployment(), service()};
    if (values_.autoscaling) objects.push_back(autoscaler());
    // With one replica it would block every drain of its node.
    if (values_.least() > 1) objects.push_back(disruption_budget());
    return objects;
  }

 private:
  Object object(const char* api_version,
                const char* kind,
                const char* resource,
                std::string name,
                Json body) const {
    body["metadata"]["labels"] = labels();
    return {.api_version = api_version,
            .kind = kind,
            .resource = resource,
            .namespace_name = plan_.namespace_name,
            .name = std::move(name),
            .body = std::move(body)};
  }

  Json labels() const {
    Json labels = selector();
    labels.update(ownership_labels(mesh_, cluster_));
    return labels;
  }

  Json selector() const {
    Json labels{{"app", plan_.name}, {"istio", plan_.selector}};
    if (!plan_.network.empty()) labels[std::string(istio::kNetworkLabel)] = plan_.network;
    return labels;
  }

  std::string account_name() const { return plan_.name + "-service-account"; }
  std::string role_name() const { return plan_.name + "-sds"; }

  Object service_account() const {
    return object("v1", "ServiceAccount", "serviceaccounts", account_name(), Json::object());
  }

  /// The right to read the certificates that Gateway objects name.
  Object role() const {
    const Json rule{
        {"apiGroups", {""}}, {"resources", {"secrets"}}, {"verbs", {"get", "watch", "list"}}};
    return object("rbac.authorization.k8s.io/v1", "Role", "roles", role_name(),
                  {{"rules", Json::array({rule})}});
  }

  Object role_binding() const {
    const Json subject{
        {"kind", "ServiceAccount"}, {"name", account_name()}, {"namespace", plan_.namespace_name}};
    return object(
        "rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", role_name(),
        {{"roleRef",
          {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "Role"}, {"name", role_name()}}},
         {"subjects", Json::array({subject})}});
  }

  Json container() const {
    Json ports = Json::array();
    for (const Port& port : plan_.ports) {
      ports.push_back({{"containerPort", port.number}, {"protocol", "TCP"}});
    }
    ports.push_back(
        {{"containerPort", kProxyMetricsPort}, {"name", "http-envoy-prom"}, {"protocol", "TCP"}});
    Json env = Json::array();
    if (!plan_.network.empty()) {
      env.push_back({{"name", "ISTIO_META_REQUESTED_NETWORK_VIEW"}, {"value", plan_.network}});
    }
    env.push_back({{"name", "ISTIO_META_UNPRIVILEGED_POD"}, {"value", "true"}});
    return {{"name", "istio-proxy"},
            {"image", "auto"},
            {"ports", std::move(ports)},
            {"env", std::move(env)},
            {"resources", values_.resources},
            {"securityContext",
             {{"allowPrivilegeEscalation", false},
              {"capabilities", {{"drop", {"ALL"}}}},
              {"privileged", false},
              {"readOnlyRootFilesystem", true}}}};
  }

  Json pod_template() const {
    Json pod_labels = selector();
    pod_labels["sidecar.istio.io/inject"] = "true";
    if (!plan_.revision.empty()) pod_labels[std::string(istio::kRevisionLabel)] = plan_.revision;
    Json annotations{{"inject.istio.io/templates", "gateway"},
                     {"prometheus.io/path", "/stats/prometheus"},
                     {"prometheus.io/port", "15020"},
                     {"prometheus.io/scrape", "true"},
                     {"sidecar.istio.io/inject", "true"}};
    if (!values_.pod_annotations.is_null()) merge_values(annotations, values_.pod_annotations);
    Json spec{{"serviceAccountName", account_name()}, {"containers", Json::array({container()})}};
    if (!runs_on_openshift()) {
      spec["securityContext"] = {
          {"runAsGroup", kProxyUser}, {"runAsNonRoot", true}, {"runAsUser", kProxyUser}};
    }
    if (!values_.node_selector.is_null()) spec["nodeSelector"] = values_.node_selector;
    if (!values_.tolerations.is_null()) spec["tolerations"] = values_.tolerations;
    if (!values_.affinity.is_null()) spec["affinity"] = values_.affinity;
    return {
        {"metadata", {{"labels", std::move(pod_labels)}, {"annotations", std::move(annotations)}}},
        {"spec", std::move(spec)}};
  }

  /// OpenShift gives every namespace its own range of users.
  bool runs_on_openshift() const {
    Json values = mesh_.istio.values.json;
    merge_values(values, cluster_.values.json);
    const Json* platform = find_path(values, "global.platform");
    return platform != nullptr && *platform == "openshift";
  }

  Object deployment() const {
    Json spec{{"selector", {{"matchLabels", selector()}}},
              {"strategy",
               {{"type", "RollingUpdate"},
                {"rollingUpdate", {{"maxSurge", "100%"}, {"maxUnavailable", "25%"}}}}},
              {"template", pod_template()}};
    if (!values_.autoscaling) spec["replicas"] = values_.replicas;
    return object("apps/v1", "Deployment", "deployments", plan_.name, {{"spec", std::move(spec)}});
  }

  Object service() const {
    const EastWestGateway& gateway = cluster_.gateway;
    Json ports = Json::array();
    for (const Port& port : plan_.ports) {
      ports.push_back({{"name", port.name},
                       {"port", port.number},
                       {"protocol", "TCP"},
                       {"targetPort", port.number}});
    }
    Json spec{
        {"type", name_of(gateway.type)}, {"selector", selector()}, {"ports", std::move(ports)}};
    const bool is_balanced = gateway.type == EastWestGateway::Type::kLoadBalancer;
    if (gateway.address && is_balanced) spec["loadBalancerIP"] = *gateway.address;
    if (gateway.address && !is_balanced) spec["externalIPs"] = Json::array({*gateway.address});
    if (!gateway.source_ranges.empty()) spec["loadBalancerSourceRanges"] = gateway.source_ranges;
    Json body{{"spec", std::move(spec)}};
    if (!gateway.annotations.empty()) body["metadata"]["annotations"] = gateway.annotations;
    return object("v1", "Service", "services", plan_.name, std::move(body));
  }

  Object autoscaler() const {
    const Json metric{
        {"type", "Resource"},
        {"resource",
         {{"name", "cpu"},
          {"target",
           {{"type", "Utilization"}, {"averageUtilization", values_.target_cpu_percent}}}}}};
    return object(
        "autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", plan_.name,
        {{"spec",
          {{"minReplicas", values_.min_replicas},
           {"maxReplicas", values_.max_replicas},
           {"metrics", Json::array({metric})},
           {"scaleTargetRef",
            {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", plan_.name}}}}}});
  }

  Object disruption_budget() const {
    return object("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", plan_.name,
                  {{"spec", {{"minAvailable", 1}, {"selector", {{"matchLabels", selector()}}}}}});
  }

  const Mesh& mesh_;
  const Cluster& cluster_;
  Plan plan_;
  GatewayValues values_;
};

/// What a Gateway cannot say itself is an annotation that Kubernetes reads on the Service made of
/// it.
Json infrastructure_annotations(const EastWestGateway& gateway) {
  Json annotations = gateway.annotations;
  if (gateway.source_ranges.empty()) return annotations;
  std::string ranges;
  for (const std::string& range : gateway.source_ranges) {
    ranges += ranges.empty() ? range : "," + range;
  }
  annotations["service.beta.kubernetes.io/load-balancer-source-ranges"] = ranges;
  return annotations;
}

Object ambient_gateway(const Mesh& mesh, const Cluster& cluster) {
  const Json listener{{"name", "mesh"},
                      {"port", istio::kHbonePort},
                      {"protocol", "HBONE"},
                      {"tls",
                       {{"mode", "Terminate"},
                        {"options", {{"gateway.istio.io/tls-terminate-mode", "ISTIO_MUTUAL"}}}}}};
  Json spec{{"gatewayClassName", istio::kEastWestGatewayClass},
            {"listeners", Json::array({listener})}};
  if (const auto& address = cluster.gateway.address) {
    spec["addresses"] = Json::array({{{"type", "IPAddress"}, {"value", *address}}});
  }
  Json annotations = infrastructure_annotations(cluster.gateway);
  if (!annotations.empty()) spec["infrastructure"]["annotations"] = std::move(annotations);
  Json labels = ownership_labels(mesh, cluster);
  labels[std::string(istio::kNetworkLabel)] = cluster.network;
  if (!mesh.istio.revision.empty()) {
    labels[std::string(istio::kRevisionLabel)] = mesh.istio.revision;
  }
  return {.api_version = "gateway.networking.k8s.io/v1",
          .kind = "Gateway",
          .resource = "gateways",
          .namespace_name = mesh.istio.system_namespace,
          .name = istio::east_west_gateway_name(mesh.istio.revision),
          .body = {{"metadata", {{"labels", std::move(labels)}}}, {"spec", std::move(spec)}}};
}

}  // namespace

std::vector<Object> east_west_gateway(const Mesh& mesh, const Cluster& cluster) {
  if (mesh.istio.data_plane == DataPlane::kAmbient) return {ambient_gateway(mesh, cluster)};
  return Builder(mesh, cluster,
                 {.name = istio::east_west_gateway_name(mesh.istio.revision),
                  .namespace_name = mesh.istio.system_namespace,
                  .selector = istio::kEastWestGateway,
                  .network = cluster.network,
                  .revision = mesh.istio.revision,
                  .ports = {{"status-port", istio::kGatewayStatusPort},
                            {"tls", istio::kCrossNetworkPort},
                            {"tls-istiod", istio::kDiscoveryPort},
                            {"tls-webhook", istio::kWebhookPort}}})
      .build();
}

std::vector<Object> ingress_gateway(const Mesh& mesh, const Cluster& host) {
  return Builder(mesh, host,
                 {.name = "istio-ingressgateway",
                  .namespace_name = mesh.istio.ingress_namespace,
                  .selector = istio::kIngressGateway,
                  .network = {},
                  .revision = {},
                  .ports = {{"status-port", istio::kGatewayStatusPort},
                            {"tls-xds", istio::kDiscoveryPort},
                            {"tls-webhook", istio::kWebhookPort}}})
      .build();
}

std::map<std::string, std::string> node_selector(const EastWestGateway& gateway) {
  std::map<std::string, std::string> labels;
  const auto annotation = gateway.annotations.find(std::string(kNodeSelectorAnnotation));
  if (annotation == gateway.annotations.end()) return labels;
  const auto selector = base::parse_json(annotation->second, kNodeSelectorAnnotation);
  if (!selector || !selector->is_object()) return labels;
  for (const auto& [label, value] : selector->items()) {
    if (value.is_string()) labels.emplace(label, value.get<std::string>());
  }
  return labels;
}

bool is_open_to_the_world(const EastWestGateway& gateway) {
  if (gateway.type != EastWestGateway::Type::kLoadBalancer) return false;
  const auto is_everywhere = [](const std::string& range) { return range.ends_with("/0"); };
  const bool is_bounded =
      !gateway.source_ranges.empty() &&
      std::none_of(gateway.source_ranges.begin(), gateway.source_ranges.end(), is_everywhere);
  // How AWS, GKE and Azure are told; all of their words have one of these in them.
  const bool is_internal =
      std::any_of(gateway.annotations.begin(), gateway.annotations.end(), [](const auto& one) {
        const auto& [key, value] = one;
        return value == "internal" || value == "Internal" ||
               (key.ends_with("-internal") && value == "true");
      });
  return !is_bounded && !is_internal;
}

}  // namespace meshtrust::profiles
