#include "k8s/proxy.h"

#include <gtest/gtest.h>

namespace meshtrust::k8s {
namespace {

std::string chosen(const std::string& server, const ProxyEnvironment& environment) {
  return choose_proxy(*parse_server_url(server), "", environment);
}

TEST(Proxy, OfTheKubeconfigWinsOverTheEnvironment) {
  const auto server = *parse_server_url("https://127.0.0.1");
  EXPECT_EQ(choose_proxy(server, "http://p:1", {.https_proxy = "q", .no_proxy = "*"}),
            "http://p:1");
}

TEST(Proxy, OfSocksResolvesTheNamesItself) {
  EXPECT_EQ(choose_proxy(*parse_server_url("https://a"), "SOCKS5://p:1", {}), "socks5h://p:1");
  EXPECT_EQ(chosen("https://a", {.https_proxy = "socks5://p"}), "socks5h://p:1080");
}

TEST(Proxy, HasThePortThatGoProgramsTakeWhenNoneIsGiven) {
  const auto server = *parse_server_url("https://a");
  EXPECT_EQ(choose_proxy(server, "http://p", {}), "http://p:80");
  EXPECT_EQ(choose_proxy(server, "https://me:secret@p/x", {}), "https://me:secret@p:443");
  EXPECT_EQ(choose_proxy(server, "http://[::1]", {}), "http://[::1]:80");
  EXPECT_EQ(choose_proxy(server, "http://[::1]:3128", {}), "http://[::1]:3128");
}

TEST(Proxy, OfTheEnvironmentMayLackAScheme) {
  EXPECT_EQ(chosen("https://a", {.https_proxy = "p:3128"}), "http://p:3128");
  EXPECT_EQ(chosen("https://a", {}), "");
}

TEST(Proxy, IsNotAskedForThisMachine) {
  for (const char* server : {"https://localhost:1", "https://127.0.0.9", "https://[::1]:6443"}) {
    EXPECT_EQ(chosen(server, {.https_proxy = "p"}), "") << server;
  }
}

struct Exclusion {
  const char* no_proxy;
  const char* server;
  bool excluded;
};

class NoProxy : public ::testing::TestWithParam<Exclusion> {};

TEST_P(NoProxy, ExcludesAsGoProgramsDo) {
  const auto& [no_proxy, server, excluded] = GetParam();
  EXPECT_EQ(chosen(server, {.https_proxy = "p", .no_proxy = no_proxy}).empty(), excluded);
}

INSTANTIATE_TEST_SUITE_P(Lists,
                         NoProxy,
                         ::testing::Values(Exclusion{"*", "https://a", true},
                                           Exclusion{"b, A.Example ,", "https://a.example", true},
                                           Exclusion{"example", "https://a.example", true},
                                           Exclusion{"ample", "https://a.example", false},
                                           Exclusion{".example", "https://a.example", true},
                                           Exclusion{".example", "https://example", false},
                                           Exclusion{"*.example", "https://a.example", true},
                                           Exclusion{"*.example", "https://example", false},
                                           Exclusion{"a:443", "https://a", true},
                                           Exclusion{"a:80", "https://a", false},
                                           Exclusion{"10.0.0.1", "https://10.0.0.1", true},
                                           Exclusion{"10.0.0.1:443", "https://10.0.0.1", true},
                                           Exclusion{"10.0.0.0/8", "https://10.9.9.9", true},
                                           Exclusion{"10.0.0.0/8", "https://11.0.0.1", false},
                                           Exclusion{"10.0.0.0/8", "https://a", false},
                                           Exclusion{"fd00::/8", "https://[fd12::1]", true},
                                           Exclusion{"[fd12::1]:443", "https://[fd12::1]", true},
                                           Exclusion{"fd12::1", "https://[fd12::1]", true}));

TEST(Proxy, IsAnAbsoluteUrlOfAKnownScheme) {
  for (const char* good : {"http://p", "HTTPS://p:1", "socks5://u:p@p", "http://u:p@q@[::1]:1/x"}) {
    EXPECT_TRUE(is_proxy_url(good)) << good;
  }
  for (const char* bad :
       {"p:1", "ftp://p", "socks4://p", "http://", "http://p q", "socks5h://p", "http://p:notaport",
        "http://p:70000", "http://me:pa/ss@p:9", "http://[p]:1", "http://[::1", "http://:1"}) {
    EXPECT_FALSE(is_proxy_url(bad)) << bad;
  }
}

TEST(Proxy, IsShownWithoutItsPassword) {
  const auto server = *parse_server_url("https://a");
  EXPECT_EQ(proxy_for_people(server, "http://me:secret@p:1", {}), "http://p:1");
  EXPECT_EQ(proxy_for_people(server, "", {.https_proxy = "me:secret@p"}), "p");
  EXPECT_EQ(proxy_for_people(server, "", {.https_proxy = "p", .no_proxy = "a"}), "");
}

}  // namespace
}  // namespace meshtrust::k8s
