#pragma once

#include "base/cancellation.h"
#include "base/clock.h"
#include "k8s/api_client.h"
#include "mesh/pods.h"
#include "mesh/webhooks.h"
#include "profiles/installation.h"
#include "run/execute.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace meshtrust::run {

/// How often a watch looks, and what it waits for.
struct InstallWatchOptions {
  std::chrono::milliseconds interval = std::chrono::seconds(3);
  /// How long a pod that was there before is left alone: an installer that changes its Deployment
  /// has done so by then.
  std::chrono::milliseconds patience_with_old = std::chrono::seconds(60);
  /// How long none of the pods of a ReplicaSet may be created: what refuses them may be about to
  /// start itself.
  std::chrono::milliseconds patience_with_refusals = std::chrono::seconds(60);
};

/// Looks after the pods that an installer waits for: tells what they lack, with the last line of
/// those that are restarted, and what refuses to have them created; ends the wait for what will not
/// come. An installer itself says nothing until its time is over. What is told is told once, until
/// it changes.
///
/// Only pods of this installation's control plane count, and of them those that its Deployment
/// wants as it is now: others are about to go, or somebody else's.
///
/// A look is two lists, one of events where pods are refused, and at most four requests for what
/// newly restarted containers said; a new refusal takes three requests for the webhook in it.
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
  /// a pod crashes again and again or lacks an image, with the pod's own last words in the error,
  /// or when no pod is created, with those of the API server. A refusal from before the installer
  /// ends nothing until it was tried again. Nor do pods that cannot be listed.
  base::Status beside(const std::function<base::Status(const base::Cancellation& stop)>& installer);
  /// Whether the error of `beside` holds the cause, and not only what an installer saw of it.
  bool knows_why() const { return patience_.exhausted_by().has_value(); }

 private:
  /// What a container said before it was restarted for the last time that is known of.
  struct Said {
    std::int64_t restarts = 0;
    std::string words = {};
  };
  using Objects = std::vector<base::Json>;

  void note_what_was_there();
  void look();
  bool is_hopeless() const { return patience_.exhausted_by() || refused_; }
  void tell_what_changed(std::string what);
  bool is_of_installation(const base::Json& object) const;
  /// Whether it is time to give up on account of this pod, should it not do well.
  bool counts(const base::Json& pod, const std::set<std::string>& wanted_hashes) const;
  /// "not ready: ..." of all pods that are not; empty without any.
  std::string see_pods(const Objects& pods, const std::set<std::string>& wanted_hashes);
  std::string why_not_ready(const base::Json& pod, int& logs_left);
  /// "no pod of istiod-5f7 is created: ..." of the first that says so; empty without any.
  std::string see_refusals(const Objects& replica_sets, const std::set<std::string>& wanted_hashes);
  void see_refusal(const base::Json& replica_set, const mesh::PodRefusal& refusal);
  /// The attempts to create pods that failed, of all ReplicaSets; none where nothing says so.
  Objects failed_attempts(const Objects& replica_sets);
  base::Error explain();
  base::Error explain(const mesh::PodTrouble& trouble);
  base::Error explain(const mesh::PodRefusal& refusal);
  /// At most two requests.
  std::vector<std::string> last_lines(const mesh::PodTrouble& trouble, std::size_t most);
  /// What is known of the webhook that `answer` of the API server names; empty without one.
  std::string webhook_in(const std::string& answer);
  std::string find_webhook(const std::string& answer);
  std::string describe(const mesh::NamedWebhook& webhook);

  k8s::ApiClient& client_;
  const profiles::Installation& installation_;
  const Tell& tell_;
  const Options options_;
  std::set<std::string> old_pods_;  ///< UIDs of those from before
  /// Of ReplicaSets whose pods were refused before, by UID: the last attempt.
  std::map<std::string, std::string> old_refusals_;
  base::Clock::Steady begun_;
  mesh::PodPatience patience_;
  std::map<std::string, base::Clock::Steady> refused_since_;  ///< by UID of the ReplicaSet
  std::optional<mesh::PodRefusal> refused_;                   ///< for too long
  std::map<std::string, Said> said_;                          ///< by UID of the pod and container
  std::map<std::string, std::string> webhooks_;               ///< by what the API server answered
  std::string told_;
};

}  // namespace meshtrust::run
