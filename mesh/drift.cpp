#include "mesh/drift.h"

#include "mesh/plan.h"

#include <fmt/format.h>

namespace meshtrust::mesh {
namespace {

std::string_view code_of(Lack lack) {
  switch (lack) {
    case Lack::kMissing:
      return "missing";
    case Lack::kUnrecorded:
      return "unrecorded";
    case Lack::kSurplus:
      return "too-much";
    case Lack::kDue:
      return "due";
    case Lack::kDrifted:
    case Lack::kTold:
      break;
  }
  return "drifted";
}

Severity severity_of(Lack lack) {
  if (lack == Lack::kMissing) return Severity::kCritical;
  return lack == Lack::kDue ? Severity::kNote : Severity::kWarning;
}

void append(const Plan& plan, std::string_view command, std::vector<Finding>& findings) {
  for (const Step& step : plan.steps) {
    if (step.lack == Lack::kTold) continue;
    // What a remote secret holds is nobody's to see, and the same whatever is wrong with it.
    const bool is_access = std::holds_alternative<ShareAccess>(step.action);
    findings.push_back({.code = std::string(code_of(step.lack)),
                        .severity = severity_of(step.lack),
                        .cluster = step.cluster,
                        .message = fmt::format("{}: {}", step.title, step.reason),
                        .evidence = is_access ? std::vector<std::string>() : step.diff,
                        .hints = {fmt::format("run '{}'", command)}});
  }
}

}  // namespace

std::vector<Finding> drift_of_trust(const profiles::Mesh& mesh,
                                    const Observation& observation,
                                    base::Instant at) {
  std::vector<Finding> findings;
  const Planned planned = sketch_trust(mesh, observation, {.at = at});
  append(planned.plan, "meshtrust apply --only trust", findings);
  return findings;
}

std::vector<Finding> drift(const profiles::Mesh& mesh,
                           const Observation& observation,
                           base::Instant at,
                           const BaseFiles& files) {
  std::vector<Finding> findings;
  const Planned planned = sketch_mesh(mesh, observation, {.at = at}, files);
  // With less than all rights: what is missing cannot be told, and that has to be said.
  for (const base::Error& error : planned.answer.unknowns) {
    // Where nobody looked at all, a check tells why: its server does not answer, for one.
    if (error.code == base::Code::kInternal) continue;
    findings.push_back({.code = "not-compared",
                        .severity = Severity::kNote,
                        .cluster = {},
                        .message = "not compared with the mesh file: " + error.message,
                        .hints = error.hints});
  }
  append(planned.plan, "meshtrust apply", findings);
  return findings;
}

}  // namespace meshtrust::mesh
