#pragma once

#include "mesh/check.h"
#include "mesh/lists.h"

#include <string>
#include <vector>

// What live clusters tell about the store that was used for them last.

namespace meshtrust::mesh {

/// Where the public half of a cluster's trust stands.
struct TrustPlace {
  std::string cluster;
  bool is_twin = false;  ///< of `cacerts`, else that itself
};
/// "secret 'istio-system/cacerts' of east".
std::string describe(const TrustPlace& place, const profiles::Mesh& mesh);

/// A list that says more than the store knows, and where it is.
struct SeenList {
  NewerList newer;
  std::vector<TrustPlace> places;
};

/// Those in all clusters, each once, in the order in which they are seen.
std::vector<SeenList> newer_lists_seen(const CheckSubject& subject);

}  // namespace meshtrust::mesh
