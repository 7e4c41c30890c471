#include "istio/version.h"

#include <gtest/gtest.h>

namespace meshtrust::istio {
namespace {

TEST(ParseVersion, ReadsARelease) {
  EXPECT_EQ(parse_version("1.30.3").value(), (Version{1, 30, 3}));
  EXPECT_EQ(parse_version("1.24.0").value().text(), "1.24.0");
}

TEST(ParseVersion, RefusesEverythingElse) {
  for (const char* text :
       {"", "1", "1.30", "1.30.3.1", "v1.30.3", "1.30.3-rc.0", "1.031.0", "1.30.", ".30.3", "1..3",
        " 1.30.3", "1.30.3\n", "-1.30.3", "1.30.99999", "1.x.3"}) {
    const auto version = parse_version(text);
    ASSERT_FALSE(version) << text;
    EXPECT_EQ(version.error().code, base::Code::kInvalidInput);
  }
  EXPECT_EQ(parse_version("v1.30.3").error().message,
            "'v1.30.3' is not a release of Istio, expected one like 1.30.3");
}

TEST(Version, ComparesByNumberNotByText) {
  EXPECT_LT((Version{1, 9, 10}), (Version{1, 24, 0}));
  EXPECT_LT((Version{1, 30, 9}), (Version{1, 30, 10}));
  EXPECT_GT((Version{2, 0, 0}), (Version{1, 31, 9}));
}

TEST(IsSupported, EndsWhereItSays) {
  EXPECT_EQ(supported_versions(), "1.24 to 1.31");
  EXPECT_FALSE(is_supported({1, 23, 9}));
  EXPECT_TRUE(is_supported({1, 24, 0}));
  EXPECT_TRUE(is_supported({1, 31, 9}));
  EXPECT_FALSE(is_supported({1, 32, 0}));
  EXPECT_FALSE(is_supported({2, 30, 0}));
}

}  // namespace
}  // namespace meshtrust::istio
