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

enum class ExecPlugins { kAsContracted, kAllowed };

/// The flag that says `kAllowed`.
void declare_allow_exec(CLI::App& app, bool& allow);

/// Reads and checks the mesh file that `-f` names. All its problems together.
base::Result<profiles::Mesh, base::Errors> load_mesh_file(const Session& session);

/// A mesh and the world it lives in, ready to be observed. Not movable: `world` refers to the rest.
struct MeshContext {
  profiles::Mesh mesh;
  std::unique_ptr<run::Clusters> clusters;
  std::unique_ptr<run::World> world;
};

/// How clusters are reached, from flags and environment.
run::ClusterAccess cluster_access(const Session& session, ExecPlugins exec);
k8s::ClientEffects client_effects(const Session& session);

/// Whether keys may be pushed to servers whose certificate nobody verifies.
enum class Unverified { kRefused, kAllowed };

base::Result<MeshContext, base::Errors> open_mesh(Session& session,
                                                  ExecPlugins exec = ExecPlugins::kAsContracted,
                                                  Unverified push = Unverified::kRefused);

/// kUsage when `names` holds something that is no cluster of `mesh`.
base::Status check_cluster_names(const profiles::Mesh& mesh, const std::vector<std::string>& names);

/// Where kubeconfigs are looked for, from flags and environment.
k8s::KubeconfigSources kubeconfig_sources(const Session& session);

}  // namespace meshtrust::cli
