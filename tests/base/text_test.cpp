#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace meshtrust::base {
namespace {

using testing::ElementsAre;
using testing::Eq;
using testing::Optional;

TEST(Trim, TakesAwayBlanksAtBothEnds) {
  EXPECT_EQ(trim("  a b\t\r\n"), "a b");
  EXPECT_EQ(trim(" \t\n"), "");
  EXPECT_EQ(trim(""), "");
}

TEST(Split, CutsAtEverySeparator) {
  EXPECT_THAT(split("a,,b,", ','), ElementsAre("a", "", "b", ""));
  EXPECT_THAT(split("", ','), ElementsAre(""));
}

TEST(Join, IsTheInverseOfSplit) {
  EXPECT_EQ(join(std::vector<std::string>{"a", "b", "c"}, ", "), "a, b, c");
  EXPECT_EQ(join(std::vector<std::string>{}, ", "), "");
  EXPECT_EQ(join(split("a,b,,c", ','), ","), "a,b,,c");
}

TEST(Join, KeepsEmptyPartsAlsoAtTheFront) {
  EXPECT_EQ(join(split(",a", ','), ","), ",a");
}

TEST(Nearest, FindsWhatWasProbablyMeant) {
  const std::vector<std::string> words{"apply", "plan", "status", "verify"};
  EXPECT_THAT(nearest("aply", words), Optional(Eq("apply")));
  EXPECT_THAT(nearest("stauts", words), Optional(Eq("status")));
  EXPECT_THAT(nearest("plan", words), Optional(Eq("plan")));
  EXPECT_THAT(nearest("verfy", words), Optional(Eq("verify")));
}

TEST(Nearest, SaysNothingWhenNothingIsNear) {
  const std::vector<std::string> words{"apply", "plan", "status", "verify"};
  EXPECT_EQ(nearest("rotate", words), std::nullopt);
  EXPECT_EQ(nearest("", words), std::nullopt);
  EXPECT_EQ(nearest("apply", {}), std::nullopt);
  EXPECT_EQ(nearest("xy", words), std::nullopt) << "a short word is not near everything";
}

TEST(Nearest, TakesTheFirstOfTwoThatAreEquallyNear) {
  const std::vector<std::string> words{"east-1", "east-2"};
  EXPECT_THAT(nearest("east-3", words), Optional(Eq("east-1")));
}

TEST(DnsLabel, IsThatOfRfc1123) {
  for (const char* name : {"a", "0", "east", "east-1", "1-east", "a--b"}) {
    EXPECT_TRUE(is_dns_label(name)) << name;
  }
  EXPECT_TRUE(is_dns_label(std::string(63, 'a')));
  EXPECT_FALSE(is_dns_label(std::string(64, 'a')));
  for (const char* name : {"", "-a", "a-", "-", "A", "a.b", "a_b", "a b", "\xc3\xa9", "a\n"}) {
    EXPECT_FALSE(is_dns_label(name)) << name;
  }
}

TEST(Printable, LetsNoEscapeSequenceThrough) {
  EXPECT_EQ(printable("\x1b[2Jgone\x07\x7f"), "?[2Jgone??");
  EXPECT_EQ(printable("\xc2\x9b[2J\xc2\xa0"), "?[2J\xc2\xa0");
  EXPECT_EQ(printable("two\r\nlines\there"), "two  lines here");
  EXPECT_EQ(printable("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
}

TEST(Printable, ShowsWhatNobodyWouldSee) {
  EXPECT_EQ(printable("east\u202etsae"), "east?tsae") << "turned around";
  EXPECT_EQ(printable("a\u2066b\u2069"), "a?b?") << "turned around";
  EXPECT_EQ(printable("ea\u200bst\u2060\ufeff\u00ad"), "ea?st???") << "without width";
  EXPECT_EQ(printable("a\u2028b\u2029"), "a?b?") << "other line ends";
  EXPECT_EQ(printable("a\U000e0041b\ufe0f"), "a?b?") << "tags and variants";
  EXPECT_EQ(printable("\u4e1c \u05de\u05d6\u05e8\u05d7 \U0001f511 \u2713"),
            "\u4e1c \u05de\u05d6\u05e8\u05d7 \U0001f511 \u2713");
}

TEST(Printable, ShowsWhatIsNoUtf8) {
  EXPECT_EQ(printable("caf\xe9"), "caf?");
  EXPECT_EQ(printable("a\x9b[2J"), "a?[2J") << "a C1 control to terminals of one byte";
  EXPECT_EQ(printable("\xc0\x9b\xed\xa0\x80"), "?????");
  EXPECT_EQ(printable("a\xe2\x80"), "a??");
}

TEST(PrintableLines, LetsLinesAndTabsStay) {
  EXPECT_EQ(printable_lines("a\tb\nc\r\nd\x1b[2J"), "a\tb\nc?\nd?[2J");
}

TEST(OneLine, CutsNothing) {
  EXPECT_EQ(one_line(std::string(1000, 'x') + "\n."), std::string(1000, 'x') + " .");
}

TEST(FirstColumns, NeverEndsInsideACharacter) {
  EXPECT_EQ(first_columns("gr\xc3\xbc\xc3\x9f", 3), "gr\xc3\xbc");
  EXPECT_EQ(first_columns("ab", 3), "ab");
  EXPECT_EQ(first_columns("ab", 0), "");
}

TEST(Printable, CutsWhatIsTooLong) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdefg", 6), "abcdef...");
  EXPECT_EQ(printable(std::string(1000, 'x')).size(), 403U);
}

TEST(Printable, NeverEndsInsideACharacter) {
  EXPECT_EQ(printable("a\xc3\xbc\xc3\xbc", 2), "a...");
}

TEST(DisplayWidth, CountsCharactersNotBytes) {
  EXPECT_EQ(display_width("east"), 4U);
  EXPECT_EQ(display_width("gr\xc3\xbc\xc3\x9f"), 4U);
  EXPECT_EQ(display_width(""), 0U);
}

TEST(CountOf, KnowsThePlural) {
  EXPECT_EQ(count_of(0, "cluster"), "0 clusters");
  EXPECT_EQ(count_of(1, "cluster"), "1 cluster");
  EXPECT_EQ(count_of(2, "cluster"), "2 clusters");
}

}  // namespace
}  // namespace meshtrust::base
