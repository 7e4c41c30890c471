#pragma once

#include "base/cancellation.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "k8s/client_settings.h"
#include "k8s/proxy.h"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::k8s {

enum class Method { kGet, kPost, kPut, kPatch, kDelete };
std::string_view name_of(Method method);

/// Whether the body or the answer carries a private key.
enum class Content {
  kOrdinary,
  /// The body comes from, and the answer goes into, a `base::Secret`; the connection is made for
  /// this request and torn down after it, so that no library keeps a buffer with the bytes.
  kConfidential,
};

/// Asks the server to go on as a WebSocket (RFC 6455), which takes a connection of its own beside
/// those of ordinary requests.
struct WebSocketUpgrade {
  std::string subprotocol = {};  ///< the one that is offered, and has to be taken
  std::string nonce = {};        ///< base64 of 16 random bytes
};

struct Reply;

/// What is asked, over the connection of a confidential request, before its body is sent.
struct Look {
  std::string target = {};
  std::string accept = "application/json";
  /// Hears any answer of which no repeat would help; unless it says yes, nothing more is sent.
  std::function<base::Status(const Reply&)> judge = {};
};

/// One request. `target` is the path below the server's own, with the query, already
/// percent-encoded.
struct Request {
  Method method = Method::kGet;
  std::string target = {};
  std::string accept = "application/json";
  std::string content_type = {};              ///< of the body; "" when there is none
  std::string body = {};                      ///< of an ordinary request
  const base::Secret* secret_body = nullptr;  ///< of a confidential one; outlives the call
  Content content = Content::kOrdinary;
  /// A GET that goes first, by the same connection: the body is sent over no connection by which
  /// this look did not succeed. Only of a confidential request; outlives the call.
  const Look* look_first = nullptr;
  /// The value of `Authorization`, or null.
  const base::Secret* authorization = nullptr;
  /// The most that all of it may take; shorter than the client's own bound, never longer.
  std::optional<std::chrono::milliseconds> at_most = {};
  /// When set, the body of a 200 is handed over as it arrives, however long it grows, instead of
  /// being kept; false ends the exchange. Such a request may take for ever unless `at_most` says
  /// otherwise, and has a connection beside those of ordinary requests.
  std::function<bool(std::string_view)> sink = {};
  /// The longest time without a byte in either direction, instead of the client's own bound.
  std::optional<std::chrono::milliseconds> silence = {};
  /// The longest answer that is taken, instead of the client's own bound.
  std::optional<std::size_t> answer_limit_bytes = {};
  std::optional<WebSocketUpgrade> web_socket = {};
};

class RawConnection;
struct CloseRawConnection {
  void operator()(RawConnection* connection) const noexcept;
};

/// What the server answered, whatever the status.
struct Reply {
  int status = 0;
  std::string content_type = {};
  std::string body = {};          ///< of an ordinary request
  base::Secret secret_body = {};  ///< of a confidential one
  std::optional<base::Seconds> retry_after = {};
  std::vector<std::string> warnings = {};  ///< texts of `Warning: 299` headers, printable
  std::string audit_id = {};
  bool used_http2 = false;
  std::optional<base::Instant> date = {};  ///< the server's clock, from the `Date` header
  std::chrono::microseconds waited{};      ///< from the request's first byte to the answer's
  bool stopped = false;                    ///< the request's `sink` had enough
  bool of_look = false;                    ///< to the look alone: the request was never sent
  /// The connection, when the server has agreed to a WebSocket (101): what follows is frames.
  std::unique_ptr<RawConnection, CloseRawConnection> upgraded = {};

  /// The body, wherever it is.
  std::string_view text(std::string_view purpose) const;
};

/// Why there is no answer.
struct SendFailure {
  enum class Stage {
    kConnect,    ///< no connection, or none that lasted for the look: nothing was sent
    kTls,        ///< no trusted connection: nothing was sent
    kExchange,   ///< cut or timed out after the connection stood: a write may have happened
    kAnswer,     ///< an answer that cannot be taken (too large, broken encoding)
    kCancelled,  ///< the cancellation, not the server
    kLook,       ///< what the look found is not to get the request: nothing of it was sent
  };
  Stage stage = Stage::kConnect;
  bool timed_out = false;
  base::Error error = {};
  bool earlier_left_open = false;  ///< an earlier attempt at the same request did so

  /// The request may have arrived, and have had its effect.
  bool left_open() const {
    return stage == Stage::kExchange || stage == Stage::kAnswer || earlier_left_open;
  }
};

/// "meshtrust/0.1.0 (linux/amd64) cluster check": what servers log of who asks, in the form that
/// other Kubernetes programs use.
std::string user_agent(std::string_view command);

struct HttpOptions {
  std::size_t connections = 2;  ///< at most, open at the same time
  std::size_t streams = 4;      ///< at most, beside them: requests with a `sink`
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds silence_timeout{30'000};  ///< without a byte in either direction
  std::chrono::milliseconds request_timeout{60'000};
  std::size_t answer_limit_bytes = 64U << 20U;
  std::string user_agent = k8s::user_agent("");
  ProxyEnvironment proxy = {};  ///< for servers whose kubeconfig names no proxy
};

class Connection;
struct ConnectionParts;

/// The connections to one API server. Calls block and may come from any number of threads; they
/// share a bounded number of connections (HTTP/2 where the server speaks it), which stay open for
/// the next call; a WebSocket has one of its own. TLS 1.2 or newer, the settings' CA as the only
/// root, no redirects.
class HttpClient {
 public:
  /// `settings`, `clock` and `cancellation` outlive the client.
  HttpClient(const ClientSettings& settings,
             const base::Clock& clock,
             const base::Cancellation& cancellation,
             HttpOptions options = {});
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  /// An HTTP status is an answer. A failure's error is kUnavailable (unreachable, untrusted, cut),
  /// kInvalidInput (the client certificate is unusable or has expired) or kCancelled.
  base::Result<Reply, SendFailure> send(const Request& request);

  /// From now on connections are made with this certificate; those that are open are closed.
  void use_identity(ClientIdentity identity);
  /// The certificates that the server shows, in PEM, its own first; nobody judges them, and no
  /// credential is sent. Over a connection of its own.
  base::Result<std::vector<std::string>, SendFailure> serving_chain();
  /// The certificate that connections are made with, in PEM, or "".
  std::string client_certificate();
  /// Closes what is idle. A run over a thousand clusters calls it when it has seen one of them.
  void close_idle();

 private:
  ConnectionParts parts();
  std::unique_ptr<Connection> acquire(const Request& request);
  void release(std::unique_ptr<Connection> connection, const Request& request);

  const ClientSettings& settings_;
  const base::Clock& clock_;
  const base::Cancellation& cancellation_;
  const HttpOptions options_;

  std::mutex mutex_;
  std::condition_variable slot_free_;
  std::size_t busy_ = 0;                           ///< ordinary calls that hold a slot
  std::size_t streaming_ = 0;                      ///< calls with a `sink` likewise
  std::vector<std::unique_ptr<Connection>> idle_;  ///< most recently used last
  std::shared_ptr<const ClientIdentity> identity_;
};

}  // namespace meshtrust::k8s
