#pragma once

#include "ca/store.h"
#include "cli/mesh_context.h"
#include "cli/session.h"
#include "mesh/plan.h"
#include "run/cluster_lock.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace meshtrust::cli {

/// --break-lock REASON; an empty reason is a usage error.
void declare_break_lock(CLI::App& app, std::string& reason);

/// What a run holds while it changes a mesh: the lock of its store and a Lease in every cluster
/// that its plan touches. Let go of in the reverse order.
struct Held {
  std::optional<ca::StoreLock> store;
  std::unique_ptr<run::Clusters> clients;  ///< of the Leases; no Ctrl-C ends what they do
  std::unique_ptr<run::ClusterLocks> leases;

  /// Whether nothing more may be begun in a cluster, and why.
  std::optional<base::Error> lost(const std::string& cluster) const {
    return leases ? leases->lost(cluster) : std::nullopt;
  }
};

/// Takes all of it or nothing, before the plan is made again. `store` is null for a mesh whose
/// trust comes from elsewhere; it is read again under its lock. Leases taken from others for
/// `break_reason` are told, and noted in the ledger. kLocked for every lock that is another's.
base::Result<Held, base::Errors> hold(Session& session,
                                      const MeshContext& context,
                                      const mesh::Plan& plan,
                                      ca::TrustStore* store,
                                      const std::string& break_reason);

/// Takes away the Leases that runs which were killed left in clusters of these names, and says
/// where it could not.
void clear_leases(Session& session,
                  const MeshContext& context,
                  const std::string& lease,
                  const std::vector<std::string>& clusters);

/// Lets go, and says where that failed: such a Lease ends by itself.
void let_go(Session& session, Held& held);

}  // namespace meshtrust::cli
