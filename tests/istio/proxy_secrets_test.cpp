#include "istio/proxy_secrets.h"

#include "tests/support/golden.h"
#include "tests/support/matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace meshtrust::istio {
namespace {

using base::Code;
using base::Json;
using ::testing::ElementsAre;

std::string data(const std::string& file) {
  return test::content_of(test::test_file("data/workloads/" + file));
}

Json dump(const std::string& name) {
  return base::parse_json(data(name + ".json"), name).value();
}

pki::Certificate certificate(const std::string& name) {
  return pki::certificates_from_pem(data(name + ".pem")).value().front();
}

using Certificates = std::vector<pki::Certificate>;

TEST(ProxySecrets, OfEnvoyAreTheChainThatItPresentsAndTheRootsThatItTrusts) {
  for (const char* name : {"sidecar", "gateway", "unmasked"}) {
    const auto all = credentials_in(dump(name));
    ASSERT_TRUE(all) << name << ": " << all.error().message;
    ASSERT_EQ(all->size(), 1U) << name;
    EXPECT_EQ(all->front().chain,
              (Certificates{certificate("web"), certificate("east"), certificate("root")}))
        << name;
    EXPECT_EQ(all->front().roots, Certificates{certificate("root")}) << name;
  }
}

TEST(ProxySecrets, MayStandAsTextInTheDump) {
  Json text = dump("sidecar");
  text["configs"][0]["secret"]["tls_certificate"]["certificate_chain"] = {
      {"inline_string", data("api.pem")}};
  EXPECT_EQ(credentials_in(text).value().front().chain, Certificates{certificate("api")});
}

TEST(ProxySecrets, OfZtunnelAreThoseOfEveryIdentityThatHasACertificate) {
  const auto all = credentials_in(dump("ztunnel")).value();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].chain, (Certificates{certificate("web"), certificate("east")}));
  EXPECT_EQ(all[0].roots, (Certificates{certificate("root"), certificate("next-root")}));
}

TEST(ProxySecrets, OfAnEarlierZtunnelHaveTheRootAtTheEndOfTheChain) {
  Json earlier = dump("ztunnel");
  Json& web = earlier["certificates"][2];
  web["certChain"].push_back(web["rootCerts"][0]);
  web.erase("rootCerts");
  const auto all = credentials_in(earlier).value();
  EXPECT_EQ(all[0].roots, Certificates{certificate("root")});
}

TEST(ProxySecrets, OfAZtunnelWithoutWorkloadsAreNone) {
  EXPECT_TRUE(credentials_in(Json{{"certificates", Json::array()}}).value().empty());
}

TEST(ProxySecrets, HoldNoKeyWhateverStandsInTheDump) {
  Json careless = dump("unmasked");
  Json& secret = careless["configs"][0]["secret"]["tls_certificate"];
  const std::string key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
  secret["private_key"] = {{"inline_string", key}};
  secret["certificate_chain"] = {{"inline_string", key + data("web.pem") + key}};
  const auto all = credentials_in(careless).value();
  EXPECT_EQ(pki::to_pem(all[0].chain), certificate("web").pem());
}

TEST(ProxySecrets, AreAskedForWithoutTheFieldOfTheKey) {
  EXPECT_EQ(kProxySecretsPath.find("private_key"), std::string_view::npos);
  EXPECT_EQ(data("sidecar.json").find("private_key"), std::string::npos);
  EXPECT_NE(data("unmasked.json").find("private_key"), std::string::npos);
}

struct RefusedDump {
  const char* what;
  void (*change)(Json& dump);
  const char* message;
};

const RefusedDump kRefused[] = {
    {"nothing yet", [](Json& one) { one = dump("without-secrets"); },
     "its proxy has no certificate of a workload ('default')"},
    {"something else",
     [](Json& one) {
       one = Json::array({1, 2});
     },
     "its proxy has no certificate of a workload ('default')"},
    {"no roots yet", [](Json& one) { one["configs"].erase(1); },
     "its proxy has no roots ('ROOTCA')"},
    {"no base64",
     [](Json& one) {
       one["configs"][1]["secret"]["validation_context"]["trusted_ca"] = {{"inline_bytes", "?"}};
     },
     "its proxy has no roots ('ROOTCA')"},
    {"a file instead",
     [](Json& one) {
       one["configs"][0]["secret"]["tls_certificate"]["certificate_chain"] = {
           {"filename", "/etc/certs/cert-chain.pem"}};
     },
     "its proxy has no certificate of a workload ('default')"},
    {"no certificate",
     [](Json& one) {
       one["configs"][0]["secret"]["tls_certificate"]["certificate_chain"] = {
           {"inline_string", "[redacted]"}};
     },
     "its chain: no certificate found"},
    {"a ztunnel without base64",
     [](Json& one) {
       one = dump("ztunnel");
       one["certificates"][2]["certChain"][0]["pem"] = "?";
     },
     "the chain of spiffe://cluster.local/ns/shop/sa/web: no base64"},
};

TEST(ProxySecrets, ThatAreNoneSayWhatIsMissing) {
  for (const RefusedDump& one : kRefused) {
    Json changed = dump("sidecar");
    one.change(changed);
    EXPECT_THAT(credentials_in(changed), test::FailsWith(Code::kUnavailable, one.message))
        << one.what;
  }
}

}  // namespace
}  // namespace meshtrust::istio
