#pragma once

#include "base/clock.h"
#include "base/process_table.h"
#include "base/result.h"
#include "mesh/plan.h"
#include "run/clusters.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace meshtrust::run {

/// Who takes a Lease, for whoever finds it.
struct LockHolder {
  std::string identity;     ///< "alice@laptop, pid 4242: meshtrust apply (mesh shop, store ...)"
  std::string mesh;         ///< for the labels
  base::ProcessId process;  ///< by which a later run on the same machine knows that it has ended
};

struct LockOptions {
  /// Not empty: Leases are taken over from whoever holds them.
  std::string break_reason = {};
  base::Seconds duration{60};                     ///< that a Lease counts without a sign of life
  std::chrono::milliseconds renew_every{20'000};  ///< 0: never by itself, see `renew`
};

/// From whom a Lease was taken that had not ended.
struct BrokenLock {
  std::string cluster;
  std::string holder;
};

/// The Leases (coordination.k8s.io/v1) that keep two runs out of the same clusters: one in
/// kube-system of every cluster that a plan touches. Renewed from a thread of its own while this
/// object lives, deleted when it goes.
///
/// Held by somebody else, a Lease is taken over silently where the holder was a process of this
/// machine that has ended, and where it has not been renewed for its duration, by the clock of the
/// API server.
class ClusterLocks {
 public:
  /// Takes all Leases or none. kLocked, one error a cluster, naming the holder; kRefused where
  /// `clusters` leads to another server than the plan; other errors of the clients likewise.
  /// Everything but `plan` outlives this object; what cancels the run should not cancel `clusters`,
  /// by which Leases are let go of at the end.
  static base::Result<std::unique_ptr<ClusterLocks>, base::Errors> take(
      const mesh::Plan& plan,
      const Clusters& clusters,
      const base::Clock& clock,
      const base::ProcessTable& processes,
      LockHolder holder,
      LockOptions options = {});
  /// Deletes the Leases called `lease` that runs of this mesh have left in clusters of these names.
  /// One of a run that goes on stays, and so does another mesh's. Errors of the clients, one a
  /// cluster.
  static base::Errors sweep(const std::vector<std::string>& names,
                            const std::string& lease,
                            const Clusters& clusters,
                            const base::Clock& clock,
                            const base::ProcessTable& processes,
                            LockHolder holder);
  ClusterLocks(const ClusterLocks&) = delete;
  ClusterLocks& operator=(const ClusterLocks&) = delete;
  ~ClusterLocks();

  /// Why nothing more may be begun in `cluster`: its Lease is another's by now, or could not be
  /// renewed in time (kLocked). That is said while the Lease still counts for a third of its
  /// duration, in which what was begun can end. Where it is not known it is asked, which takes its
  /// time.
  std::optional<base::Error> lost(const std::string& cluster);
  /// Renews every Lease once. The thread does so from time to time.
  void renew();
  /// Ends the thread and deletes what is still ours. What could not be deleted ends by itself.
  base::Errors release();
  const std::vector<BrokenLock>& broken() const { return broken_; }

 private:
  struct Held {
    std::string cluster;
    std::string uid;
    std::string resource_version;
    base::Clock::Steady renewed;
    base::Instant renewed_at;
    std::optional<base::Error> trouble;  ///< of the last attempt to renew it
    bool is_lost = false;
  };

  ClusterLocks(const Clusters& clusters,
               const base::Clock& clock,
               const base::ProcessTable& processes,
               const std::string& lease,
               LockHolder holder,
               LockOptions options);
  base::Result<Held> take_one(const mesh::PlannedServer& server);
  /// kNotFound when it is gone meanwhile.
  base::Result<k8s::Applied> take_over(const std::string& cluster, k8s::ApiClient& client);
  /// kLocked unless the Lease may be taken from who holds it; `broken` is told who that is where
  /// only --break-lock allows it. `now` is by the server's clock.
  base::Status expect_free(const base::Json& lease,
                           base::Instant now,
                           std::optional<std::string>& broken) const;
  base::Status sweep_one(const std::string& cluster) const;
  bool is_ours(const base::Json& lease) const;
  bool is_late(const Held& held) const;
  base::Json wanted() const;
  void renew_one(Held& held) const;
  /// Renews the Leases that `is_meant` and have not been lost; each result counts at once.
  void renew_where(const std::function<bool(const Held& held)>& is_meant);
  base::Status release_one(const Held& held) const;
  void renew_for_ever(const std::stop_token& stop);

  const Clusters& clusters_;
  const base::Clock& clock_;
  const base::ProcessTable& processes_;
  const k8s::ObjectRef lease_;
  const LockHolder holder_;
  const LockOptions options_;
  const base::Instant since_;

  mutable std::mutex mutex_;  ///< guards what follows
  std::vector<BrokenLock> broken_;
  std::vector<Held> held_;
  std::condition_variable_any stopping_;
  std::jthread renewing_;
};

}  // namespace meshtrust::run
