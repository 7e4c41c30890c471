#include "k8s/upgrade.h"

#include "base/check.h"
#include "base/encoding.h"
#include "base/text.h"
#include "k8s/request_headers.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>

namespace meshtrust::k8s {
namespace {

using base::Failure;
using base::Result;
using std::chrono::milliseconds;
using Done = Result<void, SendFailure>;
using Stage = SendFailure::Stage;

constexpr std::size_t kLargestHead = 64U << 10U;
constexpr std::size_t kMostOfABody = 64U << 10U;

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// The first line and the headers of an answer. Names are in lower case; of a repeated header the
/// values are joined as RFC 9110 section 5.3 says.
struct Head {
  int status = 0;
  std::map<std::string, std::string, std::less<>> headers = {};

  std::string_view value(std::string_view name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
};

std::optional<Head> parse_head(std::string_view text) {
  const std::vector<std::string> lines = base::split(text, '\n');
  Head head;
  const std::string& first = lines.front();
  if (!first.starts_with("HTTP/1.1 ") || first.size() < 12) return std::nullopt;
  const auto number = std::from_chars(first.data() + 9, first.data() + 12, head.status);
  if (number.ec != std::errc() || head.status < 100) return std::nullopt;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::size_t colon = lines[i].find(':');
    if (colon == std::string::npos) continue;
    std::string& value = head.headers[lower_case(lines[i].substr(0, colon))];
    if (!value.empty()) value += ", ";
    value += base::trim(std::string_view(lines[i]).substr(colon + 1));
  }
  return head;
}

/// What the server has to answer to `nonce` (RFC 6455 section 4.2.2).
std::string accepted(const std::string& nonce) {
  const std::string text = nonce + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  base::Bytes digest(EVP_MAX_MD_SIZE);
  unsigned int size = 0;
  MESHTRUST_CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) ==
                  1);
  digest.resize(size);
  return base::to_base64(digest);
}

bool has_word(std::string_view list, std::string_view word) {
  const std::vector<std::string> words = base::split(lower_case(list), ',');
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string& each) { return base::trim(each) == word; });
}

/// Of a `Retry-After`; API servers send no dates.
std::optional<base::Seconds> seconds_in(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  if (number <= 0) return std::nullopt;
  return base::Seconds(number);
}

/// What is wrong with an agreement, or "".
std::string objection(const Head& head, const WebSocketUpgrade& upgrade) {
  if (lower_case(head.value("upgrade")) != "websocket" ||
      !has_word(head.value("connection"), "upgrade")) {
    return "it switched to '" + base::printable(head.value("upgrade"), 40) +
           "' instead of 'websocket'";
  }
  if (head.value("sec-websocket-accept") != accepted(upgrade.nonce)) {
    return "its 'Sec-WebSocket-Accept' does not fit the request";
  }
  if (head.value("sec-websocket-protocol") != upgrade.subprotocol) {
    return "it took subprotocol '" + base::printable(head.value("sec-websocket-protocol"), 40) +
           "' instead of '" + upgrade.subprotocol + "'";
  }
  if (!head.value("sec-websocket-extensions").empty()) return "it took an extension nobody offered";
  return {};
}

/// Reads one answer from a connection.
class AnswerReader {
 public:
  AnswerReader(RawConnection& connection, base::Clock::Steady deadline)
      : connection_(connection), deadline_(deadline) {}

  Result<Head, SendFailure> head() {
    for (;;) {
      const std::size_t end = buffer_.find("\r\n\r\n");
      if (end != std::string::npos) {
        auto head = parse_head(std::string_view(buffer_).substr(0, end));
        if (!head) return strange("does not begin as HTTP/1.1 does");
        buffer_.erase(0, end + 4);
        return *std::move(head);
      }
      if (buffer_.size() > kLargestHead) return strange("has a head without end");
      if (auto filled = fill(); !filled) return Failure<SendFailure>{std::move(filled).error()};
      if (ended_) return connection_.broken();
    }
  }

  /// As much of it as there is and as is wanted: it goes into a message, so an early end is no
  /// reason to say nothing.
  std::string body(const Head& head) {
    std::size_t size = kMostOfABody;
    const std::string_view length = head.value("content-length");
    std::from_chars(length.data(), length.data() + length.size(), size);
    const bool chunked = has_word(head.value("transfer-encoding"), "chunked");
    const auto is_complete = [&] {
      return chunked ? buffer_.ends_with("0\r\n\r\n") : buffer_.size() >= size;
    };
    while (!ended_ && !is_complete() && buffer_.size() < kMostOfABody && fill()) {
    }
    return chunked ? without_chunks(buffer_) : buffer_.substr(0, size);
  }

  std::string_view rest() const { return buffer_; }

 private:
  Done fill() {
    std::array<std::uint8_t, 4'096> part{};
    for (;;) {
      auto got = connection_.try_read(part);
      if (!got) return Failure<SendFailure>{std::move(got).error()};
      if (*got) {
        ended_ = **got == 0;
        buffer_ += base::as_text(std::span(part).first(**got));
        return {};
      }
      auto waited = connection_.wait(RawConnection::For::kReading, deadline_);
      if (!waited) return waited;
    }
  }

  /// RFC 9112 section 7.1, as far as it can be read.
  static std::string without_chunks(std::string_view text) {
    std::string out;
    for (;;) {
      std::size_t size = 0;
      const auto number = std::from_chars(text.data(), text.data() + text.size(), size, 16);
      const std::size_t line = text.find("\r\n");
      if (number.ec != std::errc() || size == 0 || line == std::string_view::npos) return out;
      text.remove_prefix(line + 2);
      out += text.substr(0, size);
      text.remove_prefix(std::min(text.size(), size + 2));
    }
  }

  Failure<SendFailure> strange(const std::string& what) const {
    return {{.stage = Stage::kAnswer,
             .error = {.code = base::Code::kUnavailable,
                       .message = "the answer of " + connection_.parts().settings.server.text() +
                                  " to the upgrade " + what,
                       .hints = {"a proxy or a load balancer may stand in between"}}}};
  }

  RawConnection& connection_;
  base::Clock::Steady deadline_;
  std::string buffer_;
  bool ended_ = false;
};

Done send_all(RawConnection& connection, base::ByteView bytes, base::Clock::Steady deadline) {
  while (!bytes.empty()) {
    auto sent = connection.try_write(bytes);
    if (!sent) return Failure<SendFailure>{std::move(sent).error()};
    if (*sent) {
      bytes = bytes.subspan(**sent);
      continue;
    }
    auto waited = connection.wait(RawConnection::For::kWriting, deadline);
    if (!waited) return waited;
  }
  return {};
}

/// The request as HTTP/1.1 puts it; a secret because of the credential.
base::Secret head_of(const ConnectionParts& parts, const Request& request) {
  base::Secret head("GET " + parts.settings.server.path + request.target +
                    " HTTP/1.1\r\nUser-Agent: " + parts.options.user_agent + "\r\n");
  for (const base::Secret& line : request_headers(parts.settings, request)) {
    std::string_view text = reveal(line, "header of an upgrade");
    text.remove_suffix(1);
    head.append(text);
    head.append("\r\n");
  }
  head.append("\r\n");
  return head;
}

}  // namespace

Result<Reply, SendFailure> open_web_socket(ConnectionParts parts, const Request& request) {
  MESHTRUST_CHECK(request.web_socket && request.method == Method::kGet);
  const milliseconds whole = request.at_most
                                 ? std::min(*request.at_most, parts.options.request_timeout)
                                 : parts.options.request_timeout;
  const auto deadline = parts.clock.steady() + whole;
  auto opened = RawConnection::open(std::move(parts), whole);
  if (!opened) return Failure<SendFailure>{std::move(opened).error()};
  RawConnection& connection = **opened;

  const base::Secret head = head_of(connection.parts(), request);
  const base::ByteView bytes = reveal_bytes(head, "upgrade request to the API server");
  auto sent = send_all(connection, bytes, deadline);
  if (!sent) return Failure<SendFailure>{std::move(sent).error()};

  AnswerReader reader(connection, deadline);
  auto answer = reader.head();
  while (answer && answer->status < 200 && answer->status != 101) {
    answer = reader.head();  // an interim answer says nothing yet
  }
  if (!answer) return Failure<SendFailure>{std::move(answer).error()};

  Reply reply;
  reply.status = answer->status;
  reply.content_type = answer->value("content-type");
  reply.audit_id = base::printable(answer->value("audit-id"), 64);
  if (reply.status != 101) {
    reply.retry_after = seconds_in(answer->value("retry-after"));
    reply.body = reader.body(*answer);
    return reply;
  }
  const std::string wrong = objection(*answer, *request.web_socket);
  if (!wrong.empty()) {
    return Failure<SendFailure>{
        {.stage = Stage::kAnswer,
         .error = {.code = base::Code::kUnavailable,
                   .message = connection.parts().settings.server.text() +
                              " agreed to a WebSocket and did not mean it: " + wrong,
                   .hints = {"a proxy or a load balancer may stand in between"}}}};
  }
  connection.put_back(base::as_bytes(reader.rest()));
  reply.upgraded = *std::move(opened);
  return reply;
}

}  // namespace meshtrust::k8s
