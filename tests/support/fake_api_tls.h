#pragma once

#include "base/time.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace meshtrust::test {

/// A certificate and its key in PEM. Worthless: made for one test and trusted by nobody else.
struct TestPair {
  std::string certificate;
  std::string key;
};

/// A throw-away CA on P-256.
class TestAuthority {
 public:
  explicit TestAuthority(std::string_view common_name = "fake API server CA");

  const std::string& certificate() const { return pair_.certificate; }
  /// For 127.0.0.1, localhost and api.fake.test.
  TestPair server(base::Instant not_before, base::Instant not_after) const;
  /// Of a server with this common name and these subjectAltNames ("URI:spiffe://x"), "" for none.
  TestPair server_named(std::string_view common_name, std::string_view alternative_names) const;
  /// Of the Kubernetes user `name`.
  TestPair client(std::string_view name, base::Instant not_before, base::Instant not_after) const;

 private:
  TestPair pair_;
};

/// What the server end needs to speak TLS.
struct TlsServerConfig {
  TestPair identity;
  std::string client_authority;  ///< when set, a certificate of this CA is asked for
  bool require_client = false;
  bool http2 = false;  ///< offered by ALPN, and nothing else
};

/// One TLS connection, seen from the server.
class TlsStream {
 public:
  virtual ~TlsStream() = default;
  /// Everything up to and with `end`; nothing when the peer is gone.
  virtual std::optional<std::string> read_until(std::string_view end) = 0;
  virtual std::optional<std::string> read_exactly(std::size_t size) = 0;
  virtual bool write(std::string_view data) = 0;
  /// Cuts the TCP connection without a TLS goodbye.
  virtual void abort() = 0;
  /// Whether there is something to read that `fd` does not show any more.
  virtual bool has_pending() const = 0;
  virtual int fd() const = 0;
};

class TlsContext {
 public:
  explicit TlsContext(const TlsServerConfig& config);
  ~TlsContext();
  /// The handshake over `fd`, which it takes; null when the handshake fails.
  std::unique_ptr<TlsStream> accept(int fd) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace meshtrust::test
