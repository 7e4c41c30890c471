#pragma once

#include "base/result.h"
#include "cli/session.h"
#include "profiles/mesh.h"
#include "run/clusters.h"
#include "run/world.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace meshtrust::cli {

/// The flags by which a kubeconfig that the mesh file names is trusted.
void declare_trust(CLI::App& app, run::KubeconfigTrust& trust);

/// Reads and checks the mesh file that `-f` names. All its problems together.
base::Result<profiles::Mesh, base::Errors> load_mesh_file(const Session& session);

/// A mesh and the world it lives in, ready to be observed. Not movable: `world` refers to the rest.
struct MeshContext {
  profiles::Mesh mesh;
  run::ClusterAccess access;
  std::unique_ptr<k8s::PluginCache> plugins;  ///< of all clients of these clusters
  std::unique_ptr<run::Clusters> clusters;
  std::unique_ptr<run::World> world;
};

/// How clusters are reached, from flags and environment.
run::ClusterAccess cluster_access(const Session& session, const run::KubeconfigTrust& trust);
k8s::ClientEffects client_effects(const Session& session);

/// Whether keys may be pushed to servers whose certificate nobody verifies.
enum class Unverified { kRefused, kAllowed };

base::Result<MeshContext, base::Errors> open_mesh(Session& session,
                                                  const run::KubeconfigTrust& trust,
                                                  Unverified push = Unverified::kRefused);

/// kUsage when `names` holds something that is no cluster of `mesh`.
base::Status check_cluster_names(const profiles::Mesh& mesh, const std::vector<std::string>& names);

/// Where kubeconfigs are looked for, from flags and environment.
k8s::KubeconfigSources kubeconfig_sources(const Session& session);

}  // namespace meshtrust::cli
