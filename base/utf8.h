#pragma once

#include <cstddef>
#include <string_view>

namespace meshtrust::base {

/// The offset of the first byte that cannot be part of UTF-8 (RFC 3629: no overlong forms, no
/// surrogates, nothing above U+10FFFF), or `npos` when all of `text` is.
std::size_t find_non_utf8(std::string_view text);

}  // namespace meshtrust::base
