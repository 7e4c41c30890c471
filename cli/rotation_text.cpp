#include "cli/rotation_text.h"

#include "base/text.h"
#include "base/time.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace meshtrust::cli {
namespace {

using base::Json;
using mesh::rotation::Duration;
using mesh::rotation::PairFailure;
using mesh::rotation::Proof;
using mesh::rotation::RotationPlan;
using mesh::rotation::StageProof;
using mesh::rotation::Strategy;
using mesh::rotation::Track;
using mesh::rotation::Update;

/// What the strategy does, as the end of a sentence.
std::string_view sentence_of(Strategy strategy) {
  switch (strategy) {
    case Strategy::kBridge:
      return "the old root certifies the new one's key, and chains hold that meanwhile";
    case Strategy::kReverse:
      return "the new root certifies the old one's key, and chains hold that meanwhile";
    case Strategy::kBundle:
      return "both roots are trusted meanwhile";
  }
  return "";
}

Json to_json(const Duration& duration) {
  return {{"least", base::format_duration(duration.least)},
          {"most", base::format_duration(duration.most)}};
}

std::string text_of(const Duration& duration) {
  return fmt::format("{} to {}", base::format_duration(duration.least),
                     base::format_duration(duration.most));
}

Duration sum_of(const Proof& proof) {
  Duration sum{};
  for (const StageProof& stage : proof.stages) {
    sum.least += stage.duration.least;
    sum.most += stage.duration.most;
  }
  return sum;
}

/// Updates as people read them, and the clusters that have the same ones.
struct Work {
  std::vector<std::string> updates;
  std::vector<std::string> clusters;
};

std::vector<Work> work_in(const RotationPlan& plan, std::size_t stage) {
  std::vector<Work> works;
  for (const Track& track : plan.tracks) {
    std::vector<std::string> updates;
    for (const Update& update : track.updates[stage]) {
      updates.push_back(update.restarts ? update.why + ", and its istiods restart" : update.why);
    }
    const auto same = std::ranges::find(works, updates, &Work::updates);
    if (same != works.end()) {
      same->clusters.push_back(track.cluster);
    } else {
      works.push_back({.updates = std::move(updates), .clusters = {track.cluster}});
    }
  }
  return works;
}

/// Names as far as they can be read at a glance.
std::string names_of(const std::vector<std::string>& clusters) {
  constexpr std::size_t kMost = 5;
  if (clusters.size() > kMost) return base::count_of(clusters.size(), "cluster");
  return base::one_line(base::join(clusters, ", "));
}

std::string render_stage(const RotationPlan& plan, const StageProof& proof, std::size_t stage) {
  std::string text = fmt::format("{}   {}, {} of {} pairs fail\n", proof.stage,
                                 text_of(proof.duration), proof.failing, proof.pairs);
  for (const Work& work : work_in(plan, stage)) {
    if (work.updates.empty()) continue;
    text += fmt::format("  {}:\n", names_of(work.clusters));
    for (const std::string& update : work.updates) {
      text += fmt::format("    {}\n", update);
    }
  }
  if (stage + 1 < plan.stages.size()) {
    text += "  then wait until every workload shows and trusts what this led to\n";
  }
  return text + "\n";
}

std::string render(const PairFailure& failure) {
  std::string text = fmt::format("first failure, in '{}' at {}:\n  {} does not accept {}",
                                 failure.stage, base::format_rfc3339(failure.at),
                                 base::one_line(failure.to), base::one_line(failure.from));
  text += fmt::format("\n  shown:    {}\n  trusted:  {}\n", base::one_line(failure.shown),
                      base::one_line(failure.trusted));
  for (const std::string& refusal : failure.refusals) {
    text += fmt::format("  {}\n", base::one_line(refusal));
  }
  return text;
}

}  // namespace

Json to_json(const RotationPlan& plan, const Proof& proof, Strategy strategy) {
  Json stages = Json::array();
  for (std::size_t index = 0; index < proof.stages.size(); ++index) {
    const StageProof& stage = proof.stages[index];
    Json changes = Json::array();
    for (const Work& work : work_in(plan, index)) {
      changes.push_back({{"clusters", work.clusters}, {"updates", work.updates}});
    }
    stages.push_back({{"name", stage.stage},
                      {"changes", std::move(changes)},
                      {"duration", to_json(stage.duration)},
                      {"pairs", {{"checked", stage.pairs}, {"failing", stage.failing}}},
                      {"states", stage.states}});
  }
  Json json = {{"apiVersion", "meshtrust/v1"},
               {"kind", "RotationProof"},
               {"rotation", "root"},
               {"strategy", name_of(strategy)},
               {"clusters", plan.tracks.size()},
               {"stages", std::move(stages)},
               {"pairs", {{"checked", proof.pairs()}, {"failing", proof.failing()}}},
               {"duration", to_json(sum_of(proof))}};
  if (const auto& first = proof.first) {
    json["firstFailure"] = {{"stage", first->stage},       {"meets", name_of(first->meets)},
                            {"from", first->from},         {"to", first->to},
                            {"shown", first->shown},       {"trusted", first->trusted},
                            {"refusals", first->refusals}, {"at", base::format_rfc3339(first->at)}};
  }
  return json;
}

std::string render(const RotationPlan& plan, const Proof& proof, Strategy strategy) {
  std::string text =
      fmt::format("A new root by {}: {}.\n\n", name_of(strategy), sentence_of(strategy));
  for (std::size_t index = 0; index < proof.stages.size(); ++index) {
    text += render_stage(plan, proof.stages[index], index);
  }
  if (proof.first) text += render(*proof.first) + "\n";
  return text + fmt::format("{} of {} pairs fail; {} in all\n", proof.failing(), proof.pairs(),
                            text_of(sum_of(proof)));
}

}  // namespace meshtrust::cli
