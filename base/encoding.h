#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

#include <string>
#include <string_view>

namespace meshtrust::base {

/// Lower-case hexadecimal without separators.
std::string to_hex(ByteView bytes);
/// kInvalidInput unless `text` is an even number of hexadecimal digits.
Result<Bytes> from_hex(std::string_view text);

/// Standard base64 with padding and without line ends (RFC 4648 section 4).
std::string to_base64(ByteView bytes);
/// Appends the base64 of `bytes` to a secret, leaving no copy anywhere else.
void append_base64(Secret& out, ByteView bytes);

/// Reads standard base64 with padding; line ends inside are skipped, anything else (a blank, the
/// URL alphabet, missing padding) is kInvalidInput, as Kubernetes reads it. The message never
/// quotes the text.
Result<Bytes> from_base64(std::string_view text);
/// The same into a secret.
Result<Secret> secret_from_base64(std::string_view text);

/// SHA-256 of `bytes`, 32 bytes.
Bytes sha256(ByteView bytes);

/// "5f3a9c01..." to "5f3a 9c01 ...": the one grouping of fingerprints that people see.
std::string group_hex(std::string_view hex);

}  // namespace meshtrust::base
