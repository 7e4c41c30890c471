#pragma once

#include "base/cancellation.h"
#include "base/clock.h"
#include "k8s/api_client.h"
#include "mesh/pods.h"
#include "profiles/installation.h"
#include "run/execute.h"

#include <chrono>
#include <functional>
#include <set>
#include <string>

namespace meshtrust::run {

/// How often a watch looks, and what it waits for.
struct InstallWatchOptions {
  std::chrono::milliseconds interval = std::chrono::seconds(3);
  /// How long a pod that was there before is left alone: an installer that changes its Deployment
  /// has done so by then.
  std::chrono::milliseconds patience_with_old = std::chrono::seconds(60);
};

/// Looks after the pods that an installer waits for: tells what they lack, and ends the wait for
/// what will not come. An installer itself says nothing until its time is over.
///
/// Only pods of this installation's control plane count, and of them those that its Deployment
/// wants as it is now: others are about to go, or somebody else's.
class InstallWatch {
 public:
  using Options = InstallWatchOptions;

  /// All outlive this object.
  InstallWatch(k8s::ApiClient& client,
               const profiles::Installation& installation,
               const Tell& tell,
               const Options& options = {})
      : client_(client), installation_(installation), tell_(tell), options_(options) {}

  /// Runs `installer`, which ends early with kCancelled once it is told to stop. That is done when
  /// a pod crashes again and again or lacks an image; the error then holds the pod's own last
  /// words. Pods that cannot be listed end nothing.
  base::Status beside(const std::function<base::Status(const base::Cancellation& stop)>& installer);

 private:
  void note_old_pods();
  void look();
  bool is_of_installation(const base::Json& pod) const;
  /// Whether it is time to give up on account of this pod, should it not do well.
  bool counts(const base::Json& pod, const std::set<std::string>& wanted_hashes) const;
  base::Error explain(const mesh::PodTrouble& trouble);
  std::string last_words(const mesh::PodTrouble& trouble);

  k8s::ApiClient& client_;
  const profiles::Installation& installation_;
  const Tell& tell_;
  const Options options_;
  std::set<std::string> old_pods_;  ///< UIDs of those from before
  base::Clock::Steady begun_;
  mesh::PodPatience patience_;
};

}  // namespace meshtrust::run
