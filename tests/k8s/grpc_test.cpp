#include "k8s/grpc.h"

#include "tests/k8s/client_fixture.h"
#include "tests/k8s/socket_stream.h"
#include "tests/support/fake_grpc.h"
#include "tests/support/fake_tunnel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <map>

namespace meshtrust::k8s {
namespace {

using base::Code;
using test::FailsWith;
using test::grpc_frame;
using test::GrpcReply;
using test::Succeeds;

class GrpcTest : public ClientTest {
 protected:
  GrpcTest() { std::signal(SIGPIPE, SIG_IGN); }

  TlsTarget target() const { return {.server_name = name, .protocols = {"h2"}, .roots = roots}; }

  /// Calls a server that answers with `reply`.
  base::Result<GrpcAnswer> call(const GrpcReply& reply, const GrpcCall& with) {
    TlsServer tls(config, [&](test::TlsStream& stream) { seen = serve_grpc(stream, reply); });
    MESHTRUST_TRY(const auto stream, TlsStream::open(tls.stream(), target(), clock));
    return call_grpc(*stream, with);
  }
  base::Result<GrpcAnswer> call(const GrpcReply& reply) {
    return call(reply, {.authority = "istiod", .method = "/echo.Echo/Echo"});
  }

  test::TestAuthority authority_{"mesh root"};
  test::TlsServerConfig config{
      .identity = authority_.server(*base::parse_rfc3339("2026-01-01T00:00:00Z"),
                                    *base::parse_rfc3339("2027-01-01T00:00:00Z")),
      .client_authority = {},
      .http2 = true};
  std::string roots = authority_.certificate();
  std::string name = "api.fake.test";
  test::SeenCall seen;
};

TEST_F(GrpcTest, SendsAMessageAndTakesOne) {
  const base::Secret token("top-secret");
  const auto answer = call({.body = grpc_frame("pong")},
                           {.authority = "istiod.istio-system.svc",
                            .method = "/istio.v1.auth.IstioCertificateService/CreateCertificate",
                            .message = base::as_bytes("ping"),
                            .metadata = {{"clusterid", "west"}},
                            .bearer_token = &token});
  ASSERT_THAT(answer, Succeeds());
  EXPECT_EQ(answer->status, 0);
  EXPECT_EQ(base::as_text(answer->message), "pong");
  EXPECT_EQ(seen.message, grpc_frame("ping"));
  EXPECT_EQ(seen.headers, (std::map<std::string, std::string>{
                              {":authority", "istiod.istio-system.svc"},
                              {":method", "POST"},
                              {":path", "/istio.v1.auth.IstioCertificateService/CreateCertificate"},
                              {":scheme", "https"},
                              {"authorization", "Bearer top-secret"},
                              {"clusterid", "west"},
                              {"content-type", "application/grpc"},
                              {"te", "trailers"},
                              {"user-agent", "meshtrust/" MESHTRUST_VERSION},
                          }));
}

TEST_F(GrpcTest, CarriesMessagesLargerThanAWindow) {
  const std::string large(900'000, 'x');
  const auto answer =
      call({.body = grpc_frame(large)},
           {.authority = "istiod", .method = "/echo.Echo/Echo", .message = base::as_bytes(large)});
  ASSERT_THAT(answer, Succeeds());
  EXPECT_TRUE(base::as_text(answer->message) == large);
  EXPECT_TRUE(seen.message == grpc_frame(large));
}

TEST_F(GrpcTest, TakesAnEmptyMessageForOne) {
  const auto answer = call({.body = grpc_frame("")});
  ASSERT_THAT(answer, Succeeds());
  EXPECT_TRUE(answer->message.empty());
}

TEST_F(GrpcTest, AnswersWithWhateverStatusTheServerGives) {
  const auto answer = call(
      {.trailers = {{"grpc-status", "16"}, {"grpc-message", "token%20expired%3a 5%25%1b[31m"}}});
  ASSERT_THAT(answer, Succeeds());
  EXPECT_EQ(answer->status, 16);
  EXPECT_EQ(answer->words, "token expired: 5%?[31m");
}

TEST_F(GrpcTest, KeepsATokenFromAServerThatIsNotTrusted) {
  roots = test::TestAuthority("mesh root").certificate();
  const base::Secret token("top-secret");
  const auto answer =
      call({}, {.authority = "istiod", .method = "/echo.Echo/Echo", .bearer_token = &token});
  EXPECT_THAT(answer, FailsWith(Code::kRefused,
                                "calling /echo.Echo/Echo: a token is not sent to a server whose "
                                "certificate is not trusted: certificate signature failure"));
  EXPECT_EQ(seen.headers.count("authorization"), 0U);
}

TEST_F(GrpcTest, KeepsATokenFromAServerThatWasNotVerified) {
  roots.clear();
  const base::Secret token("top-secret");
  const auto answer =
      call({}, {.authority = "istiod", .method = "/echo.Echo/Echo", .bearer_token = &token});
  EXPECT_THAT(answer, FailsWith(Code::kRefused,
                                "calling /echo.Echo/Echo: a token is not sent to a server whose "
                                "certificate is not trusted: it was not verified"));
}

TEST_F(GrpcTest, KeepsATokenFromAServerWhoseNameWasNotVerified) {
  name.clear();
  const base::Secret token("top-secret");
  const auto answer =
      call({}, {.authority = "istiod", .method = "/echo.Echo/Echo", .bearer_token = &token});
  EXPECT_THAT(answer, FailsWith(Code::kRefused,
                                "calling /echo.Echo/Echo: a token is not sent to a server whose "
                                "certificate is not trusted: its name was not verified"));
}

TEST_F(GrpcTest, SaysWhenTheServerSpeaksNoHttp2) {
  config.http2 = false;
  EXPECT_THAT(call({}), FailsWith(Code::kUnavailable,
                                  "calling /echo.Echo/Echo: the server speaks no HTTP/2, it "
                                  "picked ''"));
}

TEST_F(GrpcTest, SaysWhenTheServerHangsUp) {
  // The whole request, for a socket that is closed over unread bytes is reset: the last frame is
  // DATA of an empty message.
  const std::string last("\0\0\5\0\1\0\0\0\1\0\0\0\0\0", 14);
  TlsServer tls(config, [&](test::TlsStream& stream) { (void)stream.read_until(last); });
  const auto stream = TlsStream::open(tls.stream(), target(), clock);
  ASSERT_THAT(stream, Succeeds());
  const auto answer = call_grpc(**stream, {.authority = "istiod", .method = "/echo.Echo/Echo"});
  EXPECT_THAT(answer, FailsWith(Code::kUnavailable,
                                "calling /echo.Echo/Echo: no gRPC answer: the server closed the "
                                "connection"));
}

/// An answer that is none, and what is said about it.
struct Misread {
  std::string name;
  GrpcReply reply;
  std::string message;

  friend void PrintTo(const Misread& misread, std::ostream* out) { *out << misread.name; }
};

class GrpcMisreadTest : public GrpcTest, public ::testing::WithParamInterface<Misread> {};

TEST_P(GrpcMisreadTest, IsNoAnswer) {
  EXPECT_THAT(call(GetParam().reply),
              FailsWith(Code::kUnavailable,
                        "calling /echo.Echo/Echo: no gRPC answer: " + GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Misread,
    GrpcMisreadTest,
    ::testing::Values(
        Misread{"Page",
                {.http_status = "404", .content_type = "text/plain", .body = "x", .trailers = {}},
                "found HTTP status 404 and 'text/plain', wanted 200 and 'application/grpc'"},
        Misread{"NoStatus", {.body = grpc_frame("x"), .trailers = {}}, "it has no 'grpc-status'"},
        Misread{"NoNumber",
                {.body = grpc_frame("x"), .trailers = {{"grpc-status", "0x"}}},
                "it has no 'grpc-status'"},
        Misread{"NoMessage", {}, "it says OK and holds no message"},
        Misread{"TwoMessages",
                {.body = grpc_frame("a") + grpc_frame("b")},
                "it is not one message: found 7 bytes, announced were 1"},
        Misread{"HalfAMessage",
                {.body = grpc_frame("abcd").substr(0, 7)},
                "it is not one message: found 2 bytes, announced were 4"},
        Misread{"Compressed",
                {.body = grpc_frame("x", 1)},
                "it is compressed, though nobody offered that"},
        Misread{"TooLarge",
                {.body = grpc_frame(std::string((1U << 20U) + 1, 'x'))},
                "it is larger than 1048576 bytes"},
        Misread{"Reset", {.reset = true}, "the server ended the stream with INTERNAL_ERROR"}),
    [](const auto& each) { return each.param.name; });

TEST_F(GrpcTest, WorksThroughATunnel) {
  server().on_upgrade([&](const test::SeenRequest& request, test::TlsStream& stream) {
    test::FakeTunnel tunnel(request, stream);
    tunnel.begin();
    TlsServer pod(config, [&](test::TlsStream& inner) {
      seen = serve_grpc(inner, {.body = grpc_frame("pong")});
    });
    const SocketStream end(pod.take_end());
    bridge(tunnel, pod.take_end());
  });
  const base::Secret token("top-secret");
  const auto api = client();
  auto tunnel =
      api->open_tunnel({.namespace_name = "istio-system", .pod = "istiod-0", .port = 15'012},
                       std::chrono::minutes(1));
  ASSERT_THAT(tunnel, Succeeds());
  auto stream = TlsStream::open(*std::move(tunnel), target(), clock);
  ASSERT_THAT(stream, Succeeds());
  EXPECT_EQ((*stream)->peer().verdict, TlsVerdict::kTrusted);
  const auto answer = call_grpc(**stream, {.authority = "istiod",
                                           .method = "/echo.Echo/Echo",
                                           .message = base::as_bytes("ping"),
                                           .bearer_token = &token});
  ASSERT_THAT(answer, Succeeds());
  EXPECT_EQ(base::as_text(answer->message), "pong");
  EXPECT_THAT((*stream)->close(), Succeeds());
}

}  // namespace
}  // namespace meshtrust::k8s
