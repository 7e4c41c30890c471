// The API client against a real API server, started by test_k8s_client.py, which sets
// MESHTRUST_TEST_KUBECONFIG and MESHTRUST_TEST_NAMESPACE (which exists).

#include "k8s/kubeconfig.h"
#include "k8s/wait.h"
#include "k8s/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <future>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Json;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

class RealServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    KubeconfigSources sources;
    sources.flag = environment("MESHTRUST_TEST_KUBECONFIG");
    const auto config = Kubeconfig::load(sources, files);
    ASSERT_TRUE(config) << config.error().message;
    auto settings = config->settings_for(config->context_names().front(), files);
    ASSERT_TRUE(settings) << settings.error().message;
    api = std::make_unique<ApiClient>(*std::move(settings),
                                      ClientEffects{clock, random, files, processes, cancellation});
  }

  ObjectRef map(const std::string& name) { return config_map_ref(space, name); }
  std::string cluster_uid() {
    const auto system = api->get(namespace_ref("kube-system"));
    return base::string_at(base::at_path(*system.value(), {"metadata"}), "uid");
  }
  ObjectRef maps() { return config_map_ref(space, ""); }

  const std::string space = environment("MESHTRUST_TEST_NAMESPACE");
  base::SystemClock clock;
  base::SystemRandom random;
  base::DiskFiles files;
  base::SystemProcesses processes;
  base::Cancellation cancellation;
  std::unique_ptr<ApiClient> api;
};

TEST_F(RealServerTest, AppliesAndSaysWhenThereWasNothingToDo) {
  const Json object{{"data", {{"a", "1"}}}};
  const auto first = api->apply(map("apply"), object);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(first->created);
  const auto second = api->apply(map("apply"), object);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_FALSE(second->created);
  EXPECT_EQ(second->resource_version, first->resource_version);
}

TEST_F(RealServerTest, NamesTheOwnerOfEachFieldInAConflict) {
  const auto made = api->create(map("owned"), {{"data", {{"a", "1"}, {"b", "2"}}}});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(made->created);
  // What was created by this manager belongs to its updates, not to its applies.
  const auto applied = api->apply(map("owned"), {{"data", {{"a", "x"}, {"b", "y"}}}});
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Code::kConflict);
  EXPECT_THAT(applied.error().message, HasSubstr("'.data.a' belongs to 'meshtrust'"));
  EXPECT_THAT(applied.error().message, HasSubstr("'.data.b' belongs to 'meshtrust'"));
}

TEST_F(RealServerTest, RefusesFieldsThatDoNotExist) {
  const auto applied = api->apply(map("strict"), {{"date", {{"a", "1"}}}});
  ASSERT_FALSE(applied);
  EXPECT_THAT(applied.error().message, HasSubstr("date"));
  EXPECT_FALSE(*api->get(map("strict")));
}

TEST_F(RealServerTest, RehearsesWithoutStoring) {
  EXPECT_EQ(api->rehearse(map("rehearsed"), {{"data", {{"a", "1"}}}}).value(),
            Rehearsed::kAccepted);
  EXPECT_FALSE(*api->get(map("rehearsed")));
  EXPECT_EQ(
      api->rehearse(config_map_ref("no-such-namespace", "x"), {{"data", {{"a", "1"}}}}).value(),
      Rehearsed::kNoNamespace);
}

TEST_F(RealServerTest, CreatesOnceAndKnowsItsOwnAgain) {
  const Json object{{"data", {{"a", "1"}}}};
  ASSERT_TRUE(api->create(map("created"), object)->created);
  const auto again = api->create(map("created"), object);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(again->created);
  const auto other = api->create(map("created"), {{"data", {{"a", "2"}}}});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kConflict);
  EXPECT_EQ(api->create(config_map_ref("no-such-namespace", "x"), object).error().code,
            Code::kNotFound);
}

TEST_F(RealServerTest, ChangesSideBySideWithoutLosingAnything) {
  ASSERT_TRUE(api->create(map("changed"), {{"data", {{"start", "1"}}}}));
  std::vector<std::future<base::Result<Applied>>> changes;
  for (int i = 0; i < 3; ++i) {
    changes.push_back(std::async(std::launch::async, [this, i] {
      return api->change(map("changed"), [i](Json& object) {
        object["data"]["writer-" + std::to_string(i)] = "was here";
        return base::Status();
      });
    }));
  }
  for (auto& change : changes) {
    const auto done = change.get();
    EXPECT_TRUE(done) << done.error().message;
  }
  EXPECT_THAT((**api->get(map("changed")))["data"], SizeIs(4));
}

TEST_F(RealServerTest, DeletesExactlyWhatItWasToldTo) {
  const auto made = api->create(map("deleted"), {{"data", {{"a", "1"}}}});
  ASSERT_TRUE(made);
  const auto wrong = api->remove(map("deleted"), {.uid = "00000000-0000-4000-a000-000000000000"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kConflict);
  EXPECT_EQ(api->remove(map("deleted"), {.uid = made->uid})->state, Removed::State::kGone);
  EXPECT_EQ(api->remove(map("deleted"), {.uid = made->uid})->state, Removed::State::kWasAbsent);
}

TEST_F(RealServerTest, WaitsForFinalizersToLetGo) {
  const base::Secret value("value");
  const ObjectRef ref = secret_ref(space, "held");
  ASSERT_TRUE(api->apply_secret(ref, {.cluster_uid = cluster_uid(), .data = {{"k", &value}}}));
  ASSERT_TRUE(api->apply(map("held"), {{"metadata", {{"finalizers", {"example.test/hold"}}}}}));
  const std::string uid =
      base::string_at(base::at_path(**api->get(map("held")), {"metadata"}), "uid");
  EXPECT_EQ(api->remove(ref, {.uid = (*api->get_metadata(ref))->uid})->state,
            Removed::State::kGone);
  const auto held = remove_and_wait(*api, map("held"), {.uid = uid}, {.at_most = seconds(1)});
  ASSERT_FALSE(held);
  EXPECT_THAT(held.error().message, HasSubstr("held by 'example.test/hold'"));
  auto waiting = std::async(std::launch::async, [&] {
    return remove_and_wait(*api, map("held"), {.uid = uid}, {.at_most = seconds(60)});
  });
  ASSERT_TRUE(api->change(map("held"), [](Json& object) {
    object["metadata"].erase("finalizers");
    return base::Status();
  }));
  const auto gone = waiting.get();
  EXPECT_TRUE(gone) << gone.error().message;
}

TEST_F(RealServerTest, CreatesASecretOnceAndOwnsItByApplyLater) {
  const ObjectRef ref = secret_ref(space, "made");
  const base::Secret first("first");
  const base::Secret second("second");
  SecretContent content{.cluster_uid = cluster_uid(), .data = {{"k", &first}, {"gone", &first}}};
  ASSERT_TRUE(api->create_secret(ref, content));
  EXPECT_TRUE(api->create_secret(ref, content)) << "it is what was asked for";
  content.data = {{"k", &second}};
  EXPECT_EQ(api->create_secret(ref, content).error().code, Code::kConflict);
  EXPECT_FALSE(api->apply_secret(ref, content)) << "what a create set is another manager's";

  content.seen = **api->get_metadata(ref);
  const auto applied = api->apply_secret(ref, content);
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_THAT((**api->get_secret(ref)).data, SizeIs(1)) << "what is left out goes";
  EXPECT_EQ(api->apply_secret(ref, content).error().code, Code::kConflict) << "seen too long ago";
  EXPECT_EQ((**api->get_metadata(ref)).fields_by_create, "");

  content.seen = **api->get_metadata(ref);
  ASSERT_TRUE(api->remove(ref, {.uid = content.seen->uid}));
  EXPECT_EQ(api->apply_secret(ref, content).error().code, Code::kConflict);
  EXPECT_FALSE(*api->get_metadata(ref)) << "what is gone is not made anew";
}

TEST_F(RealServerTest, SendsASecretToNoOtherCluster) {
  const base::Secret value("value");
  const ObjectRef ref = secret_ref(space, "elsewhere");
  const auto refused = api->create_secret(
      ref, {.cluster_uid = "0f8fad5b-d9cb-469f-a165-70867728950e", .data = {{"k", &value}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_FALSE(*api->get_metadata(ref));
}

TEST_F(RealServerTest, ListsPagesOfOneVersionAndSelects) {
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(api->apply(map("page-" + std::to_string(i)),
                           {{"metadata", {{"labels", {{"set", "pages"}}}}}}));
  }
  const auto all = api->list(maps(), {.label_selector = "set=pages", .page_items = 3});
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_THAT(all->items, SizeIs(7));
  EXPECT_FALSE(all->resource_version.empty());
  const auto one = api->list(maps(), {.field_selector = "metadata.name=page-3"});
  EXPECT_THAT(one->items, SizeIs(1));
}

TEST_F(RealServerTest, ListsTheMetadataOfSecrets) {
  const base::Secret value("value");
  for (const char* name : {"one", "two", "three"}) {
    ASSERT_TRUE(api->apply_secret(
        secret_ref(space, name),
        {.cluster_uid = cluster_uid(), .labels = {{"set", "facts"}}, .data = {{"k", &value}}}));
  }
  const auto facts =
      api->list_metadata(secret_ref(space, ""), {.label_selector = "set=facts", .page_items = 2});
  ASSERT_TRUE(facts) << facts.error().message;
  ASSERT_THAT(facts->items, SizeIs(3));
  EXPECT_THAT(facts->items[0].managers, Contains("meshtrust"));
}

TEST_F(RealServerTest, WatchesUntilSomethingHappens) {
  std::promise<void> looked;
  auto waiting = std::async(std::launch::async, [&] {
    return wait_for(*api, map("watched"),
                    [&, first = true](const Objects& objects) mutable {
                      if (std::exchange(first, false)) looked.set_value();
                      const bool there = !objects.empty();
                      return Verdict{.holds = there && objects.begin()->second["data"]["a"] == "2",
                                     .seen = there ? "there" : "absent"};
                    },
                    {.at_most = seconds(60)});
  });
  looked.get_future().wait();
  ASSERT_TRUE(api->apply(map("watched"), {{"data", {{"a", "1"}}}}));
  ASSERT_TRUE(api->apply(map("watched"), {{"data", {{"a", "2"}}}}));
  const auto done = waiting.get();
  EXPECT_TRUE(done) << done.error().message;
}

TEST_F(RealServerTest, LearnsThatAStreamIsOver) {
  const auto listed = api->list(maps());
  const auto over =
      api->watch_once(maps(), {.resource_version = listed->resource_version, .lasting = seconds(1)},
                      [](std::string_view) { return true; });
  ASSERT_TRUE(over) << over.error().message;
  EXPECT_EQ(over->why, StreamEnd::Why::kOver);
}

TEST_F(RealServerTest, AsksForTokensAndBelievesTheServerAboutTheirLife) {
  const ObjectRef account{.kind = "ServiceAccount",
                          .resource = "serviceaccounts",
                          .namespace_name = space,
                          .name = "reader"};
  ASSERT_TRUE(api->apply(account, Json::object()));
  const auto token = api->request_token(
      {.namespace_name = space, .service_account = "reader", .lifetime = seconds(600)});
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_GT(token->token.size(), 100U);
  EXPECT_GT(token->expires, clock.now() + seconds(500));
  const auto short_lived = api->request_token(
      {.namespace_name = space, .service_account = "reader", .lifetime = seconds(10)});
  ASSERT_FALSE(short_lived);
  EXPECT_THAT(short_lived.error().message, HasSubstr("expirationSeconds"));
  EXPECT_EQ(api->request_token({.namespace_name = space, .service_account = "nobody"}).error().code,
            Code::kNotFound);
}

TEST_F(RealServerTest, KnowsWhatIsServedAndWhatIsAllowed) {
  EXPECT_TRUE(*api->serves(map("x")));
  EXPECT_TRUE(*api->serves(deployment_ref(space, "x")));
  EXPECT_FALSE(*api->serves({.api_version = "networking.istio.io/v9", .resource = "gateways"}));
  EXPECT_FALSE(*api->serves({.api_version = "v1", .resource = "gateways"}));
  EXPECT_TRUE(*api->can_i({.verb = "patch", .object = map("x")}));
  const auto unserved = api->get({.api_version = "networking.istio.io/v9",
                                  .kind = "Gateway",
                                  .resource = "gateways",
                                  .namespace_name = space,
                                  .name = "x"});
  ASSERT_FALSE(unserved);
  EXPECT_THAT(unserved.error().message, HasSubstr("does not serve this kind of object"));
}

}  // namespace
}  // namespace meshtrust::k8s
