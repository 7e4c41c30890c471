#include "base/utf8.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace meshtrust::base {
namespace {

/// A row of the table of RFC 3629 section 4: the range of the first byte, how many follow, and the
/// range of the second, which is what keeps overlong forms and surrogates out.
struct Form {
  std::uint8_t first_low, first_high;
  std::size_t following;
  std::uint8_t second_low, second_high;
};

constexpr std::array kForms{
    Form{0x00, 0x7f, 0, 0x00, 0x00}, Form{0xc2, 0xdf, 1, 0x80, 0xbf},
    Form{0xe0, 0xe0, 2, 0xa0, 0xbf}, Form{0xe1, 0xec, 2, 0x80, 0xbf},
    Form{0xed, 0xed, 2, 0x80, 0x9f}, Form{0xee, 0xef, 2, 0x80, 0xbf},
    Form{0xf0, 0xf0, 3, 0x90, 0xbf}, Form{0xf1, 0xf3, 3, 0x80, 0xbf},
    Form{0xf4, 0xf4, 3, 0x80, 0x8f},
};

bool is_between(char c, std::uint8_t low, std::uint8_t high) {
  const auto byte = static_cast<std::uint8_t>(c);
  return byte >= low && byte <= high;
}

struct Range {
  char32_t first, last;
};

/// Of Unicode 15.1: the general categories Cc, Cf, Zl and Zp, the characters that are
/// Default_Ignorable_Code_Point, and the non-characters.
constexpr std::array kUnseen{
    Range{0x0000, 0x001f},   Range{0x007f, 0x009f},   Range{0x00ad, 0x00ad},
    Range{0x034f, 0x034f},   Range{0x0600, 0x0605},   Range{0x061c, 0x061c},
    Range{0x06dd, 0x06dd},   Range{0x070f, 0x070f},   Range{0x0890, 0x0891},
    Range{0x08e2, 0x08e2},   Range{0x115f, 0x1160},   Range{0x17b4, 0x17b5},
    Range{0x180b, 0x180f},   Range{0x200b, 0x200f},   Range{0x2028, 0x202e},
    Range{0x2060, 0x206f},   Range{0x3164, 0x3164},   Range{0xfdd0, 0xfdef},
    Range{0xfe00, 0xfe0f},   Range{0xfeff, 0xfeff},   Range{0xffa0, 0xffa0},
    Range{0xfff0, 0xfffb},   Range{0xfffe, 0xffff},   Range{0x110bd, 0x110bd},
    Range{0x110cd, 0x110cd}, Range{0x13430, 0x1343f}, Range{0x1bca0, 0x1bca3},
    Range{0x1d173, 0x1d17a}, Range{0xe0000, 0xe0fff},
};

bool begins_with(std::string_view text, const Form& form) {
  if (!is_between(text.front(), form.first_low, form.first_high)) return false;
  if (text.size() <= form.following) return false;
  if (form.following > 0 && !is_between(text[1], form.second_low, form.second_high)) return false;
  for (std::size_t i = 2; i <= form.following; ++i) {
    if (!is_between(text[i], 0x80, 0xbf)) return false;
  }
  return true;
}

}  // namespace

Utf8Character first_character(std::string_view text) {
  if (text.empty()) return {};
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {.code = byte(0), .bytes = 1};
  for (const Form& form : kForms) {
    if (!begins_with(text, form)) continue;
    // The first byte of a form of n bytes holds 7 - n bits, each that follows six.
    char32_t code = byte(0) & (0x3fU >> form.following);
    for (std::size_t i = 1; i <= form.following; ++i) {
      code = (code << 6U) | (byte(i) & 0x3fU);
    }
    return {.code = code, .bytes = form.following + 1};
  }
  return {};
}

bool is_unseen(char32_t code) {
  if (code >= 0x20 && code < 0x7f) return false;
  return std::any_of(kUnseen.begin(), kUnseen.end(), [code](const Range& range) {
    return code >= range.first && code <= range.last;
  });
}

std::size_t find_non_utf8(std::string_view text) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    const std::size_t length = first_character(text.substr(offset)).bytes;
    if (length == 0) return offset;
    offset += length;
  }
  return std::string_view::npos;
}

}  // namespace meshtrust::base
