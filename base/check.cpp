#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace meshtrust::base {

void check_failed(const char* condition, const char* file, int line) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): the process is ending; no allocation here
  std::fprintf(stderr, "meshtrust: bug: '%s' does not hold (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace meshtrust::base
