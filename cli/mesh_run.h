#pragma once

#include "base/error.h"
#include "base/result.h"
#include "ca/store.h"
#include "cli/exit_code.h"
#include "cli/holding.h"
#include "cli/mesh_context.h"
#include "cli/session.h"
#include "mesh/observation.h"
#include "mesh/plan.h"
#include "run/istioctl.h"

#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::cli {

/// One run of a command that changes clusters: look, plan, show, ask, lock, look and plan again,
/// run, and tell what was found afterwards. This holds what all such commands share; a step that
/// stops the run has said why on the console already, so only its exit code goes up.
class MeshRun {
 public:
  virtual ~MeshRun() = default;
  MeshRun(const MeshRun&) = delete;
  MeshRun& operator=(const MeshRun&) = delete;
  MeshRun(MeshRun&&) = delete;
  MeshRun& operator=(MeshRun&&) = delete;

  /// The whole run. What it held (store, Leases) is let go of however it ends.
  ExitCode run();

 protected:
  struct Stop {
    ExitCode code;
  };
  using Step = base::Result<void, Stop>;

  /// `nothing_changed` is said where a run ends before its first write: "nothing was written
  /// anywhere".
  MeshRun(Session& session, MeshContext& context, std::string nothing_changed);

  virtual ExitCode go() = 0;

  /// Whether this step ends the run; `code_` is then its exit code.
  bool stops(const Step& step);
  static base::Failure<Stop> stopped(ExitCode code) { return {Stop{code}}; }
  Step stop_with(std::span<const base::Error> errors);
  Step stop_with(const base::Error& error);
  /// The same step, after it was said that nothing was changed.
  Step with_nothing_changed(Step step);

  /// The files that the mesh file names.
  Step read_files();
  /// A plan is made twice; what was found both times is told once.
  void show_once(const std::vector<mesh::Finding>& findings);
  /// The installer has the version that the plan asks for.
  Step check_installer();
  /// Every right that the plan needs, asked of the servers.
  Step check_rights();
  /// Asks each question, unless --yes was said. Without a terminal, or after a no (when `declined`
  /// is said), kUsage. `deed` is what the run does: "changes clusters".
  Step ask(const std::vector<std::string>& questions,
           std::string_view deed,
           std::string_view declined);
  /// The plan made under the lock is the one that was shown, or has become empty.
  Step expect_plan(const base::Json& shown);
  bool is_managed() const { return context_.mesh.trust.mode == profiles::TrustMode::kManaged; }

  // Read and set step by step by the commands; there is nothing to keep true between these members.
  Session& session_;
  MeshContext& context_;
  run::Istioctl istioctl_;
  mesh::BaseFiles files_;
  mesh::Observation observation_;
  mesh::Plan plan_;
  std::unique_ptr<ca::TrustStore> store_;
  Held held_;
  ExitCode code_ = kDone;

 private:
  std::string nothing_changed_;
  std::set<std::string> shown_;  ///< findings that have been told
};

}  // namespace meshtrust::cli
