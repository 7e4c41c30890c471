#pragma once

#include "base/cancellation.h"
#include "base/clock.h"
#include "base/result.h"
#include "k8s/byte_stream.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace meshtrust::k8s {

/// Where a TLS server listens.
struct Endpoint {
  std::string host;  ///< a name or an address, IPv6 without brackets
  std::uint16_t port = 443;

  /// "host:port" with the brackets that IPv6 needs.
  std::string authority() const;
};

/// Connects to an address that a person has named, straight and without any proxy, within
/// `at_most`, which is also the deadline of the stream until another is set. kUnavailable when
/// nobody answers there, kCancelled by the run's end. `clock` and `cancellation` outlive it.
base::Result<std::unique_ptr<ByteStream>> connect_tcp(const Endpoint& endpoint,
                                                      std::chrono::milliseconds at_most,
                                                      const base::Clock& clock,
                                                      const base::Cancellation& cancellation);

}  // namespace meshtrust::k8s
