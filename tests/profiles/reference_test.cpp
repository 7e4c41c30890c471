#include "profiles/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meshtrust::profiles {
namespace {

using base::Json;
using testing::ElementsAre;
using testing::IsEmpty;

Json document() {
  return {{"address", reference(gateway_address("east"))},
          {"list", Json::array({reference_in(ingress_address("hub"), "https://{host}:15017/{}"),
                                reference(gateway_address("east"))})},
          {"plain", "x"}};
}

Lookup knowing(std::string name, std::string value) {
  return [name, value](const std::string& asked) {
    return asked == name ? std::optional(value) : std::nullopt;
  };
}

TEST(References, AreFoundOnceAndSorted) {
  EXPECT_THAT(references_in(document()),
              ElementsAre("east/gateway-address", "hub/ingress-address"));
  EXPECT_THAT(references_in(Json("x")), IsEmpty());
}

TEST(References, AreResolvedAsFarAsTheirValuesAreKnown) {
  const Json resolved = resolve(document(), knowing("east/gateway-address", "192.0.2.1"));
  EXPECT_EQ(resolved["address"], "192.0.2.1");
  EXPECT_EQ(resolved["list"][1], "192.0.2.1");
  EXPECT_THAT(references_in(resolved), ElementsAre("hub/ingress-address"));
  EXPECT_EQ(resolved["plain"], "x");
}

TEST(References, AreOnlyWhatLooksLikeOne) {
  for (const Json& node : {Json{{"$after", 1}}, Json{{"$after", "a"}, {"$in", 1}}}) {
    EXPECT_THAT(references_in(node), IsEmpty());
    EXPECT_EQ(shown(node), node);
  }
}

TEST(References, StayOpenWhereTheValueIsEmpty) {
  EXPECT_EQ(resolve(document(), knowing("east/gateway-address", "")), document());
}

TEST(References, PutIpv6AddressesIntoBracketsWhereAHostIsMeant) {
  const Json url = reference_in("a", "https://{host}:15017/{}");
  EXPECT_EQ(resolve(url, knowing("a", "2001:db8::1")), "https://[2001:db8::1]:15017/2001:db8::1");
  EXPECT_EQ(resolve(url, knowing("a", "gw.example")), "https://gw.example:15017/gw.example");
  EXPECT_EQ(resolve(reference("a"), knowing("a", "2001:db8::1")), "2001:db8::1");
}

TEST(References, AreShownAsKnownLater) {
  const Json seen = shown(document());
  EXPECT_EQ(seen["address"], "(known after east/gateway-address)");
  EXPECT_EQ(seen["list"][0],
            "https://(known after hub/ingress-address):15017/(known after hub/ingress-address)");
}

}  // namespace
}  // namespace meshtrust::profiles
