#include "profiles/remote_secret.h"

#include "base/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meshtrust::profiles {
namespace {

Credentials of_west(std::string_view token) {
  return {.cluster = "west",
          .server = "https://west.example:6443",
          .ca_pem = "CA\n",
          .token = base::Secret(token)};
}

std::string text_of(const Credentials& credentials) {
  const auto kubeconfig = kubeconfig_text(credentials);
  EXPECT_TRUE(kubeconfig);
  return std::string(base::reveal(*kubeconfig, "a test"));
}

TEST(Kubeconfig, HasOneOfEachUnderTheClustersName) {
  EXPECT_EQ(text_of(of_west("ey.J-_w")), R"(apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0EK
    server: "https://west.example:6443"
  name: west
contexts:
- context:
    cluster: west
    user: west
  name: west
current-context: west
kind: Config
users:
- name: west
  user:
    token: "ey.J-_w"
)");
}

TEST(Kubeconfig, NamesTheServerThatAProxyStandsFor) {
  Credentials credentials = of_west("t");
  credentials.tls_server_name = "kubernetes.default";
  EXPECT_THAT(text_of(credentials),
              testing::HasSubstr("    tls-server-name: kubernetes.default\n  name: west\n"));
}

TEST(Kubeconfig, TakesNothingButATokenForAToken) {
  for (const char* token : {"", "a b", "a\nusers: []", "a\"", "a\\n", "\xc3\xa9", "a:"}) {
    const auto kubeconfig = kubeconfig_text(of_west(token));
    ASSERT_FALSE(kubeconfig) << token;
    EXPECT_EQ(kubeconfig.error().message, "the token of cluster 'west' is no bearer token");
  }
}

TEST(Kubeconfig, OfAClusterWithANumberForANameIsReadBackAsThatName) {
  Credentials credentials = of_west("123");
  credentials.cluster = "1234";
  const auto documents = base::parse_yaml("kubeconfig", text_of(credentials));
  ASSERT_TRUE(documents);
  const base::YamlNode* context = documents->front().find("current-context");
  EXPECT_EQ(context->scalar, "1234");
  EXPECT_FALSE(context->plain);
}

TEST(RemoteSecretManifest, IsReadBackAsTheSecretWithItsKubeconfigWhole) {
  const RemoteSecret secret{.namespace_name = "istio-system",
                            .name = "istio-remote-secret-west",
                            .key = "west",
                            .labels = {{"istio/multiCluster", "true"}},
                            .annotations = {{"networking.istio.io/cluster", "west"}}};
  const auto kubeconfig = kubeconfig_text(of_west("t"));
  const base::Secret manifest = remote_secret_manifest(secret, *kubeconfig);
  const auto documents = base::parse_yaml("secret", base::reveal(manifest, "a test"));
  ASSERT_TRUE(documents) << documents.error().message;
  const base::YamlNode& root = documents->front();
  EXPECT_EQ(root.find("kind")->scalar, "Secret");
  EXPECT_EQ(root.find("metadata")->find("labels")->find("istio/multiCluster")->scalar, "true");
  EXPECT_FALSE(root.find("metadata")->find("labels")->find("istio/multiCluster")->plain);
  EXPECT_EQ(root.find("stringData")->find("west")->scalar, text_of(of_west("t")));
}

}  // namespace
}  // namespace meshtrust::profiles
