#pragma once

#include "mesh/observation.h"
#include "profiles/mesh.h"

#include <set>
#include <string>
#include <vector>

namespace meshtrust::mesh {

/// A remote that its istiod reads and does not manage.
struct Unmanaged {
  std::string remote;
  std::string manager;  ///< the cluster of that istiod
  std::string lacks;    ///< what it should have put there: "istio-sidecar-injector has no CA ..."
};

/// Remotes without the CA or the roots that their istiod gives to what it manages, although it has
/// read them. An istiod asks once whether it manages a cluster, when it begins to read it: by the
/// annotation of the cluster's system namespace. Neither that annotation nor any change of the
/// cluster after it is looked at again, and what the remote secret holds counts only when it is
/// another; a new istiod asks anew.
///
/// Left out are remotes that something else keeps back, which a plan mends by itself: a remote
/// secret that is not as it should be, a reader without its rights, an istiod that is just being
/// rolled out, or that has no CA of the mesh. Only what was seen counts: of a manager whose istiods
/// were not asked nothing is said.
std::vector<Unmanaged> unmanaged_remotes(const profiles::Mesh& mesh,
                                         const Observation& observation);
/// What is to be said of one cluster.
std::vector<Unmanaged> unmanaged(const profiles::Mesh& mesh,
                                 const Observation& observation,
                                 const profiles::Cluster& remote);

/// Clusters whose istiods have to be asked for that: those of which everything else was seen.
std::set<std::string> istiods_to_ask(const profiles::Mesh& mesh, const Observation& observation);

}  // namespace meshtrust::mesh
