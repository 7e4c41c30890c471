#pragma once

#include "base/time.h"

#include <optional>
#include <string_view>

namespace meshtrust::k8s {

/// When a bearer token ends, by its own word (`exp` of a JSON Web Token, RFC 7519 section 4.1.4).
/// Nothing where it is of another kind or does not say. The token is not verified.
std::optional<base::Instant> end_of_token(std::string_view token);

}  // namespace meshtrust::k8s
