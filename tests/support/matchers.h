#pragma once

#include "base/error.h"
#include "base/result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace meshtrust::base {

// How failed expectations show an error.

inline void PrintTo(Code code, std::ostream* out) {
  *out << name_of(code);
}
inline void PrintTo(const Error& error, std::ostream* out) {
  *out << name_of(error.code) << ": " << error.message;
  for (const std::string& hint : error.hints) {
    *out << "\n  hint: " << hint;
  }
}

}  // namespace meshtrust::base

namespace meshtrust::test {

/// A result without a value, whose error has this code and message.
MATCHER_P2(FailsWith, code, message, "fails") {
  if (arg) {
    *result_listener << "which succeeds";
    return false;
  }
  *result_listener << "which fails with " << testing::PrintToString(arg.error());
  return arg.error().code == code &&
         testing::ExplainMatchResult(message, arg.error().message, result_listener);
}

MATCHER(Succeeds, "succeeds") {
  if (arg) return true;
  *result_listener << "which fails with " << testing::PrintToString(arg.error());
  return false;
}

}  // namespace meshtrust::test
