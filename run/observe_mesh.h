#pragma once

#include "k8s/api_client.h"
#include "mesh/condition.h"
#include "mesh/observation.h"
#include "mesh/take_up.h"
#include "profiles/mesh.h"
#include "run/looking.h"
#include "run/world.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::run {

/// Looks at one cluster beyond its trust, and writes nothing. Never fails: what could not be seen
/// is unknown. Secrets are reduced to fingerprints here.
class MeshObserver {
 public:
  MeshObserver(const profiles::Mesh& mesh, const profiles::Cluster& cluster, k8s::ApiClient& client)
      : mesh_(mesh), cluster_(cluster), client_(client) {}

  /// Everything of `level`.
  mesh::LiveMesh observe(mesh::Level level);

  /// The objects of these resources alone; all when empty.
  mesh::Objects objects(const std::vector<std::string_view>& resources = {});
  mesh::Observed<std::vector<mesh::RemoteSecretFacts>> remote_secrets();
  mesh::Observed<std::vector<mesh::TokenSecretFacts>> tokens();
  mesh::Observed<std::vector<mesh::IstiodView>> istiods();
  /// How often the istiods of the mesh were refused something by the API server of `source`. An
  /// error where one of them does not say it.
  base::Result<std::vector<mesh::Refusals>> refusals(const std::string& source);

 private:
  base::Result<std::vector<std::string>> running_istiods(const std::string& space);
  std::string selector_in(const std::string& space) const;

  const profiles::Mesh& mesh_;
  const profiles::Cluster& cluster_;
  k8s::ApiClient& client_;
};

/// Where the objects called `resource` ("deployments.apps") are found: all of them in
/// `namespace_name`. Nothing for what is not looked at.
std::optional<k8s::ObjectRef> ref_of(std::string_view resource, std::string_view namespace_name);

/// Tries the remote secrets that `observation` holds, each as its istiod would use it.
void try_remote_secrets(const profiles::Mesh& mesh,
                        const World& world,
                        mesh::Observation& observation,
                        const Onlooker& onlooker = {});

}  // namespace meshtrust::run
