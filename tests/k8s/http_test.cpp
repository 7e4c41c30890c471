#include "k8s/http.h"

#include "tests/k8s/client_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <future>
#include <sys/socket.h>
#include <unistd.h>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using base::Secret;
using std::chrono::milliseconds;
using test::Fault;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Stage = SendFailure::Stage;

class HttpTest : public ClientTest {
 protected:
  base::Result<Reply, SendFailure> send(const ClientSettings& with, Request request = {}) {
    HttpClient http_client(with, clock, cancellation, http);
    if (request.target.empty()) request.target = "/version";
    const Secret authorization("Bearer fake-token");
    request.authorization = &authorization;
    return http_client.send(request);
  }
  SendFailure failure(const ClientSettings& with, Request request = {}) {
    auto sent = send(with, std::move(request));
    if (sent) {
      ADD_FAILURE() << "answered " << sent->status;
      return {};
    }
    SendFailure out = std::move(sent).error();
    out.error.message = without_address(out.error.message);
    return out;
  }
  static std::string without(std::string text, const std::string& address) {
    const std::size_t at = text.find(address);
    return at == std::string::npos ? text : text.replace(at, address.size(), "SERVER");
  }
};

TEST_F(HttpTest, AnswersWithWhateverTheServerSays) {
  server().add_fault({.reply = {.status = 302, .body = "moved", .headers = {{"Location", "/x"}}}});
  const auto reply = send(settings());
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 302);
  EXPECT_EQ(reply->body, "moved");
}

TEST_F(HttpTest, SaysWhoRefusedTheConnection) {
  auto with = settings();
  // A bound port that nobody listens on refuses for as long as the test holds it.
  const int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(taken, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(getsockname(taken, reinterpret_cast<sockaddr*>(&address), &size), 0);
  with.server.port = std::to_string(ntohs(address.sin_port));
  const auto sent = send(with);
  close(taken);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().stage, Stage::kConnect);
  EXPECT_EQ(sent.error().error,
            (Error{.code = Code::kUnavailable,
                   .message = "cannot reach " + with.server.text() + ": connection refused",
                   .hints = {"the address is that of cluster 'east' in /home/me/kubeconfig"}}));
}

TEST_F(HttpTest, SaysWhichNameDoesNotResolve) {
  auto with = settings();
  with.server.host = "no.such.host.invalid";
  with.proxy_url.clear();
  const auto failed = failure(with);
  EXPECT_EQ(failed.stage, Stage::kConnect);
  EXPECT_THAT(failed.error.message, HasSubstr("'no.such.host.invalid' cannot be resolved"));
}

TEST_F(HttpTest, TrustsTheGivenAuthorityAlone) {
  auto with = settings();
  with.certificate_authority = test::TestAuthority("another CA").certificate();
  const auto failed = failure(with);
  EXPECT_EQ(failed.stage, Stage::kTls);
  EXPECT_EQ(failed.error,
            (Error{.code = Code::kUnavailable,
                   .message = "server certificate of SERVER is not trusted: unable to get local "
                              "issuer certificate",
                   .hints = {"compare the 'certificate-authority' of cluster 'east' in "
                             "/home/me/kubeconfig with the server's: the cluster may have been "
                             "made anew"}}));
}

TEST_F(HttpTest, TrustsTheSystemWhenNoAuthorityIsGiven) {
  auto with = settings();
  with.certificate_authority.clear();
  const auto failed = failure(with);
  EXPECT_EQ(failed.error.hints.front(),
            "cluster 'east' in /home/me/kubeconfig names no 'certificate-authority', so the "
            "system's roots were used");
}

TEST_F(HttpTest, RefusesAnExpiredServerCertificate) {
  options.not_after = "2001-01-01T00:00:00Z";
  const auto failed = failure(settings());
  EXPECT_EQ(failed.error.message,
            "server certificate of SERVER is not trusted: certificate has expired");
  EXPECT_THAT(failed.error.hints,
              ElementsAre(::testing::StartsWith("is the clock of this machine right? It says ")));
}

struct Nameless {
  const char* host;
  const char* common_name;
  const char* alternative_names;
};

class NamelessServer : public HttpTest, public ::testing::WithParamInterface<Nameless> {};

TEST_P(NamelessServer, IsNotTrustedForItsCommonName) {
  const auto& [host, common_name, alternative_names] = GetParam();
  server().change_identity(server().authority().server_named(common_name, alternative_names));
  auto with = settings();
  with.server.host = host;
  const auto failed = failure(with);
  EXPECT_EQ(failed.stage, Stage::kTls);
  const std::string address = with.server.text();
  EXPECT_EQ(without(failed.error.message, address),
            "server certificate of SERVER is not trusted: its subjectAltName holds neither a host "
            "name nor an address");
  EXPECT_THAT(failed.error.hints,
              ElementsAre("a common name does not count: have it issued with a subjectAltName"));
}

INSTANTIATE_TEST_SUITE_P(Certificates,
                         NamelessServer,
                         ::testing::Values(Nameless{"localhost", "localhost", ""},
                                           Nameless{"127.0.0.1", "127.0.0.1", ""},
                                           Nameless{"localhost", "localhost", "URI:spiffe://a/b"}));

TEST_F(HttpTest, NamesTheProxyOfTheEnvironmentThatCannotBeReached) {
  http.proxy = {.https_proxy = "http://me:pa/ss@127.0.0.1:1", .no_proxy = {}};
  auto with = settings();
  with.server = *parse_server_url("https://192.0.2.10:6443");
  EXPECT_THAT(failure(with).error.message, ::testing::Not(HasSubstr("pa")));
  http.proxy.https_proxy = "http://me:secret@127.0.0.1:1";
  const auto failed = failure(with);
  EXPECT_EQ(failed.error,
            (Error{.code = Code::kUnavailable,
                   .message = "cannot reach https://192.0.2.10:6443 through the proxy "
                              "http://127.0.0.1:1: connection refused",
                   .hints = {"the address is that of cluster 'east' in /home/me/kubeconfig",
                             "the proxy is that of HTTPS_PROXY in the environment; NO_PROXY names "
                             "what is reached without it"}}));
}

TEST_F(HttpTest, ChecksTheNameItWasToldToCheck) {
  auto with = settings();
  with.tls_server_name = "api.fake.test";
  ASSERT_TRUE(send(with));
  EXPECT_EQ(server().requests("east").back().headers.at("host"), with.server.authority());
  with.tls_server_name = "wrong.test";
  const auto failed = failure(with);
  EXPECT_EQ(failed.error,
            (Error{.code = Code::kUnavailable,
                   .message = "server certificate of SERVER is not trusted: no alternative "
                              "certificate subject name matches target host name 'wrong.test'",
                   .hints = {"if the server is known by another name, set 'tls-server-name' of "
                             "cluster 'east' in /home/me/kubeconfig"}}));
}

class ClientCertificateTest : public HttpTest {
 protected:
  ClientCertificateTest() { options.require_client_certificate = true; }

  ClientSettings with_certificate_until(std::string_view not_after) {
    auto with = settings();
    const auto pair = server().authority().client(
        "admin", *base::parse_rfc3339("2000-01-01T00:00:00Z"), *base::parse_rfc3339(not_after));
    with.token.clear();
    with.identity = ClientIdentity{.certificate = pair.certificate,
                                   .key = Secret(pair.key),
                                   .expires = *base::parse_rfc3339(not_after)};
    return with;
  }
};

TEST_F(ClientCertificateTest, IsSentWhereThereIsOne) {
  const auto reply = send(with_certificate_until("2100-01-01T00:00:00Z"));
  ASSERT_TRUE(reply) << reply.error().error.message;
  EXPECT_EQ(reply->status, 200);
}

TEST_F(ClientCertificateTest, SaysWhenItExpired) {
  const auto failed = failure(with_certificate_until("2025-01-02T00:00:00Z"));
  EXPECT_EQ(failed.error,
            (Error{.code = Code::kInvalidInput,
                   .message = "the client certificate of user 'east' in /home/me/kubeconfig "
                              "expired on 2025-01-02",
                   .hints = {"ask for new credentials of context 'east'"}}));
}

TEST_F(ClientCertificateTest, SaysThatTheServerWantsAnother) {
  auto with = settings();
  with.identity.reset();
  const auto failed = failure(with);
  EXPECT_EQ(failed.error.code, Code::kUnavailable);
  EXPECT_THAT(failed.error.message, HasSubstr("no TLS connection with SERVER"));
  EXPECT_THAT(failed.error.hints,
              ElementsAre("the server refused the client certificate of user 'east' in "
                          "/home/me/kubeconfig"));
}

TEST_F(HttpTest, BoundsTheAnswer) {
  http.answer_limit_bytes = 1U << 20U;
  server().add_fault({.reply = {.status = 200, .body = std::string((1U << 20U) + 1, 'x')}});
  const auto failed = failure(settings());
  EXPECT_EQ(failed.stage, Stage::kAnswer);
  EXPECT_EQ(failed.error.message, "the answer of SERVER is larger than 1 MiB");
}

TEST_F(HttpTest, EndsAWaitAtOnceWhenCancelled) {
  server().add_fault({.kind = Fault::Kind::kStall});
  const auto with = settings();
  auto waiting = std::async(std::launch::async, [&] { return send(with); });
  server().wait_for_stalled(1);
  cancellation.cancel();
  const auto sent = waiting.get();
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().stage, Stage::kCancelled);
  EXPECT_EQ(sent.error().error.code, Code::kCancelled);
}

TEST_F(HttpTest, DoesNotWaitLongerThanItMay) {
  server().add_fault({.kind = Fault::Kind::kStall, .from = 2});
  const auto with = settings();
  HttpClient client(with, clock, cancellation, http);
  ASSERT_TRUE(client.send({.target = "/version"}));
  const auto sent = client.send({.target = "/version", .at_most = milliseconds(50)});
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().stage, Stage::kExchange);
  EXPECT_TRUE(sent.error().timed_out);
  EXPECT_EQ(without_address(sent.error().error.message), "SERVER did not answer in time");
}

TEST_F(HttpTest, ActsOnBehalfOfOthersWhenToldTo) {
  auto with = settings();
  with.impersonation =
      Impersonation{.user = "jane", .groups = {"a", "b"}, .extra = {{"We/ird Key", {"v"}}}};
  ASSERT_TRUE(send(with));
  const auto headers = server().requests("east").back().headers;
  EXPECT_EQ(headers.at("impersonate-user"), "jane");
  EXPECT_EQ(headers.at("impersonate-group"), "a, b");
  EXPECT_EQ(headers.at("impersonate-extra-we%2fird%20key"), "v");
}

TEST_F(HttpTest, SaysWhichProgramAndCommandAsks) {
  EXPECT_THAT(user_agent("cluster check"),
              ::testing::MatchesRegex("meshtrust/" MESHTRUST_VERSION
                                      " \\(linux/[a-z0-9]+\\) cluster check"));
  http.user_agent = user_agent("plan");
  ASSERT_TRUE(send(settings()));
  EXPECT_EQ(server().requests("east").back().headers.at("user-agent"), user_agent("plan"));
}

TEST_F(HttpTest, KeepsNoConnectionThatItWasToldToClose) {
  const auto with = settings();
  HttpClient client(with, clock, cancellation, http);
  ASSERT_TRUE(client.send({.target = "/version"}));
  ASSERT_TRUE(client.send({.target = "/version"}));
  EXPECT_EQ(server().connections("east").accepted, 1);
  client.close_idle();
  ASSERT_TRUE(client.send({.target = "/version"}));
  EXPECT_EQ(server().connections("east").accepted, 2);
}

}  // namespace
}  // namespace meshtrust::k8s
