#pragma once

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "k8s/raw_connection.h"

#include <memory>
#include <optional>

namespace meshtrust::k8s {

/// The client's end of a WebSocket (RFC 6455) of binary messages. Pings are answered, fragments put
/// together, and what the peer may not do (masked frames, text, messages above 1 MiB) ends it.
/// Errors are those of `ByteStream`.
class WebSocket {
 public:
  /// `random` makes the masks and outlives it.
  WebSocket(std::unique_ptr<RawConnection, CloseRawConnection> connection, base::Random& random);
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;
  ~WebSocket();

  void set_deadline(base::Clock::Steady deadline);
  /// One message. While it waits to be sent, what arrives is kept, so that two ends that write at
  /// the same time never wait for each other.
  base::Status send(base::ByteView message);
  /// The next message, or nothing when the peer has closed in good order.
  base::Result<std::optional<base::Bytes>> receive();
  /// Says goodbye and waits for the peer to say so too.
  base::Status close();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace meshtrust::k8s
