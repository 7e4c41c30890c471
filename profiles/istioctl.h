#pragma once

#include "base/json.h"
#include "profiles/installation.h"

#include <optional>
#include <string>

namespace meshtrust::profiles {

/// What istioctl is given (`install -f`, `manifest generate -f`): an IstioOperator file, which is
/// never an object in a cluster.
base::Json istio_operator(const Installation& installation);

/// The same as YAML; the same installation gives the same bytes.
std::string istio_operator_file(const Installation& installation);

/// SHA-256, in hexadecimal, over the canonical JSON of version, method and IstioOperator: what an
/// installed control plane is marked with. Nothing while a reference is open.
std::optional<std::string> digest_of(const Installation& installation);

}  // namespace meshtrust::profiles
