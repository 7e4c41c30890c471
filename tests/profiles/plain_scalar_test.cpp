#include "profiles/plain_scalar.h"

#include "base/yaml.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace meshtrust::profiles {
namespace {

struct Case {
  std::string_view text;
  std::optional<std::string_view> reading;
};

TEST(OtherReading, KnowsWhatYaml11AndYaml12MakeOfPlainScalars) {
  const std::initializer_list<Case> kCases{
      {"", "nothing"},
      {"~", "nothing"},
      {"Null", "nothing"},
      {"y", "a truth value"},
      {"NO", "a truth value"},
      {"off", "a truth value"},
      {"True", "a truth value"},
      {"7", "a number"},
      {"-7", "a number"},
      {"1.30", "a number"},
      {"1e3", "a number"},
      {"1E+3", "a number"},
      {".5", "a number"},
      {"5.", "a number"},
      {"012", "a number"},
      {"0o17", "a number"},
      {"0x1F", "a number"},
      {"0b10", "a number"},
      {"1_000", "a number"},
      {".inf", "a number"},
      {"-.INF", "a number"},
      {".NaN", "a number"},
      {"12:30", "a time"},
      {"1:02:03.5", "a time"},
      {"2031-01-02", "a date"},
      {"2031-1-2T3:04:05Z", "a date"},
      {"=", "an operator"},
      {"<<", "an operator"},
      {"1.30.3", {}},
      {"90d", {}},
      {"1d12h", {}},
      {"no-network", {}},
      {"e3", {}},
      {"1e", {}},
      {"0x", {}},
      {"0xg", {}},
      {"12:ab", {}},
      {".", {}},
      {"-", {}},
      {"_1", {}},
      {"2031-01-02-x", {}},
      {"203-01-02", {}},
      {"nothing", {}},
      {"east", {}},
      {"a:1", {}},
      {"10.0.0.1", {}},
  };
  for (const Case& each : kCases) {
    EXPECT_EQ(other_reading(each.text), each.reading) << each.text;
  }
}

TEST(OtherReading, IsNoSurpriseToTheWriterOfScalars) {
  for (const char* text : {"y", "NO", "~", "7", "1.30", "1e3", ".5", "0x1F", "12:30", "2031-01-02",
                           "-.inf", ".nan", "=", "<<", "", "null"}) {
    ASSERT_TRUE(other_reading(text)) << text;
    EXPECT_EQ(base::yaml_scalar(text).front(), '"') << text;
  }
}

}  // namespace
}  // namespace meshtrust::profiles
