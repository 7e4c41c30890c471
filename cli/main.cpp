#include "base/abandonable.h"
#include "base/hardening.h"
#include "cli/program.h"
#include "cli/system.h"

#include <cstdlib>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  meshtrust::base::harden_process();
  // NOLINTNEXTLINE(cppcoreguidelines-pro-bounds-pointer-arithmetic): argv is what it is
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const int code = meshtrust::cli::with_system([&arguments](meshtrust::cli::Surroundings& around) {
    return meshtrust::cli::run_program(arguments, around);
  });
  // An interrupted key derivation still computes, and OpenSSL's clean-up would take its tables
  // away.
  if (meshtrust::base::is_abandoned_work_running()) std::_Exit(code);
  return code;
}
