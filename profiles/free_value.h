#pragma once

#include "base/json.h"
#include "base/yaml.h"
#include "profiles/reading.h"

namespace meshtrust::profiles {

/// Reads a document whose keys are somebody else's as JSON. Reported and left out are keys written
/// twice, keys that are no text, and unquoted scalars that YAML 1.1 and 1.2 read differently:
/// `yes`, `1.30`, `012`. true, false, null and plain decimal numbers are what they look like.
FreeValue read_free(const base::YamlNode& node, Report& report);

/// `path` and one more key: "global.network"; a dot inside a key becomes "\.", as for Helm.
std::string path_in(std::string_view path, std::string_view key);

}  // namespace meshtrust::profiles
