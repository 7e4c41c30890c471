#include "base/text.h"
#include "ca/store.h"
#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/installer.h"
#include "cli/observing.h"
#include "cli/plan_text.h"
#include "cli/progress.h"
#include "cli/unfinished.h"
#include "mesh/plan.h"
#include "run/execute.h"
#include "run/preflight.h"
#include "run/steps.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Error;
using base::Errors;

class DestroyCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("CLUSTER", options_.clusters, "only these clusters leave the mesh")
        ->option_text("[CLUSTER...]");
    app.add_flag("--keep-trust", options_.keep_trust, "leave cacerts and its namespace");
    declare_trust(app, trust_);
  }

  int run(Session& session) override {
    auto context = open_mesh(session, trust_);
    if (!context) {
      session.console().show(context.error());
      return exit_code_of(context.error());
    }
    if (auto status = check_cluster_names(context->mesh, options_.clusters); !status) {
      session.console().show(status.error());
      return kUsage;
    }
    auto files = read_base_files(session, context->mesh);
    if (!files) return stop(session, {files.error()});

    const mesh::Observation observation = observe_live(session, *context, mesh::Level::kMesh);
    const mesh::Planned planned = plan_destroy(context->mesh, observation, options_, *files);
    session.console().show(planned.answer.unknowns);
    session.console().show(planned.answer.findings);
    if (planned.is_refused()) {
      session.console().say("nothing was removed anywhere");
      return more_telling(exit_code_of(std::span<const Error>(planned.answer.unknowns)),
                          exit_code_of(std::span<const mesh::Finding>(planned.answer.findings)));
    }
    if (planned.plan.is_empty()) {
      session.answer(
          to_json(planned.plan),
          fmt::format("Nothing to do: nothing of mesh '{}' is left.\n", planned.plan.mesh));
      return kDone;
    }
    session.console().narrate(render_plan(planned.plan));
    return carry_out(session, *context, observation, planned.plan, *files);
  }

 private:
  static int stop(Session& session, const Errors& errors) {
    session.console().show(errors);
    return exit_code_of(std::span<const Error>(errors));
  }

  static bool removes_trust(const mesh::Plan& plan) {
    return std::any_of(plan.steps.begin(), plan.steps.end(),
                       [](const mesh::Step& step) { return step.id.ends_with("/trust-gone"); });
  }

  static std::optional<int> refusal(Session& session, const mesh::Plan& plan) {
    if (session.options.yes) return std::nullopt;
    if (!session.around.terminal.is_there()) {
      return stop(
          session,
          {{.code = Code::kUsage,
            .message = "this removes things from clusters and there is no terminal to ask on",
            .hints = {"look at the plan above, then say --yes"}}});
    }
    std::vector<std::string> questions{"remove all this?"};
    if (removes_trust(plan)) {
      questions.emplace_back(
          "and the CA keys of these clusters, which nobody can bring back? (--keep-trust leaves "
          "them)");
    }
    for (const std::string& question : questions) {
      const auto answer = session.around.terminal.confirm(question);
      if (!answer) return stop(session, {answer.error()});
      if (*answer) continue;
      session.console().say("nothing was removed");
      return kUsage;
    }
    return std::nullopt;
  }

  int carry_out(Session& session,
                MeshContext& context,
                const mesh::Observation& observation,
                const mesh::Plan& plan,
                const mesh::BaseFiles& files) const {
    run::Istioctl istioctl = istioctl_of(session, context.mesh);
    if (const auto version = plan.requires_installer()) {
      auto fits = istioctl.expect_version(*version);
      if (!fits) return stop(session, {fits.error()});
    }
    if (const Errors missing = run::check_rights(plan, *context.world); !missing.empty()) {
      return stop(session, missing);
    }
    if (const auto code = refusal(session, plan)) return *code;

    // Another run of this mesh must not put back meanwhile what is taken away.
    auto store = ca::TrustStore::open(session.environment(), context.world->store);
    std::optional<ca::StoreLock> lock;
    if (store) {
      auto locked = store->lock(
          ca::describe_holder(context.world->who, session.around.process_id, session.now()));
      if (!locked) return stop(session, {locked.error()});
      lock.emplace(std::move(*locked));
    }
    const mesh::Observation now = observe_live(session, context, mesh::Level::kMesh);
    if (to_json(plan_destroy(context.mesh, now, options_, files).plan) != to_json(plan)) {
      return stop(session, {{.code = Code::kRefused,
                             .message = "the mesh changed after the plan was made",
                             .hints = {"run the same command again to see the new plan"}}});
    }
    run::MeshSteps more(context.mesh, *context.world, observation, istioctl);
    run::Steps steps(nullptr, more);
    const auto progress = make_progress(session);
    const run::ExecutionReport report =
        run::execute(plan, [&steps](const mesh::Step& step) { return steps.attempt(step); },
                     *progress, session.around.clock, session.around.cancellation,
                     {.workers = session.options.jobs, .step_timeout = session.timeout});
    progress->close();
    return finish(session, context, plan, report, files);
  }

  /// What would refuse pods from now on is looked for last of all.
  int finish(Session& session,
             MeshContext& context,
             const mesh::Plan& plan,
             const run::ExecutionReport& report,
             const mesh::BaseFiles& files) const {
    if (!report.succeeded()) return tell_what_is_left(session, plan, report);
    const mesh::Observation after = observe_live(session, context, mesh::Level::kMesh);
    mesh::Planned rest = plan_destroy(context.mesh, after, options_, files);
    const mesh::CheckSubject subject{
        .mesh = context.mesh, .observation = after, .at = session.now(), .files = &files};
    for (const mesh::Check& check : mesh::mesh_checks()) {
      if (check.id == "webhooks-backed") check.ask(subject, rest.answer);
    }
    session.console().show(rest.answer.unknowns);
    session.console().show(rest.answer.findings);
    const std::string where =
        options_.clusters.empty() ? "" : " in " + base::join(options_.clusters, ", ");
    const bool is_gone = rest.plan.is_empty() && !rest.is_refused();
    session.answer(to_json(plan),
                   is_gone
                       ? fmt::format("Nothing of mesh '{}' is left{}.\n", context.mesh.name, where)
                       : fmt::format("Of mesh '{}' this is left{}:\n{}", context.mesh.name, where,
                                     render_plan(rest.plan)));
    if (context.mesh.trust.mode == profiles::TrustMode::kManaged) {
      session.console().say(
          fmt::format("the trust store '{}' is as it was", context.mesh.trust.store));
    }
    const ExitCode code = exit_code_of(std::span<const mesh::Finding>(rest.answer.findings));
    return is_gone ? code : more_telling(kPartial, code);
  }

  mesh::DestroyOptions options_;
  run::KubeconfigTrust trust_;
};

}  // namespace

CommandEntry destroy_command() {
  return {
      .name = "destroy",
      .group = "From kubeconfigs to proved trust",
      .summary = "take away what apply made, remotes before control planes",
      .details =
          "Makes the plan of the way back, shows it, and runs it: the secrets by which istiods "
          "know "
          "of clusters that leave, gateways, remote profiles, control planes, what istiods leave "
          "in every namespace, cacerts, and the system namespace where meshtrust created it. What "
          "this mesh did not make is left alone, the trust store always. With names of clusters "
          "only these leave, and the others forget them. Works on meshes that are half built, and "
          "goes on where it was interrupted.",
      .examples = {{"Ask, then take everything away", "meshtrust destroy"},
                   {"One cluster leaves a live mesh", "meshtrust destroy west"},
                   {"Istio goes, the CAs stay", "meshtrust destroy --keep-trust --yes"}},
      .files = {"mesh.yaml     what was made", "<name>.trust  the trust store, left as it is"},
      .make = make_command<DestroyCommand>};
}

}  // namespace meshtrust::cli
