#include "pki/der.h"

#include "pki/openssl_error.h"

#include <array>
#include <limits>

namespace meshtrust::pki {
namespace {

constexpr int kConstructed = 1;
constexpr int kDefiniteMask = 0x81;  // bits of ASN1_get_object: error, indefinite length

}  // namespace

std::optional<DerElement> first_element(base::ByteView der) {
  if (der.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return std::nullopt;
  const unsigned char* content = der.data();
  long size = 0;
  int tag = 0;
  int tag_class = 0;
  const int answer =
      ASN1_get_object(&content, &size, &tag, &tag_class, static_cast<long>(der.size()));
  if ((answer & kDefiniteMask) != 0) {
    forget_openssl_errors();
    return std::nullopt;
  }
  const auto header = static_cast<std::size_t>(content - der.data());
  const auto length = static_cast<std::size_t>(size);
  return DerElement{
      .tag = tag, .whole = der.first(header + length), .content = der.subspan(header, length)};
}

void append_header(base::Bytes& out, int tag, std::size_t size) {
  std::array<unsigned char, 16> header{};
  unsigned char* end = header.data();
  const bool constructed = tag == V_ASN1_SEQUENCE || tag == V_ASN1_SET;
  ASN1_put_object(&end, constructed ? kConstructed : 0, static_cast<int>(size), tag,
                  V_ASN1_UNIVERSAL);
  out.insert(out.end(), header.data(), end);
}

}  // namespace meshtrust::pki
