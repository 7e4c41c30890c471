#pragma once

#include "mesh/check.h"
#include "mesh/observation.h"
#include "profiles/mesh.h"

namespace meshtrust::mesh {

/// Whether anything of the mesh beyond its trust is installed anywhere, or may be, so that it can
/// be judged. Never where `observation` is of level `kTrust`, or nothing can be installed.
bool is_begun(const profiles::Mesh& mesh, const Observation& observation, const BaseFiles& files);

/// How far a mesh that is not begun has come in one of its clusters.
enum class Beginning {
  kNothing,    ///< nothing of it is there
  kNamespace,  ///< its system namespace, and no CA
  kTrust,      ///< a CA for its istiod
  kElse,       ///< something else: another's namespace, what is left of a CA, or it is not known
};
Beginning beginning_in(const profiles::Mesh& mesh,
                       const profiles::Cluster& cluster,
                       const Observation& observation);

}  // namespace meshtrust::mesh
