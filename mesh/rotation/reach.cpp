#include "mesh/rotation/reach.h"

#include "istio/reload.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace meshtrust::mesh::rotation {
namespace {

constexpr std::size_t kReplicas = 2;

struct Replica {
  BundleNumber mounted = 0;  ///< what the kubelet shows it; it may skip one that was there briefly
  BundleNumber loaded = 0;   ///< what it signs with, serves and publishes
  BundleNumber pool = 0;     ///< as of its start
  // NOLINTNEXTLINE(modernize-use-nullptr): the 0 of a rewritten comparison is no pointer
  auto operator<=>(const Replica&) const = default;
};

struct State {
  BundleNumber written = 0;  ///< in the Secret
  std::array<Replica, kReplicas> replicas;
  std::set<Shown> shown;
  std::set<BundleNumber> trusted;
  std::set<BundleNumber> published;  ///< root files that an agent or a webhook may still go by
  // NOLINTNEXTLINE(modernize-use-nullptr): the 0 of a rewritten comparison is no pointer
  auto operator<=>(const State&) const = default;
};

class Explorer {
 public:
  Explorer(const Track& track, std::span<const Update> updates, const Beginning& from)
      : track_(track), updates_(updates), from_(from) {}

  Reach run() {
    for (const BundleNumber pool : from_.pools) {
      const Replica replica{.mounted = from_.loaded, .loaded = from_.loaded, .pool = pool};
      visit({.written = from_.loaded,
             .replicas = {replica, replica},
             .shown = {{.signer = from_.loaded, .files = from_.loaded}},
             .trusted = {from_.loaded},
             .published = {from_.loaded}});
    }
    while (!open_.empty()) {
      const State state = std::move(open_.back());
      open_.pop_back();
      look_at(state);
      go_on_from(state);
    }
    reach_.states = seen_.size();
    note_what_is_stuck();
    return std::move(reach_);
  }

 private:
  BundleNumber last() const { return from_.loaded + updates_.size(); }

  void visit(State state) {
    // Which replica is which is of no importance.
    std::ranges::sort(state.replicas);
    if (seen_.insert(state).second) open_.push_back(std::move(state));
  }

  void look_at(const State& state) {
    reach_.shown.insert(state.shown.begin(), state.shown.end());
    reach_.trusted.insert(state.trusted.begin(), state.trusted.end());
    for (const Replica& replica : state.replicas) {
      const Shown served{.signer = replica.loaded, .files = replica.loaded};
      for (const BundleNumber roots : state.published) {
        reach_.at_istiod.insert({.shown = served, .trusted = roots});
      }
      for (const Shown& shown : state.shown) {
        reach_.at_client_pool.insert({.shown = shown, .trusted = replica.pool});
      }
    }
    if (!is_complete(state)) return;
    for (const Replica& replica : state.replicas) {
      reach_.pools.insert(replica.pool);
    }
  }

  /// The stage's last update is taken, and the restart that it asks for has been.
  bool is_complete(const State& state) const {
    return std::ranges::all_of(state.replicas, [this](const Replica& one) {
      return one.loaded == last() && is_restarted(one);
    });
  }

  bool is_restarted(const Replica& replica) const {
    return updates_.empty() || !updates_.back().restarts || replica.pool == last();
  }

  void go_on_from(const State& state) {
    if (may_write(state)) {
      State next = state;
      ++next.written;
      visit(std::move(next));
    }
    for (std::size_t which = 0; which < kReplicas; ++which) {
      if (state.replicas[which].mounted != state.written) visit(with_mount(state, which));
      if (takes_hot(state.replicas[which])) visit(with_reload(state, which));
      visit(with_restart(state, which));
    }
  }

  bool may_write(const State& state) const {
    if (state.written == last()) return false;
    return !from_.waits_between_updates ||
           std::ranges::all_of(state.replicas, [&state](const Replica& one) {
             return one.loaded == state.written;
           });
  }

  bool takes_hot(const Replica& replica) const {
    return replica.loaded != replica.mounted && is_taken_hot(replica.loaded, replica.mounted);
  }

  bool is_taken_hot(BundleNumber loaded, BundleNumber wanted) const {
    const auto [known, is_new] = hot_.try_emplace({loaded, wanted}, false);
    if (is_new) {
      known->second = istio::objection_to_reload(
                          {.loaded = bundle_of(track_, loaded).files.root_cert,
                           .wanted = bundle_of(track_, wanted).files.root_cert,
                           .rule = istio::behaviour_of(track_.circumstances.version).root_rule,
                           .multi_root = track_.circumstances.multi_root})
                          .empty();
    }
    return known->second;
  }

  static State with_mount(State state, std::size_t which) {
    state.replicas[which].mounted = state.written;
    return state;
  }

  State with_reload(State state, std::size_t which) const {
    Replica& replica = state.replicas[which];
    // The request that meets the reload: files of before, key of after.
    state.shown.insert({.signer = replica.mounted, .files = replica.loaded});
    replica.loaded = replica.mounted;
    return issuing(std::move(state), replica.loaded);
  }

  /// Planned or not: a pod may end at any time. A new one mounts what is written.
  State with_restart(State state, std::size_t which) const {
    Replica& replica = state.replicas[which];
    replica = {.mounted = state.written, .loaded = state.written, .pool = state.written};
    return issuing(std::move(state), replica.loaded);
  }

  /// A replica that has `loaded` answers requests with it and publishes its roots.
  static State issuing(State state, BundleNumber loaded) {
    state.shown.insert({.signer = loaded, .files = loaded});
    state.trusted.insert(loaded);
    state.published.insert(loaded);
    return state;
  }

  /// Whether each update is taken by an istiod that was not restarted by chance.
  void note_what_is_stuck() {
    BundleNumber loaded = from_.loaded;
    for (const Update& update : updates_) {
      const BundleNumber wanted = loaded + 1;
      if (!update.restarts && !is_taken_hot(loaded, wanted)) reach_.stuck.insert(wanted);
      loaded = wanted;
    }
  }

  const Track& track_;
  const std::span<const Update> updates_;
  const Beginning& from_;
  std::set<State> seen_;
  std::vector<State> open_;
  mutable std::map<std::pair<BundleNumber, BundleNumber>, bool> hot_;
  Reach reach_;
};

}  // namespace

const TrustBundle& bundle_of(const Track& track, BundleNumber number) {
  if (number == 0) return track.now;
  BundleNumber before = 1;
  for (const auto& stage : track.updates) {
    if (number < before + stage.size()) return stage[number - before].bundle;
    before += stage.size();
  }
  MESHTRUST_CHECK(false);
  return track.now;
}

Reach reach_of(const Track& track, std::span<const Update> updates, const Beginning& from) {
  return Explorer(track, updates, from).run();
}

}  // namespace meshtrust::mesh::rotation
