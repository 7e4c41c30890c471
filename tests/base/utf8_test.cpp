#include "base/utf8.h"

#include <gtest/gtest.h>

namespace meshtrust::base {
namespace {

TEST(FindNonUtf8, FindsWhatRfc3629RulesOut) {
  const auto npos = std::string_view::npos;
  EXPECT_EQ(find_non_utf8(""), npos);
  EXPECT_EQ(find_non_utf8("Røt \xE2\x82\xAC \xF0\x9F\x94\x91"), npos);
  EXPECT_EQ(find_non_utf8("caf\xE9"), 3U);
  EXPECT_EQ(find_non_utf8("a\x80"), 1U) << "a byte that only follows";
  EXPECT_EQ(find_non_utf8("\xC0\x80"), 0U) << "overlong";
  EXPECT_EQ(find_non_utf8("\xE0\x80\x80"), 0U) << "overlong";
  EXPECT_EQ(find_non_utf8("\xED\xA0\x80"), 0U) << "surrogate";
  EXPECT_EQ(find_non_utf8("\xF4\x90\x80\x80"), 0U) << "above U+10FFFF";
  EXPECT_EQ(find_non_utf8("ab\xE2\x82"), 2U) << "cut off";
}

}  // namespace
}  // namespace meshtrust::base
