#include "base/encoding.h"
#include "pki/path/extension_views.h"

#include <gmock/gmock.h>

namespace meshtrust::pki {
namespace {

constexpr const char* kNames = "2.5.29.17";
constexpr const char* kConstraints = "2.5.29.19";
constexpr const char* kPoints = "2.5.29.31";
constexpr const char* kUsages = "2.5.29.37";
constexpr const char* kAccess = "1.3.6.1.5.5.7.1.1";

/// What is seen, in hex, with "..." behind it where a list breaks off.
std::string seen(ExtensionView view, const std::string& object, const std::string& hex) {
  const auto extension = view(object, *base::from_hex(hex));
  if (!extension) return "as it is";
  return base::to_hex(extension->value) + (extension->breaks_off ? "..." : "");
}

TEST(ViewOfGo, EndsBehindWhatItUses) {
  EXPECT_EQ(seen(go_view, kConstraints, "30090101ff020101020102"), "30060101ff020101");
  EXPECT_EQ(seen(go_view, kConstraints, "30000500"), "3000");
  EXPECT_EQ(seen(go_view, kUsages, "30030601280500"), "3003060128");
}

TEST(ViewOfGo, LeavesOutNamesThatItDoesNotCompare) {
  EXPECT_EQ(seen(go_view, kNames, "3009820161890161820162"), "3006820161820162");
}

TEST(ViewOfGo, LooksAtTheMethodOfAnAccessAlone) {
  EXPECT_EQ(seen(go_view, kAccess, "3009300706012aa4020500"), "3007300506012a8600");
}

TEST(ViewOfGo, IsNoneOfWhatItCannotRead) {
  EXPECT_EQ(seen(go_view, kConstraints, "0500"), "as it is");
  EXPECT_EQ(seen(go_view, kConstraints, "308100"), "as it is");  // a longer length than need be
  EXPECT_EQ(seen(go_view, "1.2.3.4", "3000"), "as it is");
}

TEST(ViewOfWebpki, GoesThroughListsFromTheLeft) {
  EXPECT_EQ(seen(webpki_view, kUsages, "300806012a0500060128"), "300306012a");
  EXPECT_EQ(seen(webpki_view, kNames, "3009820161890161820162"), "3003820161...");
}

TEST(ViewOfWebpki, KnowsOtherNamesByTheirKind) {
  EXPECT_EQ(seen(webpki_view, kNames, "3004a4020500"), "3004a4023000");
}

TEST(ViewOfWebpki, LooksAtPointsOnlyWithLists) {
  EXPECT_EQ(seen(webpki_view, kPoints, "30020500"), "3000");
  EXPECT_EQ(seen(webpki_view, kPoints, "3002050000"), "as it is");
}

}  // namespace
}  // namespace meshtrust::pki
