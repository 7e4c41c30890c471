#include "tests/k8s/client_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using test::FailsWith;
using test::FakeReply;
using test::Succeeds;

const PodPort kIstiod{.namespace_name = "istio-system", .pod = "istiod-0", .port = 15'014};
const std::string kAsking = "asking port 15014 of pod 'istio-system/istiod-0' for '/metrics?a=b': ";

class PodsTest : public ClientTest {
 protected:
  base::Result<std::string> ask(const FakeReply& reply, std::size_t limit_bytes = 16U << 20U) {
    server().add_fault({.times = -1, .reply = reply});
    return client()->get_from_pod(kIstiod, "/metrics?a=b", limit_bytes);
  }
};

TEST_F(PodsTest, GivesWhatThePodAnswers) {
  const auto answer = ask({.status = 200, .body = "pilot_info 1\n", .content_type = "text/plain"});
  ASSERT_THAT(answer, Succeeds());
  EXPECT_EQ(*answer, "pilot_info 1\n");
  const auto seen = server().requests("east").back();
  EXPECT_EQ(seen.path, "/api/v1/namespaces/istio-system/pods/istiod-0:15014/proxy/metrics");
  EXPECT_EQ(seen.query, "a=b");
  EXPECT_EQ(seen.headers.at("accept"), "*/*");
}

TEST_F(PodsTest, ReadTheEndOfALog) {
  server().add_fault(
      {.times = -1, .reply = {.status = 200, .body = "one\ntwo\n", .content_type = "text/plain"}});
  const auto log = client()->read_log({.namespace_name = "istio-system",
                                       .pod = "istiod-0",
                                       .container = "discovery",
                                       .of_last_run = true,
                                       .lines = 2});
  ASSERT_THAT(log, Succeeds());
  EXPECT_EQ(*log, "one\ntwo\n");
  const auto seen = server().requests("east").back();
  EXPECT_EQ(seen.path, "/api/v1/namespaces/istio-system/pods/istiod-0/log");
  EXPECT_EQ(seen.query, "container=discovery&tailLines=2&limitBytes=65536&previous=true");
}

TEST_F(PodsTest, TakesNoMoreThanItMay) {
  const auto answer =
      ask({.status = 200, .body = std::string((1U << 20U) + 1, 'x')}, std::size_t{1} << 20U);
  ASSERT_FALSE(answer);
  EXPECT_EQ(without_address(answer.error().message),
            kAsking + "the answer of SERVER is larger than 1 MiB");
}

TEST_F(PodsTest, TellsWhatThePodRefused) {
  EXPECT_THAT(
      ask({.status = 404, .body = "404 page not found\n", .content_type = "text/plain"}),
      FailsWith(Code::kUnavailable, kAsking + "the pod answered 404, '404 page not found'"));
}

TEST_F(PodsTest, TellsThatThereIsNoSuchPod) {
  EXPECT_THAT(ask({.status = 404,
                   .body = R"({"kind":"Status","reason":"NotFound","code":404,)"
                           R"("message":"pods \"istiod-0\" not found",)"
                           R"("details":{"name":"istiod-0","kind":"pods"}})"}),
              FailsWith(Code::kNotFound, kAsking + "pods \"istiod-0\" not found"));
}

TEST_F(PodsTest, TellsThatNobodyListens) {
  EXPECT_THAT(
      ask({.status = 503,
           .body = R"({"kind":"Status","reason":"ServiceUnavailable","code":503,"message":)"
                   R"("error trying to reach service: dial tcp: connection refused"})"}),
      FailsWith(Code::kUnavailable,
                kAsking + "error trying to reach service: dial tcp: connection refused (503 "
                          "ServiceUnavailable)"));
}

}  // namespace
}  // namespace meshtrust::k8s
