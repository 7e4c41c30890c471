#pragma once

#include "base/secret.h"
#include "k8s/http.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::k8s {

/// The header lines of `request` under `settings`, without the user agent, each ending in a zero
/// byte as libcurl wants it. All are secrets because one of them is the credential.
std::vector<base::Secret> request_headers(const ClientSettings& settings, const Request& request);

/// The text of a `Warning` header ("299 - \"text\"", RFC 7234 section 5.5), unescaped and
/// printable; nothing for other codes and for what is malformed.
std::optional<std::string> warning_text(std::string_view header);

/// Whether `value` can stand in a header (RFC 7230 section 3.2): a line end would begin another
/// one, and libcurl reads up to the first NUL.
bool is_header_value(std::string_view value);

/// `key` as it may stand in the header name `Impersonate-Extra-<key>`: what is outside the token
/// set of RFC 7230, and "%", is percent-encoded.
std::string encode_extra_key(std::string_view key);

}  // namespace meshtrust::k8s
