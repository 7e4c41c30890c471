#pragma once

#include <cstddef>
#include <string_view>

namespace meshtrust::base {

/// The offset of the first byte that cannot be part of UTF-8 (RFC 3629: no overlong forms, no
/// surrogates, nothing above U+10FFFF), or `npos` when all of `text` is.
std::size_t find_non_utf8(std::string_view text);

/// A character, and how many bytes of UTF-8 it takes; 0 where there is none.
struct Utf8Character {
  char32_t code = 0;
  std::size_t bytes = 0;
};

/// The character that `text` begins with.
Utf8Character first_character(std::string_view text);

/// Whether a terminal obeys `code`, or shows nothing for it: controls (C0, DEL, C1), the marks that
/// turn the direction of writing (UAX #9), characters without width, and the separators of lines
/// and paragraphs. By them one name passes for another, or a line for one of ours.
bool is_unseen(char32_t code);

}  // namespace meshtrust::base
