#include "mesh/drift.h"

#include "mesh/plan.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::mesh {

std::vector<Finding> drift(const profiles::Mesh& mesh,
                           const Observation& observation,
                           base::Instant at,
                           const BaseFiles& files) {
  std::vector<Finding> findings;
  const Planned planned = sketch_mesh(mesh, observation, {.at = at}, files);
  // With less than all rights: what is missing cannot be told, and that has to be said.
  for (const base::Error& error : planned.answer.unknowns) {
    findings.push_back({.code = "not-compared",
                        .severity = Severity::kNote,
                        .cluster = {},
                        .message = "not compared with the mesh file: " + error.message,
                        .hints = error.hints});
  }
  for (const Step& step : planned.plan.steps) {
    const auto* objects = std::get_if<ApplyObjects>(&step.action);
    const bool is_access = std::holds_alternative<ShareAccess>(step.action);
    const bool is_too_much = std::holds_alternative<Delete>(step.action);
    if (objects == nullptr && !is_access && !is_too_much) continue;
    const bool is_missing =
        step.change == Change::kAdd ||
        std::any_of(step.diff.begin(), step.diff.end(),
                    [](const std::string& line) { return line.starts_with("+ "); });
    findings.push_back({.code = is_missing    ? "missing"
                                : is_too_much ? "too-much"
                                              : "drifted",
                        .severity = is_missing ? Severity::kCritical : Severity::kWarning,
                        .cluster = step.cluster,
                        .message = fmt::format("{}: {}", step.title, step.reason),
                        .evidence = is_access ? std::vector<std::string>() : step.diff,
                        .hints = {"run 'meshtrust apply'"}});
  }
  return findings;
}

}  // namespace meshtrust::mesh
