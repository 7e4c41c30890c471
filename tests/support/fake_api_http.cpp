#include "tests/support/fake_api_http.h"

#include "base/encoding.h"
#include "base/text.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace meshtrust::test {
namespace {

std::string percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      if (const auto byte = base::from_hex(lower_case(std::string(text.substr(i + 1, 2))))) {
        out += static_cast<char>((*byte)[0]);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

std::string reason_phrase(int status) {
  return status < 300 ? "OK" : "Refused";
}

}  // namespace

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string query_value(const std::string& query, std::string_view key) {
  for (const std::string& part : base::split(query, '&')) {
    const std::size_t equals = part.find('=');
    if (part.substr(0, equals) != key) continue;
    return equals == std::string::npos ? "" : percent_decode(part.substr(equals + 1));
  }
  return {};
}

std::string on_the_wire(const FakeReply& reply) {
  std::string out = "HTTP/1.1 " + std::to_string(reply.status) + " " + reason_phrase(reply.status) +
                    "\r\nContent-Type: " + reply.content_type +
                    "\r\nContent-Length: " + std::to_string(reply.body.size()) + "\r\n";
  for (const auto& [name, value] : reply.headers) {
    out += name + ": " + value + "\r\n";
  }
  return out + "\r\n" + reply.body;
}

bool SeenRequest::is_write() const {
  const bool is_rehearsal = query_value(query, "dryRun") == "All";
  return method != "GET" && path != kReviews && path != kWhoAmI && !is_rehearsal;
}

std::optional<SeenRequest> read_request(TlsStream& stream) {
  const auto head = stream.read_until("\r\n\r\n");
  if (!head) return std::nullopt;
  const std::vector<std::string> lines = base::split(*head, '\n');
  const std::vector<std::string> first = base::split(lines[0], ' ');
  if (first.size() < 3) return std::nullopt;
  SeenRequest request;
  request.method = first[0];
  const std::string& target = first[1];
  const std::size_t question = target.find('?');
  std::string path = percent_decode(target.substr(0, question));
  if (question != std::string::npos) request.query = target.substr(question + 1);
  const std::size_t slash = path.find('/', 1);
  request.cluster = path.substr(1, slash == std::string::npos ? slash : slash - 1);
  request.path = slash == std::string::npos ? "/" : path.substr(slash);
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::size_t colon = lines[i].find(':');
    if (colon == std::string::npos) continue;
    std::string& value = request.headers[lower_case(lines[i].substr(0, colon))];
    if (!value.empty()) value += ", ";
    value += base::trim(lines[i].substr(colon + 1));
  }
  const auto length = request.headers.find("content-length");
  if (length != request.headers.end()) {
    auto body = stream.read_exactly(std::stoul(length->second));
    if (!body) return std::nullopt;
    request.body = *std::move(body);
  }
  return request;
}

}  // namespace meshtrust::test
