#include "mesh/rotation/proof.h"

#include "istio/acceptance.h"
#include "mesh/rotation/reach.h"
#include "mesh/rotation/shape.h"
#include "pki/path/imagined_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace meshtrust::mesh::rotation {
namespace {

using base::Instant;

/// Clusters that everybody judges alike, and one that stands for them.
struct Class {
  const Track* track = nullptr;
  const Track* another = nullptr;  ///< null for a class of one
  std::size_t size = 0;
};

std::vector<Class> classes_of(const RotationPlan& plan, const Span& span) {
  std::map<std::string, std::size_t> position;
  std::vector<Class> classes;
  for (const Track& track : plan.tracks) {
    const auto [known, is_new] = position.try_emplace(shape_of(track, span), classes.size());
    if (is_new) classes.push_back({.track = &track, .another = nullptr, .size = 0});
    Class& its = classes[known->second];
    if (its.size == 1) its.another = &track;
    ++its.size;
  }
  return classes;
}

std::string subjects_of(const std::vector<pki::Certificate>& certificates) {
  std::vector<std::string> subjects;
  subjects.reserve(certificates.size());
  for (const pki::Certificate& one : certificates) {
    const std::string& issuer = one.facts().issuer;
    subjects.push_back(one.is_self_issued()
                           ? fmt::format("'{}'", one.facts().subject)
                           : fmt::format("'{}' by '{}'", one.facts().subject, issuer));
  }
  return fmt::format("{}", fmt::join(subjects, ", "));
}

/// Asks the verifiers, and each question once.
class Judges {
 public:
  /// Who refuses and why; empty when all accept.
  const std::vector<std::string>& refusals(const pki::Certificate& signer,
                                           const std::vector<pki::Certificate>& shown,
                                           const std::vector<pki::Certificate>& roots,
                                           Instant at) {
    const auto [known, is_new] = known_.try_emplace(
        {signer.fingerprint(), key_of(shown), key_of(roots), at}, std::vector<std::string>{});
    if (is_new) known->second = ask(signer, shown, roots, at);
    return known->second;
  }

 private:
  static std::string key_of(const std::vector<pki::Certificate>& certificates) {
    std::string key;
    for (const pki::Certificate& one : certificates) {
      key += one.fingerprint();
    }
    return key;
  }

  static std::vector<std::string> ask(const pki::Certificate& signer,
                                      const std::vector<pki::Certificate>& shown,
                                      const std::vector<pki::Certificate>& roots,
                                      Instant at) {
    std::vector<std::string> refusals;
    for (const pki::Verdict& verdict : pki::judge_imagined_workload(
             {.authority = signer, .shown = shown, .roots = roots, .at = at})) {
      if (!verdict.accepted) {
        refusals.push_back(fmt::format("{}: {}", verdict.judge, verdict.reason));
      }
    }
    return refusals;
  }

  std::map<std::tuple<std::string, std::string, std::string, Instant>, std::vector<std::string>>
      known_;
};

class Prover {
 public:
  explicit Prover(const ProofQuestion& question)
      : question_(question), proof_(timetable()), classes_(classes_of(question.plan, span())) {
    proof_.classes = classes_.size();
    pools_.assign(classes_.size(), {0});
    loaded_.assign(classes_.size(), 0);
  }

  Proof run() {
    const std::size_t count = question_.plan.stages.size();
    const std::size_t step = question_.waits_between_stages ? 1 : count;
    for (std::size_t stage = 0; stage < count; stage += step) {
      look_at_stages(stage, stage + step);
    }
    return std::move(proof_);
  }

 private:
  /// When each stage can begin at the earliest and end at the latest.
  Proof timetable() const {
    Proof proof;
    Instant earliest = question_.at;
    Instant latest = question_.at;
    for (std::size_t stage = 0; stage < question_.plan.stages.size(); ++stage) {
      const Duration duration = duration_of(question_.plan, stage, question_.pace);
      latest += duration.most;
      proof.stages.push_back({.stage = question_.plan.stages[stage],
                              .duration = duration,
                              .earliest = earliest,
                              .latest = latest});
      earliest += duration.least;
    }
    return proof;
  }

  Span span() const {
    return {.from = question_.at,
            .until = proof_.stages.empty() ? question_.at : proof_.stages.back().latest};
  }

  void look_at_stages(std::size_t first, std::size_t end) {
    stage_ = &proof_.stages[first];
    moments_ = {stage_->earliest, proof_.stages[end - 1].latest};
    std::vector<Reach> reaches;
    reaches.reserve(classes_.size());
    for (std::size_t index = 0; index < classes_.size(); ++index) {
      reaches.push_back(reach(index, first, end));
      stage_->states += reaches.back().states;
    }
    look_at_workloads(reaches);
    for (std::size_t index = 0; index < classes_.size(); ++index) {
      look_at_istiods(classes_[index], reaches[index]);
    }
  }

  Reach reach(std::size_t index, std::size_t first, std::size_t end) {
    const Track& track = *classes_[index].track;
    std::vector<Update> updates;
    for (std::size_t stage = first; stage < end; ++stage) {
      updates.insert(updates.end(), track.updates[stage].begin(), track.updates[stage].end());
    }
    const BundleNumber before = loaded_[index];
    Reach found = reach_of(track, updates,
                           {.loaded = before,
                            .pools = pools_[index],
                            .waits_between_updates = question_.waits_between_updates});
    pools_[index] = found.pools;
    loaded_[index] += updates.size();
    for (BundleNumber number = before + 1; number <= loaded_[index]; ++number) {
      look_at_update(classes_[index], number, found.stuck.contains(number));
    }
    return found;
  }

  /// Whether it ever arrives, and whether an istiod starts with it.
  void look_at_update(const Class& its, BundleNumber number, bool is_stuck) {
    const TrustBundle& bundle = bundle_of(*its.track, number);
    PairFailure failure{.meets = Meets::kNobody,
                        .from = its.track->cluster,
                        .to = its.track->cluster,
                        .shown = subjects_of(bundle.parsed.cert_chain),
                        .trusted = subjects_of(bundle.parsed.roots),
                        .at = moments_.front()};
    if (is_stuck) {
      failure.refusals = {"istiod: passes over it until it is restarted, and the plan does not"};
      return fail(std::move(failure), its.size);
    }
    for (const Instant at : moments_) {
      const istio::BundleVerdict verdict = istio::judge_bundle(
          {.bundle = bundle.files, .at = at, .version = its.track->circumstances.version});
      if (verdict.outcome == istio::LoadOutcome::kLoads) continue;
      const istio::BundleProblem* why = verdict.first_error();
      failure.at = at;
      failure.refusals = {fmt::format("istiod: {}{}", istio::sentence_of(verdict.outcome),
                                      why == nullptr ? "" : ": " + why->message)};
      return fail(std::move(failure), its.size);
    }
  }

  void look_at_workloads(const std::vector<Reach>& reaches) {
    for (std::size_t from = 0; from < classes_.size(); ++from) {
      for (std::size_t to = 0; to < classes_.size(); ++to) {
        look_at_workloads_of(classes_[from], reaches[from], classes_[to], reaches[to]);
      }
    }
  }

  /// Each workload of one class with each of another, those of its own cluster among them.
  void look_at_workloads_of(const Class& from,
                            const Reach& shows,
                            const Class& to,
                            const Reach& trusts) {
    const bool is_same = &from == &to;
    const Track& judging = is_same && to.another != nullptr ? *to.another : *to.track;
    for (const Shown& shown : shows.shown) {
      for (const BundleNumber trusted : trusts.trusted) {
        look_at_pair({.meets = Meets::kWorkloads, .showing = *from.track, .judging = judging},
                     shown, trusted, from.size * to.size);
      }
    }
  }

  void look_at_istiods(const Class& its, const Reach& reach) {
    for (const Meeting& meeting : reach.at_istiod) {
      look_at_pair({.meets = Meets::kIstiod, .showing = *its.track, .judging = *its.track},
                   meeting.shown, meeting.trusted, its.size);
    }
    if (!its.track->circumstances.has_certificate_clients) return;
    for (const Meeting& meeting : reach.at_client_pool) {
      look_at_pair({.meets = Meets::kClient, .showing = *its.track, .judging = *its.track},
                   meeting.shown, meeting.trusted, its.size);
    }
  }

  struct Sides {
    Meets meets;
    const Track& showing;
    const Track& judging;
  };

  void look_at_pair(const Sides& sides,
                    const Shown& shown,
                    BundleNumber trusted,
                    std::size_t weight) {
    const TrustBundle& signer = bundle_of(sides.showing, shown.signer);
    const TrustBundle& files = bundle_of(sides.showing, shown.files);
    const TrustBundle& roots = bundle_of(sides.judging, trusted);
    stage_->pairs += weight;
    for (const Instant at : moments_) {
      const auto& refusals =
          judges_.refusals(signer.signer(), files.shown(), roots.parsed.roots, at);
      if (refusals.empty()) continue;
      return fail(
          {.meets = sides.meets,
           .from = sides.showing.cluster,
           .to = sides.judging.cluster,
           .shown = fmt::format("a certificate by '{}' with {}", signer.signer().facts().subject,
                                subjects_of(files.parsed.cert_chain)),
           .trusted = subjects_of(roots.parsed.roots),
           .at = at,
           .refusals = refusals},
          weight);
    }
  }

  void fail(PairFailure failure, std::size_t weight) {
    stage_->failing += weight;
    if (proof_.first) return;
    failure.stage = stage_->stage;
    proof_.first = std::move(failure);
  }

  const ProofQuestion& question_;
  Proof proof_;
  const std::vector<Class> classes_;
  std::vector<std::set<BundleNumber>> pools_;  ///< by class
  std::vector<BundleNumber> loaded_;           ///< by class
  Judges judges_;
  StageProof* stage_ = nullptr;
  std::array<Instant, 2> moments_{};  ///< at which certificates are judged: first and last
};

}  // namespace

std::string_view name_of(Meets meets) {
  switch (meets) {
    case Meets::kWorkloads:
      return "workloads";
    case Meets::kIstiod:
      return "istiod";
    case Meets::kClient:
      return "certificate client";
    case Meets::kNobody:
      return "none";
  }
  return "";
}

std::size_t Proof::pairs() const {
  std::size_t sum = 0;
  for (const StageProof& stage : stages) {
    sum += stage.pairs;
  }
  return sum;
}

std::size_t Proof::failing() const {
  std::size_t sum = 0;
  for (const StageProof& stage : stages) {
    sum += stage.failing;
  }
  return sum;
}

Proof prove(const ProofQuestion& question) {
  return Prover(question).run();
}

}  // namespace meshtrust::mesh::rotation
