#include "tests/support/fake_http2_server.h"

#include "base/check.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <csignal>
#include <netinet/in.h>
#include <pthread.h>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace meshtrust::test {
namespace {

using namespace std::string_literals;

// Frames of RFC 9113 section 6; headers of RFC 7541 appendix A, by their place in the static table.
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr char kData = 0;
constexpr char kHeaders = 1;
constexpr char kSettings = 4;
constexpr char kGoAway = 7;
constexpr char kEndStream = 1;
constexpr char kAck = 1;
constexpr char kEndHeaders = 4;

std::string number(std::uint32_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>((value >> static_cast<unsigned>(shift)) & 0xFFU);
  }
  return out;
}

std::uint32_t number_in(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes) {
    value = (value << 8U) | static_cast<unsigned char>(c);
  }
  return value;
}

std::string frame(char type, char flags, std::uint32_t stream, std::string_view payload) {
  return number(static_cast<std::uint32_t>(payload.size()), 3) + type + flags + number(stream, 4) +
         std::string(payload);
}

/// ":status: 200" and "content-type: application/json".
std::string response_headers() {
  return "\x88\x0f\x10\x10"s + "application/json";
}

std::string go_away(std::uint32_t last_stream) {
  return frame(kGoAway, 0, 0, number(last_stream, 4) + number(0, 4));
}

}  // namespace

FakeHttp2Server::FakeHttp2Server(std::string body, std::vector<Act> script)
    : body_(std::move(body)),
      script_(std::move(script)),
      tls_({.identity = authority_.server(*base::parse_rfc3339("2000-01-01T00:00:00Z"),
                                          *base::parse_rfc3339("2100-01-01T00:00:00Z")),
            .client_authority = "",
            .http2 = true}) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  // NOLINTBEGIN(cppcoreguidelines-pro-type-reinterpret-cast): the socket API's own shape
  MESHTRUST_CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  MESHTRUST_CHECK(listen(listener_, 16) == 0);
  MESHTRUST_CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  // NOLINTEND(cppcoreguidelines-pro-type-reinterpret-cast)
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_for_ever(); });
}

FakeHttp2Server::~FakeHttp2Server() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (open_ >= 0) shutdown(open_, SHUT_RDWR);
  }
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  close(listener_);
}

void FakeHttp2Server::accept_for_ever() {
  sigset_t pipe{};
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ || fd < 0) {
        if (fd >= 0) close(fd);
        return;
      }
      open_ = fd;
    }
    if (const auto stream = tls_.accept(dup(fd))) {
      ++connections_;
      serve(*stream);
    }
    const std::lock_guard lock(mutex_);
    open_ = -1;
    close(fd);
  }
}

void FakeHttp2Server::serve(TlsStream& stream) {
  if (!stream.read_exactly(kPreface.size())) return;
  if (!stream.write(frame(kSettings, 0, 0, ""))) return;
  for (;;) {
    const auto head = stream.read_exactly(9);
    if (!head) return;
    const auto payload = stream.read_exactly(number_in(head->substr(0, 3)));
    if (!payload) return;
    const char type = (*head)[3];
    const char flags = (*head)[4];
    const std::uint32_t id = number_in(head->substr(5)) & 0x7FFFFFFFU;
    if (type == kSettings && (flags & kAck) == 0) {
      if (!stream.write(frame(kSettings, kAck, 0, ""))) return;
    }
    const bool is_request = (type == kHeaders || type == kData) && (flags & kEndStream) != 0;
    if (is_request && !answer_request(stream, id)) return;
  }
}

/// Whether the connection goes on.
bool FakeHttp2Server::answer_request(TlsStream& stream, std::uint32_t id) {
  const auto place = static_cast<std::size_t>(requests_++);
  const Act act = place < script_.size() ? script_[place] : Act::kAnswer;
  if (act == Act::kGoAwayUnprocessed) {
    (void)stream.write(go_away(id - 1));
    return false;
  }
  if (act == Act::kGoAwayAndVanish) {
    (void)stream.write(go_away(id));
    stream.abort();
    return false;
  }
  std::string answer;
  if (act == Act::kAnswerAndGoAway) answer += go_away(id);
  answer += frame(kHeaders, kEndHeaders, id, response_headers());
  answer += frame(kData, kEndStream, id, body_);
  return stream.write(answer) && act == Act::kAnswer;
}

}  // namespace meshtrust::test
