#include "base/yaml.h"

#include "tests/support/matchers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace meshtrust::base {
namespace {

using test::Succeeds;
using testing::HasSubstr;
using testing::SizeIs;

YamlNode parsed(std::string_view text) {
  const auto documents = parse_yaml("f.yaml", text);
  EXPECT_THAT(documents, Succeeds());
  if (!documents || documents->size() != 1) {
    ADD_FAILURE() << "not one document";
    return {};
  }
  return documents->front();
}

/// "line:column kind" of every node in the order of the file.
std::string places(const YamlNode& node) {
  constexpr std::array kNames{"null", "scalar", "sequence", "mapping"};
  std::string text = fmt::format("{}:{} {}\n", node.line, node.column,
                                 kNames.at(static_cast<std::size_t>(node.kind)));
  for (const YamlNode& item : node.items) {
    text += places(item);
  }
  for (const YamlEntry& entry : node.entries) {
    text += places(entry.key) + places(entry.value);
  }
  return text;
}

constexpr std::string_view kSample =
    "a: 1\n"
    "list:\n"
    "  - x\n"
    "  -   'y'\n"
    "map: {k: ~}\n";

constexpr std::string_view kSamplePlaces =
    "1:1 mapping\n1:1 scalar\n1:4 scalar\n"
    "2:1 scalar\n3:3 sequence\n3:5 scalar\n4:7 scalar\n"
    "5:1 scalar\n5:6 mapping\n5:7 scalar\n5:10 null\n";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

TEST(ParseYaml, KnowsThePlaceOfEveryNode) {
  EXPECT_EQ(places(parsed(kSample)), kSamplePlaces);
}

TEST(ParseYaml, KnowsItWithWindowsLineEndsToo) {
  EXPECT_EQ(places(parsed(replaced(std::string(kSample), "\n", "\r\n"))), kSamplePlaces);
}

TEST(ParseYaml, KnowsItBehindAByteOrderMarkToo) {
  EXPECT_EQ(places(parsed("\xEF\xBB\xBF" + std::string(kSample))), kSamplePlaces);
}

TEST(ParseYaml, TellsPlainScalarsFromQuotedOnes) {
  const YamlNode node = parsed("[plain, 'single', \"double\", !!str tagged, 1.30, ~, '~', null]");
  std::string text;
  for (const YamlNode& item : node.items) {
    const bool is_null = item.kind == YamlNode::Kind::kNull;
    text += fmt::format("{}{} ", is_null ? "(null)" : item.scalar, item.plain ? "" : "!");
  }
  EXPECT_EQ(text, "plain single! double! tagged! 1.30 (null) ~! (null) ");
}

TEST(ParseYaml, KeepsDuplicateKeysAndFindsTheLast) {
  const YamlNode node = parsed("a: 1\nb: 2\na: 3\n");
  EXPECT_THAT(node.entries, SizeIs(3));
  ASSERT_NE(node.find("a"), nullptr);
  EXPECT_EQ(node.find("a")->scalar, "3");
  EXPECT_EQ(node.find("a")->line, 3);
  EXPECT_EQ(node.find("c"), nullptr);
}

TEST(ParseYaml, ExpandsAliasesWhereTheyStand) {
  const YamlNode node = parsed("a: &x {k: v}\nb: *x\n");
  const YamlNode* copy = node.find("b");
  ASSERT_NE(copy, nullptr);
  EXPECT_TRUE(copy->anchored);
  EXPECT_TRUE(node.find("a")->anchored);
  EXPECT_EQ(copy->line, 2);
  EXPECT_EQ(copy->column, 4);
  ASSERT_NE(copy->find("k"), nullptr);
  EXPECT_EQ(copy->find("k")->scalar, "v");
}

TEST(ParseYaml, LeavesTheMergeKeyToItsReader) {
  const YamlNode node = parsed("a: &x {k: v}\nb: {<<: *x}\n");
  ASSERT_NE(node.find("b"), nullptr);
  EXPECT_NE(node.find("b")->find("<<"), nullptr);
}

TEST(ParseYaml, ReadsSeveralDocumentsAndNone) {
  EXPECT_THAT(parse_yaml("f", "a: 1\n---\nb: 2\n").value(), SizeIs(2));
  EXPECT_THAT(parse_yaml("f", "").value(), SizeIs(0));
  EXPECT_THAT(parse_yaml("f", "# only a comment\n").value(), SizeIs(0));
}

/// A text that is not taken, and the whole of what is said about it.
void expect_refused(std::string_view text, std::string_view message, const Place& place) {
  const auto documents = parse_yaml("f.yaml", text, {.bytes = 1U << 20U, .nodes = 1000});
  ASSERT_FALSE(documents) << text;
  EXPECT_EQ(documents.error().code, Code::kInvalidInput);
  EXPECT_EQ(documents.error().message, message);
  EXPECT_EQ(documents.error().place.file, place.file);
  EXPECT_EQ(documents.error().place.line, place.line);
  EXPECT_EQ(documents.error().place.column, place.column);
  EXPECT_EQ(documents.error().place.source_line, place.source_line);
}

TEST(ParseYaml, PointsAtWhatIsNoYaml) {
  expect_refused("a: 1\nb: [1, 2\n", "not YAML: end of sequence flow not found",
                 {.file = "f.yaml", .line = 3, .column = 1, .source_line = ""});
}

TEST(ParseYaml, RefusesTabsAsIndentation) {
  const auto documents = parse_yaml("f.yaml", "a:\n\tb: 1\n");
  ASSERT_FALSE(documents);
  EXPECT_EQ(documents.error().place.line, 2);
  EXPECT_EQ(documents.error().place.source_line, "\tb: 1");
}

TEST(ParseYaml, BoundsABombOfAliases) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i,
                        i - 1);
  }
  const auto documents = parse_yaml("f.yaml", bomb);
  ASSERT_FALSE(documents);
  EXPECT_EQ(documents.error().message, "not YAML: more than 200000 values");
}

/// What is said of a text whose few bytes stand for more than `YamlLimits::characters`.
void expect_too_much(const std::string& text, int line) {
  ASSERT_LT(text.size(), std::size_t{1} << 20U);
  const auto documents = parse_yaml("f.yaml", text);
  ASSERT_FALSE(documents);
  EXPECT_EQ(documents.error().code, Code::kInvalidInput);
  EXPECT_EQ(documents.error().message,
            "not YAML: more than 8388608 bytes, once aliases and tags stand for what they mean");
  EXPECT_EQ(documents.error().place.file, "f.yaml");
  EXPECT_EQ(documents.error().place.line, line);
}

TEST(ParseYaml, BoundsAliasesOfOneBigScalar) {
  std::string text = "a: &a " + std::string(700'000, 'x') + "\nb:\n";
  for (int i = 0; i < 60'000; ++i) {
    text += "- *a\n";
  }
  expect_too_much(text, 12);
}

TEST(ParseYaml, BoundsAnchorsWithinAnchors) {
  std::string text;
  for (int i = 0; i < 60; ++i) {
    text += fmt::format("&a{} [", i);
  }
  expect_too_much(text + std::string(900'000, 'x') + std::string(60, ']'), 1);
}

TEST(ParseYaml, BoundsTagsWithALongPrefix) {
  for (const std::string tagged : {"c", "", "[]", "{}", "[c]", "{c: d}"}) {
    std::string text = "%TAG !a! tag:" + std::string(700'000, 'x') + "\n---\n";
    for (int i = 0; i < 20'000; ++i) {
      text += "- !a!b " + tagged + "\n";
    }
    expect_too_much(text, 14);
  }
}

TEST(ParseYaml, CountsWhatAllDocumentsTogetherMake) {
  std::string text;
  for (int document = 0; document < 50; ++document) {
    text += "a: &a " + std::string(10'000, 'x') + "\nb: [";
    for (int i = 0; i < 500; ++i) {
      text += "*a, ";
    }
    text += "]\n---\n";
  }
  expect_too_much(text, 5);
}

TEST(ParseYaml, TakesAliasesOfUsualSize) {
  std::string text = "a: &a " + std::string(1000, 'x') + "\nb:\n";
  for (int i = 0; i < 1000; ++i) {
    text += "- *a\n";
  }
  EXPECT_TRUE(parse_yaml("f.yaml", text));
}

TEST(ParseYaml, RefusesAnAliasOfItself) {
  const auto documents = parse_yaml("f.yaml", "a: &x [*x]\n");
  ASSERT_FALSE(documents);
  EXPECT_EQ(documents.error().code, Code::kInvalidInput);
  EXPECT_EQ(documents.error().message, "not YAML: an alias stands for itself");
}

TEST(ParseYaml, BoundsDepthAndSize) {
  const auto deep = parse_yaml("f.yaml", std::string(65, '[') + std::string(65, ']'));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().message, "not YAML: nested deeper than 64 levels");
  const auto very_deep = parse_yaml("f.yaml", std::string(100'000, '['));
  EXPECT_FALSE(very_deep);
  const auto large = parse_yaml("f.yaml", std::string(101, ' '), {.bytes = 100});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().message, "larger than 100 bytes");
}

/// Whatever the text, a scalar written with `yaml_scalar` is read back as that string.
void expect_round_trip(const std::string& text) {
  for (const std::string& document :
       {"key: " + yaml_scalar(text) + "\n", "- - " + yaml_scalar(text) + "\n",
        yaml_scalar(text) + ": value\n", "{k: [" + yaml_scalar(text) + "]}\n"}) {
    const auto documents = parse_yaml("f", document);
    ASSERT_THAT(documents, Succeeds()) << document;
    ASSERT_THAT(*documents, SizeIs(1)) << document;
    const YamlNode* node = &documents->front();
    while (node->kind == YamlNode::Kind::kMapping || node->kind == YamlNode::Kind::kSequence) {
      const bool is_key = document.starts_with(yaml_scalar(text) + ":");
      node = node->kind == YamlNode::Kind::kSequence ? &node->items.front()
             : is_key                                ? &node->entries.front().key
                                                     : &node->entries.front().value;
    }
    EXPECT_EQ(node->kind, YamlNode::Kind::kScalar) << document;
    EXPECT_EQ(node->scalar, text) << document;
  }
}

TEST(YamlScalar, IsReadBackWhateverItHolds) {
  for (const char* text : {"",
                           "~",
                           "null",
                           "Null",
                           "NULL",
                           "yes",
                           "No",
                           "on",
                           "OFF",
                           "y",
                           "n",
                           "true",
                           "False",
                           "1.30",
                           "1e3",
                           "0x1f",
                           "0o17",
                           "1_000",
                           "12:30:45",
                           "2026-11-21",
                           ".inf",
                           "-.INF",
                           ".nan",
                           "-",
                           "- x",
                           "? x",
                           "a: b",
                           "a:",
                           ":a",
                           "a #b",
                           "#a",
                           "&a",
                           "*a",
                           "!a",
                           "%a",
                           "@a",
                           "`a`",
                           "|",
                           ">",
                           "'a'",
                           "\"a\"",
                           "a\\b",
                           " a",
                           "a ",
                           "a\nb",
                           "a\tb",
                           "\x01\x7f",
                           "[a]",
                           "{a}",
                           "a, b",
                           "---",
                           "...",
                           "<<",
                           "=",
                           "gr\xc3\xbc\xc3\x9f",
                           "\xef\xbb\xbf"
                           "bom",
                           "a\r\nb",
                           "kind-east",
                           "east/1.2_x"}) {
    expect_round_trip(text);
  }
}

TEST(YamlScalar, IsReadBackForRandomTexts) {
  // A fixed seed: every run tries the same texts.
  std::mt19937 generator(20261121);  // NOLINT(cert-msc32-c,cert-msc51-cpp): repeatable
  constexpr std::string_view kAlphabet = "aZ0-_./:#,[]{}&*!|>'\"%@`\\ \t\n\r?=<~+\x01\x7f";
  std::uniform_int_distribution<std::size_t> pick(0, kAlphabet.size() - 1);
  std::uniform_int_distribution<std::size_t> length(0, 8);
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (std::size_t left = length(generator); left > 0; --left) {
      text += kAlphabet[pick(generator)];
    }
    expect_round_trip(text);
    if (HasFailure()) return;
  }
}

TEST(YamlScalar, EscapesWhatNobodyWouldSee) {
  EXPECT_EQ(yaml_scalar("ea\u200bst\u202e"), R"("ea\u200bst\u202e")");
  EXPECT_EQ(yaml_scalar("a\U000e0041"), R"("a\U000e0041")");
  EXPECT_EQ(yaml_scalar("caf\xe9"), R"("caf\ufffd")");
  expect_round_trip("ea\u200bst\u202e \U000e0041 \u061c");
}

TEST(YamlScalar, StaysPlainWhereNobodyCanMistakeIt) {
  EXPECT_EQ(yaml_scalar("east"), "east");
  EXPECT_EQ(yaml_scalar("istio-system/cacerts"), "istio-system/cacerts");
  EXPECT_EQ(yaml_scalar("1.30"), "\"1.30\"");
  EXPECT_EQ(yaml_scalar("no"), "\"no\"");
  EXPECT_EQ(yaml_scalar("a b"), "\"a b\"");
}

TEST(LineOf, GivesTheLineWithoutItsEnd) {
  EXPECT_EQ(line_of("a\nb\r\nc", 1), "a");
  EXPECT_EQ(line_of("a\nb\r\nc", 2), "b");
  EXPECT_EQ(line_of("a\nb\r\nc", 3), "c");
  EXPECT_EQ(line_of("a\nb\r\nc", 4), "");
  EXPECT_EQ(line_of("\xEF\xBB\xBF"
                    "a\n",
                    1),
            "a");
}

}  // namespace
}  // namespace meshtrust::base
