#pragma once

#include "mesh/check.h"
#include "mesh/observation.h"
#include "mesh/plan.h"
#include "profiles/mesh.h"
#include "tests/support/found.h"

#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh::testing {

/// 2026-11-21T10:00:00Z, the present of these tests.
constexpr base::Instant kNow{base::Seconds(1'795'255'200)};

/// The certificate tests/data/trust/NAME.pem; its README says who they are.
std::string pem(const std::string& name);

/// What things of a mesh with the root tests/data/trust/NAME.pem bear beside its name.
std::string root_mark(const std::string& name);

/// The mesh `shop` of primaries with these names, on networks of the same names. `trust` is put
/// into its `trust` mapping, `clusters` behind its list of clusters.
profiles::Mesh shop(const std::vector<std::string>& names,
                    const std::string& trust = {},
                    const std::string& clusters = {});

/// A Kubernetes cluster that answers, with nothing of Istio in it.
ClusterObservation bare(const std::string& name);
/// One to which trust was applied: `certificate` under `root`, with namespace, label and twin.
ClusterObservation applied(const profiles::Mesh& mesh,
                           const std::string& name,
                           const std::string& certificate,
                           const std::string& root = "root");
inline ClusterObservation applied(const profiles::Mesh& mesh, const std::string& name) {
  return applied(mesh, name, name);
}

/// A volume of a CSI driver at /etc/cacerts of the Deployment istiod.
CaVolume csi_volume();

/// The store of shop: its root, and intermediates that arrived.
StoreFacts store(const std::vector<std::string>& issued = {});
IssuedFacts issued(const std::string& cluster, const std::string& state = "pushed");

/// A mesh and what was seen of it; every part may be changed by a test.
struct Scene {
  profiles::Mesh mesh;
  Observation observation;
  base::Instant at = kNow;
  Purpose purpose = Purpose::kChange;
  std::vector<std::string> left_out = {};  ///< of the mesh file, and not looked at

  ClusterObservation& cluster(const std::string& name);
  StoreFacts facts() const { return test::found_in(observation.store); }
};

/// Somebody deletes the CA of an istiod that runs.
void lose_cacerts(Scene& scene, const std::string& name);
/// Its istiod runs with a CA of somebody else's, from `csi_volume`, and has published the roots
/// tests/data/trust/PUBLISHED.pem; none where there are no names.
void mount_ca(Scene& scene,
              const std::string& name,
              const std::vector<std::string>& published = {"root"});

/// Primaries without a store and with nothing in them.
Scene fresh_scene(const std::vector<std::string>& names);
/// Primaries to which trust was applied, with the store that did it.
Scene applied_scene(const std::vector<std::string>& names);

/// Findings with everything in them, then what is unknown; "" for a yes.
std::string describe(const Answer& answer);
/// What one check says about a scene.
std::string ask(std::string_view check, const Scene& scene);
Planned plan(const Scene& scene);

}  // namespace meshtrust::mesh::testing
