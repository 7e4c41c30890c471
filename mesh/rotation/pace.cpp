#include "mesh/rotation/pace.h"

#include <algorithm>
#include <chrono>

namespace meshtrust::mesh::rotation {
namespace {

using base::Seconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// istiod's watcher and a reload.
constexpr Seconds kReload = seconds(2);
/// From a write until a kubelet has brought it to every replica, at its default period of a minute.
constexpr Seconds kMount = minutes(2);
/// One replica after the other, images at hand.
constexpr Seconds kRestart = minutes(5);
/// From istiod to a proxy that listens: the debounce of pushes, and a request for a certificate.
constexpr Seconds kPush = minutes(1);
/// A request that failed is tried again.
constexpr Seconds kRetries = minutes(5);

/// An agent renews when between 49 and 51 percent of a certificate's life are left.
constexpr int kLatestRenewalPercent = 51;

bool changes_roots(const TrustBundle& before, const TrustBundle& after) {
  return before.files.root_cert != after.files.root_cert;
}

bool is_pushed(const Circumstances& circumstances) {
  return circumstances.multi_root && circumstances.takes_pushes;
}

/// How long until every workload has asked for a certificate again.
Seconds longest_renewal(bool is_forced, const Pace& pace) {
  if (is_forced) return kPush;
  if (!pace.sees_workloads) return pace.workload_ttl;
  return pace.workload_ttl * kLatestRenewalPercent / 100 + kRetries;
}

}  // namespace

Duration duration_of(const Track& track, std::size_t stage, const Pace& pace) {
  Duration sum{};
  const TrustBundle* before = &track.now;
  for (std::size_t earlier = 0; earlier < stage; ++earlier) {
    if (!track.updates[earlier].empty()) before = &track.updates[earlier].back().bundle;
  }
  bool roots_change = false;
  for (const Update& update : track.updates[stage]) {
    sum.least += kReload;
    sum.most += kMount + kReload + (update.restarts ? kRestart : Seconds(0));
    roots_change = roots_change || changes_roots(*before, update.bundle);
    before = &update.bundle;
  }
  if (track.updates[stage].empty()) return sum;
  sum.most += longest_renewal(roots_change && is_pushed(track.circumstances), pace);
  // The published roots have to reach the files of every pod: two periods of its kubelet.
  if (roots_change) sum.most += kMount;
  return sum;
}

Duration duration_of(const RotationPlan& plan, std::size_t stage, const Pace& pace) {
  Duration longest{};
  for (const Track& track : plan.tracks) {
    const Duration one = duration_of(track, stage, pace);
    longest.least = std::max(longest.least, one.least);
    longest.most = std::max(longest.most, one.most);
  }
  return longest;
}

}  // namespace meshtrust::mesh::rotation
