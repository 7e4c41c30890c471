#pragma once

#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace meshtrust::test {

/// The path of a file below tests/.
inline std::filesystem::path test_file(const std::string& path) {
  return std::filesystem::path(MESHTRUST_TEST_DATA) / path;
}

/// Compares `actual` with the file at `path` below tests/, whole; with UPDATE_GOLDEN=1 in the
/// environment the file is rewritten instead, and the difference is there to be reviewed.
inline void expect_golden(const std::string& path, const std::string& actual) {
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {  // NOLINT(concurrency-mt-unsafe): one thread
    std::filesystem::create_directories(test_file(path).parent_path());
    put_file(test_file(path), actual);
    return;
  }
  ASSERT_TRUE(std::filesystem::is_regular_file(test_file(path)))
      << path << " is missing; UPDATE_GOLDEN=1 writes it";
  EXPECT_EQ(content_of(test_file(path)), actual) << path << " differs; UPDATE_GOLDEN=1 rewrites it";
}

}  // namespace meshtrust::test
