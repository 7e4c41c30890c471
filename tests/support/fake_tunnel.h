#pragma once

#include "tests/support/fake_api_http.h"
#include "tests/support/fake_api_tls.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace meshtrust::test {

/// The kubelet's end of pods/portforward by `v4.channel.k8s.io`. Every frame is made by hand, so
/// that a test can make wrong ones.
class FakeTunnel {
 public:
  enum Opcode : std::uint8_t {
    kContinuation = 0,
    kText = 1,
    kBinary = 2,
    kClose = 8,
    kPing = 9,
    kPong = 10,
  };
  struct Frame {
    std::uint8_t opcode = 0;
    bool masked = false;
    std::string payload = {};  ///< unmasked
  };

  FakeTunnel(const SeenRequest& request, TlsStream& stream) : request_(request), stream_(stream) {}

  const SeenRequest& request() const { return request_; }
  TlsStream& stream() { return stream_; }
  /// The port in the query.
  std::uint16_t port() const;

  /// The head of an answer that agrees to what was asked for.
  std::string agreement() const;
  /// Agrees, and says on both channels which port they are about.
  void begin();
  /// The bytes of a frame. `first_bits` is added to the first byte: 0x80 says "final".
  static std::string frame(std::uint8_t opcode,
                           std::string_view payload,
                           std::uint8_t first_bits = 0x80,
                           bool masked = false);
  void send(std::uint8_t opcode, std::string_view payload);
  /// One message of a channel.
  void say(char channel, std::string_view content);
  /// A goodbye, and the peer's answer to it awaited.
  void say_goodbye(std::uint16_t code = 1000, std::string_view words = "");

  /// Nothing when the peer is gone.
  std::optional<Frame> next_frame();
  /// The content of the next message on the data channel; "" when something else came, or nothing.
  std::string next_data();
  /// Reads until the peer has gone.
  void wait_for_end();

 private:
  const SeenRequest& request_;
  TlsStream& stream_;
};

/// Passes bytes between a tunnel and a connected socket until one of them ends.
void bridge(FakeTunnel& tunnel, int fd);

}  // namespace meshtrust::test
