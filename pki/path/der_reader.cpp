#include "pki/path/der_reader.h"

#include <array>

namespace meshtrust::pki {

bool has_shortest_length(const DerElement& element) {
  constexpr std::size_t kFirstLong = 0x80;
  constexpr unsigned kOctetBits = 8;
  std::size_t header = 2;
  const std::size_t size = element.content.size();
  for (std::size_t left = size < kFirstLong ? 0 : size; left != 0; left >>= kOctetBits) {
    ++header;
  }
  return element.whole.size() - size == header;
}

std::optional<DerElement> DerReader::take() {
  constexpr unsigned kLongTag = 0x1f;
  if (rest_.empty() || (rest_.front() & kLongTag) == kLongTag) return std::nullopt;
  const auto element = first_element(rest_);
  if (!element || !has_shortest_length(*element)) return std::nullopt;
  rest_ = rest_.subspan(element->whole.size());
  return element;
}

std::optional<DerElement> DerReader::take(unsigned tag) {
  return is_next(tag) ? take() : std::nullopt;
}

base::Bytes der_element(unsigned tag, base::ByteView content) {
  constexpr unsigned kConstructed = 0x20;
  constexpr unsigned kNumber = 0x1f;
  constexpr unsigned kClass = 0xc0;
  std::array<unsigned char, 16> header{};
  unsigned char* end = header.data();
  ASN1_put_object(&end, (tag & kConstructed) == 0 ? 0 : 1, static_cast<int>(content.size()),
                  static_cast<int>(tag & kNumber), static_cast<int>(tag & kClass));
  base::Bytes element(header.data(), end);
  element.insert(element.end(), content.begin(), content.end());
  return element;
}

}  // namespace meshtrust::pki
