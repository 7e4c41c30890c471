#include "k8s/raw_connection.h"

#include "k8s/easy.h"
#include "k8s/send_failure.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>

namespace meshtrust::k8s {
namespace {

using base::Failure;
using base::Result;
using std::chrono::milliseconds;

constexpr int kWasCancelled = -1;

/// Until the transfer is over. The CURLcode, or that the run was cancelled.
int drive(CURLM* multi, const base::Cancellation& cancellation) {
  while (!cancellation.is_cancelled()) {
    int running = 0;
    MESHTRUST_CHECK(curl_multi_perform(multi, &running) == CURLM_OK);
    if (running == 0) {
      int left = 0;
      const CURLMsg* message = curl_multi_info_read(multi, &left);
      MESHTRUST_CHECK(message != nullptr && message->msg == CURLMSG_DONE);
      return message->data.result;  // NOLINT(cppcoreguidelines-pro-type-union-access): by libcurl
    }
    curl_waitfd stop{.fd = cancellation.fd(), .events = CURL_WAIT_POLLIN, .revents = 0};
    MESHTRUST_CHECK(curl_multi_poll(multi, &stop, 1, 60'000, nullptr) == CURLM_OK);
  }
  return kWasCancelled;
}

}  // namespace

/// The easy handle stays in the multi handle, which owns the connection, for as long as both live.
struct RawConnection::Handles {
  Multi multi = make_multi();
  CurlList detour;
  std::array<char, CURL_ERROR_SIZE> words{};
  Easy easy = make_easy();
  curl_socket_t socket = CURL_SOCKET_BAD;
};

void CloseRawConnection::operator()(RawConnection* connection) const noexcept {
  delete connection;  // NOLINT(cppcoreguidelines-owning-memory): the deleter of its unique_ptr
}

RawConnection::RawConnection(ConnectionParts parts)
    : parts_(std::move(parts)), handles_(std::make_unique<Handles>()) {}

RawConnection::~RawConnection() = default;

Result<std::unique_ptr<RawConnection, CloseRawConnection>, SendFailure> RawConnection::open(
    ConnectionParts parts, milliseconds at_most) {
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): the constructor is private
  std::unique_ptr<RawConnection, CloseRawConnection> made(new RawConnection(std::move(parts)));
  auto connected = made->connect_within(at_most);
  if (!connected) return Failure<SendFailure>{std::move(connected).error()};
  return made;
}

Result<void, SendFailure> RawConnection::connect_within(milliseconds at_most) {
  CURL* easy = handles_->easy.get();
  set_server(easy, parts_.settings, parts_.options, "", handles_->detour);
  set_tls(easy, parts_.settings, parts_.identity.get());
  set(easy, CURLOPT_CONNECT_ONLY, 1L);
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_QUICK_EXIT, 1L);  // a hanging name server must not hold up Ctrl-C
  set(easy, CURLOPT_USERAGENT, parts_.options.user_agent.c_str());  // for a proxy's CONNECT
  set(easy, CURLOPT_ERRORBUFFER, handles_->words.data());
  const milliseconds bound =
      std::max(milliseconds(1), std::min(at_most, parts_.options.connect_timeout));
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(bound.count()));

  CURLM* multi = handles_->multi.get();
  MESHTRUST_CHECK(curl_multi_add_handle(multi, easy) == CURLM_OK);
  const int code = drive(multi, parts_.cancellation);
  if (code != CURLE_OK) return failed(code);
  curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &handles_->socket);
  if (handles_->socket == CURL_SOCKET_BAD) return broken();
  return {};
}

Failure<SendFailure> RawConnection::failed(int curl_code) const {
  CURL* easy = handles_->easy.get();
  long os_error = 0;
  long connect_code = 0;
  long verify_result = 0;
  curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &connect_code);
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
  curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verify_result);
  return {explain_failure({.curl_code = curl_code,
                           .cancelled = curl_code == kWasCancelled,
                           .was_connected = handles_->socket != CURL_SOCKET_BAD,
                           .connect_code = static_cast<int>(connect_code),
                           .os_error = static_cast<int>(os_error),
                           .verify_result = verify_result,
                           .words = handles_->words.data(),
                           .identity = parts_.identity.get(),
                           .now = parts_.clock.now()},
                          parts_.settings, parts_.options.proxy)};
}

Failure<SendFailure> RawConnection::broken() const {
  return failed(CURLE_RECV_ERROR);
}

Result<std::optional<std::size_t>, SendFailure> RawConnection::try_read(
    std::span<std::uint8_t> into) {
  if (!put_back_.empty()) {
    const std::size_t part = std::min(into.size(), put_back_.size());
    const auto end = put_back_.begin() + static_cast<std::ptrdiff_t>(part);
    std::copy(put_back_.begin(), end, into.begin());
    put_back_.erase(put_back_.begin(), end);
    return std::optional(part);
  }
  std::size_t got = 0;
  const CURLcode code = curl_easy_recv(handles_->easy.get(), into.data(), into.size(), &got);
  if (code == CURLE_AGAIN) return std::optional<std::size_t>();
  if (code != CURLE_OK) return failed(code);
  return std::optional(got);
}

Result<std::optional<std::size_t>, SendFailure> RawConnection::try_write(base::ByteView bytes) {
  std::size_t sent = 0;
  const CURLcode code = curl_easy_send(handles_->easy.get(), bytes.data(), bytes.size(), &sent);
  if (code == CURLE_AGAIN) return std::optional<std::size_t>();
  if (code != CURLE_OK) return failed(code);
  return std::optional(sent);
}

void RawConnection::put_back(base::ByteView bytes) {
  put_back_.insert(put_back_.begin(), bytes.begin(), bytes.end());
}

Result<void, SendFailure> RawConnection::wait(For what, base::Clock::Steady deadline) {
  if (parts_.cancellation.is_cancelled()) return failed(kWasCancelled);
  const auto left = std::chrono::ceil<milliseconds>(deadline - parts_.clock.steady());
  if (left.count() <= 0) return failed(CURLE_OPERATION_TIMEDOUT);

  short events = 0;
  if (what != For::kWriting) events |= POLLIN;
  if (what != For::kReading) events |= POLLOUT;
  std::array<pollfd, 2> watched{{{.fd = handles_->socket, .events = events, .revents = 0},
                                 {.fd = parts_.cancellation.fd(), .events = POLLIN, .revents = 0}}};
  const int most = static_cast<int>(std::min<milliseconds::rep>(left.count(), 1'000'000'000));
  const int ready = poll(watched.data(), watched.size(), most);
  if (parts_.cancellation.is_cancelled()) return failed(kWasCancelled);
  if (ready == 0) return failed(CURLE_OPERATION_TIMEDOUT);
  MESHTRUST_CHECK(ready > 0 || errno == EINTR);
  return {};
}

}  // namespace meshtrust::k8s
