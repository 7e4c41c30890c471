#pragma once

#include "base/error.h"

#include <string>
#include <string_view>

namespace meshtrust::profiles {

/// The content of a file below tests/; fails the test when it cannot be read.
std::string read_test_file(const std::string& path);

/// Compares `actual` with the file at `path` below tests/, whole; with UPDATE_GOLDEN=1 in the
/// environment the file is rewritten instead.
void expect_golden(const std::string& path, const std::string& actual);

/// Errors as people see them: place and message, the line, a caret, hints.
std::string render(const base::Errors& errors);

}  // namespace meshtrust::profiles
