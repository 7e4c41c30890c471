#include "mesh/plan.h"

#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/observing.h"
#include "cli/plan_text.h"

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <fmt/format.h>

namespace meshtrust::cli {
namespace {

class PlanCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("--only", only_, "trust: what 'apply --only trust' would do")
        ->check(CLI::IsMember({"trust"}))
        ->option_text("trust");
    app.add_option("--out", out_, "save the plan for 'apply --plan'")->option_text("FILE");
    app.add_flag("--detailed-exitcode", detailed_, "exit 2 when there is something to do");
    app.add_flag("--allow-unsupported", allow_unsupported_,
                 "go on with Kubernetes versions that nobody here has tried");
    snapshot_.declare(app);
  }

  int run(Session& session) override {
    const mesh::Level wanted = only_.empty() ? mesh::Level::kMesh : mesh::Level::kTrust;
    auto seen = observe_or_read(session, snapshot_, wanted);
    if (!seen) {
      session.console().show(seen.error());
      return exit_code_of(seen.error());
    }
    const bool whole = only_.empty() && seen->observation.level != mesh::Level::kTrust;
    const mesh::PlanOptions options{.at = seen->at, .allow_unsupported = allow_unsupported_};
    const mesh::Planned planned =
        whole ? mesh::plan_mesh(seen->mesh, seen->observation, options, seen->files)
              : mesh::plan_trust(seen->mesh, seen->observation, options);
    session.console().show(planned.answer.unknowns);
    session.console().show(planned.answer.findings);
    const ExitCode judged =
        more_telling(exit_code_of(planned.answer.unknowns), exit_code_of(planned.answer.findings));
    if (planned.is_refused()) {
      session.console().say("no plan: nothing may be changed while this stands");
      return judged;
    }
    if (!out_.empty()) {
      const auto written =
          session.around.files.write(out_, base::pretty(to_json(planned.plan)),
                                     base::Access::kPublic, base::Overwrite::kReplace);
      if (!written) {
        session.console().show(written.error());
        return exit_code_of(written.error().code);
      }
    }
    session.answer(to_json(planned.plan),
                   render_plan(planned.plan, mesh::has_severity(planned.answer.findings,
                                                                mesh::Severity::kCritical)));
    if (!planned.plan.is_empty()) {
      session.console().say(fmt::format("run it with 'meshtrust apply{}{}'",
                                        whole ? "" : " --only trust",
                                        out_.empty() ? "" : " --plan " + out_));
    }
    const bool pending = detailed_ && !planned.plan.is_empty();
    return more_telling(judged, pending ? kChangesPending : kDone);
  }

 private:
  std::string only_;
  std::string out_;
  bool detailed_ = false;
  bool allow_unsupported_ = false;
  SnapshotOptions snapshot_;
};

}  // namespace

CommandEntry plan_command() {
  return {
      .name = "plan",
      .group = "From kubeconfigs to proved trust",
      .summary = "show what apply would do, touching nothing",
      .details =
          "Looks at every cluster and at the trust store, and prints the ordered steps from what "
          "is to what mesh.yaml says, each with its reason. Only reads. A plan over anything "
          "unknown, or over trust that is not ours, is refused with the evidence.",
      .examples = {{"See what is to be done", "meshtrust plan"},
                   {"Save it for review, run exactly that later",
                    "meshtrust plan --out plan.json && meshtrust apply --plan plan.json"},
                   {"Let a pipeline know whether anything is pending",
                    "meshtrust plan --detailed-exitcode -o json"}},
      .files = {"mesh.yaml     what should be", "<name>.trust  the trust store, read only"},
      .make = make_command<PlanCommand>};
}

}  // namespace meshtrust::cli
