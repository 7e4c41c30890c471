#pragma once

#include "base/result.h"
#include "cli/mesh_context.h"
#include "cli/session.h"
#include "mesh/check.h"
#include "mesh/observation.h"
#include "mesh/plan.h"
#include "profiles/mesh.h"
#include "run/observe.h"

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace meshtrust::cli {

/// `--from FILE` and `--at TIME`: think about a saved observation instead of looking.
struct SnapshotOptions {
  std::string from;
  std::string at;
  run::KubeconfigTrust trust = {};

  void declare(CLI::App& app);
};

/// How much of live clusters is looked at: `--level` where a command has several, and `--pods`.
class DepthOptions {
 public:
  /// `levels` as they are written between "|"; `help` says which is the default.
  void declare_level(CLI::App& app, const std::string& levels, const std::string& help);
  void declare_pods(CLI::App& app);

  /// One of them was given.
  bool is_given() const { return !level_.empty() || pods_.has_value(); }
  /// kUsage where they contradict each other, or `snapshot` names a file.
  base::Status check(const SnapshotOptions& snapshot, mesh::Level usual) const;
  /// `usual` where nobody says.
  run::Depth depth(mesh::Level usual) const;

 private:
  std::string level_;
  std::optional<std::size_t> pods_;
};

/// Which level a mesh file without a version of Istio, of which nothing can be installed, is looked
/// at: that of trust; any other at `wanted`.
mesh::Level level_for(const profiles::Mesh& mesh, mesh::Level wanted);

/// The users' own files that a mesh file names (`clusters[].file`), relative to it.
base::Result<mesh::BaseFiles> read_base_files(const Session& session, const profiles::Mesh& mesh);

/// A mesh, what is known of it, and the time it is judged for.
struct SeenMesh {
  profiles::Mesh mesh;
  mesh::Observation observation;
  base::Instant at;
  mesh::BaseFiles files;
  /// Of others, where they were looked for; of a cluster where one is at work nothing is known.
  std::vector<run::AtWork> runs = {};
};

/// Whether a command wants to know who else is at work.
enum class OtherRuns { kIgnored, kLookedFor };

/// Looks at the live mesh, telling on the console how far it is.
mesh::Observation observe_live(Session& session,
                               const MeshContext& context,
                               run::Depth depth = mesh::Level::kTrust);

/// Adds what is in the namespaces of the clusters that leave, likewise.
void observe_contents(Session& session,
                      const MeshContext& context,
                      const mesh::DestroyOptions& options,
                      mesh::Observation& observation);

/// The live mesh, or the snapshot that `options` name (its age is said).
base::Result<SeenMesh, base::Errors> observe_or_read(Session& session,
                                                     const SnapshotOptions& options,
                                                     run::Depth wanted = mesh::Level::kTrust,
                                                     OtherRuns others = OtherRuns::kIgnored);

/// The time in `--at`, or now.
base::Result<base::Instant> time_or_now(const Session& session, const std::string& at);

}  // namespace meshtrust::cli
