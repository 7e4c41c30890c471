#include "k8s/tunnel.h"

#include "base/encoding.h"
#include "base/json.h"
#include "k8s/byte_stream.h"
#include "tests/k8s/client_fixture.h"
#include "tests/support/fake_tunnel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <future>
#include <map>
#include <ostream>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using std::chrono::milliseconds;
using std::chrono::minutes;
using test::FailsWith;
using test::FakeTunnel;
using test::Succeeds;
using Script = std::function<void(FakeTunnel&)>;

const PodPort kIstiod{.namespace_name = "istio-system", .pod = "istiod-0", .port = 15'012};

class TunnelTest : public ClientTest {
 protected:
  TunnelTest() { std::signal(SIGPIPE, SIG_IGN); }

  /// What the pod's end does with every tunnel.
  void pod(Script script) {
    server().on_upgrade([script = std::move(script)](const auto& request, auto& stream) {
      FakeTunnel tunnel(request, stream);
      script(tunnel);
    });
  }

  std::unique_ptr<ByteStream> open() {
    if (!client_) client_ = client();
    auto opened = client_->open_tunnel(kIstiod, minutes(1));
    EXPECT_THAT(opened, Succeeds());
    return opened ? *std::move(opened) : nullptr;
  }
  /// Of an attempt to open and read.
  Error failure(milliseconds at_most = minutes(1)) {
    client_ = client();
    auto opened = client_->open_tunnel(kIstiod, at_most);
    auto read = opened ? read_all(**opened) : base::fail(std::move(opened).error());
    if (read) {
      ADD_FAILURE() << "read '" << *read << "'";
      return {};
    }
    Error error = std::move(read).error();
    error.message = without_address(error.message);
    return error;
  }

  static base::Result<std::string> read_all(ByteStream& stream) {
    std::string all;
    for (;;) {
      base::Bytes part(1'000);
      MESHTRUST_TRY(const std::size_t size, stream.read(part));
      if (size == 0) return all;
      all += base::as_text(base::ByteView(part).first(size));
    }
  }

 private:
  std::unique_ptr<ApiClient> client_;
};

TEST_F(TunnelTest, CarriesBytesBothWays) {
  pod([](FakeTunnel& tunnel) {
    tunnel.begin();
    const std::string asked = tunnel.next_data();
    tunnel.say('\0', "you said ");
    tunnel.say('\0', asked);
    tunnel.say_goodbye();
  });
  const auto stream = open();
  ASSERT_THAT(stream->write(base::as_bytes("hello")), Succeeds());
  const auto answer = read_all(*stream);
  ASSERT_THAT(answer, Succeeds());
  EXPECT_EQ(*answer, "you said hello");
}

TEST_F(TunnelTest, AsksAsEveryOtherRequestDoes) {
  pod([](FakeTunnel& tunnel) {
    tunnel.begin();
    tunnel.say_goodbye();
  });
  auto with = settings();
  with.impersonation = Impersonation{.user = "jane", .groups = {"a", "b"}};
  const auto api = client(std::move(with));
  ASSERT_THAT(api->open_tunnel(kIstiod, minutes(1)), Succeeds());
  auto seen = server().requests("east").back();
  EXPECT_EQ(seen.path, "/api/v1/namespaces/istio-system/pods/istiod-0/portforward");
  EXPECT_EQ(seen.query, "ports=15012");
  EXPECT_EQ(seen.headers, (std::map<std::string, std::string>{
                              {"accept", "*/*"},
                              {"authorization", "Bearer fake-token"},
                              {"connection", "Upgrade"},
                              {"host", authority().substr(8)},
                              {"impersonate-group", "a, b"},
                              {"impersonate-user", "jane"},
                              {"sec-websocket-key", base::to_base64(base::Bytes(16))},
                              {"sec-websocket-protocol", "v4.channel.k8s.io"},
                              {"sec-websocket-version", "13"},
                              {"upgrade", "websocket"},
                              {"user-agent", http.user_agent},
                          }));
}

TEST_F(TunnelTest, GoesByTheNameThatTheKubeconfigGivesTheServer) {
  pod([](FakeTunnel& tunnel) {
    tunnel.begin();
    tunnel.say_goodbye();
  });
  auto with = settings();
  with.tls_server_name = "api.fake.test";
  const auto api = client(std::move(with));
  EXPECT_THAT(api->open_tunnel(kIstiod, minutes(1)), Succeeds());
}

TEST_F(TunnelTest, TrustsTheGivenAuthorityAlone) {
  auto with = settings();
  with.certificate_authority = test::TestAuthority("another CA").certificate();
  const auto opened = client(std::move(with))->open_tunnel(kIstiod, minutes(1));
  ASSERT_FALSE(opened);
  EXPECT_EQ(without_address(opened.error().message),
            "opening a tunnel to port 15012 of pod 'istio-system/istiod-0': server certificate of "
            "SERVER is not trusted: unable to get local issuer certificate");
}

TEST_F(TunnelTest, PutsFragmentsTogetherAndAnswersPings) {
  std::promise<FakeTunnel::Frame> pong;
  pod([&](FakeTunnel& tunnel) {
    tunnel.begin();
    std::string wire = FakeTunnel::frame(FakeTunnel::kBinary, std::string("\0he", 3), 0);
    wire += FakeTunnel::frame(FakeTunnel::kPing, "still there?");
    wire += FakeTunnel::frame(FakeTunnel::kContinuation, "llo", 0);
    wire += FakeTunnel::frame(FakeTunnel::kContinuation, "");
    for (const char byte : wire) {
      (void)tunnel.stream().write({&byte, 1});
    }
    pong.set_value(tunnel.next_frame().value_or(FakeTunnel::Frame{}));
    tunnel.say_goodbye();
  });
  const auto answer = read_all(*open());
  ASSERT_THAT(answer, Succeeds());
  EXPECT_EQ(*answer, "hello");
  const FakeTunnel::Frame frame = pong.get_future().get();
  EXPECT_EQ(frame.opcode, FakeTunnel::kPong);
  EXPECT_TRUE(frame.masked);
  EXPECT_EQ(frame.payload, "still there?");
}

TEST_F(TunnelTest, CarriesMoreThanFitsIntoAMessage) {
  pod([](FakeTunnel& tunnel) {
    tunnel.begin();
    std::string all;
    while (all.size() < 3'000'000) {
      all += tunnel.next_data();
    }
    for (std::size_t at = 0; at < all.size(); at += 300'000) {
      tunnel.say('\0', std::string_view(all).substr(at, 300'000));
    }
    tunnel.say_goodbye();
  });
  std::string much;
  for (int i = 0; i < 500'000; ++i) {
    much += std::to_string(100'000 + i % 900'000);
  }
  const auto stream = open();
  ASSERT_THAT(stream->write(base::as_bytes(much)), Succeeds());
  const auto answer = read_all(*stream);
  ASSERT_THAT(answer, Succeeds());
  EXPECT_TRUE(*answer == much);
}

TEST_F(TunnelTest, SaysGoodbye) {
  std::promise<FakeTunnel::Frame> last;
  pod([&](FakeTunnel& tunnel) {
    tunnel.begin();
    last.set_value(tunnel.next_frame().value_or(FakeTunnel::Frame{}));
    tunnel.say_goodbye();
  });
  const auto stream = open();
  EXPECT_THAT(stream->close(), Succeeds());
  const FakeTunnel::Frame frame = last.get_future().get();
  EXPECT_EQ(frame.opcode, FakeTunnel::kClose);
  EXPECT_EQ(frame.payload, "\x03\xe8");
}

TEST_F(TunnelTest, GivesWhatCameBeforeAnError) {
  pod([](FakeTunnel& tunnel) {
    tunnel.begin();
    tunnel.say('\0', "half");
    tunnel.say('\1', "lost connection to pod");
    tunnel.wait_for_end();
  });
  const auto stream = open();
  base::Bytes part(100);
  const auto size = stream->read(part);
  ASSERT_THAT(size, Succeeds());
  EXPECT_EQ(*size, 4U);
  EXPECT_THAT(stream->read(part),
              FailsWith(Code::kUnavailable,
                        "port 15012 of pod 'istio-system/istiod-0' cannot be reached: lost "
                        "connection to pod"));
}

TEST_F(TunnelTest, SaysWhyNothingCanBeWrittenAnyMore) {
  std::promise<void> closed;
  pod([&](FakeTunnel& tunnel) {
    tunnel.begin();
    tunnel.say('\1', "no such port");
    tunnel.send(FakeTunnel::kClose, "\x03\xe8");
    closed.set_value();
    tunnel.wait_for_end();
  });
  const auto stream = open();
  closed.get_future().wait();
  const std::string much(100'000, 'x');
  EXPECT_THAT(stream->write(base::as_bytes(much)),
              FailsWith(Code::kUnavailable,
                        "port 15012 of pod 'istio-system/istiod-0' cannot be reached: no such "
                        "port"));
}

TEST_F(TunnelTest, EndsAWaitAtOnceWhenCancelled) {
  pod([&](FakeTunnel& tunnel) {
    tunnel.begin();
    (void)tunnel.next_data();
    cancellation.cancel();
    tunnel.wait_for_end();
  });
  const auto stream = open();
  ASSERT_THAT(stream->write(base::as_bytes("x")), Succeeds());
  base::Bytes part(100);
  EXPECT_THAT(stream->read(part), FailsWith(Code::kCancelled, "interrupted"));
}

TEST_F(TunnelTest, EndsAnUpgradeAtOnceWhenCancelled) {
  pod([&](FakeTunnel& tunnel) {
    cancellation.cancel();
    tunnel.wait_for_end();
  });
  EXPECT_EQ(failure().code, Code::kCancelled);
}

TEST_F(TunnelTest, DoesNotWaitLongerThanItMay) {
  pod([](FakeTunnel& tunnel) {
    tunnel.begin();
    tunnel.wait_for_end();
  });
  const auto stream = open();
  stream->set_deadline(clock.steady() + milliseconds(20));
  base::Bytes part(100);
  const auto read = stream->read(part);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kUnavailable);
  EXPECT_EQ(without_address(read.error().message),
            "port 15012 of pod 'istio-system/istiod-0': SERVER did not answer in time");
}

TEST_F(TunnelTest, TakesAFreshTokenWhenTheOldOneIsRefused) {
  int asked = 0;
  pod([&](FakeTunnel& tunnel) {
    if (++asked == 1) {
      (void)tunnel.stream().write(test::on_the_wire({.status = 401, .body = "Unauthorized"}));
      return;
    }
    tunnel.begin();
    tunnel.say_goodbye();
  });
  processes.outputs = {R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",)"
                       R"("status":{"token":"old"}})",
                       R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",)"
                       R"("status":{"token":"new"}})"};
  auto with = settings();
  with.token.clear();
  with.exec = ExecPlugin{.api_version = "client.authentication.k8s.io/v1",
                         .command = {"plugin"},
                         .interactive_mode = "Never"};
  const auto api = client(std::move(with));
  ASSERT_THAT(api->open_tunnel(kIstiod, minutes(1)), Succeeds());
  EXPECT_EQ(server().requests("east").back().headers.at("authorization"), "Bearer new");
}

TEST_F(TunnelTest, WaitsAsLongAsABusyServerAsks) {
  int asked = 0;
  pod([&](FakeTunnel& tunnel) {
    if (++asked == 1) {
      (void)tunnel.stream().write(
          test::on_the_wire({.status = 429, .body = "{}", .headers = {{"Retry-After", "7"}}}));
      return;
    }
    tunnel.begin();
    tunnel.say_goodbye();
  });
  EXPECT_NE(open(), nullptr);
  EXPECT_EQ(pause.waits, std::vector<long>{7'100});
}

/// One way in which a tunnel goes wrong, and what is said about it.
struct Fault {
  std::string name;
  Script pod;
  std::string message;
  std::vector<std::string> hints = {};
  Code code = Code::kUnavailable;

  friend void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }
};

class TunnelFaultTest : public TunnelTest, public ::testing::WithParamInterface<Fault> {};

TEST_P(TunnelFaultTest, IsTold) {
  pod(GetParam().pod);
  const Error found = failure();
  EXPECT_EQ(found.code, GetParam().code);
  EXPECT_EQ(found.message, GetParam().message);
  EXPECT_EQ(found.hints, GetParam().hints);
}

const std::string kProxy = "a proxy or a load balancer may stand in between";
const std::string kOpening = "opening a tunnel to port 15012 of pod 'istio-system/istiod-0': ";
const std::string kPort = "port 15012 of pod 'istio-system/istiod-0'";

/// A pod's end that begins as it should, writes `wire` as it is and waits for the client to go.
Script raw(std::string wire) {
  return [wire = std::move(wire)](FakeTunnel& tunnel) {
    tunnel.begin();
    (void)tunnel.stream().write(wire);
    tunnel.wait_for_end();
  };
}

/// A server that answers the upgrade with `wire` and hangs up.
Script answer(std::string wire) {
  return [wire = std::move(wire)](FakeTunnel& tunnel) { (void)tunnel.stream().write(wire); };
}

/// An API server's own refusal.
Script status(int code, const std::string& reason, const std::string& message) {
  const base::Json body = {
      {"kind", "Status"},    {"apiVersion", "v1"},
      {"status", "Failure"}, {"reason", reason},
      {"message", message},  {"details", {{"name", "istiod-0"}, {"kind", "pods"}}},
      {"code", code}};
  return answer(test::on_the_wire({.status = code, .body = body.dump()}));
}

/// An agreement in which `from` reads `to`.
Script agreement_with(std::string from, std::string to) {
  return [from = std::move(from), to = std::move(to)](FakeTunnel& tunnel) {
    std::string head = tunnel.agreement();
    head.replace(head.find(from), from.size(), to);
    (void)tunnel.stream().write(head);
    tunnel.wait_for_end();
  };
}

INSTANTIATE_TEST_SUITE_P(
    Faults,
    TunnelFaultTest,
    ::testing::Values(
        Fault{"CutBeforeTheAnswer",
              [](FakeTunnel& tunnel) { tunnel.stream().abort(); },
              kOpening + "connection with SERVER broke before the answer was complete"},
        Fault{"CutInTheHead",
              [](FakeTunnel& tunnel) {
                (void)tunnel.stream().write(tunnel.agreement().substr(0, 40));
                tunnel.stream().abort();
              },
              kOpening + "connection with SERVER broke before the answer was complete"},
        Fault{"EndInTheHead", answer("HTTP/1.1 101 Swi"),
              kOpening + "connection with SERVER broke before the answer was complete"},
        Fault{"HeadWithoutEnd", answer("HTTP/1.1 101 OK\r\n" + std::string(70'000, 'x')),
              kOpening + "the answer of SERVER to the upgrade has a head without end",
              {kProxy}},
        Fault{"NoHttp", answer("SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n"),
              kOpening + "the answer of SERVER to the upgrade does not begin as HTTP/1.1 does",
              {kProxy}},
        Fault{"AnotherKey", agreement_with("Accept: ", "Accept: A"),
              kOpening + "SERVER agreed to a WebSocket and did not mean it: its "
                         "'Sec-WebSocket-Accept' does not fit the request",
              {kProxy}},
        Fault{"AnotherProtocol", agreement_with("Upgrade: websocket", "Upgrade: h2c"),
              kOpening + "SERVER agreed to a WebSocket and did not mean it: it switched to 'h2c' "
                         "instead of 'websocket'",
              {kProxy}},
        Fault{"AnotherSubprotocol", agreement_with("v4.channel", "v5.channel"),
              kOpening + "SERVER agreed to a WebSocket and did not mean it: it took subprotocol "
                         "'v5.channel.k8s.io' instead of 'v4.channel.k8s.io'",
              {kProxy}},
        Fault{"AnExtension",
              agreement_with("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
              kOpening + "SERVER agreed to a WebSocket and did not mean it: it took an extension "
                         "nobody offered",
              {kProxy}},
        Fault{"Forbidden",
              status(403, "Forbidden", "pods \"istiod-0\" is forbidden: User \"me\" cannot create resource \"pods/portforward\""),
              kOpening + "not permitted: pods \"istiod-0\" is forbidden: User \"me\" cannot create resource \"pods/portforward\"",
              {"a tunnel takes the rights 'get' and 'create' on pods/portforward in namespace "
               "'istio-system'"},
              Code::kPermission},
        Fault{"NoSuchPod", status(404, "NotFound", "pods \"istiod-0\" not found"),
              kOpening + "pods \"istiod-0\" not found",
              {},
              Code::kNotFound},
        Fault{"BadRequest", status(400, "BadRequest", "unable to upgrade: no ports"),
              kOpening + "unable to upgrade: no ports (400 BadRequest)",
              {},
              Code::kInternal},
        Fault{"ProxyPage",
              answer("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked"
                     "\r\n\r\n7\r\n<p>Plea\r\n9\r\nse log in\r\n0\r\n\r\n"),
              kOpening + "the upgrade to a WebSocket was refused: 200, text/html, '<p>Please log "
                         "in'",
              {"a proxy or a load balancer that knows no WebSocket may stand in between"}},
        Fault{"CutInAFrame",
              [](FakeTunnel& tunnel) {
                tunnel.begin();
                (void)tunnel.stream().write(
                    FakeTunnel::frame(FakeTunnel::kBinary, std::string(300, '\0')).substr(0, 200));
                tunnel.stream().abort();
              },
              kPort + ": connection with SERVER broke before the answer was complete"},
        Fault{"NoGoodbye", [](FakeTunnel& tunnel) { tunnel.begin(); },
              kPort + ": connection with SERVER broke before the answer was complete"},
        Fault{"BadGoodbye",
              [](FakeTunnel& tunnel) {
                tunnel.begin();
                tunnel.say_goodbye(1011, "kubelet is \x1b[31mill");
              },
              kPort + ": the other end closed the WebSocket with 1011 'kubelet is ?[31mill'"},
        Fault{"Masked", raw(FakeTunnel::frame(FakeTunnel::kBinary, std::string("\0x", 2), 0x80, true)),
              kPort + ": the other end broke the WebSocket protocol: it sent a frame that RFC 6455 "
                      "forbids",
              {kProxy}},
        Fault{"ReservedBits",
              raw(FakeTunnel::frame(FakeTunnel::kBinary, std::string("\0x", 2), 0xC0)),
              kPort + ": the other end broke the WebSocket protocol: it sent a frame that RFC 6455 "
                      "forbids",
              {kProxy}},
        Fault{"Oversized", raw(FakeTunnel::frame(FakeTunnel::kBinary, std::string((1U << 20U) + 1, 0))),
              kPort + ": the other end broke the WebSocket protocol: it sent a message of more than "
                      "1 MiB",
              {kProxy}},
        Fault{"Text", raw(FakeTunnel::frame(FakeTunnel::kText, "hello")),
              kPort + ": the other end broke the WebSocket protocol: it sent text where only bytes "
                      "may stand",
              {kProxy}},
        Fault{"UnknownChannel", raw(FakeTunnel::frame(FakeTunnel::kBinary, "\2x")),
              kPort + ": a message came for a channel that does not exist"},
        Fault{"NoChannel", raw(FakeTunnel::frame(FakeTunnel::kBinary, "")),
              kPort + ": a message came for a channel that does not exist"},
        Fault{"AnotherPort",
              [](FakeTunnel& tunnel) {
                (void)tunnel.stream().write(tunnel.agreement());
                tunnel.say('\0', "\x01\x02");
                tunnel.wait_for_end();
              },
              kPort + ": the first message is not about the port asked for"},
        Fault{"NobodyListens",
              [](FakeTunnel& tunnel) {
                tunnel.begin();
                tunnel.say('\1', "dial tcp4 127.0.0.1:15012: connect: connection refused\n");
                tunnel.say_goodbye();
              },
              kPort + " cannot be reached: dial tcp4 127.0.0.1:15012: connect: connection refused",
              {"nothing listens on port 15012 inside the pod"}}),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace meshtrust::k8s
