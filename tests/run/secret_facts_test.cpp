#include "run/secret_facts.h"

#include "istio/foreign_blocks.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace meshtrust::run {
namespace {

TEST(PublicBundleIn, LeavesAKeyWhereItIsAndLetsItBeTold) {
  const std::string certificate = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
  const std::string key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
  k8s::SecretObject secret;
  secret.data.emplace("ca-cert.pem", base::Secret(certificate));
  secret.data.emplace("ca-key.pem", base::Secret(key));
  secret.data.emplace("cert-chain.pem", base::Secret(certificate + key));
  secret.data.emplace("root-cert.pem", base::Secret("root:\n" + certificate));
  const istio::PublicBundle bundle = public_bundle_in(secret);
  EXPECT_EQ(bundle.ca_cert, certificate);
  EXPECT_EQ(bundle.cert_chain,
            certificate + "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n");
  EXPECT_EQ(bundle.root_cert, certificate);
  const auto problems = istio::problems_of_foreign_blocks({.bundle = bundle, .at = {}});
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems.front().code, "private-key-among-certificates");
}

TEST(RemoteSecretFacts, SayWhoElseWroteAKubeconfig) {
  const auto fields = [](const char* manager, const char* key) {
    return base::Json{{"manager", manager},
                      {"fieldsV1", {{"f:data", {{key, base::Json::object()}}}}}};
  };
  k8s::SecretObject secret;
  secret.facts = k8s::facts_of({{"metadata",
                                 {{"managedFields",
                                   {fields("meshtrust", "f:east"),
                                    fields("kubectl-patch", "f:west"),
                                    {{"manager", "kubectl-annotate"}}}}}}});
  secret.data.emplace("east", base::Secret("server: https://east"));
  secret.data.emplace("west", base::Secret("server: https://west"));
  const mesh::RemoteSecretFacts facts = remote_secret_facts(secret);
  ASSERT_EQ(facts.clusters.size(), 2U);
  EXPECT_EQ(facts.clusters[0].writer, "");
  EXPECT_EQ(facts.clusters[1].writer, "kubectl-patch");
}

}  // namespace
}  // namespace meshtrust::run
