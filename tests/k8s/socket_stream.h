#pragma once

#include "k8s/byte_stream.h"
#include "tests/support/fake_api_tls.h"

#include <array>
#include <functional>
#include <memory>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace meshtrust::k8s {

/// A stream over a connected socket, in place of a tunnel. It knows no deadline.
class SocketStream final : public ByteStream {
 public:
  explicit SocketStream(int fd) : fd_(fd) {}
  ~SocketStream() override { ::close(fd_); }

  void set_deadline(base::Clock::Steady /*deadline*/) override {}
  base::Result<std::size_t> read(std::span<std::uint8_t> into) override {
    const ssize_t size = ::read(fd_, into.data(), into.size());
    if (size < 0) return base::fail(base::Code::kUnavailable, "the connection broke");
    return static_cast<std::size_t>(size);
  }
  base::Status write(base::ByteView bytes) override {
    while (!bytes.empty()) {
      const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return base::fail(base::Code::kUnavailable, "the connection broke");
      bytes = bytes.subspan(static_cast<std::size_t>(size));
    }
    return {};
  }
  base::Status close() override {
    shutdown(fd_, SHUT_WR);
    return {};
  }

 private:
  int fd_;
};

/// A TLS server at the other end of a socket pair, in a thread of its own.
class TlsServer {
 public:
  using Script = std::function<void(test::TlsStream&)>;

  TlsServer(const test::TlsServerConfig& config, Script script)
      : context_(config), script_(std::move(script)) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) != 0) {
      throw std::runtime_error("socketpair");
    }
    thread_ = std::thread([this] {
      const auto stream = context_.accept(ends_[1]);
      if (stream) script_(*stream);
    });
  }
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  ~TlsServer() { thread_.join(); }

  /// The client's end; to be taken once, and given up before the server goes.
  int take_end() { return ends_[0]; }
  std::unique_ptr<ByteStream> stream() { return std::make_unique<SocketStream>(take_end()); }

 private:
  test::TlsContext context_;
  Script script_;
  std::array<int, 2> ends_{};
  std::thread thread_;
};

}  // namespace meshtrust::k8s
