#pragma once

#include "base/error.h"

#include <string>
#include <string_view>

namespace meshtrust::pki {

/// Empties this thread's OpenSSL error queue and gives the reasons in it, the root cause first:
/// "bad decrypt: pkcs12 cipherfinal error". No file names, line numbers, library codes or "data" of
/// the queue, which may quote input. "no reason given" when the queue is empty.
std::string take_openssl_reasons();

/// The same as an error: "`what`: reasons".
base::Error openssl_error(base::Code code, std::string_view what);

/// Empties the queue where a failed attempt is an answer and not an error.
void forget_openssl_errors();

}  // namespace meshtrust::pki
