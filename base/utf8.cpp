#include "base/utf8.h"

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

std::size_t find_non_utf8(std::string_view text) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    std::size_t length = 0;
    for (const Form& form : kForms) {
      if (begins_with(text.substr(offset), form)) length = form.following + 1;
    }
    if (length == 0) return offset;
    offset += length;
  }
  return std::string_view::npos;
}

}  // namespace meshtrust::base
