#pragma once

#include "base/json.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <string>

namespace meshtrust::profiles {

/// Lays `over` over `values` as Helm does: mappings key by key, everything else replaced whole. A
/// null stays a null: it is how a chart's default is taken away.
void merge_values(base::Json& values, const base::Json& over);

/// Calls `visit` with the path ("global.network") and value of everything in `values` that is not a
/// mapping with entries, in the order of paths.
using VisitLeaf = std::function<void(const std::string& path, const base::Json& value)>;
void for_each_leaf(const base::Json& values, const VisitLeaf& visit);

/// The value at a path as `for_each_leaf` spells it, or null where there is none.
const base::Json* find_path(const base::Json& values, const std::string& path);

}  // namespace meshtrust::profiles
