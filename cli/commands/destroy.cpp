#include "base/text.h"
#include "ca/store.h"
#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/holding.h"
#include "cli/mesh_run.h"
#include "cli/observing.h"
#include "cli/plan_text.h"
#include "cli/progress.h"
#include "cli/unfinished.h"
#include "mesh/check/installation.h"
#include "mesh/plan.h"
#include "run/execute.h"
#include "run/steps.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <memory>
#include <set>
#include <span>

namespace meshtrust::cli {
namespace {

using base::Error;

/// One run of `destroy`, in the order of `apply`: everything before `execute` only reads, but for
/// the lock of the trust store.
class Destroy final : public MeshRun {
 public:
  Destroy(Session& session,
          MeshContext& context,
          mesh::DestroyOptions options,
          bool gives_up,
          const std::string& break_lock)
      : MeshRun(session, context, "nothing was removed anywhere"),
        options_(std::move(options)),
        gives_up_(gives_up),
        break_lock_(break_lock) {}

 private:
  ExitCode go() override {
    if (stops(read_files()) || stops(look_and_plan())) return code_;
    if (!plan_.is_empty()) {
      session_.console().narrate(render_plan(plan_));
      if (stops(check_installer()) || stops(check_rights()) || stops(confirm())) return code_;
    }
    if (stops(lock_and_plan_again())) return code_;
    return plan_.is_empty() ? finish_with_nothing_done() : execute();
  }

  mesh::Observation look() {
    mesh::Observation seen = observe_live(session_, context_, mesh::Level::kMesh);
    observe_contents(session_, context_, options_, seen);
    return seen;
  }

  /// Which clusters are given up is decided by this first look and shown with its plan. One that
  /// falls silent later is not: nobody has said that it may be.
  Step look_and_plan() {
    mesh::Observation observation = look();
    if (gives_up_) options_.given_up = options_.unanswering(observation);
    return plan_from(std::move(observation));
  }

  Step plan_from(mesh::Observation observation) {
    mesh::Planned planned = plan_destroy(context_.mesh, observation, options_, files_);
    session_.console().show(planned.answer.unknowns);
    show_once(planned.answer.findings);
    const std::span<const mesh::Finding> findings(planned.answer.findings);
    if (planned.is_refused()) {
      return with_nothing_changed(stopped(more_telling(
          exit_code_of(std::span<const Error>(planned.answer.unknowns)), exit_code_of(findings))));
    }
    observation_ = std::move(observation);
    plan_ = std::move(planned.plan);
    findings_ = std::move(planned.answer.findings);
    return {};
  }

  bool removes_trust() const {
    return std::any_of(plan_.steps.begin(), plan_.steps.end(),
                       [](const mesh::Step& step) { return step.id.ends_with("/trust-gone"); });
  }

  bool removes_what_others_keep() const {
    return std::any_of(plan_.steps.begin(), plan_.steps.end(), [](const mesh::Step& step) {
      const auto* gone = std::get_if<mesh::DeleteNamespace>(&step.action);
      return gone != nullptr && !gone->of_others.empty();
    });
  }

  Step confirm() {
    std::vector<std::string> questions{"remove all this?"};
    if (!options_.given_up.empty()) {
      questions.push_back(fmt::format("and give up {} for ever, where whatever is in it stays?",
                                      base::join(options_.given_up, ", ")));
    }
    if (removes_trust()) {
      questions.emplace_back(
          "and the CA keys of these clusters, which nobody can bring back? (--keep-trust leaves "
          "them)");
    }
    if (removes_what_others_keep()) {
      questions.emplace_back("and what others keep in these namespaces?");
    }
    return ask(questions, "removes things from clusters", "nothing was removed");
  }

  /// Another run of this mesh must not put back meanwhile what is taken away, nor be about to make
  /// what is said not to be there. Without a store nothing of this mesh was found, and there is
  /// nothing to lock.
  Step lock_and_plan_again() {
    if (is_managed() && !observation_.store.is_absent()) {
      auto store = ca::TrustStore::open(session_.environment(), context_.world->store);
      if (!store) return with_nothing_changed(stop_with(store.error()));
      store_ = std::make_unique<ca::TrustStore>(std::move(*store));
    }
    auto held = hold(session_, context_, plan_, store_.get(), break_lock_);
    if (!held) return with_nothing_changed(stop_with(held.error()));
    held_ = *std::move(held);
    const base::Json shown = to_json(plan_);
    if (auto step = plan_from(look()); !step) return step;
    const Step same = expect_plan(shown);
    return same ? same : with_nothing_changed(same);
  }

  ExitCode execute() {
    run::MeshSteps more(context_.mesh, *context_.world, observation_, istioctl_);
    run::Steps steps(nullptr, more);
    const auto progress = make_progress(session_);
    const run::ExecutionReport report =
        run::execute(plan_,
                     [&steps](const mesh::Step& step, const run::Tell& tell) {
                       return steps.attempt(step, tell);
                     },
                     *progress, session_.around.clock, session_.around.cancellation,
                     {.workers = session_.options.jobs,
                      .stop = [this](const mesh::Step& step) { return held_.lost(step.cluster); },
                      .step_timeout = session_.timeout});
    progress->close();
    if (!report.succeeded()) return tell_what_is_left(session_, plan_, report);
    return prove_and_finish();
  }

  /// What would refuse pods or configuration from now on in clusters that this mesh has left.
  mesh::Answer ask_for_orphans(mesh::Observation seen) const {
    std::erase_if(seen.clusters, [this](const mesh::ClusterObservation& one) {
      return !options_.leaves(one.name);
    });
    mesh::Answer answer;
    mesh::check_orphaned_webhooks({.mesh = context_.mesh,
                                   .observation = seen,
                                   .at = session_.now(),
                                   .purpose = mesh::Purpose::kLeave,
                                   .files = &files_},
                                  answer);
    return answer;
  }

  /// Shows what was found when nothing is to be done any more. What that comes to.
  ExitCode tell(mesh::Answer answer) {
    session_.console().show(answer.unknowns);
    show_once(answer.findings);
    findings_ = std::move(answer.findings);
    return more_telling(exit_code_of(std::span<const Error>(answer.unknowns)),
                        exit_code_of(std::span<const mesh::Finding>(findings_)));
  }

  /// Success is said of a new look.
  ExitCode prove_and_finish() {
    clear_old_leases();
    mesh::Observation after = look();
    mesh::Planned rest = plan_destroy(context_.mesh, after, options_, files_);
    const bool is_known = !rest.is_refused();
    mesh::Answer orphans = ask_for_orphans(std::move(after));
    std::ranges::move(orphans.findings, std::back_inserter(rest.answer.findings));
    std::ranges::move(orphans.unknowns, std::back_inserter(rest.answer.unknowns));
    const ExitCode code = tell(std::move(rest.answer));
    std::string answer;
    if (!is_known) {
      answer =
          fmt::format("What is left of mesh '{}'{} is not known.\n", context_.mesh.name, where());
    } else if (!rest.plan.is_empty()) {
      answer = fmt::format("Of mesh '{}' this is left{}:\n{}", context_.mesh.name, where(),
                           render_plan(rest.plan));
    } else {
      answer = farewell() + ".\n";
      answer.front() = 'N';  // of "nothing" or "nobody"
    }
    session_.answer(to_json(plan_), answer);
    if (is_managed()) {
      session_.console().say(
          fmt::format("the trust store '{}' is as it was", context_.mesh.trust.store));
    }
    return is_known && rest.plan.is_empty() ? code : more_telling(kPartial, code);
  }

  /// Leases of runs that were killed where this one had nothing to take away, and so took none.
  void clear_old_leases() {
    std::vector<std::string> untouched;
    for (const profiles::Cluster& cluster : context_.mesh.clusters) {
      const bool is_touched =
          std::any_of(plan_.servers.begin(), plan_.servers.end(),
                      [&cluster](const auto& one) { return one.cluster == cluster.name; });
      if (options_.leaves(cluster.name) && !is_touched && !options_.gives_up(cluster.name)) {
        untouched.push_back(cluster.name);
      }
    }
    clear_leases(session_, context_, plan_.lease, untouched);
  }

  ExitCode finish_with_nothing_done() {
    clear_old_leases();
    mesh::Answer answer = ask_for_orphans(observation_);
    answer.findings.insert(answer.findings.begin(), findings_.begin(), findings_.end());
    const ExitCode code = tell(std::move(answer));
    session_.answer(to_json(plan_), fmt::format("Nothing to do: {}.\n", farewell()));
    return code;
  }

  std::string where() const { return in(options_.clusters); }

  static std::string in(const std::vector<std::string>& clusters) {
    return clusters.empty() ? "" : " in " + base::join(clusters, ", ");
  }

  /// "nothing of mesh 'shop' is left in east, and nobody knows of west any more, which is given up"
  std::string farewell() const {
    const std::vector<std::string>& given_up = options_.given_up;
    std::vector<std::string> left = options_.clusters;
    std::erase_if(left, [this](const std::string& name) { return options_.gives_up(name); });
    std::vector<std::string> said;
    if (given_up.empty() || !left.empty()) {
      said.push_back(fmt::format("nothing of mesh '{}' is left{}{}", context_.mesh.name, in(left),
                                 but_what_stays()));
    }
    if (!given_up.empty()) {
      said.push_back(fmt::format("nobody knows of {} any more, which {} given up",
                                 base::join(given_up, ", "), given_up.size() == 1 ? "is" : "are"));
    }
    return base::join(said, ", and ");
  }

  bool has_found(std::string_view code) const {
    return std::any_of(findings_.begin(), findings_.end(),
                       [code](const mesh::Finding& one) { return one.code == code; });
  }

  std::string but_what_stays() const {
    std::vector<std::string> stays;
    if (options_.keep_trust) stays.emplace_back("its CAs");
    if (has_found("namespace-stays")) {
      stays.emplace_back("namespaces in which others keep things");
    }
    if (has_found("orphaned-webhook")) stays.emplace_back("webhooks that call nobody");
    return stays.empty() ? "" : " but " + base::join(stays, " and ");
  }

  mesh::DestroyOptions options_;
  const bool gives_up_;  ///< whether what does not answer at first is given up
  const std::string& break_lock_;
  std::vector<mesh::Finding> findings_;
};

class DestroyCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    auto* const clusters =
        app.add_option("CLUSTER", options_.clusters, "only these clusters leave the mesh")
            ->option_text("[CLUSTER...]");
    auto* const keep =
        app.add_flag("--keep-trust", options_.keep_trust, "leave cacerts and its namespace");
    app.add_flag("--with-namespace", options_.with_namespace,
                 "delete namespaces that meshtrust made also where others keep things in them")
        ->excludes(keep);
    app.add_flag("--gone", gives_up_,
                 "give up those of CLUSTER that do not answer and never will again")
        ->needs(clusters);
    declare_trust(app, trust_);
    declare_break_lock(app, break_lock_);
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
    return Destroy(session, *context, options_, gives_up_, break_lock_).run();
  }

 private:
  mesh::DestroyOptions options_;
  bool gives_up_ = false;
  run::KubeconfigTrust trust_;
  std::string break_lock_;
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
          "goes on where it was interrupted.\n"
          "Nothing is removed anywhere while anything is unknown that was looked at in a cluster "
          "that leaves, or what a cluster that stays knows of those, or while the trust store "
          "cannot be read or is held by another run. "
          "What is deleted is what the plan showed, by its uid: what came later under the same "
          "name is left and told (exit 5). A namespace that meshtrust created stays where others "
          "keep things in it, which are listed; --with-namespace deletes it all the same, but "
          "never with somebody else's cacerts or control plane.\n"
          "A cluster that was deleted, and will never answer, leaves by --gone: nothing is taken "
          "away in it, and the others forget it. The first look says which of CLUSTER these are; "
          "one that falls silent later, or answers again, ends the run. Take it out of the mesh "
          "file afterwards.",
      .examples = {{"Ask, then take everything away", "meshtrust destroy"},
                   {"One cluster leaves a live mesh", "meshtrust destroy west"},
                   {"Istio goes, the CAs stay", "meshtrust destroy --keep-trust --yes"}},
      .files = {"mesh.yaml     what was made", "<name>.trust  the trust store, left as it is"},
      .make = make_command<DestroyCommand>};
}

}  // namespace meshtrust::cli
