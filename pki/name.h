#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::pki {

/// One attribute of a distinguished name, by its short name of RFC 4514 ("O", "CN", "OU", "C",
/// "ST", "L"). Values are UTF-8.
struct NameAttribute {
  std::string type;
  std::string value;
  friend bool operator==(const NameAttribute&, const NameAttribute&) = default;
};

/// A distinguished name that meshtrust is to write into a certificate, in the order of encoding
/// (most significant first: "O=Shop,CN=Shop Mesh Root"). Names of existing certificates are never
/// re-encoded: an issuer's bytes are copied (RFC 5280 4.1.2.4).
struct DistinguishedName {
  std::vector<NameAttribute> attributes;

  /// Reads "O=Shop,CN=Shop Mesh Root"; a backslash escapes a comma, an equals sign or itself.
  /// kInvalidInput for an unknown attribute type, an empty or over-long value (X.520 upper
  /// bounds: 64 for O, OU and CN, 128 for L and ST, exactly 2 capital letters for C).
  static base::Result<DistinguishedName> parse(std::string_view text);
  std::string text() const;

  friend bool operator==(const DistinguishedName&, const DistinguishedName&) = default;
};

}  // namespace meshtrust::pki
