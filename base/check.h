#pragma once

namespace meshtrust::base {

/// Ends the process with a message that names the broken invariant. Never returns.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace meshtrust::base

/// Stops the program when an invariant of ours is broken. Never for input, disk or network.
// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): needs the text and the place of the condition
#define MESHTRUST_CHECK(condition)                                     \
  do {                                                                 \
    if (!(condition)) {                                                \
      ::meshtrust::base::check_failed(#condition, __FILE__, __LINE__); \
    }                                                                  \
  } while (false)
