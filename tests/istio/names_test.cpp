#include "istio/names.h"

#include <gtest/gtest.h>

namespace meshtrust::istio {
namespace {

TEST(Names, OfTheDefaultRevisionHaveNoSuffix) {
  EXPECT_EQ(istiod_name(""), "istiod");
  EXPECT_EQ(istiod_host("", "istio-system"), "istiod.istio-system.svc");
  EXPECT_EQ(mesh_config_map(""), "istio");
  EXPECT_EQ(injector_config_map(""), "istio-sidecar-injector");
  EXPECT_EQ(injection_webhook("", "istio-system"), "istio-sidecar-injector");
  EXPECT_EQ(injection_webhook("", "external-istiod"), "istio-sidecar-injector-external-istiod");
  EXPECT_EQ(validating_webhook("", "istio-system"), "istio-validator-istio-system");
  EXPECT_EQ(istio_reader_role("", "istio-system"), "istio-reader-clusterrole-istio-system");
  EXPECT_EQ(own_reader_role("", "istio-system"), "meshtrust-reader-istio-system");
  EXPECT_EQ(east_west_gateway_name(""), "istio-eastwestgateway");
  EXPECT_EQ(revision_label_value(""), "default");
}

TEST(Names, OfOtherRevisionsEndInThem) {
  EXPECT_EQ(istiod_host("1-30-3", "mesh"), "istiod-1-30-3.mesh.svc");
  EXPECT_EQ(mesh_config_map("1-30-3"), "istio-1-30-3");
  EXPECT_EQ(injector_config_map("1-30-3"), "istio-sidecar-injector-1-30-3");
  EXPECT_EQ(injection_webhook("1-30-3", "istio-system"), "istio-sidecar-injector-1-30-3");
  EXPECT_EQ(injection_webhook("1-30-3", "mesh"), "istio-sidecar-injector-1-30-3-mesh");
  EXPECT_EQ(validating_webhook("1-30-3", "mesh"), "istio-validator-1-30-3-mesh");
  EXPECT_EQ(istio_reader_role("1-30-3", "mesh"), "istio-reader-clusterrole-1-30-3-mesh");
  EXPECT_EQ(own_reader_role("1-30-3", "mesh"), "meshtrust-reader-1-30-3-mesh");
  EXPECT_EQ(east_west_gateway_name("1-30-3"), "istio-eastwestgateway-1-30-3");
  EXPECT_EQ(revision_label_value("1-30-3"), "1-30-3");
}

TEST(Names, OfSecretsComeFromClustersAndAccounts) {
  EXPECT_EQ(remote_secret_name("west"), "istio-remote-secret-west");
  EXPECT_EQ(token_secret_name("istiod"), "istiod-istio-remote-secret-token");
}

}  // namespace
}  // namespace meshtrust::istio
