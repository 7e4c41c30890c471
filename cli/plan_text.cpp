#include "cli/plan_text.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::cli {
namespace {

using base::one_line;

char sign_of(mesh::Change change) {
  switch (change) {
    case mesh::Change::kAdd:
      return '+';
    case mesh::Change::kChange:
      return '~';
    case mesh::Change::kWait:
      return '.';
    case mesh::Change::kRemove:
      break;
  }
  return '-';
}

}  // namespace

std::string render_plan(const mesh::Plan& plan, bool is_critical) {
  if (plan.is_empty() && is_critical) {
    return fmt::format("Nothing is changed in mesh '{}' while what is critical stands.\n",
                       one_line(plan.mesh));
  }
  if (plan.is_empty()) {
    return fmt::format("Nothing to do: mesh '{}' is as it should be.\n", one_line(plan.mesh));
  }
  std::string text;
  for (const mesh::Step& step : plan.steps) {
    const std::string where = step.cluster.empty() ? "" : one_line(step.cluster) + ": ";
    if (step.change == mesh::Change::kWait) {
      text += fmt::format(". {}wait: {}\n\n", where, one_line(step.title));
      continue;
    }
    text += fmt::format("{} {}{}\n    because {}\n", sign_of(step.change), where,
                        one_line(step.title), one_line(step.reason));
    for (const std::string& line : step.diff) {
      text += fmt::format("    {}\n", one_line(line));
    }
    text += "\n";
  }
  if (!plan.servers.empty()) text += "Servers:\n";
  for (const mesh::PlannedServer& server : plan.servers) {
    text += fmt::format("  {}: {}\n", server.cluster, describe(server));
  }
  if (!plan.servers.empty()) text += "\n";
  const auto count = [&plan](mesh::Change change) {
    return std::count_if(plan.steps.begin(), plan.steps.end(),
                         [change](const mesh::Step& step) { return step.change == change; });
  };
  const auto waits = count(mesh::Change::kWait);
  return text + fmt::format("Plan: {} to add, {} to change, {} to remove{}\n",
                            count(mesh::Change::kAdd), count(mesh::Change::kChange),
                            count(mesh::Change::kRemove),
                            waits == 0 ? "" : fmt::format(", {} to wait for", waits));
}

std::string what_servers_changed(const base::Json& before, const base::Json& now) {
  const std::vector<std::string> changes = mesh::changed_servers(before, now);
  return changes.empty() ? "" : ": " + base::join(changes, "; ");
}

}  // namespace meshtrust::cli
