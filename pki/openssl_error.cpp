#include "pki/openssl_error.h"

#include <openssl/asn1.h>
#include <openssl/asn1err.h>
#include <openssl/err.h>

namespace meshtrust::pki {

namespace {

/// OpenSSL's words, and for its decoder of ASN.1, which speaks to its authors, our own. Empty for
/// what says nothing.
std::string words_of(unsigned long code) {
  const char* text = ERR_reason_error_string(code);
  if (text == nullptr) return {};
  if (ERR_GET_LIB(code) != ERR_LIB_ASN1) return text;
  switch (ERR_GET_REASON(code)) {
    case ERR_R_NESTED_ASN1_ERROR:
      return {};  // of each structure around the one that is broken
    case ASN1_R_TOO_LONG:
    case ASN1_R_HEADER_TOO_LONG:
    case ASN1_R_NOT_ENOUGH_DATA:
      return "it is cut off, or a length in it is wrong";
    case ASN1_R_WRONG_TAG:
    case ASN1_R_BAD_OBJECT_HEADER:
    case ASN1_R_FIELD_MISSING:
    case ASN1_R_UNEXPECTED_EOC:
    case ASN1_R_SEQUENCE_NOT_CONSTRUCTED:
      return "its structure is broken";
    default:
      return text;
  }
}

}  // namespace

std::string take_openssl_reasons() {
  std::string reasons;
  std::string last;
  while (const unsigned long code = ERR_get_error()) {
    const std::string text = words_of(code);
    if (text.empty() || last == text) continue;
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
