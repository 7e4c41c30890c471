#pragma once

#include "base/random.h"
#include "k8s/byte_stream.h"
#include "k8s/raw_connection.h"

#include <cstdint>
#include <memory>
#include <string>

namespace meshtrust::k8s {

/// A TCP port inside a pod.
struct PodPort {
  std::string namespace_name = {};
  std::string pod = {};
  std::uint16_t port = 0;

  /// For people: "port 15012 of pod 'istio-system/istiod-0'".
  std::string describe() const;
};

/// The subprotocol of pods/portforward that a tunnel speaks: every message begins with the number
/// of a channel, 0 for data and 1 for an error in words, and the first message of each channel
/// holds the port, low byte first.
inline constexpr std::string_view kChannelProtocol = "v4.channel.k8s.io";

/// The bytes of a port, over a connection that has been upgraded to `kChannelProtocol`. `random`
/// outlives it. What the cluster says on the error channel ends reading and writing with
/// kUnavailable and its words.
std::unique_ptr<ByteStream> forward_port(
    std::unique_ptr<RawConnection, CloseRawConnection> connection,
    const PodPort& pod,
    base::Random& random);

}  // namespace meshtrust::k8s
