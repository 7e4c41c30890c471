#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace meshtrust::k8s {

/// Bytes in both directions, such as a tunnel to a port of a pod or TLS over one. Used by one
/// thread at a time. Calls block; a wait ends at the deadline (kUnavailable) and at once when the
/// run is cancelled (kCancelled). After an error only destruction makes sense.
class ByteStream {
 public:
  ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  virtual ~ByteStream() = default;

  /// Until when calls may wait from now on.
  virtual void set_deadline(base::Clock::Steady deadline) = 0;
  /// Waits for bytes and takes at least one of them, at most `into.size()`. 0 means that the other
  /// end has finished in good order; a connection that merely broke is an error.
  virtual base::Result<std::size_t> read(std::span<std::uint8_t> into) = 0;
  /// All of `bytes`, handed to the network.
  virtual base::Status write(base::ByteView bytes) = 0;
  /// Says goodbye. Nothing can be read or written any more. Destruction without it cuts the
  /// connection.
  virtual base::Status close() = 0;
};

}  // namespace meshtrust::k8s
