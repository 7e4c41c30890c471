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

  /// Reads "O=Shop,CN=Shop Mesh Root"; a backslash escapes a comma, an equals sign or itself, and
  /// blanks around types and values are dropped. kInvalidInput as for `check`, or when the text is
  /// not a list of TYPE=VALUE.
  static base::Result<DistinguishedName> parse(std::string_view text);

  /// kInvalidInput for no attribute at all, an unknown attribute type, a value that is not UTF-8,
  /// holds control characters, begins or ends with a blank, is empty or over-long (X.520 upper
  /// bounds: 64 characters for O, OU and CN, 128 for L and ST, exactly 2 capital letters for C).
  base::Status check() const;

  std::string text() const;

  friend bool operator==(const DistinguishedName&, const DistinguishedName&) = default;
};

}  // namespace meshtrust::pki
