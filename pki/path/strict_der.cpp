#include "base/utf8.h"
#include "pki/path/der_reader.h"
#include "pki/path/path_extensions.h"

namespace meshtrust::pki {
namespace {

constexpr unsigned kConstructedBit = 0x20;
constexpr unsigned kClassMask = 0xc0;
constexpr int kDeepest = 32;
constexpr int kEmbeddedValue = 11;  ///< EMBEDDED PDV

bool is_boolean(base::ByteView content) {
  return content.size() == 1 && (content[0] == 0 || content[0] == 0xff);
}

/// Whether an element of this tag is made of others (X.690 8).
bool is_made_of_others(int tag) {
  return tag == V_ASN1_SEQUENCE || tag == V_ASN1_SET || tag == V_ASN1_EXTERNAL ||
         tag == kEmbeddedValue;
}

bool is_utf8(base::ByteView octets) {
  return base::find_non_utf8(base::as_text(octets)) == std::string_view::npos;
}

/// Of a universal type.
void look_at_value(const DerElement& element, bool constructed, DerFlaws& flaws) {
  if (constructed != is_made_of_others(element.tag)) flaws.tags = true;
  if (element.tag == V_ASN1_BOOLEAN && !is_boolean(element.content)) flaws.lengths = true;
  if (element.tag == V_ASN1_BIT_STRING && !has_clean_padding(element.content)) {
    flaws.padding = true;
  }
  const bool is_text = element.tag == V_ASN1_UTF8STRING && !constructed;
  if (is_text && !is_utf8(element.content)) flaws.contents = true;
  if (element.tag == V_ASN1_SET && element.content.empty()) flaws.contents = true;
}

void look(base::ByteView der, int depth, DerFlaws& flaws) {
  while (!der.empty()) {
    const auto element = first_element(der);
    const unsigned first = der.front();
    constexpr unsigned kLongTag = 0x1f;
    // No certificate has tags that are written in several octets.
    if (!element || depth > kDeepest || (first & kLongTag) == kLongTag) {
      flaws.lengths = true;
      return;
    }
    if (!has_shortest_length(*element)) flaws.lengths = true;
    const bool constructed = (first & kConstructedBit) != 0;
    if ((first & kClassMask) == 0) look_at_value(*element, constructed, flaws);
    if (constructed) look(element->content, depth + 1, flaws);
    der = der.subspan(element->whole.size());
  }
}

}  // namespace

/// The first octet counts the bits of the last that do not belong to it; they are zero (X.690
/// 11.2.1).
bool has_clean_padding(base::ByteView bits) {
  constexpr unsigned kMostUnused = 7;
  if (bits.empty() || bits.front() > kMostUnused) return false;
  const unsigned unused = bits.front();
  if (bits.size() == 1) return unused == 0;
  return (bits.back() & ((1U << unused) - 1U)) == 0;
}

DerFlaws flaws_of_der(base::ByteView der) {
  DerFlaws flaws;
  look(der, 0, flaws);
  return flaws;
}

}  // namespace meshtrust::pki
