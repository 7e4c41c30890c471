#include "k8s/api_client.h"

#include "base/encoding.h"
#include "k8s/bearer_token.h"
#include "tests/k8s/client_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <optional>
#include <ostream>
#include <thread>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Secret;
using test::Fault;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const ObjectRef kSecretRef = secret_ref("istio-system", "cacerts");
const ObjectRef kTwinRef = config_map_ref("istio-system", "meshtrust-trust");

using ApiClientTest = ClientTest;

std::string plain(const SecretObject& object, const std::string& key) {
  return std::string(reveal(object.data.at(key), "test"));
}

TEST_F(ApiClientTest, ReadsAnObject) {
  server().put("east", kTwin, {{"data", {{"a", "b"}}}});
  const auto found = client()->get(kTwinRef);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((**found)["data"]["a"], "b");
}

TEST_F(ApiClientTest, SaysAbsentOnlyWhenTheServerNamesTheObjectItself) {
  const auto absent = client()->get(kTwinRef);
  ASSERT_TRUE(absent);
  EXPECT_FALSE(absent->has_value());
}

/// A 404 or another refusal, and what a reader is told about it.
struct Misread {
  const char* name;
  test::FakeReply reply;
  Code code;
  const char* message;
};

std::ostream& operator<<(std::ostream& out, const Misread& misread) {
  return out << misread.name;
}

class NeverAbsent : public ClientTest, public ::testing::WithParamInterface<Misread> {};

TEST_P(NeverAbsent, IsAnErrorNotAnAbsence) {
  server().add_fault({.kind = Fault::Kind::kAnswer, .times = -1, .reply = GetParam().reply});
  const auto found = client()->get(kTwinRef);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, GetParam().code);
  EXPECT_EQ(found.error().message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Answers,
    NeverAbsent,
    ::testing::Values(
        Misread{"NotServed",
                {.status = 404, .body = "404 page not found\n", .content_type = "text/plain"},
                Code::kUnavailable,
                "reading configmap 'istio-system/meshtrust-trust': the server does not serve this "
                "kind of object, it answered 404 '404 page not found'"},
        Misread{"ProxyPage",
                {.status = 404, .body = "<html>\x1b[2Jgone</html>", .content_type = "text/html"},
                Code::kUnavailable,
                "reading configmap 'istio-system/meshtrust-trust': the answer is not that of a "
                "Kubernetes API server: 404, text/html, '<html>?[2Jgone</html>'"},
        Misread{"AnotherObject",
                test::failure_reply(404,
                                    "NotFound",
                                    "configmaps \"other\" not found",
                                    {{"kind", "configmaps"}, {"name", "other"}}),
                Code::kUnavailable,
                "reading configmap 'istio-system/meshtrust-trust': configmaps \"other\" not found"},
        Misread{"Forbidden", test::failure_reply(403, "Forbidden", "User \"viewer\" cannot get it"),
                Code::kPermission,
                "reading configmap 'istio-system/meshtrust-trust': not permitted: User \"viewer\" "
                "cannot get it"},
        Misread{"InternalError", test::failure_reply(500, "InternalError", "etcd is gone"),
                Code::kUnavailable,
                "reading configmap 'istio-system/meshtrust-trust': etcd is gone (500 "
                "InternalError)"},
        Misread{"LoginPage",
                {.status = 302, .body = "<a href=x>", .content_type = "text/html"},
                Code::kUnavailable,
                "reading configmap 'istio-system/meshtrust-trust': the answer is not that of a "
                "Kubernetes API server: 302, text/html, '<a href=x>'"},
        Misread{"NotJson",
                {.status = 200, .body = "{\"kind\":", .content_type = "application/json"},
                Code::kUnavailable,
                "reading configmap 'istio-system/meshtrust-trust': the answer is not a JSON "
                "object, or breaks off (200, 8 bytes)"},
        Misread{"WrongName",
                {.status = 200,
                 .body = R"({"kind":"ConfigMap","metadata":{"name":"x","namespace":"y"}})"},
                Code::kUnavailable,
                "reading configmap 'istio-system/meshtrust-trust': the server answered with "
                "another object, configmap 'y/x'"}),
    [](const auto& test_case) { return std::string(test_case.param.name); });

TEST_F(ApiClientTest, AppliesAndLeavesAnUnchangedObjectAlone) {
  server().put("east", "/api/v1/namespaces/istio-system", Json::object());
  const auto api = client();
  const Json twin{{"data", {{"root", "A"}}}};
  const auto first = api->apply(kTwinRef, twin);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(first->created);
  const auto second = api->apply(kTwinRef, twin);
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->created);
  EXPECT_EQ(second->resource_version, first->resource_version);

  const auto writes = server().writes("east");
  ASSERT_EQ(writes.size(), 2U);
  EXPECT_EQ(writes[0].method, "PATCH");
  EXPECT_EQ(writes[0].path, kTwin);
  EXPECT_EQ(writes[0].query, "fieldManager=meshtrust&fieldValidation=Strict");
  EXPECT_EQ(writes[0].headers.at("content-type"), "application/apply-patch+yaml");
  EXPECT_EQ(writes[0].headers.at("user-agent"), user_agent(""));
  EXPECT_EQ(writes[0].body, R"({"apiVersion":"v1","data":{"root":"A"},"kind":"ConfigMap",)"
                            R"("metadata":{"name":"meshtrust-trust","namespace":"istio-system"}})");
}

TEST_F(ApiClientTest, DryRunStoresNothing) {
  server().put("east", "/api/v1/namespaces/istio-system", Json::object());
  ASSERT_TRUE(client()->rehearse(kTwinRef, {{"data", {{"a", "b"}}}}));
  EXPECT_FALSE(server().object("east", kTwin));
}

TEST_F(ApiClientTest, NamesFieldAndOwnerOfAConflict) {
  server().put("east", kTwin, {{"data", {{"root", "theirs"}}}}, "kubectl-create");
  const auto applied = client()->apply(kTwinRef, {{"data", {{"root", "ours"}}}});
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error(),
            (Error{.code = Code::kConflict,
                   .message = "applying configmap 'istio-system/meshtrust-trust': someone else "
                              "owns what would change: '.data.root' belongs to 'kubectl-create'",
                   .hints = {"nothing is taken over by force: find out what writes these fields",
                             "a change by hand is put back by hand, as the plan shows it: 'kubectl "
                             "--context east -n istio-system edit configmaps meshtrust-trust'"}}));
}

TEST_F(ApiClientTest, SaysThatTheNamespaceIsMissingWhenApplying) {
  const auto applied = client()->apply(kTwinRef, {{"data", {{"a", "b"}}}});
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Code::kNotFound);
  EXPECT_EQ(applied.error().message,
            "applying configmap 'istio-system/meshtrust-trust': namespaces \"istio-system\" not "
            "found");
}

TEST_F(ApiClientTest, WritesASecretAndReadsItBackByteForByte) {
  server().put("east", "/api/v1/namespaces/istio-system", Json::object());
  const Secret key(std::string_view("binary \0\xff key", 13));
  const Secret empty;
  const auto api = client();
  const auto applied =
      api->apply_secret(kSecretRef, {.cluster_uid = uid_of_cluster(),
                                     .labels = {{"app", "x"}},
                                     .data = {{"ca-key.pem", &key}, {"empty", &empty}}});
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_TRUE(applied->created);

  const auto found = api->get_secret(kSecretRef);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ(plain(**found, "ca-key.pem"), std::string("binary \0\xff key", 13));
  EXPECT_EQ(plain(**found, "empty"), "");
  EXPECT_EQ((*found)->facts.type, "Opaque");
  EXPECT_EQ((*found)->facts.uid, applied->uid);
  EXPECT_THAT((*found)->facts.managers, ElementsAre("meshtrust"));

  const auto writes = server().writes("east");
  ASSERT_EQ(writes.size(), 1U);
  EXPECT_EQ(writes[0].body,
            R"({"apiVersion":"v1","kind":"Secret","metadata":{"labels":{"app":"x"},)"
            R"("name":"cacerts","namespace":"istio-system"},"type":"Opaque","data":{)"
            R"("ca-key.pem":")" +
                base::to_base64(reveal_bytes(key, "test")) + R"(","empty":""}})");
}

TEST_F(ApiClientTest, MakesAConnectionForEachConfidentialRequestAndClosesIt) {
  server().put("east", kCacerts, {{"data", {{"k", "a2V5"}}}});
  const auto api = client();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(api->get_secret(kSecretRef));
    ASSERT_TRUE(api->get(kTwinRef));
  }
  const auto count = server().connections("east");
  EXPECT_EQ(count.accepted, 4);  // one for the ordinary ones, one for each confidential
  EXPECT_LE(count.most_open, 2);
  for (const auto& request : server().requests("east")) {
    EXPECT_EQ(request.headers.contains("accept-encoding"), request.path == kTwin) << request.path;
  }
}

TEST_F(ApiClientTest, RefusesToApplyASecretThatChangedInBetween) {
  server().put("east", kCacerts, {{"data", {{"k", "a2V5"}}}}, "meshtrust");
  const Secret key("new");
  const auto applied =
      client()->apply_secret(kSecretRef, {.cluster_uid = uid_of_cluster(),
                                          .data = {{"k", &key}},
                                          .seen = SecretFacts{.resource_version = "1"}});
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Code::kConflict);
  EXPECT_THAT(applied.error().message, HasSubstr("the object has been modified"));
}

TEST_F(ApiClientTest, BlanksWhatAnErrorQuotesOfASecret) {
  const std::string key64(64, 'A');
  server().add_fault(
      {.kind = Fault::Kind::kAnswer,
       .method = "PATCH",
       .reply = test::failure_reply(400, "BadRequest", "bigger context ...|" + key64 + "|...")});
  const Secret key("k");
  const auto applied =
      client()->apply_secret(kSecretRef, {.cluster_uid = uid_of_cluster(), .data = {{"k", &key}}});
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().message, "applying secret 'istio-system/cacerts': bigger context ...|" +
                                         std::string(64, '*') + "|... (400 BadRequest)");
}

TEST_F(ApiClientTest, ReadsOnlyTheMetadataOfASecret) {
  server().put("east", kCacerts,
               {{"metadata", {{"labels", {{"owner", "us"}}}}}, {"data", {{"k", "a2V5"}}}});
  const auto facts = client()->get_metadata(kSecretRef);
  ASSERT_TRUE(facts) << facts.error().message;
  ASSERT_TRUE(facts->has_value());
  EXPECT_EQ((*facts)->labels.at("owner"), "us");
  EXPECT_EQ((*facts)->type, "");
}

TEST_F(ApiClientTest, ListsPageByPage) {
  const auto page = [](const char* name, const char* next) {
    return test::json_reply(200, {{"kind", "PodList"},
                                  {"metadata", {{"continue", next}}},
                                  {"items", Json::array({Json{{"metadata", {{"name", name}}}}})}});
  };
  server().add_fault({.reply = page("a", "more/+")});
  server().add_fault({.reply = page("b", "")});
  const auto pods = client()->list(pods_ref("istio-system"), {.label_selector = "app=istiod"});
  ASSERT_TRUE(pods) << pods.error().message;
  ASSERT_EQ(pods->items.size(), 2U);
  const auto seen = server().requests("east");
  EXPECT_EQ(seen[0].query, "labelSelector=app%3Distiod&limit=500");
  EXPECT_EQ(seen[1].query, "labelSelector=app%3Distiod&limit=500&continue=more%2F%2B");
}

TEST_F(ApiClientTest, BeginsAListAgainThatGrewTooOld) {
  server().put("east", "/api/v1/namespaces/istio-system/pods/p", Json::object());
  server().add_fault({.times = 3, .reply = test::failure_reply(410, "Expired", "too old")});
  const auto pods = client()->list(pods_ref("istio-system"));
  ASSERT_TRUE(pods) << pods.error().message;
  EXPECT_EQ(pods->items.size(), 1U);
  EXPECT_EQ(server().requests("east").back().query, "");
}

TEST_F(ApiClientTest, ListsWithoutAnyValueWhatOthersOwn) {
  server().put("east", kCacerts,
               {{"metadata",
                 {{"ownerReferences", {{{"kind", "Certificate"}, {"uid", "of-a-certificate"}}}}}},
                {"data", {{"k", "a2V5"}}}});
  const auto secrets = client()->list_metadata(secret_ref("istio-system", ""));
  ASSERT_TRUE(secrets) << secrets.error().message;
  ASSERT_EQ(secrets->items.size(), 1U);
  ASSERT_EQ(secrets->items[0].owners.size(), 1U);
  EXPECT_EQ(secrets->items[0].owners[0].kind, "Certificate");
  EXPECT_EQ(secrets->items[0].owners[0].uid, "of-a-certificate");
}

TEST_F(ApiClientTest, BelievesThatAKindIsNotServedOnlyIfItsVersionIsNotListed) {
  const auto api = client();
  EXPECT_TRUE(*api->serves(deployment_ref("", "")));
  EXPECT_FALSE(*api->serves({.api_version = "networking.istio.io/v1", .resource = "gateways"}));
  EXPECT_FALSE(*api->serves({.api_version = "apps/v1", .resource = "gateways"}));
  const test::FakeReply page{
      .status = 404, .body = "404 page not found\n", .content_type = "text/plain"};
  server().add_fault({.path_contains = "/apis/apps/v1", .reply = page});
  EXPECT_THAT(api->serves(deployment_ref("", "")),
              test::FailsWith(base::Code::kUnavailable,
                              "asking the server for the resources of apps/v1: the server lists it "
                              "and does not serve it"));
  server().add_fault({.path_contains = "/apis", .times = 2, .reply = page});
  EXPECT_FALSE(api->serves({.api_version = "networking.istio.io/v1", .resource = "gateways"}));
}

TEST_F(ApiClientTest, ListsThePreferredVersionOfAGroupFirst) {
  server().add_fault({.path_contains = "/apis",
                      .reply = test::json_reply(
                          200, {{"kind", "APIGroupList"},
                                {"groups",
                                 {{{"name", "autoscaling"},
                                   {"preferredVersion", {{"groupVersion", "autoscaling/v2"}}},
                                   {"versions",
                                    {{{"groupVersion", "autoscaling/v1"}},
                                     {{"groupVersion", "autoscaling/v2"}}}}}}}})});
  const auto versions = client()->api_versions();
  ASSERT_TRUE(versions) << versions.error().message;
  EXPECT_THAT(*versions, ElementsAre("v1", "autoscaling/v2", "autoscaling/v1"));
}

TEST_F(ApiClientTest, AsksForPermission) {
  server().deny("east", "patch", "secrets");
  const auto api = client();
  EXPECT_FALSE(*api->can_i({.verb = "patch", .object = kSecretRef}));
  EXPECT_TRUE(*api->can_i({.verb = "get", .object = kSecretRef}));
  const Json body = Json::parse(server().requests("east")[0].body);
  EXPECT_EQ(body["spec"]["resourceAttributes"], (Json{{"verb", "patch"},
                                                      {"resource", "secrets"},
                                                      {"namespace", "istio-system"},
                                                      {"name", "cacerts"}}));
  EXPECT_THAT(server().writes("east"), IsEmpty());
}

TEST_F(ApiClientTest, LearnsWhoItIsAndWhatTheServerIs) {
  const auto api = client();
  EXPECT_EQ((*api->who_am_i())->username, "fake");
  const auto version = api->server_version();
  ASSERT_TRUE(version);
  EXPECT_EQ(version->git_version, "v1.30.2");
  EXPECT_EQ(version->minor, 30);
}

TEST_F(ApiClientTest, KnowsServersThatAreTooOldToSayWhoWeAre) {
  const test::FakeReply page{
      .status = 404, .body = "404 page not found\n", .content_type = "text/plain"};
  const auto status =
      test::failure_reply(404, "NotFound", "the server could not find the requested resource");
  server().add_fault({.path_contains = "selfsubjectreviews", .times = 2, .reply = page});
  server().add_fault({.path_contains = "selfsubjectreviews", .times = 1, .reply = status});
  const auto who = client()->who_am_i();
  ASSERT_TRUE(who) << who.error().message;
  EXPECT_FALSE(*who);
  EXPECT_THAT(server().requests("east"), SizeIs(3));
}

struct Portal {
  const char* name;
  test::FakeReply reply;
  std::string message;
};

std::ostream& operator<<(std::ostream& out, const Portal& portal) {
  return out << portal.name;
}

class PortalTest : public ApiClientTest, public ::testing::WithParamInterface<Portal> {};

TEST_P(PortalTest, IsNotTakenForAnApiServer) {
  server().add_fault({.times = -1, .reply = GetParam().reply});
  const auto version = client()->server_version();
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().code, Code::kUnavailable);
  EXPECT_EQ(version.error().message,
            "asking the server for its version: the answer is not that of a Kubernetes API "
            "server: " +
                GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Answers,
    PortalTest,
    ::testing::Values(
        Portal{"LoginPage",
               {.status = 200, .body = "<html>log in", .content_type = "text/html"},
               "200, text/html, '<html>log in'"},
        Portal{"Refusal",
               {.status = 401, .body = "<html>who?", .content_type = "text/html"},
               "401, text/html, '<html>who?'"},
        Portal{"GoPage",
               {.status = 404, .body = "404 page not found\n", .content_type = "text/plain"},
               "404, text/plain, '404 page not found'"},
        Portal{"OtherJson",
               {.status = 200, .body = R"({"name":"vault"})", .content_type = "application/json"},
               R"(200, application/json, '{"name":"vault"}')"}),
    [](const auto& test_case) { return std::string(test_case.param.name); });

TEST_F(ApiClientTest, BoundsAWholeList) {
  http.answer_limit_bytes = 1'000;
  Json page{{"kind", "ConfigMapList"},
            {"metadata", {{"resourceVersion", "1"}, {"continue", "more"}}},
            {"items", {{{"metadata", {{"name", std::string(800, 'x')}}}}}}};
  server().add_fault({.times = -1, .reply = test::json_reply(200, page)});
  ObjectRef all = kTwinRef;
  all.name.clear();
  const auto listed = client()->list(all);
  ASSERT_FALSE(listed);
  EXPECT_THAT(listed.error().message, HasSubstr("the list is larger than"));
  EXPECT_THAT(server().requests("east"), SizeIs(5));
}

TEST_F(ApiClientTest, ShowsEachWarningOnce) {
  const test::FakeReply reply{
      .status = 200,
      .body =
          R"({"kind":"ConfigMap","metadata":{"name":"meshtrust-trust","namespace":"istio-system"}})",
      .headers = {{"Warning", R"(299 - "old \"API\"")"}}};
  server().add_fault({.times = 2, .reply = reply});
  const auto api = client();
  ASSERT_TRUE(api->get(kTwinRef));
  ASSERT_TRUE(api->get(kTwinRef));
  EXPECT_THAT(warnings, ElementsAre("old \"API\""));
}

TEST_F(ApiClientTest, ExplainsA401) {
  options.token = "another";
  auto with = settings();
  with.token = Secret("wrong");
  const auto found = client(std::move(with))->get(kTwinRef);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error(),
            (Error{.code = Code::kPermission,
                   .message = "reading configmap 'istio-system/meshtrust-trust': the server does "
                              "not accept the credentials (401 Unauthorized)",
                   .hints = {"the credentials are those of user 'east' in /home/me/kubeconfig"}}));
  EXPECT_EQ(server().requests("east").size(), 1U);
}

TEST_F(ApiClientTest, KnowsFromATokenThatItIsOver) {
  options.token = "another";
  auto with = settings();
  with.token = Secret("wrong");
  with.token_expires = base::Instant(base::Seconds(0));
  const auto api = client(std::move(with));
  EXPECT_FALSE(api->is_refused());
  const auto found = api->get(kTwinRef);
  ASSERT_FALSE(found);
  EXPECT_TRUE(api->is_refused());
  EXPECT_EQ(found.error(),
            (Error{.code = Code::kInvalidInput,
                   .message = "reading configmap 'istio-system/meshtrust-trust': the token of user "
                              "'east' in /home/me/kubeconfig expired on 1970-01-01",
                   .hints = {"ask for new credentials of context 'east'"}}));
}

struct Token {
  const char* text;
  std::optional<std::int64_t> end;
};

class EndOfTokenTest : public ::testing::TestWithParam<Token> {};

TEST_P(EndOfTokenTest, IsWhatItSaysItself) {
  const auto end = end_of_token(GetParam().text);
  EXPECT_EQ(end ? std::optional(end->time_since_epoch().count()) : std::nullopt, GetParam().end);
}

// {"exp":1700000000}, {"exp":"soon"}
INSTANTIATE_TEST_SUITE_P(Tokens,
                         EndOfTokenTest,
                         ::testing::Values(Token{"e30.eyJleHAiOjE3MDAwMDAwMDB9.c2ln", 1700000000},
                                           Token{"e30.eyJleHAiOiJzb29uIn0.c2ln", std::nullopt},
                                           Token{"e30.eyJleHAiOjE3MDAwMDAwMDB9", std::nullopt},
                                           Token{"e30.!!!.c2ln", std::nullopt},
                                           Token{"opaque", std::nullopt},
                                           Token{"", std::nullopt}));

TEST_F(ApiClientTest, SharesABoundedNumberOfConnections) {
  server().set_latency(std::chrono::milliseconds(5));
  const auto api = client();
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&api, i] {
      for (int n = 0; n < 3; ++n) {
        EXPECT_TRUE(i % 2 == 0 ? api->get(kTwinRef).has_value()
                               : api->get_secret(kSecretRef).has_value());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(server().requests("east").size(), 24U);
  EXPECT_LE(server().connections("east").most_open, 2);
}

}  // namespace
}  // namespace meshtrust::k8s
