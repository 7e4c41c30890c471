#include "cli/mesh_proof.h"

#include "cli/console.h"
#include "mesh/drift.h"
#include "mesh/known.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::cli {
namespace {

using mesh::Verdict;

std::string_view word_of(Verdict::State state) {
  switch (state) {
    case Verdict::State::kYes:
      return "yes";
    case Verdict::State::kNo:
      return "no";
    case Verdict::State::kUnknown:
      break;
  }
  return "unknown";
}

void report(const Shown& shown, const mesh::Condition& condition, mesh::Answer& answer) {
  if (shown.verdict.state == Verdict::State::kUnknown) {
    answer.unknowns.push_back({.code = base::Code::kUnavailable,
                               .message = fmt::format("{}: {} {}", shown.expectation.cluster,
                                                      condition.question, shown.verdict.why)});
  } else if (shown.verdict.state == Verdict::State::kNo) {
    answer.findings.push_back({.code = "not-" + std::string(condition.id),
                               .cluster = shown.expectation.cluster,
                               .message = shown.verdict.why,
                               .evidence = shown.verdict.evidence,
                               .hints = shown.verdict.hints});
  }
}

}  // namespace

std::vector<Shown> judge_mesh(const profiles::Mesh& mesh,
                              const mesh::Observation& observation,
                              base::Instant at,
                              const mesh::BaseFiles& files,
                              mesh::Answer& answer) {
  std::vector<Shown> all;
  for (mesh::Expectation& expectation : mesh::expectations(mesh)) {
    const mesh::Condition& condition = mesh::condition(expectation.condition);
    const bool is_told = condition.look.istiods && observation.level != mesh::Level::kDeep;
    // Trust has a proof of its own, and servers that do not answer a finding of theirs.
    const mesh::ClusterObservation* seen = observation.find(expectation.cluster);
    if (is_told || condition.id == mesh::kTrustProved || seen == nullptr) continue;
    Verdict verdict = ask(expectation, mesh, observation, at);
    const std::string& in = expectation.namespace_name;
    std::string question(condition.question);
    if (in != mesh.istio.system_namespace) question += fmt::format(" ({})", in);
    Shown shown{.expectation = std::move(expectation),
                .question = std::move(question),
                .verdict = std::move(verdict)};
    if (!seen->server.is_unknown()) report(shown, condition, answer);
    all.push_back(std::move(shown));
  }
  mesh::Answer checks = ask_all(mesh::mesh_checks(), {.mesh = mesh,
                                                      .observation = observation,
                                                      .at = at,
                                                      .purpose = mesh::Purpose::kProve,
                                                      .files = &files});
  std::move(checks.findings.begin(), checks.findings.end(), std::back_inserter(answer.findings));
  std::move(checks.unknowns.begin(), checks.unknowns.end(), std::back_inserter(answer.unknowns));
  std::vector<mesh::Finding> drifted = mesh::drift(mesh, observation, at, files);
  std::move(drifted.begin(), drifted.end(), std::back_inserter(answer.findings));
  return all;
}

std::string render_conditions(const std::vector<Shown>& shown) {
  std::vector<std::vector<std::string>> rows{{"CLUSTER", "CONDITION", "HOLDS", "SEEN"}};
  for (const Shown& one : shown) {
    rows.push_back({one.expectation.cluster, one.question, std::string(word_of(one.verdict.state)),
                    one.verdict.why});
  }
  return table(rows);
}

base::Json conditions_to_json(const std::vector<Shown>& shown) {
  base::Json json = base::Json::array();
  for (const Shown& one : shown) {
    json.push_back({{"cluster", one.expectation.cluster},
                    {"condition", one.expectation.condition},
                    {"holds", word_of(one.verdict.state)},
                    {"seen", one.verdict.why}});
  }
  return json;
}

}  // namespace meshtrust::cli
