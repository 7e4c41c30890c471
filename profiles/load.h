#pragma once

#include "base/result.h"
#include "profiles/mesh.h"

#include <string_view>

namespace meshtrust::profiles {

/// Reads a mesh file. `file` is its name in messages; nothing is opened.
///
/// All problems are returned together, in the order of the file, each kInvalidInput with its place
/// and the line to show: text that is not YAML, unknown, duplicate and missing keys, wrong types,
/// values outside their bounds, scalars that YAML 1.1 and 1.2 read differently, and combinations
/// that make no mesh. What stands at a broken key is not judged further, so one mistake gives one
/// error.
base::Result<Mesh, base::Errors> load_mesh(std::string_view file, std::string_view text);

}  // namespace meshtrust::profiles
