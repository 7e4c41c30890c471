#pragma once

#include "base/bytes.h"

#include <openssl/asn1.h>

#include <optional>

namespace meshtrust::pki {

/// One DER element inside a larger text, as views into it.
struct DerElement {
  int tag = 0;             ///< universal tag number, e.g. V_ASN1_SEQUENCE
  base::ByteView whole;    ///< header and content
  base::ByteView content;  ///< without the header
};

/// The first element of `der`; nothing when there is none, or its length is indefinite or too long.
std::optional<DerElement> first_element(base::ByteView der);

/// Appends tag (universal) and length of an element that will hold `size` bytes.
void append_header(base::Bytes& out, int tag, std::size_t size);

/// What OpenSSL's encoder `encode` (an i2d function) writes for `object`; empty when it cannot.
template <class Encode, class Object>
base::Bytes to_der(Encode encode, Object* object) {
  const int size = encode(object, nullptr);
  if (size <= 0) return {};
  base::Bytes der(static_cast<std::size_t>(size));
  unsigned char* out = der.data();
  encode(object, &out);
  return der;
}

/// The content of a string type of OpenSSL.
inline base::ByteView content_of(const ASN1_STRING* string) {
  return {ASN1_STRING_get0_data(string), static_cast<std::size_t>(ASN1_STRING_length(string))};
}

}  // namespace meshtrust::pki
