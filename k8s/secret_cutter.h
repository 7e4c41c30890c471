#pragma once

#include "base/result.h"
#include "base/secret.h"

#include <map>
#include <string>
#include <string_view>

namespace meshtrust::k8s {

/// The annotation in which `kubectl apply` keeps a copy of the whole object, values included.
inline constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/// Cuts the values out of the JSON of a Secret, in place: each string in the top-level `data` is
/// decoded and blanked, each in `stringData` and the last-applied copy is blanked. What remains is
/// still the same JSON document, with nothing secret in it.
///
/// kUnavailable when `json` is malformed, deeper than 64 levels, or `data` is not a map of base64
/// strings. The message quotes nothing but key names.
base::Result<std::map<std::string, base::Secret>> cut_secret_values(base::Secret& json);

}  // namespace meshtrust::k8s
