#include "cli/console.h"

#include "base/text.h"
#include "base/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <sstream>
#include <string>

namespace meshtrust::cli {
namespace {

using base::Json;

base::Error located() {
  return {
      .code = base::Code::kInvalidInput,
      .message = "expected a duration, got 'soon'",
      .place = {.file = "mesh.yaml", .line = 7, .column = 13, .source_line = "\t  lifetime: soon"},
      .hints = {"write it like 90d", "or leave it out"}};
}

TEST(RenderError, PointsAtThePlace) {
  EXPECT_EQ(render(located()),
            "mesh.yaml:7:13: error: expected a duration, got 'soon'\n"
            "    \t  lifetime: soon\n"
            "    \t           ^\n"
            "mesh.yaml:7:13: hint: write it like 90d\n"
            "mesh.yaml:7:13: hint: or leave it out\n");
}

TEST(RenderError, NamesTheProgramWhereThereIsNoFile) {
  EXPECT_EQ(render(base::Error{.message = "no"}), "meshtrust: error: no\n");
  EXPECT_EQ(render(base::Error{.message = "no", .place = {.file = "f", .source_line = {}}}),
            "f: error: no\n");
}

TEST(RenderError, ObeysNoEscapeSequence) {
  EXPECT_EQ(render(base::Error{.message = "a\x1b]0;b\a\nc",
                               .place = {.file = "\x1b", .source_line = {}},
                               .hints = {"\x1b[2J"}}),
            "?: error: a?]0;b? c\n?: hint: ?[2J\n");
}

TEST(RenderError, ObeysNothingInTheLineThatItQuotes) {
  base::Error error = located();
  error.hints.clear();
  error.place.column = 5;
  error.place.source_line = "\ta\x1b[2J\xc2\x9b\r";
  EXPECT_EQ(render(error),
            "mesh.yaml:7:5: error: expected a duration, got 'soon'\n"
            "    \ta?[2J? \n"
            "    \t   ^\n");
  error.place.source_line = std::string(1000, 'a') + "\x1b";
  EXPECT_EQ(render(error), "mesh.yaml:7:5: error: expected a duration, got 'soon'\n    " +
                               std::string(400, 'a') + "...\n");
}

TEST(RenderError, ColoursTheLabelAlone) {
  EXPECT_EQ(render(base::Error{.message = "no"}, Colour::kColoured),
            "meshtrust: \x1b[31merror:\x1b[0m no\n");
}

TEST(RenderFinding, ShowsClusterCodeEvidenceAndHints) {
  const mesh::Finding finding{.code = "foreign-cacerts",
                              .cluster = "west",
                              .message = "it is not ours",
                              .evidence = {"issued by 'O=Other'"},
                              .hints = {"look there"}};
  EXPECT_EQ(render(finding),
            "meshtrust: error: west: it is not ours [foreign-cacerts]\n"
            "meshtrust: seen: issued by 'O=Other'\n"
            "meshtrust: hint: look there\n");
}

TEST(RenderFinding, TellsWarningsAndNotesApart) {
  mesh::Finding finding{
      .code = "c", .severity = mesh::Severity::kWarning, .cluster = {}, .message = "m"};
  EXPECT_EQ(render(finding), "meshtrust: warning: m [c]\n");
  finding.severity = mesh::Severity::kNote;
  EXPECT_EQ(render(finding), "meshtrust: note: m [c]\n");
}

TEST(Console, KeepsTheAnswerApartFromTheNarration) {
  std::ostringstream out;
  std::ostringstream err;
  Console console(out, err, Colour::kPlain);
  console.print("answer\n");
  console.say("hello");
  console.warn("careful");
  console.narrate("+ step\n    because\n");
  console.tell("  done");
  console.show(base::Error{.message = "no"});
  EXPECT_EQ(out.str(), "answer\n");
  EXPECT_EQ(err.str(),
            "meshtrust: hello\nmeshtrust: warning: careful\n+ step\n    because\n  done\n"
            "meshtrust: error: no\n");
}

/// Values that would have a terminal do something, hide, or pose as another line.
constexpr std::array<std::string_view, 8> kHostile{
    "east\x1b[2J",   "east\u202etsew", "ea\u200bst",      "east\rwest",
    "east\x9b\x32J", "caf\xe9",        "east\u009b\x32J", "east\nmeshtrust: error: all is lost"};

class ConsoleDoors : public ::testing::TestWithParam<std::string_view> {};

TEST_P(ConsoleDoors, LetNothingThroughThatIsObeyedOrUnseen) {
  std::ostringstream out;
  std::ostringstream err;
  Console console(out, err, Colour::kPlain);
  const std::string value(GetParam());
  const bool has_lines = value.find('\n') != std::string::npos;
  if (!has_lines) {
    console.print(value + "\n");
    console.narrate(value + "\n");
  }
  console.print(table({{"NAME", "STATE"}, {value, value}}));
  console.say(value);
  console.warn(value);
  console.tell(value);
  console.show(base::Error{.message = value,
                           .place = {.file = value, .line = 1, .column = 1, .source_line = value},
                           .hints = {value}});
  console.show(std::vector<mesh::Finding>{
      {.code = "c", .cluster = value, .message = value, .evidence = {value}, .hints = {value}}});
  const std::string all = out.str() + err.str();
  EXPECT_EQ(all, base::printable_lines(all));
  const auto lines = std::count(all.begin(), all.end(), '\n');
  EXPECT_EQ(lines, has_lines ? 12 : 14) << all;
}

INSTANTIATE_TEST_SUITE_P(Hostile, ConsoleDoors, ::testing::ValuesIn(kHostile));

TEST(Console, PrintsADocumentByteForByte) {
  std::ostringstream out;
  std::ostringstream err;
  Console(out, err, Colour::kPlain).print_document("a\r\n\x1b");
  EXPECT_EQ(out.str(), "a\r\n\x1b");
}

TEST(Console, DrawsInThePlaceOfWhatItDrewLast) {
  std::ostringstream out;
  std::ostringstream err;
  Console console(out, err, Colour::kPlain);
  const auto said_by = [&err](const auto& say) {
    err.str("");
    say();
    return err.str();
  };
  EXPECT_EQ(said_by([&] { console.redraw("a\nb\n"); }), "a\nb\n");
  EXPECT_EQ(said_by([&] { console.redraw("c\n"); }), "\x1b[1A\x1b[2K\x1b[1A\x1b[2Kc\n");
  EXPECT_EQ(said_by([&] { console.redraw(""); }), "\x1b[1A\x1b[2K");
  EXPECT_EQ(said_by([&] { console.redraw(""); }), "");
}

TEST(Console, DrawsNothingOverWhatAnotherProgramSays) {
  std::ostringstream out;
  std::ostringstream err;
  Console console(out, err, Colour::kPlain);
  console.redraw("before\n");
  console.lend();
  console.redraw("meanwhile\n");
  EXPECT_EQ(err.str(), "before\n");
  console.take_back();
  console.redraw("after\n");
  EXPECT_EQ(err.str(), "before\nafter\n");
}

TEST(Table, AlignsColumnsAndLeavesNoBlanksAtLineEnds) {
  EXPECT_EQ(
      table({{"CLUSTER", "CA", ""}, {"gr\xc3\xbc\xc3\x9f", "-", ""}, {"a", "none", "x"}}, "  "),
      "  CLUSTER  CA\n  gr\xc3\xbc\xc3\x9f     -\n  a        none  x\n");
  EXPECT_EQ(table({{"A", "B"}, {"a"}}), "A  B\na\n");
  EXPECT_EQ(table({}), "");
}

/// A parsed YAML node as JSON, plain scalars by the rules of JSON itself.
Json to_json(const base::YamlNode& node) {
  using Kind = base::YamlNode::Kind;
  switch (node.kind) {
    case Kind::kNull:
      return nullptr;
    case Kind::kScalar: {
      const Json plain = node.plain ? Json::parse(node.scalar, nullptr, false) : Json(node.scalar);
      return plain.is_discarded() ? Json(node.scalar) : plain;
    }
    case Kind::kSequence: {
      Json list = Json::array();
      for (const base::YamlNode& item : node.items) {
        list.push_back(to_json(item));
      }
      return list;
    }
    case Kind::kMapping:
      break;
  }
  Json object = Json::object();
  for (const base::YamlEntry& entry : node.entries) {
    object[entry.key.scalar] = to_json(entry.value);
  }
  return object;
}

TEST(ToYaml, IsReadBackAsTheSameDocument) {
  const Json documents[] = {
      {{"kind", "Plan"}, {"steps", {{{"id", "a/b"}, {"needs", {"x", "y"}}}, {{"id", "c"}}}}},
      {{"empty list", Json::array()}, {"empty object", Json::object()}, {"null", nullptr}},
      {{"numbers", {1, -2, 1.5}}, {"truth", {true, false}}},
      {{"texts", {"", "1.30", "yes", "null", "a: b", "- x", "#", "two\nlines\n", "\ttab", "~"}}},
      {{"lists", {{"a", {1, 2}}, {"b", {{"c", {{"d", {3}}}}}}}}},
      Json::parse(R"({"nested": [[1, 2], [[3], []], {"k": [[4]]}]})"),
      Json::array({"top", "list"}),
      {{"yes", 1}, {"1.30", 2}, {"a b", 3}, {"", 4}},
  };
  for (const Json& document : documents) {
    const std::string yaml = to_yaml(document);
    const auto parsed = base::parse_yaml("f", yaml);
    ASSERT_TRUE(parsed) << parsed.error().message << "\n" << yaml;
    ASSERT_EQ(parsed->size(), 1U) << yaml;
    EXPECT_EQ(to_json(parsed->front()).dump(), document.dump()) << yaml;
  }
}

}  // namespace
}  // namespace meshtrust::cli
