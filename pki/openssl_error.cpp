#include "pki/openssl_error.h"

#include <openssl/err.h>

namespace meshtrust::pki {

std::string take_openssl_reasons() {
  std::string reasons;
  std::string_view last;
  while (const unsigned long code = ERR_get_error()) {
    const char* text = ERR_reason_error_string(code);
    // Nested decoders repeat themselves ("nested asn1 error" five times over).
    if (text == nullptr || last == text) continue;
    last = text;
    if (!reasons.empty()) reasons += ": ";
    reasons += text;
  }
  return reasons.empty() ? "no reason given" : reasons;
}

base::Error openssl_error(base::Code code, std::string_view what) {
  return {.code = code, .message = std::string(what) + ": " + take_openssl_reasons()};
}

void forget_openssl_errors() {
  ERR_clear_error();
}

}  // namespace meshtrust::pki
