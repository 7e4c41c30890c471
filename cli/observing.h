#pragma once

#include "base/result.h"
#include "cli/mesh_context.h"
#include "cli/session.h"
#include "mesh/observation.h"
#include "profiles/mesh.h"

#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace meshtrust::cli {

/// `--from FILE` and `--at TIME`: think about a saved observation instead of looking.
struct SnapshotOptions {
  std::string from;
  std::string at;
  bool allow_exec = false;

  void declare(CLI::App& app);
};

/// A mesh, what is known of it, and the time it is judged for.
struct SeenMesh {
  profiles::Mesh mesh;
  mesh::Observation observation;
  base::Instant at;
};

/// Looks at the live mesh, telling on the console how far it is.
mesh::Observation observe_live(Session& session, const MeshContext& context);

/// The live mesh, or the snapshot that `options` name (its age is said).
base::Result<SeenMesh, base::Errors> observe_or_read(Session& session,
                                                     const SnapshotOptions& options);

/// The time in `--at`, or now.
base::Result<base::Instant> time_or_now(const Session& session, const std::string& at);

}  // namespace meshtrust::cli
