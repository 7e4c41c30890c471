#pragma once

#include "base/error.h"
#include "base/result.h"
#include "mesh/observation.h"
#include "mesh/rotation/plan.h"
#include "profiles/mesh.h"

#include <optional>
#include <string>
#include <vector>

namespace meshtrust::mesh::rotation {

/// A cluster as it is.
struct CurrentIssuer {
  std::string cluster;
  TrustBundle now;
  Circumstances circumstances;
};

/// What is assumed of every cluster, whatever the mesh file says of it.
struct Assumed {
  std::optional<istio::Version> version = {};
  std::optional<bool> multi_root = {};
};

/// The clusters with istiods as they were seen. Versions and switches are the mesh file's: the
/// newest known version where it names none, ISTIO_MULTIROOT_MESH from `pilot.env` and
/// PROXY_CONFIG_XDS_AGENT from `meshConfig.defaultConfig.proxyMetadata` of its values.
///
/// Every cluster whose trust is not known, absent or unreadable is an error: no pair with it could
/// be judged.
base::Result<std::vector<CurrentIssuer>, base::Errors> current_issuers(
    const profiles::Mesh& mesh, const Observation& observation, const Assumed& assumed);

}  // namespace meshtrust::mesh::rotation
