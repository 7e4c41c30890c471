#include "run/istiod_debug.h"

#include "base/bytes.h"
#include "base/json.h"
#include "base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Json;
using base::Result;

constexpr std::uint16_t kMonitoringPort = 15014;
constexpr std::chrono::seconds kPatience{10};
constexpr std::size_t kMostBytes = 8U << 20U;

/// What comes through a port of a pod, taken as it is needed. A kubelet need not tell that the
/// other side has closed, so an answer is read to its own end and not to that of the stream.
class Incoming {
 public:
  explicit Incoming(k8s::ByteStream& stream) : stream_(stream) {}

  /// Without its "\r\n".
  Result<std::string> line() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
      MESHTRUST_TRY_DO(more());
    }
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return line;
  }

  Result<std::string> bytes(std::size_t count) {
    while (buffer_.size() < count) {
      MESHTRUST_TRY_DO(more());
    }
    std::string part = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return part;
  }

 private:
  base::Status more() {
    std::array<std::uint8_t, 16384> part{};
    MESHTRUST_TRY(const std::size_t got, stream_.read(part));
    buffer_ += base::as_text({part.data(), got});
    if (got == 0) return base::fail(Code::kUnavailable, "the answer ends too early");
    if (buffer_.size() <= kMostBytes) return {};
    return base::fail(Code::kUnavailable, "it answers without end");
  }

  k8s::ByteStream& stream_;
  std::string buffer_;
};

std::optional<std::size_t> number(std::string_view text, int radix) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, radix);
  const bool is_whole = error == std::errc() && (end == text.data() + text.size() || *end == ';');
  if (!is_whole || value > kMostBytes) return std::nullopt;
  return value;
}

/// A body in chunks (RFC 9112 section 7.1).
Result<std::string> chunks(Incoming& incoming) {
  std::string body;
  while (body.size() <= kMostBytes) {
    MESHTRUST_TRY(const std::string size, incoming.line());
    const auto count = number(size, 16);
    if (!count) return base::fail(Code::kUnavailable, "a chunk has no size");
    if (*count == 0) return body;
    MESHTRUST_TRY(const std::string chunk, incoming.bytes(*count));
    MESHTRUST_TRY_DO(incoming.line());
    body += chunk;
  }
  return base::fail(Code::kUnavailable, "it answers without end");
}

bool is_content_length(std::string_view name) {
  constexpr std::string_view kName = "content-length";
  return std::ranges::equal(
      name, kName, [](char found, char wanted) { return (found | ' ') == (wanted | ' '); });
}

/// The body of an answer to an HTTP/1.1 request.
Result<std::string> answer(Incoming& incoming) {
  MESHTRUST_TRY(const std::string status, incoming.line());
  if (!status.starts_with("HTTP/1.1 200")) {
    return base::fail(Code::kUnavailable, "it answered '" + base::printable(status) + "'");
  }
  std::optional<std::size_t> length;
  while (true) {
    MESHTRUST_TRY(const std::string header, incoming.line());
    if (header.empty()) break;
    const auto colon = header.find(':');
    if (!is_content_length(std::string_view(header).substr(0, colon))) continue;
    length = number(base::trim(std::string_view(header).substr(colon + 1)), 10);
    if (!length) return base::fail(Code::kUnavailable, "the answer has a length that is none");
  }
  return length ? incoming.bytes(*length) : chunks(incoming);
}

Result<std::string> get(k8s::ApiClient& client, const k8s::PodPort& port, std::string_view path) {
  MESHTRUST_TRY(const auto stream, client.open_tunnel(port, kPatience));
  const std::string request = fmt::format(
      "GET {} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
      path);
  MESHTRUST_TRY_DO(stream->write(base::as_bytes(request)));
  Incoming incoming(*stream);
  auto body = answer(incoming);
  if (!body) {
    return base::fail(base::with_context(std::move(body).error(),
                                         fmt::format("{} at {}", path, port.describe())));
  }
  return body;
}

Result<Json> get_json(k8s::ApiClient& client, const k8s::PodPort& port, std::string_view path) {
  MESHTRUST_TRY(const std::string body, get(client, port, path));
  auto json = base::parse_json(body, path);
  if (!json) {
    return base::fail(Code::kUnavailable, fmt::format("{} of pod '{}' is no JSON", path, port.pod));
  }
  return json;
}

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
  MESHTRUST_TRY(const std::string metrics, get(client, port, "/metrics"));
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
