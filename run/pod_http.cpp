#include "run/pod_http.h"

#include "base/bytes.h"
#include "base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Json;
using base::Result;

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

/// "/config_dump at port 15000 of pod 'shop/web-1'".
std::string describe(const k8s::PodPort& port, std::string_view path) {
  return fmt::format("{} at {}", path.substr(0, path.find('?')), port.describe());
}

}  // namespace

Result<std::string> text_from_pod(k8s::ApiClient& client,
                                  const k8s::PodPort& port,
                                  std::string_view path) {
  MESHTRUST_TRY(const auto stream, client.open_tunnel(port, kPatience));
  const std::string request = fmt::format(
      "GET {} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nConnection: close\r\n\r\n", path);
  MESHTRUST_TRY_DO(stream->write(base::as_bytes(request)));
  Incoming incoming(*stream);
  auto body = answer(incoming);
  if (!body) return base::fail(base::with_context(std::move(body).error(), describe(port, path)));
  return body;
}

Result<Json> json_from_pod(k8s::ApiClient& client,
                           const k8s::PodPort& port,
                           std::string_view path) {
  MESHTRUST_TRY(const std::string body, text_from_pod(client, port, path));
  auto json = base::parse_json(body, path);
  if (!json) return base::fail(Code::kUnavailable, describe(port, path) + " is no JSON");
  return json;
}

}  // namespace meshtrust::run
