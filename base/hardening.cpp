#include "base/hardening.h"

#include <openssl/crypto.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace meshtrust::base {

void forget_unsafe_variables() {
  constexpr std::array kNames{"SSLKEYLOGFILE", "OPENSSL_CONF", "OPENSSL_CONF_INCLUDE",
                              "OPENSSL_MODULES", "OPENSSL_ENGINES"};
  for (const char* name : kNames) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): before the first thread
    unsetenv(name);
  }
}

void harden_process() {
  forget_unsafe_variables();
  const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &no_core);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): prctl has no other form
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  umask(077);
  std::signal(SIGPIPE, SIG_IGN);
  // A limit on file sizes then shows as a failed write, which is told like any other.
  std::signal(SIGXFSZ, SIG_IGN);
  // Room for some hundred keys and request bodies at once, within the usual limit on locked memory.
  constexpr std::size_t kSecureHeapBytes = std::size_t{4} << 20U;
  constexpr std::size_t kSmallestBlockBytes = 64;
  CRYPTO_secure_malloc_init(kSecureHeapBytes, kSmallestBlockBytes);
}

}  // namespace meshtrust::base
