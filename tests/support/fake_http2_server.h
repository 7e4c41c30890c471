#pragma once

#include "tests/support/fake_api_tls.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace meshtrust::test {

/// An API server that speaks just enough HTTP/2 to say goodbye: it answers every request with the
/// same JSON, and sends GOAWAY when its script says so. Connections are served one after the other.
class FakeHttp2Server {
 public:
  enum class Act {
    kAnswer,
    kAnswerAndGoAway,    ///< answers, and wants the next request on another connection
    kGoAwayUnprocessed,  ///< GOAWAY that says that this request was not looked at
    kGoAwayAndVanish,    ///< GOAWAY that takes responsibility for it, then no answer
  };

  /// `script` is for the requests in their order over all connections; what comes after is
  /// answered.
  FakeHttp2Server(std::string body, std::vector<Act> script);
  FakeHttp2Server(const FakeHttp2Server&) = delete;
  FakeHttp2Server& operator=(const FakeHttp2Server&) = delete;
  ~FakeHttp2Server();

  int port() const { return port_; }
  const TestAuthority& authority() const { return authority_; }
  int connections() const { return connections_; }
  int requests() const { return requests_; }

 private:
  void accept_for_ever();
  void serve(TlsStream& stream);
  bool answer_request(TlsStream& stream, std::uint32_t id);

  const std::string body_;
  const std::vector<Act> script_;
  TestAuthority authority_;
  TlsContext tls_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<int> requests_{0};
  std::mutex mutex_;
  int open_ = -1;  ///< the connection that is served
  bool stopping_ = false;
  std::thread acceptor_;
};

}  // namespace meshtrust::test
