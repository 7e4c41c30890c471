#include "run/istiod_debug.h"

#include "base/text.h"
#include "run/pod_http.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <string_view>

namespace meshtrust::run {
namespace {

using base::Json;
using base::Result;

constexpr std::uint16_t kMonitoringPort = 15014;

/// Counts refused lists and watches, by cluster. It appears with the first.
constexpr std::string_view kRefusedMetric = "controller_sync_errors_total";

/// The value of a sample of Prometheus' text format, such as `name{cluster="west"} 23`; 0 where the
/// line is of something else.
double refusals_in(std::string_view line, std::string_view cluster) {
  const auto brace = line.find('{');
  const auto end = line.find('}');
  if (brace == std::string_view::npos || end == std::string_view::npos || end < brace) return 0;
  if (line.substr(0, brace) != kRefusedMetric) return 0;
  const std::string_view labels = line.substr(brace, end - brace + 1);
  const std::string wanted = fmt::format("cluster=\"{}\"", cluster);
  if (labels.find("{" + wanted) == std::string_view::npos &&
      labels.find("," + wanted) == std::string_view::npos) {
    return 0;
  }
  const std::string_view value = base::trim(line.substr(end + 1));
  double count = 0;
  const auto read = std::from_chars(value.data(), value.data() + value.size(), count);
  return read.ec == std::errc() ? count : 0;
}

}  // namespace

Result<std::uint64_t> refusals_of_istiod(k8s::ApiClient& client,
                                         const std::string& namespace_name,
                                         const std::string& pod,
                                         const std::string& cluster) {
  const k8s::PodPort port{.namespace_name = namespace_name, .pod = pod, .port = kMonitoringPort};
  MESHTRUST_TRY(const std::string metrics, text_from_pod(client, port, "/metrics"));
  double count = 0;
  for (const std::string& line : base::split(metrics, '\n')) {
    count += refusals_in(line, cluster);
  }
  return static_cast<std::uint64_t>(count);
}

Result<mesh::IstiodView> view_of_istiod(k8s::ApiClient& client,
                                        const std::string& namespace_name,
                                        const std::string& pod) {
  const k8s::PodPort port{.namespace_name = namespace_name, .pod = pod, .port = kMonitoringPort};
  mesh::IstiodView view{.namespace_name = namespace_name, .pod = pod};
  MESHTRUST_TRY(const Json clusters, json_from_pod(client, port, "/debug/clusterz"));
  for (const Json& one : clusters.is_array() ? clusters : Json::array()) {
    view.clusters.push_back({.id = base::string_at(one, "id"),
                             .secret = base::string_at(one, "secretName"),
                             .status = base::string_at(one, "syncStatus")});
  }
  MESHTRUST_TRY(const Json networks, json_from_pod(client, port, "/debug/networkz"));
  for (const Json& one : networks.is_array() ? networks : Json::array()) {
    view.gateways.push_back(
        {.network = base::string_at(one, "Network", base::string_at(one, "network")),
         .address = base::string_at(one, "Addr", base::string_at(one, "addr"))});
  }
  return view;
}

}  // namespace meshtrust::run
