#pragma once

#include "base/result.h"
#include "base/secret.h"

#include <map>
#include <string>
#include <string_view>

namespace meshtrust::k8s {

/// The annotation in which `kubectl apply` keeps a copy of the whole object, values included.
inline constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/// Cuts the values out of the JSON of a Secret, or of a list of Secrets, in place: each string in
/// the top-level `data` is decoded and blanked, each in `stringData` and the last-applied copy is
/// blanked. What remains is still the same JSON document, with nothing secret in it.
///
/// kUnavailable when `json` is malformed, deeper than 64 levels, or `data` is not a map of base64
/// strings. The message quotes nothing but key names.
/// Of a list, values with the same key hide each other: what is left of the text is what counts.
base::Result<std::map<std::string, base::Secret>> cut_secret_values(base::Secret& json);

/// Likewise `status.token` out of the JSON of a TokenRequest; empty when there is none.
base::Result<base::Secret> cut_token(base::Secret& json);

}  // namespace meshtrust::k8s
