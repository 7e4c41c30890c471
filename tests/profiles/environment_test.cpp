#include "profiles/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meshtrust::profiles {
namespace {

using testing::HasSubstr;

TEST(LoopbackServer, IsOneThatOnlyThisMachineReaches) {
  for (const char* url :
       {"https://127.0.0.1:6443", "https://localhost:6443", "https://LocalHost.", "localhost:1",
        "https://kind.localhost:6443", "https://[::1]:6443/x", "https://[::]", "https://0.0.0.0:1",
        "https://127.8.9.10", "https://host.docker.internal:6443", "https://[::ffff:127.0.0.1]:1",
        "https://user@127.0.0.1/"}) {
    EXPECT_TRUE(is_loopback_server(url)) << url;
  }
  for (const char* url :
       {"https://10.0.0.1:6443", "https://east.example", "https://[2001:db8::1]:6443",
        "https://127.example", "https://localhost.example", "https://128.0.0.1", "",
        "https://[::ffff:10.0.0.1]:1", "https://east.example/127.0.0.1"}) {
    EXPECT_FALSE(is_loopback_server(url)) << url;
  }
}

TEST(KindApiServer, IsTheControlPlaneNodesInternalAddress) {
  const std::vector<NodeAddress> addresses{
      {.type = "InternalIP", .address = "172.18.0.9", .control_plane = false},
      {.type = "Hostname", .address = "east-control-plane", .control_plane = true},
      {.type = "InternalIP", .address = "fc00:f853::2", .control_plane = true},
      {.type = "InternalIP", .address = "172.18.0.2", .control_plane = true}};
  EXPECT_EQ(kind_api_server(addresses), "https://172.18.0.2:6443");
  EXPECT_EQ(kind_api_server(std::span(addresses).first(3)), "https://[fc00:f853::2]:6443");
  EXPECT_EQ(kind_api_server(std::span(addresses).first(2)), std::nullopt);
}

TEST(KindApiServer, IsUnknownBehindALoadBalancer) {
  EXPECT_EQ(kind_api_server(std::vector<NodeAddress>{
                {.type = "InternalIP", .address = "172.18.0.2", .control_plane = true},
                {.type = "InternalIP", .address = "172.18.0.3", .control_plane = true}}),
            std::nullopt);
}

std::string range(std::string_view subnet, std::size_t index, std::size_t clusters) {
  const auto objects = metallb_pool(subnet, index, clusters);
  return objects ? objects->front()["spec"]["addresses"][0].get<std::string>()
                 : objects.error().message;
}

TEST(MetallbPool, IsAPoolAndItsAnnouncement) {
  const auto objects = metallb_pool("172.18.0.0/16", 1, 2);
  ASSERT_TRUE(objects);
  EXPECT_EQ(base::to_yaml((*objects)[0]), R"(apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: meshtrust
  namespace: metallb-system
spec:
  addresses:
    - "172.18.201.1-172.18.201.50"
)");
  EXPECT_EQ(base::to_yaml((*objects)[1]), R"(apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata:
  name: meshtrust
  namespace: metallb-system
spec:
  ipAddressPools:
    - meshtrust
)");
}

TEST(MetallbPool, TakesTheUpperQuarterOfSmallNetworksAndOfManyClusters) {
  EXPECT_EQ(range("192.168.5.0/24", 0, 2), "192.168.5.192-192.168.5.222");
  EXPECT_EQ(range("192.168.5.77/24", 1, 2), "192.168.5.223-192.168.5.253");
  EXPECT_EQ(range("10.0.0.0/8", 0, 3), "10.0.200.1-10.0.200.50");
  EXPECT_EQ(range("172.18.0.0/16", 99, 100), "172.18.211.86-172.18.211.135");
  EXPECT_THAT(range("192.168.5.0/26", 0, 4),
              HasSubstr("is too small for 4 addresses in each of 4"));
}

TEST(MetallbPool, RefusesWhatIsNoIpv4Network) {
  for (const char* subnet : {"", "172.18.0.0", "172.18.0.0/33", "172.18.0.0/0", "fc00::/64",
                             "172.18.0.0/16x", "172.18.0/16"}) {
    EXPECT_THAT(range(subnet, 0, 1), HasSubstr("is not an IPv4 network")) << subnet;
  }
}

}  // namespace
}  // namespace meshtrust::profiles
