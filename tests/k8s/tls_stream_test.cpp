#include "k8s/tls_stream.h"

#include "base/encoding.h"
#include "tests/k8s/client_fixture.h"
#include "tests/k8s/socket_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace meshtrust::k8s {
namespace {

using base::Code;
using test::FailsWith;
using test::Succeeds;
using ::testing::SizeIs;

/// What stands between the lines of PEM.
base::Bytes der_of(std::string pem) {
  const std::size_t begin = pem.find('\n') + 1;
  return *base::from_base64(pem.substr(begin, pem.rfind("-----END") - begin));
}

class TlsStreamTest : public ::testing::Test {
 protected:
  TlsStreamTest() { std::signal(SIGPIPE, SIG_IGN); }

  static base::Instant at(std::string_view time) { return *base::parse_rfc3339(time); }
  static void do_nothing(test::TlsStream& stream) { (void)stream.read_exactly(1); }

  base::Result<TlsPeer> probe(const TlsTarget& target) {
    TlsServer server(config, &do_nothing);
    return probe_tls(server.stream(), target, clock);
  }

  HandClock clock;
  test::TestAuthority authority{"mesh root"};
  test::TlsServerConfig config{
      .identity = authority.server(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z")),
      .client_authority = {},
      .http2 = true};
};

TEST_F(TlsStreamTest, ShowsWhatTheServerShowed) {
  const auto peer = probe({.server_name = "api.fake.test", .protocols = {"h2", "http/1.1"}});
  ASSERT_THAT(peer, Succeeds());
  ASSERT_THAT(peer->chain, SizeIs(1));
  EXPECT_EQ(peer->chain[0], der_of(config.identity.certificate));
  EXPECT_EQ(peer->version, "TLSv1.3");
  EXPECT_EQ(peer->protocol, "h2");
  EXPECT_FALSE(peer->asked_for_client_certificate);
  EXPECT_EQ(peer->verdict, TlsVerdict::kNotAsked);
  EXPECT_EQ(peer->objection, "");
}

TEST_F(TlsStreamTest, NoticesThatAClientCertificateIsWanted) {
  config.client_authority = authority.certificate();
  const auto peer = probe({.protocols = {"h2"}});
  ASSERT_THAT(peer, Succeeds());
  EXPECT_TRUE(peer->asked_for_client_certificate);
}

TEST_F(TlsStreamTest, PicksNoProtocolWhenNoneIsOffered) {
  const auto peer = probe({});
  ASSERT_THAT(peer, Succeeds());
  EXPECT_EQ(peer->protocol, "");
}

struct Judged {
  std::string name;
  std::string server_name = "api.fake.test";
  bool own_root = true;
  std::string now = "2026-11-21T00:00:00Z";
  std::string objection = {};

  friend void PrintTo(const Judged& judged, std::ostream* out) { *out << judged.name; }
};

class TlsVerdictTest : public TlsStreamTest, public ::testing::WithParamInterface<Judged> {};

TEST_P(TlsVerdictTest, IsAValueAndNoFailure) {
  clock.set(GetParam().now);
  const test::TestAuthority other("mesh root");
  const auto peer = probe({.server_name = GetParam().server_name,
                           .protocols = {"h2"},
                           .roots = (GetParam().own_root ? authority : other).certificate()});
  ASSERT_THAT(peer, Succeeds());
  EXPECT_EQ(peer->objection, GetParam().objection);
  EXPECT_EQ(peer->verified_name, GetParam().objection.empty() ? GetParam().server_name : "");
  EXPECT_EQ(peer->verdict,
            GetParam().objection.empty() ? TlsVerdict::kTrusted : TlsVerdict::kUntrusted);
}

INSTANTIATE_TEST_SUITE_P(Verdicts,
                         TlsVerdictTest,
                         ::testing::Values(Judged{.name = "ByName"},
                                           Judged{.name = "ByAddress", .server_name = "127.0.0.1"},
                                           Judged{.name = "WithoutName", .server_name = ""},
                                           Judged{.name = "AnotherName",
                                                  .server_name = "istiod.istio-system.svc",
                                                  .objection = "hostname mismatch"},
                                           Judged{.name = "AnotherAddress",
                                                  .server_name = "127.0.0.2",
                                                  .objection = "IP address mismatch"},
                                           Judged{.name = "AnotherRootOfThatName",
                                                  .own_root = false,
                                                  .objection = "certificate signature failure"},
                                           Judged{.name = "NotYet",
                                                  .now = "2025-12-31T23:59:59Z",
                                                  .objection = "certificate is not yet valid"},
                                           Judged{.name = "NoLonger",
                                                  .now = "2027-01-01T00:00:01Z",
                                                  .objection = "certificate has expired"}),
                         [](const auto& each) { return each.param.name; });

TEST_F(TlsStreamTest, TakesACommonNameForNoName) {
  config.identity = authority.server_named("api.fake.test", "");
  const auto peer = probe(
      {.server_name = "api.fake.test", .protocols = {"h2"}, .roots = authority.certificate()});
  ASSERT_THAT(peer, Succeeds());
  EXPECT_EQ(peer->verdict, TlsVerdict::kUntrusted);
  EXPECT_EQ(peer->objection, "hostname mismatch");
}

TEST_F(TlsStreamTest, RefusesRootsThatAreNone) {
  EXPECT_THAT(probe({.roots = "-----BEGIN CERTIFICATE-----\n"}),
              FailsWith(Code::kInvalidInput, "the roots to verify with hold no PEM certificate"));
}

TEST_F(TlsStreamTest, SaysWhenTheServerPicksNothing) {
  EXPECT_THAT(probe({.protocols = {"istio"}}),
              FailsWith(Code::kUnavailable, "TLS handshake: tlsv1 alert no application protocol"));
}

TEST_F(TlsStreamTest, SaysWhenThereIsNoTls) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  ASSERT_EQ(::write(ends[1], "HTTP/1.1 400 Bad Request\r\n", 26), 26);
  EXPECT_THAT(probe_tls(std::make_unique<SocketStream>(ends[0]), {}, clock),
              FailsWith(Code::kUnavailable, "TLS handshake: wrong version number"));
  ::close(ends[1]);
}

TEST_F(TlsStreamTest, SaysWhenTheServerHangsUp) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  shutdown(ends[1], SHUT_WR);
  EXPECT_THAT(probe_tls(std::make_unique<SocketStream>(ends[0]), {}, clock),
              FailsWith(Code::kUnavailable,
                        "TLS handshake: the other end closed the connection without a goodbye"));
  ::close(ends[1]);
}

TEST_F(TlsStreamTest, CarriesBytesBothWays) {
  const std::string much(3'000'000, 'x');
  TlsServer server(config, [&](test::TlsStream& stream) {
    const auto got = stream.read_exactly(much.size());
    (void)stream.write(got.value_or("nothing"));
  });
  auto stream = TlsStream::open(server.stream(), {.protocols = {"h2"}}, clock);
  ASSERT_THAT(stream, Succeeds());
  ASSERT_THAT((*stream)->write(base::as_bytes(much)), Succeeds());
  std::string back;
  for (base::Bytes part(10'000);;) {
    const auto size = (*stream)->read(part);
    ASSERT_THAT(size, Succeeds());
    if (*size == 0) break;
    back += base::as_text(base::ByteView(part).first(*size));
  }
  EXPECT_TRUE(back == much);
}

TEST_F(TlsStreamTest, TakesACutForAFailure) {
  TlsServer server(config, [](test::TlsStream& stream) {
    (void)stream.write("half");
    stream.abort();
  });
  auto stream = TlsStream::open(server.stream(), {.protocols = {"h2"}}, clock);
  ASSERT_THAT(stream, Succeeds());
  base::Bytes part(100);
  ASSERT_THAT((*stream)->read(part), Succeeds());
  EXPECT_THAT(
      (*stream)->read(part),
      FailsWith(Code::kUnavailable, "the other end closed the connection without a goodbye"));
}

}  // namespace
}  // namespace meshtrust::k8s
