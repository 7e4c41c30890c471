#include "k8s/tcp_stream.h"

#include "base/text.h"
#include "k8s/easy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
using std::chrono::milliseconds;

class TcpStream final : public ByteStream {
 public:
  TcpStream(Endpoint endpoint, const base::Clock& clock, const base::Cancellation& cancellation)
      : endpoint_(std::move(endpoint)), clock_(clock), cancellation_(cancellation) {}
  TcpStream(const TcpStream&) = delete;
  TcpStream(TcpStream&&) = delete;
  TcpStream& operator=(const TcpStream&) = delete;
  TcpStream& operator=(TcpStream&&) = delete;
  ~TcpStream() override { disconnect(); }

  Status reach(milliseconds at_most) {
    deadline_ = clock_.steady() + at_most;
    CURL* easy = easy_.get();
    // To libcurl CONNECT_ONLY over "http" is a connection on which nothing has been said.
    const std::string url = "http://" + endpoint_.authority();
    set(easy, CURLOPT_URL, url.c_str());
    set(easy, CURLOPT_PROXY, "");
    set(easy, CURLOPT_CONNECT_ONLY, 1L);
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_QUICK_EXIT, 1L);  // a hanging name server must not hold up Ctrl-C
    set(easy, CURLOPT_ERRORBUFFER, words_.data());
    set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(at_most.count()));
    MESHTRUST_CHECK(curl_multi_add_handle(multi_.get(), easy) == CURLM_OK);
    MESHTRUST_TRY_DO(drive());
    curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &socket_);
    return socket_ == CURL_SOCKET_BAD ? failed("the connection broke") : Status();
  }

  void set_deadline(base::Clock::Steady deadline) override { deadline_ = deadline; }

  Result<std::size_t> read(std::span<std::uint8_t> into) override {
    for (;;) {
      std::size_t got = 0;
      const CURLcode code = curl_easy_recv(easy_.get(), into.data(), into.size(), &got);
      if (code == CURLE_OK) return got;
      if (code != CURLE_AGAIN) return failed("the connection broke");
      MESHTRUST_TRY_DO(wait(POLLIN));
    }
  }

  Status write(base::ByteView bytes) override {
    while (!bytes.empty()) {
      std::size_t sent = 0;
      const CURLcode code = curl_easy_send(easy_.get(), bytes.data(), bytes.size(), &sent);
      if (code == CURLE_AGAIN) {
        MESHTRUST_TRY_DO(wait(POLLOUT));
        continue;
      }
      if (code != CURLE_OK) return failed("the connection broke");
      bytes = bytes.subspan(sent);
    }
    return {};
  }

  Status close() override {
    disconnect();
    return {};
  }

 private:
  /// libcurl gives a connection of its own kind back only with its handle.
  void disconnect() {
    if (multi_) curl_multi_remove_handle(multi_.get(), easy_.get());
    multi_.reset();
  }

  base::Failure<base::Error> failed(std::string_view why) const {
    return fail(Code::kUnavailable, fmt::format("'{}': {}", endpoint_.authority(), why));
  }
  static base::Failure<base::Error> cancelled() { return fail(Code::kCancelled, "interrupted"); }

  Status drive() {
    while (!cancellation_.is_cancelled()) {
      int running = 0;
      MESHTRUST_CHECK(curl_multi_perform(multi_.get(), &running) == CURLM_OK);
      if (running == 0) return result_of_transfer();
      curl_waitfd stop{.fd = cancellation_.fd(), .events = CURL_WAIT_POLLIN, .revents = 0};
      MESHTRUST_CHECK(curl_multi_poll(multi_.get(), &stop, 1, 60'000, nullptr) == CURLM_OK);
    }
    return cancelled();
  }

  Status result_of_transfer() {
    int left = 0;
    const CURLMsg* message = curl_multi_info_read(multi_.get(), &left);
    MESHTRUST_CHECK(message != nullptr && message->msg == CURLMSG_DONE);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-union-access): by libcurl
    const CURLcode code = message->data.result;
    if (code == CURLE_OK) return {};
    const std::string_view words = words_.data();
    return failed(words.empty() ? curl_easy_strerror(code) : base::printable(words));
  }

  Status wait(short events) {
    const auto left = std::chrono::ceil<milliseconds>(deadline_ - clock_.steady());
    if (left.count() <= 0) return failed("no answer in time");
    std::array<pollfd, 2> watched{{{.fd = socket_, .events = events, .revents = 0},
                                   {.fd = cancellation_.fd(), .events = POLLIN, .revents = 0}}};
    const int most = static_cast<int>(std::min<milliseconds::rep>(left.count(), 1'000'000'000));
    const int ready = poll(watched.data(), watched.size(), most);
    if (cancellation_.is_cancelled()) return cancelled();
    MESHTRUST_CHECK(ready >= 0 || errno == EINTR);
    return ready == 0 ? failed("no answer in time") : Status();
  }

  Endpoint endpoint_;
  const base::Clock& clock_;
  const base::Cancellation& cancellation_;
  base::Clock::Steady deadline_;
  std::array<char, CURL_ERROR_SIZE> words_{};
  Easy easy_ = make_easy();
  Multi multi_ = make_multi();  // owns the connection
  curl_socket_t socket_ = CURL_SOCKET_BAD;
};

}  // namespace

std::string Endpoint::authority() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
}

Result<std::unique_ptr<ByteStream>> connect_tcp(const Endpoint& endpoint,
                                                milliseconds at_most,
                                                const base::Clock& clock,
                                                const base::Cancellation& cancellation) {
  auto stream = std::make_unique<TcpStream>(endpoint, clock, cancellation);
  MESHTRUST_TRY_DO(stream->reach(at_most));
  return std::unique_ptr<ByteStream>(std::move(stream));
}

}  // namespace meshtrust::k8s
