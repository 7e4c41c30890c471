#include "run/account_token.h"

#include "profiles/reader.h"
#include "tests/run/run_fixture.h"

namespace meshtrust::run {
namespace {

using namespace testing;
using base::Code;
using base::Json;
using test::FailsWith;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kAccounts = kNamespacePath + "/serviceaccounts/";
const std::string kSecrets = kNamespacePath + "/secrets/";
const std::string kReader = "istio-reader-service-account";
const std::string kRoles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
const std::string kBindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";

class AccountTokenTest : public ::testing::Test {
 protected:
  base::Result<AccountToken> find(AccountRequest request = {}) {
    request.namespace_name = "istio-system";
    if (request.service_account.empty()) {
      request.service_account = kReader;
      request.when_missing =
          profiles::istio_reader(world.mesh, world.mesh.clusters[0], profiles::ReaderOf::kPeer);
    }
    return account_token(**world.world().clusters.client("east"), request);
  }

  void put_account(const std::string& name) {
    world.server.put("east", kNamespacePath, Json::object());
    world.server.put("east", kAccounts + name, Json::object());
  }

  void put_token(const std::string& name, const std::string& account, const Json& data) {
    const Json annotations{{"kubernetes.io/service-account.name", account}};
    world.server.put("east", kSecrets + name,
                     {{"metadata", {{"annotations", annotations}}},
                      {"type", "kubernetes.io/service-account-token"},
                      {"data", data}});
  }

  std::vector<std::string> written() {
    std::vector<std::string> paths;
    for (const auto& request : world.server.writes("east")) {
      paths.push_back(request.path);
    }
    return paths;
  }

  MeshWorld world{{"east"}};
  const Json filled{{"ca.crt", "Q0E="}, {"token", "dG9rZW4="}};
};

TEST_F(AccountTokenTest, TakesTheFirstThatIsThereAndWritesNothing) {
  put_account(kReader);
  put_token("c-token", kReader, {{"ca.crt", "Qw=="}, {"token", "Qw=="}});
  put_token("b-token", kReader, filled);
  put_token("a-token", "somebody", {{"ca.crt", "QQ=="}, {"token", "QQ=="}});
  const auto found = find();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->ca_pem, "CA");
  EXPECT_EQ(base::reveal(found->token, "a test"), "token");
  EXPECT_FALSE(found->made_account);
  EXPECT_EQ(found->made_secret, "");
  EXPECT_THAT(written(), IsEmpty());
}

TEST_F(AccountTokenTest, TakesTheSecretThatIsNamed) {
  put_account(kReader);
  put_token("a-token", kReader, {{"ca.crt", "QQ=="}, {"token", "QQ=="}});
  put_token("b-token", kReader, filled);
  const auto found = find({.namespace_name = {}, .service_account = {}, .secret_name = "b-token"});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(base::reveal(found->token, "a test"), "token");
}

TEST_F(AccountTokenTest, MakesTheReaderAndItsRightsFirstAndTellsWhenNobodyFillsTheSecret) {
  world.clock.jump_by(std::chrono::seconds(11));
  const auto found = find();
  EXPECT_THAT(found, FailsWith(Code::kNotYet,
                               HasSubstr("istio-system/istio-reader-service-account-istio-remote-"
                                         "secret-token' has no 'ca.crt' yet")));
  EXPECT_THAT(written(), ElementsAre("/api/v1/namespaces", kRoles, kBindings,
                                     kNamespacePath + "/serviceaccounts",
                                     kSecrets + kReader + "-istio-remote-secret-token"));
}

TEST_F(AccountTokenTest, LeavesARoleAloneThatIsThere) {
  world.server.put("east", kNamespacePath, Json::object());
  world.server.put("east", kRoles + "/istio-reader-clusterrole-istio-system",
                   {{"rules", Json::array()}});
  world.clock.jump_by(std::chrono::seconds(11));
  EXPECT_THAT(find(), FailsWith(Code::kNotYet, HasSubstr("ca.crt")));
  EXPECT_THAT(written(), ElementsAre(kBindings, kNamespacePath + "/serviceaccounts",
                                     kSecrets + kReader + "-istio-remote-secret-token"));
}

TEST_F(AccountTokenTest, MakesNoAccountUnasked) {
  EXPECT_THAT(find({.namespace_name = {}, .service_account = "istiod"}),
              FailsWith(Code::kNotFound, HasSubstr("'istio-system/istiod'")));
  EXPECT_THAT(written(), IsEmpty());
}

TEST_F(AccountTokenTest, RefusesASecretOfAnotherAccount) {
  put_account(kReader);
  put_token("other", "somebody", filled);
  EXPECT_THAT(find({.namespace_name = {}, .service_account = {}, .secret_name = "other"}),
              FailsWith(Code::kInvalidInput, HasSubstr("is no token of service account")));
}

TEST_F(AccountTokenTest, SaysWhatIsForbidden) {
  put_account(kReader);
  world.server.deny("east", "list", "secrets");
  EXPECT_THAT(find(), FailsWith(Code::kPermission, HasSubstr("secrets")));
}

}  // namespace
}  // namespace meshtrust::run
