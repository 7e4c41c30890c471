#include "run/istiod_debug.h"

#include "base/bytes.h"
#include "base/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <chrono>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Json;
using base::Result;

constexpr std::uint16_t kMonitoringPort = 15014;
constexpr std::chrono::seconds kPatience{10};
constexpr std::size_t kMostBytes = 8U << 20U;

/// GET by HTTP/1.0: the answer is what comes until the end of the stream.
Result<std::string> get(k8s::ApiClient& client, const k8s::PodPort& port, std::string_view path) {
  MESHTRUST_TRY(const auto stream, client.open_tunnel(port, kPatience));
  const std::string request =
      fmt::format("GET {} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\r\n", path);
  MESHTRUST_TRY_DO(stream->write(base::as_bytes(request)));
  std::string answer;
  std::array<std::uint8_t, 16384> buffer{};
  while (answer.size() < kMostBytes) {
    MESHTRUST_TRY(const std::size_t got, stream->read(buffer));
    if (got == 0) break;
    answer += base::as_text({buffer.data(), got});
  }
  const std::string where = fmt::format("{} at {}", path, port.describe());
  const auto end_of_line = answer.find("\r\n");
  const auto body = answer.find("\r\n\r\n");
  if (body == std::string::npos) {
    return base::fail(Code::kUnavailable, where + " did not answer in HTTP");
  }
  const std::string_view status = std::string_view(answer).substr(0, end_of_line);
  if (status.find(" 200") == std::string_view::npos) {
    return base::fail(Code::kUnavailable, fmt::format("{} answered '{}'", where, status));
  }
  return answer.substr(body + 4);
}

Result<Json> get_json(k8s::ApiClient& client, const k8s::PodPort& port, std::string_view path) {
  MESHTRUST_TRY(const std::string body, get(client, port, path));
  auto json = base::parse_json(body, path);
  if (!json) {
    return base::fail(Code::kUnavailable, fmt::format("{} of pod '{}' is no JSON", path, port.pod));
  }
  return json;
}

}  // namespace

Result<mesh::IstiodView> view_of_istiod(k8s::ApiClient& client,
                                        const std::string& namespace_name,
                                        const std::string& pod) {
  const k8s::PodPort port{.namespace_name = namespace_name, .pod = pod, .port = kMonitoringPort};
  mesh::IstiodView view{.namespace_name = namespace_name, .pod = pod};
  MESHTRUST_TRY(const Json clusters, get_json(client, port, "/debug/clusterz"));
  for (const Json& one : clusters.is_array() ? clusters : Json::array()) {
    view.clusters.push_back({.id = base::string_at(one, "id"),
                             .secret = base::string_at(one, "secretName"),
                             .status = base::string_at(one, "syncStatus")});
  }
  MESHTRUST_TRY(const Json networks, get_json(client, port, "/debug/networkz"));
  for (const Json& one : networks.is_array() ? networks : Json::array()) {
    view.gateways.push_back(
        {.network = base::string_at(one, "Network", base::string_at(one, "network")),
         .address = base::string_at(one, "Addr", base::string_at(one, "addr"))});
  }
  return view;
}

}  // namespace meshtrust::run
