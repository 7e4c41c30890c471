#include "k8s/url.h"

#include "base/result.h"

#include <gtest/gtest.h>

#include <ostream>

namespace meshtrust::k8s {
namespace {

using base::Code;

TEST(PercentEncode, LeavesOnlyUnreservedCharacters) {
  EXPECT_EQ(percent_encode("aZ0-._~"), "aZ0-._~");
  EXPECT_EQ(percent_encode("a b/c?d=e&f%ü"), "a%20b%2Fc%3Fd%3De%26f%25%C3%BC");
}

struct GoodUrl {
  const char* text;
  const char* host;
  const char* port;
  const char* path;
  const char* again;
};

std::ostream& operator<<(std::ostream& out, const GoodUrl& url) {
  return out << url.text;
}

class GoodServerUrl : public ::testing::TestWithParam<GoodUrl> {};

TEST_P(GoodServerUrl, IsTakenApart) {
  const auto url = parse_server_url(GetParam().text);
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->host, GetParam().host);
  EXPECT_EQ(url->port, GetParam().port);
  EXPECT_EQ(url->path, GetParam().path);
  EXPECT_EQ(url->text(), GetParam().again);
}

INSTANTIATE_TEST_SUITE_P(
    Urls,
    GoodServerUrl,
    ::testing::Values(GoodUrl{"https://a.example", "a.example", "443", "", "https://a.example"},
                      GoodUrl{"HTTPS://a:6443/", "a", "6443", "", "https://a:6443"},
                      GoodUrl{"https://1.2.3.4:6443/k8s/c-1/?x#y", "1.2.3.4", "6443", "/k8s/c-1",
                              "https://1.2.3.4:6443/k8s/c-1"},
                      GoodUrl{"https://[fd00::1]:6443", "fd00::1", "6443", "",
                              "https://[fd00::1]:6443"}));

struct BadUrl {
  const char* text;
  const char* message;
};

std::ostream& operator<<(std::ostream& out, const BadUrl& url) {
  return out << url.text;
}

class BadServerUrl : public ::testing::TestWithParam<BadUrl> {};

TEST_P(BadServerUrl, IsRefusedWithTheReason) {
  const auto url = parse_server_url(GetParam().text);
  ASSERT_FALSE(url);
  EXPECT_EQ(url.error().code, Code::kInvalidInput);
  EXPECT_EQ(url.error().message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Urls,
    BadServerUrl,
    ::testing::Values(
        BadUrl{"http://a:1", "server 'http://a:1' is not https, found 'http://'"},
        BadUrl{"a:6443", "server 'a:6443' is not an https URL"},
        BadUrl{"https://", "server 'https://' has no host"},
        BadUrl{"https://:6443", "server 'https://:6443' has no host"},
        BadUrl{"https://a b",
               "server 'https://a b' has a host with characters that no host name has"},
        BadUrl{"https://me:pw@a",
               "server 'https://a' is to be written without a user name and password"},
        BadUrl{"https://me:p/w@a", "server 'https://a' has no valid port"},
        BadUrl{"http://me:p/w@a", "server 'http://a' is not https, found 'http://'"},
        BadUrl{"me:pw@a:6443", "server 'a:6443' is not an https URL"},
        BadUrl{"https:/me:pw@a", "server 'a' is not an https URL"},
        BadUrl{"https://127.1",
               "server 'https://127.1' has a host that is neither a name nor an "
               "address"},
        BadUrl{"https://a..b",
               "server 'https://a..b' has a host that is neither a name nor an "
               "address"},
        BadUrl{"https://a:0", "server 'https://a:0' has no valid port"},
        BadUrl{"https://a:70000", "server 'https://a:70000' has no valid port"},
        BadUrl{"https://a:6443x", "server 'https://a:6443x' has no valid port"},
        BadUrl{"https://[::1", "server 'https://[::1' has '[' without ']'"},
        BadUrl{"https://a/b c",
               "server 'https://a/b c' has a path with a blank or a control "
               "character"}));

TEST(Host, IsANameOrAnAddressAndNothingThatLooksLikeOne) {
  for (const char* good : {"a", "A-b_c.example.", "1.2.3.4", "fd00::1", "4.example"}) {
    EXPECT_TRUE(is_host(good)) << good;
  }
  for (const char* bad : {"", ".", "x@localhost", "127.1", "0x7f.1", "1.2.3.0X4", "a:1", "a/b",
                          "[::1]", "a b", "a\n", "a..b", ".a"}) {
    EXPECT_FALSE(is_host(bad)) << bad;
  }
  EXPECT_FALSE(is_host(std::string(64, 'a')));
}

TEST(Url, IsShownWithoutWhoAndPassword) {
  EXPECT_EQ(without_password("http://me:secret@p:1/x"), "http://p:1/x");
  EXPECT_EQ(without_password("http://me:pa/ss@p:1"), "http://p:1");
  EXPECT_EQ(without_password("http://me:a@b@p"), "http://p");
  EXPECT_EQ(without_password("me:secret@p"), "p");
  EXPECT_EQ(without_password("socks5://p"), "socks5://p");
}

TEST(ServerUrl, KnowsLoopbackAndAddresses) {
  EXPECT_TRUE(parse_server_url("https://127.1.2.3")->is_loopback());
  EXPECT_TRUE(parse_server_url("https://[::1]:1")->is_loopback());
  EXPECT_TRUE(parse_server_url("https://localhost")->is_loopback());
  EXPECT_FALSE(parse_server_url("https://127.example")->is_loopback());
  EXPECT_TRUE(parse_server_url("https://10.0.0.1")->is_ip_address());
  EXPECT_FALSE(parse_server_url("https://ten.example")->is_ip_address());
}

}  // namespace
}  // namespace meshtrust::k8s
