#include "base/json.h"

#include "tests/support/matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace meshtrust::base {
namespace {

using test::FailsWith;
using test::Succeeds;

std::string nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']');
}

TEST(ParseJson, ReadsOneDocument) {
  const auto json = parse_json(R"({"b": [1, true, null], "a": "x"})", "'f'");
  ASSERT_THAT(json, Succeeds());
  EXPECT_EQ(compact(*json), R"({"a":"x","b":[1,true,null]})");
}

TEST(ParseJson, NamesLineAndColumn) {
  EXPECT_THAT(parse_json("{\n  \"a\": 1,\n  b\n}", "'f'"),
              FailsWith(Code::kInvalidInput, "'f' is not JSON (line 3, column 3)"));
  EXPECT_THAT(parse_json("nope", "'f'"),
              FailsWith(Code::kInvalidInput, "'f' is not JSON (line 1, column 2)"));
  EXPECT_FALSE(parse_json("", "'f'"));
  EXPECT_FALSE(parse_json("{} {}", "'f'")) << "two documents";
  EXPECT_FALSE(parse_json("\"\xff\"", "'f'")) << "not UTF-8";
}

TEST(PrettyJson, EscapesWhatNobodyWouldSee) {
  const Json json = {{"a\u200b", "b\u202e\x7f\u009b\U000e0041 \u4e1c \x1b"}};
  const std::string line = R"({"a\u200b":"b\u202e\u007f\u009b\udb40\udc41 )"
                           "\u4e1c"
                           R"( \u001b"})";
  EXPECT_EQ(pretty_line(json), line);
  EXPECT_EQ(parse_json(pretty(json), "it").value(), json) << "the true value";
  EXPECT_EQ(pretty_line(Json("caf\xe9")), "\"caf\xef\xbf\xbd\"");
}

TEST(ParseJson, BoundsHowManyValuesThereAre) {
  std::string text = "[0";
  for (int i = 0; i < 4'000'000; ++i) {
    text += ",0";
  }
  EXPECT_THAT(parse_json(text + "]", "'f'"),
              FailsWith(Code::kInvalidInput, "'f' holds more than 4000000 values"));
}

TEST(ParseJson, BoundsHowDeepValuesNest) {
  EXPECT_THAT(parse_json(nested(64), "'f'"), Succeeds());
  EXPECT_THAT(parse_json(nested(65), "'f'"),
              FailsWith(Code::kInvalidInput, "'f' nests deeper than 64 levels"));
  EXPECT_THAT(parse_json(std::string(1'000'000, '['), "'f'"),
              FailsWith(Code::kInvalidInput, "'f' nests deeper than 64 levels"));
  EXPECT_THAT(
      parse_json("\"" + std::string(100, '[') + "\\\"" + std::string(100, '{') + "\"", "'f'"),
      Succeeds())
      << "brackets in a string do not count";
}

TEST(ParseJson, RefusesANumberOutOfRange) {
  EXPECT_THAT(parse_json("[1e999]", "'f'"),
              FailsWith(Code::kInvalidInput, "'f' holds a number out of range"));
}

TEST(PrettyJson, IsSortedIndentedAndEndsTheLine) {
  EXPECT_EQ(pretty({{"b", 1}, {"a", {1, 2}}}),
            "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": 1\n}\n");
}

TEST(CompactJson, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(compact(Json("a\xff")), "\"a\xef\xbf\xbd\"");
}

TEST(JsonAccess, IsCalmAboutWhatIsMissing) {
  const Json json{{"metadata", {{"name", "east"}, {"count", 3}}}};
  EXPECT_EQ(string_at(at_path(json, {"metadata"}), "name"), "east");
  EXPECT_EQ(string_at(at_path(json, {"metadata"}), "count", "none"), "none");
  EXPECT_EQ(string_at(at_path(json, {"metadata"}), "uid"), "");
  EXPECT_EQ(string_at(Json("text"), "name", "none"), "none");
  EXPECT_TRUE(at_path(json, {"metadata", "labels", "x"}).is_null());
  EXPECT_TRUE(at_path(json, {"metadata", "name", "x"}).is_null());
  EXPECT_EQ(&at_path(json, {}), &json);
}

}  // namespace
}  // namespace meshtrust::base
