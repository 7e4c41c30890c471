#include "base/text.h"
#include "ca/store.h"
#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/holding.h"
#include "cli/mesh_run.h"
#include "cli/observing.h"
#include "cli/passphrase.h"
#include "cli/passphrase_strength.h"
#include "cli/plan_text.h"
#include "cli/progress.h"
#include "cli/proof.h"
#include "cli/unfinished.h"
#include "k8s/resolve.h"
#include "mesh/plan.h"
#include "run/execute.h"
#include "run/rehearse.h"
#include "run/steps.h"

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <set>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Error;
using base::Errors;
using base::Result;

/// One run of `apply`, from observation to proof. Every step before `execute` only
/// reads, but for the trust store's folder and lock.
class Apply final : public MeshRun {
 public:
  struct Options {
    std::vector<std::string> clusters;  ///< all when empty
    std::string plan_file;
    bool skip_unreachable = false;
    bool allow_unsupported = false;
    bool push_unverified = false;
    bool only_trust = false;
    std::string break_lock;  ///< why; empty without
    PassphraseOptions passphrase;
  };

  Apply(Session& session, MeshContext& context, const Options& options)
      : MeshRun(session, context, "nothing was written anywhere"), options_(options) {}

 private:
  ExitCode go() override {
    if (stops(read_saved_plan()) || stops(read_files()) || stops(plan_from_what_is())) {
      return code_;
    }
    if (plan_.is_empty()) return finish_with_nothing_done();
    session_.console().narrate(render_plan(plan_));
    if (stops(compare_with_saved_plan()) || stops(check_servers()) || stops(check_installer()) ||
        stops(check_rights()) || stops(confirm()) || stops(get_passphrase())) {
      return code_;
    }
    if (stops(lock_and_plan_again())) return code_;
    if (plan_.is_empty()) return finish_with_nothing_done();
    if (stops(rehearse())) return code_;
    return execute();
  }

  /// How deeply to look, where more than trust is wanted.
  mesh::Level level(mesh::Level wanted) const {
    return options_.only_trust ? mesh::Level::kTrust : wanted;
  }

  Step plan_from_what_is() {
    mesh::Observation observation = observe_live(session_, context_, level(mesh::Level::kMesh));
    if (options_.skip_unreachable) leave_out_unreachable(observation);
    if (context_.mesh.clusters.empty()) {
      return stop_with(Error{.code = Code::kUnavailable, .message = "no cluster could be reached"});
    }
    const mesh::PlanOptions options{.at = session_.now(),
                                    .allow_unsupported = options_.allow_unsupported,
                                    .left_out = left_out_};
    mesh::Planned planned = options_.only_trust
                                ? mesh::plan_trust(context_.mesh, observation, options)
                                : mesh::plan_mesh(context_.mesh, observation, options, files_);
    session_.console().show(planned.answer.unknowns);
    show_once(planned.answer.findings);
    findings_code_ = exit_code_of(std::span<const mesh::Finding>(planned.answer.findings));
    if (planned.is_refused()) {
      return with_nothing_changed(stopped(more_telling(
          exit_code_of(std::span<const Error>(planned.answer.unknowns)), findings_code_)));
    }
    observation_ = std::move(observation);
    plan_ = std::move(planned.plan);
    keep_wanted_steps();
    return {};
  }

  void leave_out_unreachable(const mesh::Observation& observation) {
    for (const mesh::ClusterObservation& cluster : observation.clusters) {
      const Error* why = cluster.server.why_unknown();
      if (why == nullptr || (why->code != Code::kUnavailable && why->code != Code::kPermission)) {
        continue;
      }
      session_.console().warn(fmt::format("{} is left out: {}", cluster.name, why->message));
      left_out_.push_back(cluster.name);
      std::erase_if(context_.mesh.clusters,
                    [&cluster](const profiles::Cluster& one) { return one.name == cluster.name; });
    }
  }

  /// The steps of the wanted clusters, and whatever those need.
  void keep_wanted_steps() {
    if (options_.clusters.empty()) return;
    std::set<std::string> kept;
    std::for_each(plan_.steps.rbegin(), plan_.steps.rend(), [&](const mesh::Step& step) {
      const bool wanted = std::find(options_.clusters.begin(), options_.clusters.end(),
                                    step.cluster) != options_.clusters.end();
      if (!wanted && !kept.contains(step.id)) return;
      kept.insert(step.id);
      kept.insert(step.needs.begin(), step.needs.end());
    });
    std::erase_if(plan_.steps, [&kept](const mesh::Step& step) { return !kept.contains(step.id); });
    forget_untouched_servers(plan_);
  }

  /// A file that is no plan is told before anything is looked at.
  Step read_saved_plan() {
    if (options_.plan_file.empty()) return {};
    const std::string hint =
        fmt::format("write one with 'meshtrust plan --out {}'", options_.plan_file);
    const auto text = session_.around.files.read(options_.plan_file, std::size_t{64} << 20U);
    if (!text) return stop_with(with_hint(text.error(), hint));
    const std::string name = fmt::format("'{}'", options_.plan_file);
    auto saved = base::parse_json(*text, name);
    if (!saved) return stop_with(with_hint(saved.error(), hint));
    const std::string kind = base::string_at(*saved, "kind");
    if (kind != "Plan") {
      return stop_with(
          Error{.code = Code::kInvalidInput,
                .message = fmt::format("{} is not a plan: its kind is '{}'", name, kind),
                .hints = {hint}});
    }
    saved_plan_ = std::move(*saved);
    return {};
  }

  Step compare_with_saved_plan() {
    const base::Json now = to_json(plan_);
    if (options_.plan_file.empty() || saved_plan_ == now) return {};
    return stop_with(
        Error{.code = Code::kRefused,
              .message = fmt::format("the plan made now differs from '{}'", options_.plan_file) +
                         what_servers_changed(saved_plan_, now),
              .hints = {"something changed since it was saved: look at 'meshtrust "
                        "plan' and save it again"}});
  }

  /// Keys go to no server that could be anybody, unless that was said on this command line.
  Step check_servers() {
    Errors errors;
    for (const profiles::Cluster& cluster : context_.mesh.clusters) {
      const auto client = context_.clusters->client(cluster.name);
      if (!client || !plan_.sends_keys_to(cluster.name) || options_.push_unverified) continue;
      const k8s::ClientSettings& settings = (*client)->settings();
      if (settings.verify_server) continue;
      errors.push_back(
          {.code = Code::kRefused,
           .message = fmt::format("{}: a key would go to {}, whose certificate is not verified",
                                  cluster.name, settings.server.text()),
           .hints = {fmt::format("give cluster '{}' in {} its 'certificate-authority-data' instead "
                                 "of 'insecure-skip-tls-verify', or say "
                                 "--insecure-skip-tls-verify",
                                 settings.cluster, settings.cluster_file)}});
    }
    return errors.empty() ? Step() : with_nothing_changed(stop_with(errors));
  }

  /// The servers' word on every object before the first of them is written.
  Step rehearse() {
    const run::Rehearsal rehearsal = run::rehearse(context_.mesh, plan_, *context_.world);
    if (session_.console().is_verbose()) {
      for (const std::string& what : rehearsal.untried) {
        session_.console().say("not tried beforehand: " + what);
      }
    }
    if (rehearsal.refusals.empty()) return {};
    auto step = stop_with(rehearsal.refusals);
    session_.console().say("nothing was written to any cluster");
    return step;
  }

  Step confirm() { return ask({"run this plan?"}, "changes clusters", "nothing was changed"); }

  /// Asked for, and tried where it can be tried, before anything changes.
  Step get_passphrase() {
    if (!plan_.requires_root_key()) return {};
    const mesh::StoreFacts* store = observation_.store.found(mesh::Unknown::kTold);
    const bool root_exists = store != nullptr && store->root.has_value();
    if (root_exists && !store->key_is_encrypted) {
      warn_of_unused_passphrase(session_, options_.passphrase);
      return {};
    }
    std::vector<std::string> names =
        names_in(context_.mesh.trust.root.subject.text(), context_.world->store.string());
    names.push_back(context_.mesh.name);
    auto passphrase =
        find_passphrase(session_, options_.passphrase,
                        root_exists ? PassphrasePurpose::kOpen : PassphrasePurpose::kProtectNewKey,
                        "root key", names);
    if (!passphrase) return stop_with(passphrase.error());
    access_.clear_text = !passphrase->has_value();
    access_.scrypt_p = options_.passphrase.scrypt_p;
    if (*passphrase) access_.passphrase = std::move(**passphrase);
    return {};
  }

  Result<ca::TrustStore> open_or_create_store() {
    const ca::Environment environment = session_.environment();
    auto store = ca::TrustStore::open(environment, context_.world->store);
    if (store || store.error().code != Code::kNotFound) return store;
    auto created = ca::TrustStore::create(environment, context_.world->store, context_.world->who);
    // Another run was faster by a moment: then its store is ours as well, and its lock decides.
    const bool is_there = !created && created.error().code == Code::kConflict;
    return is_there ? ca::TrustStore::open(environment, context_.world->store) : std::move(created);
  }

  Step lock_and_plan_again() {
    if (is_managed()) {
      auto store = open_or_create_store();
      if (!store) return stop_with(store.error());
      store_ = std::make_unique<ca::TrustStore>(std::move(*store));
    }
    auto held = hold(session_, context_, plan_, store_.get(), options_.break_lock);
    if (!held) {
      auto step = stop_with(held.error());
      session_.console().say("nothing was written to any cluster");
      return step;
    }
    held_ = *std::move(held);
    const base::Json shown = to_json(plan_);
    if (auto step = plan_from_what_is(); !step) return step;
    return expect_plan(shown);
  }

  ExitCode execute() {
    std::optional<run::TrustSteps> trust;
    if (is_managed()) {
      trust.emplace(context_.mesh, *context_.world, plan_, *store_, *held_.store,
                    std::move(access_));
      if (const auto unlocked = trust->unlock(); !unlocked) {
        session_.console().show(unlocked.error());
        session_.console().say("nothing was written anywhere");
        return exit_code_of(unlocked.error().code);
      }
    }
    run::MeshSteps more(context_.mesh, *context_.world, observation_, istioctl_, k8s::resolve_host);
    run::Steps steps(trust ? &*trust : nullptr, more);
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

  /// Success is said of what is read back from the live clusters, not of what was sent.
  ExitCode prove_and_finish() {
    const mesh::Observation after = observe_live(session_, context_, level(mesh::Level::kDeep));
    Proof proof = prove(context_.mesh, after, session_.now(), files_);
    proof.keep(options_.clusters);
    session_.answer(proof_to_json(context_.mesh, after, proof, session_.now()),
                    render_proof(context_.mesh, after, proof, session_.now()));
    session_.console().show(proof.answer.unknowns);
    show_once(proof.answer.findings);
    if (proof.holds()) session_.console().say("next: 'meshtrust status' at any time");
    // What stood before the run and has been mended by it counts no more.
    return with_left_out(options_.only_trust ? more_telling(proof.exit_code(), findings_code_)
                                             : proof.exit_code());
  }

  /// An earlier run may have ended before istiods saw each other's clusters, so they are asked here
  /// too; a plan is made without a way into pods.
  ExitCode finish_with_nothing_done() {
    const mesh::Observation after = level(mesh::Level::kDeep) == mesh::Level::kTrust
                                        ? observation_
                                        : observe_live(session_, context_, mesh::Level::kDeep);
    Proof proof = prove(context_.mesh, after, session_.now(), files_);
    proof.keep(options_.clusters);
    const std::string done =
        options_.clusters.empty()
            ? render_plan(plan_, findings_code_ == kRefused)
            : fmt::format("Nothing to do for {}.\n", base::join(options_.clusters, ", "));
    session_.answer(proof_to_json(context_.mesh, after, proof, session_.now()),
                    done + "\n" + render_proof(context_.mesh, after, proof, session_.now()));
    session_.console().show(proof.answer.unknowns);
    show_once(proof.answer.findings);
    return with_left_out(more_telling(proof.exit_code(), findings_code_));
  }

  ExitCode with_left_out(ExitCode code) {
    if (left_out_.empty()) return code;
    session_.console().say("left out: " + base::join(left_out_, ", "));
    return more_telling(code, kPartial);
  }

  const Options& options_;
  base::Json saved_plan_;
  run::RootKeyAccess access_;
  std::vector<std::string> left_out_;
  ExitCode findings_code_ = kDone;
};

class ApplyCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("CLUSTER", options_.clusters, "only these clusters")
        ->option_text("[CLUSTER...]");
    app.add_option("--only", only_, "trust: stop after trust")
        ->check(CLI::IsMember({"trust"}))
        ->option_text("trust");
    app.add_option("--plan", options_.plan_file, "go on only if the plan equals this saved one")
        ->option_text("FILE");
    app.add_flag("--skip-unreachable", options_.skip_unreachable,
                 "leave out clusters that cannot be reached (then exit 5)");
    app.add_flag("--allow-unsupported", options_.allow_unsupported,
                 "go on with Kubernetes versions that nobody here has tried");
    app.add_flag("--insecure-skip-tls-verify", insecure_,
                 "push keys also to servers whose kubeconfig skips verification");
    declare_trust(app, trust_);
    declare_break_lock(app, options_.break_lock);
    options_.passphrase.declare(app);
  }

  int run(Session& session) override {
    options_.passphrase.keep_from_children();
    auto context =
        open_mesh(session, trust_, insecure_ ? Unverified::kAllowed : Unverified::kRefused);
    if (!context) {
      session.console().show(context.error());
      return exit_code_of(context.error());
    }
    if (auto status = check_cluster_names(context->mesh, options_.clusters); !status) {
      session.console().show(status.error());
      return kUsage;
    }
    options_.push_unverified = insecure_;
    options_.only_trust = only_ == "trust";
    if (options_.skip_unreachable && !options_.only_trust) {
      session.console().show(base::Error{
          .code = base::Code::kUsage,
          .message = "--skip-unreachable is for trust alone: without one of its clusters a mesh "
                     "would be taken for a smaller one, and what others know of it taken away",
          .hints = {"say '--only trust --skip-unreachable', or name the clusters to work on: "
                    "'meshtrust apply east'"}});
      return kUsage;
    }
    return Apply(session, *context, options_).run();
  }

 private:
  std::string only_;
  run::KubeconfigTrust trust_;
  bool insecure_ = false;
  Apply::Options options_;
};

}  // namespace

CommandEntry apply_command() {
  return {
      .name = "apply",
      .group = "From kubeconfigs to proved trust",
      .summary = "mint, push and prove trust; then install the mesh on it",
      .details =
          "Makes the plan, shows it, and runs it. Trust first: the root once into the trust store, "
          "an intermediate for every cluster that runs an istiod, the namespace with its network "
          "label, cacerts and its public twin, all proved before a control plane is installed. "
          "Then, with the user's own istioctl (of PATH, or MESHTRUST_ISTIOCTL): control planes, "
          "east-west gateways and what they "
          "let in, remote profiles, and the secrets by which istiods see each other's clusters. "
          "Everything runs at the same time wherever nothing needs the other, every wait says "
          "what it waits for, and everything is read back before success is said.\n"
          "While a revoked CA goes on signing, only the steps of trust are run. No root is minted "
          "while a cluster is left out.\n"
          "Nothing is written anywhere while a cluster cannot be read, a right is missing, "
          "istioctl is of another version, or a live CA, root, network, trust domain or control "
          "plane is not what the mesh file says. Interrupted at any instant, the same command goes "
          "on from what is there. --only trust stops when trust is proved.",
      .examples = {{"Trust alone", "meshtrust apply --only trust"},
                   {"The whole mesh, in a pipeline",
                    "MESHTRUST_PASSWORD=... meshtrust apply --yes --progress json"},
                   {"Exactly what was reviewed", "meshtrust apply --plan plan.json --yes"}},
      .files = {"mesh.yaml     what should be",
                "<name>.trust  the trust store: the root's encrypted key and the ledger",
                "~/.local/state/meshtrust/<name>  what istioctl said"},
      .make = make_command<ApplyCommand>};
}

}  // namespace meshtrust::cli
