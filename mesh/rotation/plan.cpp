#include "mesh/rotation/plan.h"

#include "istio/reload.h"

#include <algorithm>
#include <utility>

namespace meshtrust::mesh::rotation {
namespace {

using pki::Certificate;
using Chain = std::vector<Certificate>;

/// `first` and whatever of `more` is not in it yet.
Chain joined(Chain first, const Chain& more) {
  for (const Certificate& one : more) {
    if (std::ranges::find(first, one) == first.end()) first.push_back(one);
  }
  return first;
}

/// Writes updates one after the other, each on the one before.
class TrackWriter {
 public:
  explicit TrackWriter(const NextIssuer& issuer)
      : last_(issuer.now),
        track_{.cluster = issuer.cluster,
               .now = issuer.now,
               .circumstances = issuer.circumstances,
               .updates = {}} {}

  void begin_stage() { track_.updates.emplace_back(); }

  /// Another chain under the same roots. Always taken hot.
  void show(std::string why, Chain chain) {
    add(std::move(why), with_chain(last_, std::move(chain)));
  }

  /// Another key signs, with what its certificate needs listed one update ahead.
  void sign_with(const Chain& chain) {
    show("lists the next intermediate", joined(last_.parsed.cert_chain, chain));
    show("signs with it", chain);
  }

  /// Other roots. Where istiod takes them only at a start, it is restarted.
  void trust(std::string why, std::vector<Certificate> roots) {
    add(std::move(why), with_roots(last_, std::move(roots)));
    Update& added = track_.updates.back().back();
    added.restarts = !is_taken_hot(before_last_, added.bundle);
  }

  /// From one root to another that has nothing to do with it, hot where that can be: each step may
  /// only add roots, or only take some away.
  void replace_root(const Certificate& root) {
    if (track_.circumstances.multi_root) {
      trust("trusts the new root too", joined(last_.parsed.roots, {root}));
    }
    trust("trusts the new root alone", {root});
  }

  /// What istiod judges its clients' certificates by is what it trusted when it started.
  void refresh_client_pool() {
    if (!track_.circumstances.has_certificate_clients) return;
    auto& stage = track_.updates.back();
    if (!stage.empty()) stage.back().restarts = true;
  }

  const TrustBundle& last() const { return last_; }
  Track take() { return std::move(track_); }

 private:
  bool is_taken_hot(const TrustBundle& loaded, const TrustBundle& wanted) const {
    return istio::objection_to_reload(
               {.loaded = loaded.files.root_cert,
                .wanted = wanted.files.root_cert,
                .rule = istio::behaviour_of(track_.circumstances.version).root_rule,
                .multi_root = track_.circumstances.multi_root})
        .empty();
  }

  void add(std::string why, TrustBundle bundle) {
    before_last_ = std::exchange(last_, std::move(bundle));
    track_.updates.back().push_back({.why = std::move(why), .bundle = last_});
  }

  TrustBundle last_;
  TrustBundle before_last_ = last_;
  Track track_;
};

/// Signed by the new root from the first stage on, with a way back to the old one.
void write_bridge(TrackWriter& track, const NextRoot& next, const Chain& chain) {
  track.begin_stage();
  track.sign_with(joined(chain, next.bridge));
  track.begin_stage();
  track.replace_root(next.root);
  track.refresh_client_pool();
  track.begin_stage();
  track.show("drops the bridge", chain);
}

/// Signed by the old root until the last stage, with a way on to the new one.
void write_reverse(TrackWriter& track, const NextRoot& next, const Chain& chain) {
  track.begin_stage();
  track.show("lists the bridge", joined(track.last().parsed.cert_chain, next.bridge));
  track.begin_stage();
  track.replace_root(next.root);
  track.refresh_client_pool();
  track.begin_stage();
  track.sign_with(chain);
}

void write_bundle(TrackWriter& track, const NextRoot& next, const Chain& chain) {
  track.begin_stage();
  track.trust("trusts the new root too", joined(track.last().parsed.roots, {next.root}));
  track.refresh_client_pool();
  track.begin_stage();
  track.sign_with(chain);
  track.begin_stage();
  track.trust("trusts the new root alone", {next.root});
  track.refresh_client_pool();
}

void write(TrackWriter& track, const NextRoot& next, const Chain& chain) {
  switch (next.strategy) {
    case Strategy::kBridge:
      return write_bridge(track, next, chain);
    case Strategy::kReverse:
      return write_reverse(track, next, chain);
    case Strategy::kBundle:
      return write_bundle(track, next, chain);
  }
}

}  // namespace

std::string_view name_of(Strategy strategy) {
  switch (strategy) {
    case Strategy::kBridge:
      return "bridge";
    case Strategy::kReverse:
      return "reverse";
    case Strategy::kBundle:
      return "bundle";
  }
  return "";
}

RotationPlan plan_intermediates(const std::vector<NextIssuer>& issuers) {
  RotationPlan plan{.stages = {"renew"}, .tracks = {}};
  plan.tracks.reserve(issuers.size());
  for (const NextIssuer& issuer : issuers) {
    TrackWriter track(issuer);
    track.begin_stage();
    track.sign_with(issuer.chain);
    plan.tracks.push_back(track.take());
  }
  return plan;
}

RotationPlan plan_root(const NextRoot& next) {
  RotationPlan plan{.stages = {"prepare", "activate", "retire"}, .tracks = {}};
  plan.tracks.reserve(next.issuers.size());
  for (const NextIssuer& issuer : next.issuers) {
    TrackWriter track(issuer);
    write(track, next, issuer.chain);
    plan.tracks.push_back(track.take());
  }
  return plan;
}

RotationPlan without_stage(RotationPlan plan, std::string_view stage) {
  const auto found = std::ranges::find(plan.stages, stage);
  if (found == plan.stages.end()) return plan;
  const auto index = found - plan.stages.begin();
  plan.stages.erase(found);
  for (Track& track : plan.tracks) {
    track.updates.erase(track.updates.begin() + index);
  }
  return plan;
}

}  // namespace meshtrust::mesh::rotation
