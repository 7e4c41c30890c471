#pragma once

#include "mesh/rotation/plan.h"

#include <compare>
#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace meshtrust::mesh::rotation {

/// A bundle of a track by its number: 0 is `Track::now`, then the updates of all stages in order.
using BundleNumber = std::size_t;

/// The bundle with this number.
const TrustBundle& bundle_of(const Track& track, BundleNumber number);

/// What a workload shows: its certificate is signed by the key of one bundle, and comes with the
/// chain and root files of another where its request met a reload.
struct Shown {
  BundleNumber signer;
  BundleNumber files;
  // NOLINTNEXTLINE(modernize-use-nullptr): the 0 of a rewritten comparison is no pointer
  auto operator<=>(const Shown&) const = default;
};

/// Somebody in a cluster judges what istiod shows him, or istiod a client.
struct Meeting {
  Shown shown;
  BundleNumber trusted;  ///< the bundle whose roots he goes by
  // NOLINTNEXTLINE(modernize-use-nullptr): the 0 of a rewritten comparison is no pointer
  auto operator<=>(const Meeting&) const = default;
};

/// Everything that may be true of one cluster at any time between two gates, whatever the order in
/// which its replicas mount, reload, restart and crash, and in which its workloads renew.
///
/// Between gates no cluster waits for another. So whatever one of them may be in, each other may
/// be in meanwhile, and to look at every pair of `shown` here and `trusted` there is to look at
/// every interleaving of any number of clusters.
struct Reach {
  std::set<Shown> shown;           ///< by workloads
  std::set<BundleNumber> trusted;  ///< by workloads, when they judge each other
  /// An agent or API server (by the published roots) meets an istiod.
  std::set<Meeting> at_istiod;
  /// An istiod (by its roots as of its start) meets a client's certificate.
  std::set<Meeting> at_client_pool;
  std::set<BundleNumber> pools;  ///< whose roots those may be at the end
  std::set<BundleNumber> stuck;  ///< updates that no istiod takes without an unplanned restart
  std::size_t states = 0;        ///< how many were looked at
};

/// Where a stage begins.
struct Beginning {
  BundleNumber loaded = 0;  ///< by every replica, shown and trusted by everybody
  std::set<BundleNumber> pools = {0};
  /// Whether an update waits until every replica has taken the one before: the rule of a run.
  bool waits_between_updates = true;
};

/// Looks at every state of a cluster with two replicas that goes through the `updates` of one
/// stage, which come after `from.loaded`. Two are enough: what is asked about is one replica that
/// signed and one that serves.
Reach reach_of(const Track& track, std::span<const Update> updates, const Beginning& from);

}  // namespace meshtrust::mesh::rotation
