#pragma once

#include "base/bytes.h"
#include "pki/der.h"

#include <cstdint>
#include <optional>

namespace meshtrust::pki {

/// Identifier octets as they stand in a certificate.
enum DerTag : std::uint8_t {
  kBooleanTag = 0x01,
  kIntegerTag = 0x02,
  kObjectTag = 0x06,
  kSequenceTag = 0x30,
  kContextTag = 0x80,             ///< [0], primitive
  kConstructedContextTag = 0xa0,  ///< [0], constructed
};

/// Whether the length of `element` is written in as few octets as it takes (X.690 10.1).
bool has_shortest_length(const DerElement& element);

/// Takes elements off a text from the left, as strict readers of DER do: lengths are as short as
/// they can be, and tags fit into an octet (inside).
class DerReader {
 public:
  explicit DerReader(base::ByteView der) : rest_(der) {}

  bool at_end() const { return rest_.empty(); }
  bool is_next(unsigned tag) const { return !rest_.empty() && rest_.front() == tag; }
  /// The next element; nothing when it is malformed.
  std::optional<DerElement> take();
  /// The same; nothing too when it has another tag.
  std::optional<DerElement> take(unsigned tag);

 private:
  base::ByteView rest_;
};

/// An element of this tag around `content`.
base::Bytes der_element(unsigned tag, base::ByteView content);

}  // namespace meshtrust::pki
