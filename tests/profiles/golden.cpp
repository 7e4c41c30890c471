#include "tests/profiles/golden.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace meshtrust::profiles {
namespace {

std::string full_path(const std::string& path) {
  return std::string(MESHTRUST_TEST_DATA) + "/" + path;
}

}  // namespace

std::string read_test_file(const std::string& path) {
  std::ifstream input(full_path(path), std::ios::binary);
  EXPECT_TRUE(input.is_open()) << path << " cannot be read";
  std::ostringstream content;
  content << input.rdbuf();
  return content.str();
}

void expect_golden(const std::string& path, const std::string& actual) {
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {  // NOLINT(concurrency-mt-unsafe): one thread
    std::ofstream(full_path(path), std::ios::binary) << actual;
    return;
  }
  EXPECT_EQ(read_test_file(path), actual) << path << " differs; UPDATE_GOLDEN=1 rewrites it";
}

std::string render(const base::Errors& errors) {
  std::string text;
  for (const base::Error& error : errors) {
    const base::Place& place = error.place;
    text +=
        fmt::format("{}:{}:{}: error: {}\n", place.file, place.line, place.column, error.message);
    if (!place.source_line.empty()) {
      text += fmt::format("    {}\n    {:>{}}\n", place.source_line, '^', place.column);
    }
    for (const std::string& hint : error.hints) {
      text += fmt::format("hint: {}\n", hint);
    }
  }
  return text;
}

}  // namespace meshtrust::profiles
