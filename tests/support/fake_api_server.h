#pragma once

#include "base/json.h"
#include "tests/support/fake_api_http.h"
#include "tests/support/fake_api_objects.h"
#include "tests/support/fake_api_tls.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace meshtrust::test {

/// What is to go wrong. A request has to match all that is set.
struct Fault {
  enum class Kind {
    kNone,           ///< as usual; keeps a place in a sequence of faults
    kAnswer,         ///< `reply` instead of the effect
    kCutBefore,      ///< the connection dies before the effect
    kCutAfter,       ///< the connection dies after the effect, before the answer
    kTruncate,       ///< the effect, then half of the answer
    kShortLength,    ///< the effect, then an answer that claims to be half as long as it is
    kUnendedChunks,  ///< the effect, then the answer in chunks of which the last never comes
    kBrokenGzip,     ///< the effect, then an answer whose compression breaks half-way
    kReplyAfter,     ///< the effect, then `reply`, as a proxy that gave up too early
    kStall,          ///< waits for `release()`, then goes on as usual
    kStallInBody,    ///< the effect, then half of the answer, then waits for `release()`
    kCloseAfter,     ///< as usual, and then the connection dies
  };

  Kind kind = Kind::kAnswer;
  std::string cluster = {};        ///< "" is any
  std::string method = {};         ///< "" is any
  std::string path_contains = {};  ///< "" is any
  int from = 1;                    ///< the first matching request that it hits, counted from 1
  int times = 1;                   ///< how many it hits; -1 for all
  FakeReply reply = {};
};

/// How many TCP connections a cluster has seen. One counts for the cluster of its first request.
struct ConnectionCount {
  int accepted = 0;
  int open = 0;
  int most_open = 0;
};

struct FakeApiOptions {
  std::vector<std::string> clusters = {"east"};
  std::string token = "fake-token";  ///< others get 401
  std::string server_version = "v1.30.2";
  /// Validity of the server's certificate.
  std::string not_before = "2000-01-01T00:00:00Z";
  std::string not_after = "2100-01-01T00:00:00Z";
  bool require_client_certificate = false;
};

/// Any number of API servers in this process, over TLS with HTTP/1.1 on one port of 127.0.0.1. The
/// cluster `east` lives below the prefix /east of every path. Objects behave as `FakeObjects` says.
class FakeApiServer {
 public:
  explicit FakeApiServer(FakeApiOptions options = {});
  FakeApiServer(const FakeApiServer&) = delete;
  FakeApiServer& operator=(const FakeApiServer&) = delete;
  ~FakeApiServer();

  /// "https://127.0.0.1:PORT/east"
  std::string url(std::string_view cluster) const;
  int port() const { return port_; }
  const TestAuthority& authority() const { return authority_; }
  /// A kubeconfig with one context, cluster and user of each name; all clusters when none is given.
  std::string kubeconfig(std::vector<std::string> clusters = {}) const;

  /// Every answer comes this much later.
  void set_latency(std::chrono::milliseconds latency);
  void add_fault(Fault fault);
  void clear_faults();
  /// Takes over connections that ask for an upgrade, in the thread of the connection, which ends
  /// when it returns. Without it they are answered like any request.
  using Upgrade = std::function<void(const SeenRequest&, TlsStream&)>;
  void on_upgrade(Upgrade upgrade);
  /// Called before each request is acted upon, in the thread of its connection and without a lock:
  /// what it does, requests of its own included, comes before. False cuts the connection.
  using Arrival = std::function<bool(const SeenRequest&)>;
  void on_arrival(Arrival arrival);
  /// Lets another cluster than the one that a request names answer it, as a load balancer or a name
  /// that changed its meaning does. Called under the server's lock.
  using Balance = std::function<std::string(const SeenRequest&)>;
  void on_balance(Balance balance);
  /// Lets stalled requests go on, now and from here on.
  void release();
  /// Self-reviews say no, and the requests themselves get 403. `verb` as in RBAC.
  void deny(std::string_view cluster, std::string_view verb, std::string_view resource);
  void allow_all();

  /// `path` as in a request: "/api/v1/namespaces/istio-system/secrets/cacerts".
  void put(std::string_view cluster,
           std::string_view path,
           base::Json object,
           std::string_view manager = "kubectl-create");
  void remove(std::string_view cluster, std::string_view path);
  std::optional<base::Json> object(std::string_view cluster, std::string_view path) const;

  std::vector<SeenRequest> requests(std::string_view cluster = {}) const;
  /// Those that could change something.
  std::vector<SeenRequest> writes(std::string_view cluster = {}) const;
  void forget_requests();
  /// From now on new connections see this certificate; those that stand are cut.
  void change_identity(const TestPair& identity);
  ConnectionCount connections(std::string_view cluster) const;
  /// Blocks until `count` requests are stalled.
  void wait_for_stalled(int count);

 private:
  struct Peer;
  struct ActiveFault {
    Fault fault;
    int seen = 0;
  };
  struct Outcome {
    FakeReply reply;
    Fault::Kind kind = Fault::Kind::kAnswer;
    bool faulty = false;
  };

  void accept_for_ever();
  void reap_finished();
  void serve(Peer& peer);
  bool serve_one(TlsStream& stream, Peer& peer);
  bool send_faulty(TlsStream& stream, const FakeReply& reply, Fault::Kind kind);
  void wait_until_released();
  bool serve_upgrade(TlsStream& stream, const SeenRequest& request);
  void balance(SeenRequest& request) const;
  void count_connection(Peer& peer, const std::string& cluster);
  int open_connections(std::string_view cluster) const;
  std::optional<Fault> next_fault(const SeenRequest& request);
  Outcome answer(SeenRequest& request);
  FakeReply act(const SeenRequest& request);
  FakeReply act_on_object(const SeenRequest& request);
  FakeReply review(const SeenRequest& request) const;
  bool is_denied(const std::string& cluster,
                 const std::string& verb,
                 const std::string& resource) const;

  const FakeApiOptions options_;
  TestAuthority authority_;
  std::shared_ptr<const TlsContext> tls_;
  int listener_ = -1;
  int port_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool released_ = false;
  int stalled_ = 0;
  std::chrono::milliseconds latency_{0};
  std::map<std::string, FakeObjects, std::less<>> clusters_;
  std::map<std::string, ConnectionCount, std::less<>> counts_;
  std::list<ActiveFault> faults_;
  Upgrade upgrade_;
  Balance balance_;
  Arrival arrival_;
  int accepted_ = 0;
  std::set<std::string> denied_;
  std::vector<SeenRequest> seen_;
  std::list<std::unique_ptr<Peer>> peers_;
  std::thread acceptor_;
};

}  // namespace meshtrust::test
