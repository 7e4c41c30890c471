#pragma once

#include "mesh/objects.h"
#include "profiles/mesh.h"

#include <optional>
#include <string>
#include <vector>

namespace meshtrust::mesh {

/// What the reader role of `cluster` and its binding do not give the istiods of `istiod`, as they
/// stand in `objects` of `cluster`: "list services". Nothing where role or binding are not known.
/// Other roles that a person has bound may give it all the same: the token itself tells that.
std::optional<std::vector<std::string>> rights_not_given(const profiles::Mesh& mesh,
                                                         const profiles::Cluster& istiod,
                                                         const profiles::Cluster& cluster,
                                                         const Objects& objects);

}  // namespace meshtrust::mesh
