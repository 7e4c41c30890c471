#pragma once

#include "base/files.h"
#include "base/processes.h"
#include "base/result.h"
#include "istio/version.h"
#include "profiles/installation.h"
#include "run/clusters.h"

#include <filesystem>
#include <string>
#include <vector>

namespace meshtrust::run {

/// The user's own istioctl: called with the user's own kubeconfig, never given a secret.
class Istioctl {
 public:
  struct Surroundings {
    base::Processes& processes;
    base::Files& files;
    std::string program;           ///< a path, or a name to be found by PATH
    std::filesystem::path folder;  ///< of the user's: logs, and what it is given while it runs
    /// The words before its name by which an installation ends when this program is killed, so that
    /// the next run does not meet it at work; none where nothing can do that.
    std::vector<std::string> tether = {};
    /// The most that it waits for what it installed to become ready.
    base::Seconds readiness = std::chrono::minutes(10);
  };

  explicit Istioctl(Surroundings around) : around_(std::move(around)) {}

  /// Asks it for its version. kUnavailable when there is none, kRefused when it is not `wanted`, to
  /// the patch release.
  base::Status expect_version(const istio::Version& wanted);

  /// `istioctl install`: returns when what it waits for is there. Its output goes to `log_of`; on
  /// failure the last lines are in the error. kCancelled once `stop` says so.
  base::Status install(const profiles::Installation& installation,
                       const ToolAccess& access,
                       const base::Cancellation& stop);

  /// `istioctl manifest generate`: what an installation consists of, as YAML documents.
  base::Result<std::string> manifests(const profiles::Installation& installation);

  /// Where the output of an installation is kept.
  std::filesystem::path log_of(const profiles::Installation& installation) const;

 private:
  base::Result<std::filesystem::path> write_file(const profiles::Installation& installation);
  std::string last_lines(const std::filesystem::path& log) const;

  Surroundings around_;
};

/// Creates `folder` and what is missing above it, for the user alone.
base::Status make_folders(base::Files& files, const std::filesystem::path& folder);

}  // namespace meshtrust::run
