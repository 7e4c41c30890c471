// To which cluster a Secret goes, and what it never takes the place of.

#include "tests/k8s/client_fixture.h"

#include <nlohmann/json.hpp>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Secret;
using test::Fault;
using test::SeenRequest;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const ObjectRef kRef = secret_ref("istio-system", "cacerts");
const std::string kKubeSystem = "/api/v1/namespaces/kube-system";

class SecretWritesTest : public ClientTest {
 protected:
  SecretWritesTest() {
    options.clusters = {"east", "west"};
    for (const char* cluster : {"east", "west"}) {
      server().put(cluster, "/api/v1/namespaces/istio-system", Json::object());
    }
    content_.cluster_uid = uid_of_cluster();
    content_.data = {{"ca-key.pem", &key_}};
  }

  /// As a load balancer does that has two clusters behind it: `others` are those of its connections
  /// that lead to west, however they are addressed.
  void lead_to_west(std::vector<int> others) {
    server().on_balance([others = std::move(others)](const SeenRequest& request) {
      const bool other =
          std::find(others.begin(), others.end(), request.connection) != others.end();
      return std::string(other ? "west" : "east");
    });
  }

  std::vector<std::string> seen() {
    std::vector<std::string> out;
    for (const auto& request : server().requests()) {
      out.push_back(std::to_string(request.connection) + " " + request.cluster + " " +
                    request.method + " " + request.path.substr(request.path.rfind('/') + 1));
    }
    return out;
  }

  Error another_cluster(const std::string& action) {
    return {.code = Code::kRefused,
            .message = action +
                       " secret 'istio-system/cacerts': another cluster than planned "
                       "answers at SERVER: the UID of its namespace kube-system is '" +
                       uid_of_cluster("west") + "', expected '" + uid_of_cluster("east") +
                       "'; nothing was sent to it",
            .hints = {"look at what is between here and there (name service, proxy, load "
                      "balancer), then run the same command again"}};
  }

  static const Secret& key() { return key_; }
  inline static const Secret key_{"a key of a CA"};
  SecretContent content_;
};

TEST_F(SecretWritesTest, LookWhichClusterItIsOverTheConnectionThatCarriesTheKey) {
  const auto api = client();
  ASSERT_TRUE(api->create_secret(kRef, content_));
  ASSERT_TRUE(api->apply_secret(kRef, content_));
  EXPECT_THAT(seen(), ElementsAre("1 east GET kube-system", "1 east POST secrets",
                                  "2 east GET kube-system", "2 east PATCH cacerts"));
  EXPECT_EQ(server().connections("east").open, 0);
}

TEST_F(SecretWritesTest, DoSoToAServerOfAnotherNameAsWell) {
  auto with = settings();
  with.tls_server_name = "api.fake.test";
  ASSERT_TRUE(client(std::move(with))->create_secret(kRef, content_));
  EXPECT_THAT(seen(), ElementsAre("1 east GET kube-system", "1 east POST secrets"));
}

TEST_F(SecretWritesTest, SendNothingToAnotherClusterBehindTheSameAddress) {
  lead_to_west({2, 3});
  const auto api = client();
  ASSERT_TRUE(api->get(namespace_ref("kube-system")));  // by the first connection, from east
  for (const bool creating : {true, false}) {
    const auto written =
        creating ? api->create_secret(kRef, content_) : api->apply_secret(kRef, content_);
    ASSERT_FALSE(written);
    Error told = written.error();
    told.message = without_address(told.message);
    EXPECT_EQ(told, another_cluster(creating ? "creating" : "applying"));
  }
  EXPECT_THAT(server().writes(), IsEmpty());
}

TEST_F(SecretWritesTest, LookAgainWhereTheConnectionDiedAfterTheLook) {
  for (const bool says_so : {true, false}) {
    server().clear_faults();
    server().forget_requests();
    server().remove("east", kCacerts);
    Fault fault{.kind = Fault::Kind::kCloseAfter, .method = "GET", .path_contains = "kube-system"};
    if (says_so) {
      fault.kind = Fault::Kind::kAnswer;
      fault.reply = test::json_reply(200, *server().object("east", kKubeSystem));
      fault.reply.headers["Connection"] = "close";
    }
    server().add_fault(fault);
    const auto written = client()->create_secret(kRef, content_);
    ASSERT_TRUE(written) << written.error().message;
    const auto requests = server().requests();
    // Where the end of the connection is noticed late, it is asked first whether the write arrived.
    ASSERT_THAT(requests, AnyOf(SizeIs(3), SizeIs(4)));
    const auto& look = requests[requests.size() - 2];
    EXPECT_NE(requests.front().connection, look.connection);
    EXPECT_EQ(look.path, kKubeSystem);
    EXPECT_EQ(look.connection, requests.back().connection);
  }
}

TEST_F(SecretWritesTest, SendNothingOverAConnectionOfWhichNobodyKnowsWhereItLeads) {
  lead_to_west({2, 3});
  server().add_fault({.kind = Fault::Kind::kCloseAfter, .path_contains = "kube-system"});
  const auto written = client()->create_secret(kRef, content_);
  ASSERT_FALSE(written);
  EXPECT_EQ(without_address(written.error().message), another_cluster("creating").message);
  EXPECT_EQ(seen().front(), "1 east GET kube-system");
  EXPECT_THAT(seen().back(), HasSubstr("west GET kube-system"));
  EXPECT_THAT(server().writes(), IsEmpty());
}

TEST_F(SecretWritesTest, SayWhyWhereNoConnectionLastsForTwoRequests) {
  server().add_fault(
      {.kind = Fault::Kind::kCloseAfter, .path_contains = "kube-system", .times = -1});
  const auto written = client()->create_secret(kRef, content_);
  ASSERT_FALSE(written);
  EXPECT_EQ(without_address(written.error().message),
            "creating secret 'istio-system/cacerts': the connection with SERVER, by which it was "
            "seen which cluster it is, was closed before anything secret could be sent over it");
  EXPECT_EQ(written.error().code, Code::kUnavailable);
  EXPECT_THAT(server().writes(), IsEmpty());
}

TEST_F(SecretWritesTest, AreNotSentAgainToAnotherClusterWhenTheAnswerIsLost) {
  lead_to_west({2});
  server().add_fault({.kind = Fault::Kind::kCutAfter, .method = "PATCH"});
  const auto written = client()->apply_secret(kRef, content_);
  ASSERT_FALSE(written);
  EXPECT_EQ(without_address(written.error().message), another_cluster("applying").message);
  EXPECT_THAT(written.error().hints, Contains(std::string(kOutcomeUnknown)));
  EXPECT_THAT(server().writes("west"), IsEmpty());
}

TEST_F(SecretWritesTest, WantAnAnswerToTheLook) {
  struct Case {
    test::FakeReply reply;
    Code code;
    std::string message;
  };
  const Json other{{"apiVersion", "v1"},
                   {"kind", "Namespace"},
                   {"metadata", {{"name", "default"}, {"uid", uid_of_cluster()}}}};
  for (const Case& one :
       {Case{{.status = 200, .body = "<html>welcome</html>"},
             Code::kUnavailable,
             "looking which cluster it is: the answer is not a JSON object, or breaks off"},
        Case{
            test::failure_reply(403, "Forbidden", "namespaces is forbidden: User \"x\" cannot get"),
            Code::kPermission,
            "looking which cluster it is: not permitted: namespaces is forbidden: User \"x\" "
            "cannot "
            "get"},
        Case{test::failure_reply(404, "NotFound", "no such thing"), Code::kUnavailable,
             "looking which cluster it is: the server does not serve this kind of object, it "
             "answered "
             "404 'no such thing'"},
        Case{test::json_reply(200, other), Code::kUnavailable,
             "looking which cluster it is: the server answered with another object, namespace "
             "'default'"}}) {
    server().clear_faults();
    server().add_fault({.path_contains = "kube-system", .times = -1, .reply = one.reply});
    const auto written = client()->create_secret(kRef, content_);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, one.code);
    EXPECT_EQ(written.error().message, "creating secret 'istio-system/cacerts': " + one.message);
  }
  EXPECT_THAT(server().writes(), IsEmpty());
}

TEST_F(SecretWritesTest, RepeatALookThatMayPassAndClaimNothingOfWhatWasNotSent) {
  const auto busy = test::failure_reply(503, "ServiceUnavailable", "starting");
  server().add_fault({.path_contains = "kube-system", .times = 2, .reply = busy});
  ASSERT_TRUE(client()->create_secret(kRef, content_));
  server().remove("east", kCacerts);
  server().clear_faults();
  server().add_fault({.path_contains = "kube-system", .times = -1, .reply = busy});
  server().forget_requests();
  const auto written = client()->create_secret(kRef, content_);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kUnavailable);
  EXPECT_THAT(written.error().hints, Not(Contains(std::string(kOutcomeUnknown))));
  EXPECT_THAT(server().writes(), IsEmpty());
}

TEST_F(SecretWritesTest, NeverCreateOverWhatIsThere) {
  for (const char* manager : {"kubectl-create", "meshtrust"}) {
    server().put("east", kCacerts, {{"data", {{"ca-key.pem", "b3RoZXI="}}}}, manager);
    const Json before = *server().object("east", kCacerts);
    const auto written = client()->create_secret(kRef, content_);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error(), (Error{.code = Code::kConflict,
                                      .message = "creating secret 'istio-system/cacerts': one of "
                                                 "that name exists already and is another"}));
    EXPECT_EQ(*server().object("east", kCacerts), before);
  }
}

TEST_F(SecretWritesTest, FindOutWhatBecameOfACreateWhoseAnswerWasLost) {
  for (const auto kind : {Fault::Kind::kCutAfter, Fault::Kind::kCutBefore, Fault::Kind::kTruncate,
                          Fault::Kind::kShortLength, Fault::Kind::kUnendedChunks}) {
    server().remove("east", kCacerts);
    server().clear_faults();
    server().add_fault({.kind = kind, .method = "POST"});
    const auto written = client()->create_secret(kRef, content_);
    ASSERT_TRUE(written) << written.error().message;
    EXPECT_EQ(written->uid, server().object("east", kCacerts)->at("metadata").at("uid"));
  }
}

TEST_F(SecretWritesTest, DoNotTakeWhatAnotherCreatedMeanwhileForTheirOwn) {
  server().add_fault({.kind = Fault::Kind::kCutBefore, .method = "POST"});
  server().put("east", kCacerts, {{"data", {{"ca-key.pem", "b3RoZXI="}}}}, "meshtrust");
  const auto written = client()->create_secret(kRef, content_);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kConflict);
}

TEST_F(SecretWritesTest, AreOfTheObjectThatWasSeenAlone) {
  ASSERT_TRUE(client()->create_secret(kRef, content_));
  const Json seen_object = *server().object("east", kCacerts);
  content_.seen = facts_of(seen_object);
  // Deleted, and made anew by somebody else.
  server().remove("east", kCacerts);
  EXPECT_EQ(client()->apply_secret(kRef, content_).error().code, Code::kConflict);
  EXPECT_FALSE(server().object("east", kCacerts));
  server().put("east", kCacerts, {{"data", {{"ca-key.pem", "b3RoZXI="}}}}, "meshtrust");
  EXPECT_EQ(client()->apply_secret(kRef, content_).error().code, Code::kConflict);
}

TEST_F(SecretWritesTest, OwnByApplyWhatTheyCreated) {
  const auto api = client();
  ASSERT_TRUE(api->create_secret(kRef, content_));
  const Secret other("another key");
  content_.data = {{"ca-crl.pem", &other}};
  content_.seen = api->get_metadata(kRef).value();
  ASSERT_FALSE(content_.seen->fields_by_create.empty());
  const auto applied = api->apply_secret(kRef, content_);
  ASSERT_TRUE(applied) << applied.error().message;
  const Json live = *server().object("east", kCacerts);
  EXPECT_EQ(live.at("data").size(), 1U) << "what is left out goes";
  content_.seen = api->get_metadata(kRef).value();
  EXPECT_EQ(content_.seen->fields_by_create, "");
  server().forget_requests();
  ASSERT_TRUE(api->apply_secret(kRef, content_));
  EXPECT_THAT(server().writes(), SizeIs(1));
}

TEST_F(SecretWritesTest, TakeNoFieldsOfWhatChangedMeanwhile) {
  const auto api = client();
  ASSERT_TRUE(api->create_secret(kRef, content_));
  content_.seen = api->get_metadata(kRef).value();
  server().put("east", kCacerts, {{"data", {{"ca-key.pem", "b3RoZXI="}}}}, "kubectl-edit");
  const Json before = *server().object("east", kCacerts);
  const auto applied = api->apply_secret(kRef, content_);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Code::kConflict);
  EXPECT_EQ(*server().object("east", kCacerts), before);
}

TEST(FieldsByApply, MergeWhatOursAreByWhicheverOperation) {
  const Json before{
      {{"manager", "argocd"}, {"operation", "Update"}, {"fieldsV1", {{"f:x", Json::object()}}}},
      {{"manager", "meshtrust"},
       {"operation", "Update"},
       {"fieldsV1", {{"f:data", {{"f:a", Json::object()}}}}}},
      {{"manager", "meshtrust"},
       {"operation", "Apply"},
       {"fieldsV1", {{"f:data", {{"f:b", Json::object()}}}}}}};
  const Json wanted{
      {{"manager", "argocd"}, {"operation", "Update"}, {"fieldsV1", {{"f:x", Json::object()}}}},
      {{"manager", "meshtrust"},
       {"operation", "Apply"},
       {"fieldsV1", {{"f:data", {{"f:a", Json::object()}, {"f:b", Json::object()}}}}}}};
  EXPECT_EQ(Json::parse(fields_by_apply(before.dump())), wanted);
  EXPECT_EQ(fields_by_apply("nonsense"), "");
}

}  // namespace
}  // namespace meshtrust::k8s
