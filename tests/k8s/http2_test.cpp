// Servers close HTTP/2 connections on purpose, to spread their clients: GOAWAY.

#include "tests/k8s/client_fixture.h"
#include "tests/support/fake_http2_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace meshtrust::k8s {
namespace {

using Act = test::FakeHttp2Server::Act;
using base::Json;
using ::testing::Contains;

const ObjectRef kTwinRef = config_map_ref("istio-system", "meshtrust-trust");

class GoAwayTest : public ClientTest {
 protected:
  std::unique_ptr<ApiClient> client_of(const std::vector<Act>& script) {
    const Json object{{"apiVersion", "v1"},
                      {"kind", "ConfigMap"},
                      {"metadata", {{"name", "meshtrust-trust"}, {"namespace", "istio-system"}}}};
    http2 = std::make_unique<test::FakeHttp2Server>(base::compact(object), script);
    ClientSettings with;
    with.server = *parse_server_url("https://127.0.0.1:" + std::to_string(http2->port()));
    with.certificate_authority = http2->authority().certificate();
    return client(std::move(with));
  }
  std::unique_ptr<test::FakeHttp2Server> http2;
};

TEST_F(GoAwayTest, IsNotNeededForConnectionsToBeShared) {
  const auto api = client_of({});
  for (int i = 0; i < 3; ++i) {
    const auto found = api->get(kTwinRef);
    ASSERT_TRUE(found) << found.error().message;
  }
  EXPECT_EQ(http2->connections(), 1);
}

TEST_F(GoAwayTest, MovesTheNextRequestToAnotherConnection) {
  const auto api = client_of({Act::kAnswerAndGoAway});
  ASSERT_TRUE(api->get(kTwinRef));
  ASSERT_TRUE(api->get(kTwinRef));
  EXPECT_EQ(http2->connections(), 2);
  EXPECT_EQ(http2->requests(), 2);
}

TEST_F(GoAwayTest, RepeatsARequestThatWasNotLookedAt) {
  const auto api = client_of({Act::kAnswer, Act::kGoAwayUnprocessed});
  ASSERT_TRUE(api->get(kTwinRef));
  const auto applied = api->apply(kTwinRef, {{"data", {{"a", "b"}}}});
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(http2->requests(), 3);
}

TEST_F(GoAwayTest, RepeatsAnApplyWhoseAnswerNeverCame) {
  const auto api = client_of({Act::kGoAwayAndVanish});
  const auto applied = api->apply(kTwinRef, {{"data", {{"a", "b"}}}});
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(http2->requests(), 2);
}

TEST_F(GoAwayTest, LooksAgainAfterACreateWhoseAnswerNeverCame) {
  const auto api = client_of({Act::kGoAwayAndVanish});
  // What is found is not what was asked for, so nothing is claimed.
  const auto made = api->create(kTwinRef, {{"data", {{"a", "b"}}}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, base::Code::kConflict);
  EXPECT_EQ(http2->requests(), 2);
}

}  // namespace
}  // namespace meshtrust::k8s
