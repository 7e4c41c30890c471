// That the schema accepts what the loader accepts is shown by schema_corpus.py on the same corpus.
#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 with sanitizers takes the inside of std::regex for uninitialised (GCC bug 105562).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "profiles/schema.h"

#include "profiles/text_kind.h"
#include "tests/profiles/golden.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <regex>

namespace meshtrust::profiles {
namespace {

TEST(MeshSchema, IsWhatTheGoldenFileSays) {
  expect_golden("golden/mesh.schema.json", base::pretty(mesh_schema()));
}

/// Words around the edges of all kinds of text.
std::vector<std::string> words() {
  const std::vector<std::string> parts{
      "",  "a",  "Z",  "0",  "9",    "-",  "_",  ".",  " ",    "/", ":", "//", "1d", "12h", "3m",
      "s", "0s", "\t", "\n", "east", "1.", "24", "31", "1.30", "v", "x", "+",  "DE", "%"};
  std::vector<std::string> words;
  for (const auto& first : parts) {
    for (const auto& second : parts) {
      for (const auto& third : parts) {
        words.push_back(first + second + third);
      }
    }
  }
  for (const char* word : {"1.23.9",
                           "1.24.0",
                           "1.24.00",
                           "1.24.10",
                           "1.30.3",
                           "1.31.9999",
                           "1.31.10000",
                           "1.32.0",
                           "2.30.3",
                           "1.30.3-rc.1",
                           "1d12h",
                           "12h1d",
                           "1d1d",
                           "0d0s",
                           "0d1s",
                           "00d",
                           "10d00h",
                           "d",
                           "cluster.local",
                           "cluster..local",
                           ".local",
                           "local.",
                           "a.b.c.d",
                           "a-.b",
                           "postgresql://db",
                           "a+b-c.d://",
                           "1a://",
                           "://",
                           "C:/x",
                           "a:/b",
                           "kind-east",
                           "Shop Root CA",
                           "r:5000/a/b:1.0",
                           "https://r/a",
                           "r/a@sha256:0a"}) {
    words.emplace_back(word);
  }
  return words;
}

/// Patterns name code points, which need wide characters here; all of this text is ASCII.
std::wstring widened(const std::string& ascii) {
  return {ascii.begin(), ascii.end()};
}

/// The loader judges by code, the schema by pattern: here they judge the same words.
TEST(TextKind, RefusesExactlyWhatItsPatternDoesNotMatch) {
  const std::vector<const TextKind*> kinds{
      &dns_label_kind(),    &mesh_name_kind(),        &cluster_name_kind(),    &label_value_kind(),
      &trust_domain_kind(), &duration_kind(),         &istio_version_kind(),   &line_kind(),
      &folder_kind(),       &short_name_value_kind(), &long_name_value_kind(), &country_kind(),
      &image_kind()};
  const auto all = words();
  for (const TextKind* kind : kinds) {
    const std::wregex pattern(widened(kind->pattern));
    int accepted = 0;
    for (const std::string& word : all) {
      const bool matches =
          word.size() <= kind->longest_characters && std::regex_search(widened(word), pattern);
      EXPECT_EQ(!refuse(*kind, word).has_value(), matches) << kind->pattern << " on " << word;
      accepted += matches ? 1 : 0;
    }
    EXPECT_GT(accepted, 0) << kind->pattern;
    EXPECT_LT(accepted, static_cast<int>(all.size())) << kind->pattern;
  }
}

}  // namespace
}  // namespace meshtrust::profiles
