#pragma once

#include "base/bytes.h"

#include <optional>
#include <string_view>

// Extensions that are not as they should be, and what each verifier makes of them all the same
// (inside). Nobody is asked about those that are well formed.

namespace meshtrust::pki {

/// An extension's value without what somebody overlooks in it: it decodes when the rest is well
/// formed.
struct ViewedExtension {
  base::Bytes value;
  bool breaks_off = false;  ///< alternative names: behind the last one stands what stops the reader
};

/// What a verifier sees of the extension `object` (dotted numbers); nothing where it sees it as it
/// is, or cannot read it.
using ExtensionView = std::optional<ViewedExtension> (*)(std::string_view object,
                                                         base::ByteView value);

/// Go reads as far as it needs, from the left, and leaves alone what it has no use for.
std::optional<ViewedExtension> go_view(std::string_view object, base::ByteView value);
/// rustls-webpki reads lists only up to the entry that it looks for, and of names that it does not
/// compare nothing but the kind.
std::optional<ViewedExtension> webpki_view(std::string_view object, base::ByteView value);

}  // namespace meshtrust::pki
