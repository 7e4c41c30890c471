#pragma once

#include "base/bytes.h"
#include "k8s/http.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace meshtrust::k8s {

/// What a connection is made from. All that is referred to outlives it.
struct ConnectionParts {
  const ClientSettings& settings;
  std::shared_ptr<const ClientIdentity> identity;
  const HttpOptions& options;
  const base::Clock& clock;
  const base::Cancellation& cancellation;
};

/// A connection to the API server over which nothing has been said yet: by the same proxy, under
/// the same TLS settings and with the same certificate as every request, for HTTP/1.1 and what
/// comes after it. Nothing but `wait` waits.
class RawConnection {
 public:
  /// Connects within `at_most`, and within the connect time-out of the options.
  static base::Result<std::unique_ptr<RawConnection, CloseRawConnection>, SendFailure> open(
      ConnectionParts parts, std::chrono::milliseconds at_most);
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;
  ~RawConnection();

  /// What has arrived: nothing when that would have to be waited for, 0 at the end.
  base::Result<std::optional<std::size_t>, SendFailure> try_read(std::span<std::uint8_t> into);
  /// How much of `bytes` could be sent, or nothing when that would have to be waited for.
  base::Result<std::optional<std::size_t>, SendFailure> try_write(base::ByteView bytes);
  /// `bytes` that were read too far; `try_read` gives them again.
  void put_back(base::ByteView bytes);

  enum class For { kReading, kWriting, kBoth };
  /// Until it is worth trying again.
  base::Result<void, SendFailure> wait(For what, base::Clock::Steady deadline);

  /// That the end came too early, for who knows where it belongs.
  base::Failure<SendFailure> broken() const;

  const ConnectionParts& parts() const { return parts_; }

 private:
  struct Handles;

  explicit RawConnection(ConnectionParts parts);
  base::Result<void, SendFailure> connect_within(std::chrono::milliseconds at_most);
  base::Failure<SendFailure> failed(int curl_code) const;

  ConnectionParts parts_;
  std::unique_ptr<Handles> handles_;
  base::Bytes put_back_;
};

}  // namespace meshtrust::k8s
