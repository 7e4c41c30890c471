#include "pki/der.h"
#include "pki/path/path_extensions.h"

namespace meshtrust::pki {
namespace {

constexpr unsigned kConstructedBit = 0x20;
constexpr unsigned kClassMask = 0xc0;
constexpr int kDeepest = 32;

/// The length that DER needs for `size`, as octets.
std::size_t shortest_length(std::size_t size) {
  std::size_t octets = 1;
  if (size < 0x80) return octets;
  for (std::size_t left = size; left != 0; left >>= 8U) {
    ++octets;
  }
  return octets;
}

bool is_strict(base::ByteView der, int depth) {
  while (!der.empty()) {
    const auto element = first_element(der);
    if (!element || depth > kDeepest) return false;
    const unsigned first = der.front();
    const std::size_t header = element->whole.size() - element->content.size();
    constexpr unsigned kLongTag = 0x1f;
    if ((first & kLongTag) == kLongTag) return false;  // no certificate has such tags
    if (header != 1 + shortest_length(element->content.size())) return false;
    const bool universal = (first & kClassMask) == 0;
    if (universal && element->tag == V_ASN1_BOOLEAN) {
      if (element->content.size() != 1) return false;
      if (element->content[0] != 0 && element->content[0] != 0xff) return false;
    }
    if ((first & kConstructedBit) != 0 && !is_strict(element->content, depth + 1)) return false;
    der = der.subspan(element->whole.size());
  }
  return true;
}

}  // namespace

bool is_strict_der(base::ByteView der) {
  return is_strict(der, 0);
}

}  // namespace meshtrust::pki
