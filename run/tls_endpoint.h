#pragma once

#include "base/bytes.h"
#include "base/cancellation.h"
#include "base/clock.h"
#include "base/result.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::run {

/// A TLS server to look at.
struct TlsQuestion {
  std::string address;      ///< "tls://host:port", IPv6 in brackets, port 443 if left out
  std::string server_name;  ///< SNI; empty for the host itself
  std::vector<std::string> protocols;  ///< ALPN, the most wanted first
  std::chrono::milliseconds at_most{10'000};
};

/// What it showed.
struct TlsAnswer {
  std::vector<base::Bytes> chain;  ///< DER, as it was sent: its own certificate first
  std::string version;             ///< "TLSv1.3"
  std::string protocol;            ///< picked by ALPN, or ""
  bool asked_for_client_certificate = false;
};

/// Looks at TLS servers. Behind an interface because it is the one thing beside API servers that
/// opens connections, and only to what a person has named.
class TlsEndpoints {
 public:
  TlsEndpoints() = default;
  TlsEndpoints(const TlsEndpoints&) = delete;
  TlsEndpoints& operator=(const TlsEndpoints&) = delete;
  virtual ~TlsEndpoints() = default;

  /// Shakes hands, judging nothing and sending no certificate, and leaves. kUsage for what is no
  /// address, kUnavailable when there is no handshake.
  virtual base::Result<TlsAnswer> look(const TlsQuestion& question) = 0;
};

/// Over the network. What it is made with outlives it.
class NetworkTlsEndpoints final : public TlsEndpoints {
 public:
  NetworkTlsEndpoints(const base::Clock& clock, const base::Cancellation& cancellation)
      : clock_(clock), cancellation_(cancellation) {}
  base::Result<TlsAnswer> look(const TlsQuestion& question) override;

 private:
  const base::Clock& clock_;
  const base::Cancellation& cancellation_;
};

/// "tls://..." names a server and no file.
inline constexpr std::string_view kTlsScheme = "tls://";

}  // namespace meshtrust::run
