#include "k8s/yaml_value.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace meshtrust::k8s {
namespace {

std::string json_of(std::string_view yaml) {
  const auto value = read_yaml_value("f", yaml);
  if (!value) return "error: " + value.error().message;
  return base::compact(to_json(*value));
}

TEST(YamlValue, TypesPlainScalarsByYaml11AsGoKnowsIt) {
  EXPECT_EQ(json_of("[010, 0o7, 0x1F, 0b11, 1_000, +5, -0x10, 09, 1e3]"),
            "[8,7,31,3,1000,5,-16,9.0,1000.0]");
  EXPECT_EQ(
      json_of("[yes, Off, y, yEs, ~, null, nUll, 2024-01-01, 1:30, 0x, 0b2, 1e999, .5]"),
      R"([true,false,true,"yEs",null,null,"nUll","2024-01-01","1:30","0x","0b2","1e999",0.5])");
  EXPECT_EQ(json_of("[18446744073709551615, -9223372036854775808]"),
            "[18446744073709551615,-9223372036854775808]");
}

TEST(YamlValue, TakesQuotesAndTagsAtTheirWord) {
  EXPECT_EQ(json_of(R"(["1", '~', !!str 1, !!int "1", !!float 1, !!binary YQ==, !mine 1])"),
            R"(["1","~","1",1,1.0,"a","1"])");
  EXPECT_EQ(json_of("!!int x"), "error: a value that is not what its tag says");
}

TEST(YamlValue, AppliesMergeKeysInTheOrderOfTheText) {
  EXPECT_EQ(json_of("{<<: {a: 1, b: 1}, a: 2}"), R"({"a":2,"b":1})");
  EXPECT_EQ(json_of("{a: 2, <<: {a: 1}}"), R"({"a":1})");
  EXPECT_EQ(json_of("{<<: [{a: 1}, {a: 2, b: 2}]}"), R"({"a":1,"b":2})");
  EXPECT_EQ(json_of("{'<<': {a: 1}}"), R"({"<<":{"a":1}})");
  EXPECT_EQ(json_of("{<<: x}"), "error: a merge key ('<<') takes a mapping or a list of mappings");
}

TEST(YamlValue, KnowsNoPairsOfEscapes) {
  EXPECT_EQ(json_of(R"({"a": "\u00fc \U0001f511"})"), R"({"a":"ü 🔑"})");
  EXPECT_EQ(json_of(R"({"a": "\ud83d\udd11"})"), "error: not YAML: invalid unicode: 55357");
}

TEST(YamlValue, KeepsTheLastOfARepeatedKey) {
  EXPECT_EQ(json_of("{a: 1, a: 2, b: 1, b: ~}"), R"({"a":2,"b":null})");
}

TEST(YamlValue, MakesTextOfKeys) {
  EXPECT_EQ(json_of("{1.50: a, 0x10: b, yes: c, 1e30: d, 2024-01-01: e}"),
            R"({"1.5":"a","16":"b","1e+30":"d","2024-01-01":"e","true":"c"})");
  EXPECT_EQ(json_of("{~: a}"), "error: a key that is neither text nor a number");
  EXPECT_EQ(json_of("{[a]: a}"), "error: a key that is neither text nor a number");
}

TEST(YamlValue, SaysWhereSomethingIsNoText) {
  const auto bad = read_yaml_value("f", "a: b\n\xC3\xA9: \x01\n");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "not YAML: a control character");
  EXPECT_EQ(bad.error().place.line, 2);
  EXPECT_EQ(bad.error().place.column, 4);
  EXPECT_EQ(json_of("a: caf\xE9"), "error: not YAML: not UTF-8");
}

TEST(YamlValue, LooksAtTheFirstDocumentAlone) {
  EXPECT_EQ(json_of("a: 1\n---\n[ {\n"), R"({"a":1})");
  EXPECT_EQ(json_of(""), "null");
}

TEST(YamlValue, IsRefusedBeyondItsLimits) {
  EXPECT_EQ(json_of(std::string(70, '[') + std::string(70, ']')),
            "error: not YAML: nested deeper than 64 levels");
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) {
      bomb += (k == 0 ? "" : ", ") + before;
    }
    bomb += "]\n";
  }
  EXPECT_EQ(json_of(bomb), "error: not YAML: more than 200000 values");
}

}  // namespace
}  // namespace meshtrust::k8s
