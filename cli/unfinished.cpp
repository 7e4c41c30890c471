#include "cli/unfinished.h"

#include "base/text.h"

#include <fmt/format.h>

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
  session.console().say("run the same command again to go on from here");
  return report.changed_anything() ? kPartial : exit_code_of(errors);
}

}  // namespace meshtrust::cli
