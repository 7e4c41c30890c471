#include "cli/unfinished.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::cli {

ExitCode tell_what_is_left(Session& session,
                           const mesh::Plan& plan,
                           const run::ExecutionReport& report) {
  const base::Errors errors = report.errors();
  const std::vector<std::string> left = report.left();
  session.console().show(errors);
  session.console().say(fmt::format("{} of {} done, left: {}", plan.steps.size() - left.size(),
                                    base::count_of(plan.steps.size(), "step"),
                                    base::join(left, ", ")));
  const bool is_to_be_mended = std::any_of(
      errors.begin(), errors.end(), [](const base::Error& one) { return !one.hints.empty(); });
  session.console().say(is_to_be_mended ? "once that is mended, the same command goes on from here"
                                        : "run the same command again to go on from here");
  return report.changed_anything() ? kPartial : exit_code_of(errors);
}

}  // namespace meshtrust::cli
