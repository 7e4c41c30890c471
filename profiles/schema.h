#pragma once

#include "base/json.h"

namespace meshtrust::profiles {

/// The JSON Schema (draft 7, the one that editors know best) of the mesh file, made from the same
/// table of keys as the loader. It accepts what `load_mesh` accepts but for what a schema cannot
/// say; profiles/README.md lists that.
base::Json mesh_schema();

}  // namespace meshtrust::profiles
