#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/observing.h"
#include "cli/rotation_text.h"
#include "istio/version.h"
#include "mesh/rotation/current.h"
#include "run/imagined_rotation.h"

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Error;
using base::Errors;
using base::fail;
using base::Result;
using mesh::rotation::Strategy;

constexpr std::array kStrategies = {Strategy::kBridge, Strategy::kReverse, Strategy::kBundle};

class RotateRoot final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("WHAT", what_, "simulate")
        ->check(CLI::IsMember({"simulate"}))
        ->option_text("[simulate]");
    app.add_option("--strategy", strategy_,
                   "bridge (the default), reverse (without the old root's key) or bundle (both "
                   "roots are trusted meanwhile)")
        ->check(CLI::IsMember({"bridge", "reverse", "bundle"}))
        ->option_text("STRATEGY");
    app.add_option("--skip", skip_, "leave a stage out, to see what it is there for")
        ->check(CLI::IsMember({"prepare", "activate", "retire"}))
        ->option_text("STAGE");
    app.add_option("--workload-ttl", workload_ttl_,
                   "how long workloads' certificates live at most (default 24h)")
        ->option_text("TIME");
    app.add_option("--multi-root", multi_root_,
                   "as if ISTIO_MULTIROOT_MESH were on or off at every istiod")
        ->check(CLI::IsMember({"on", "off"}))
        ->option_text("on|off");
    app.add_option("--istio-version", version_, "as if every istiod were of this version")
        ->option_text("VERSION");
    snapshot_.declare(app);
  }

  int run(Session& session) override {
    const auto terms = read_terms();
    if (!terms) {
      session.console().show(terms.error());
      return exit_code_of(terms.error().code);
    }
    const auto seen = observe_or_read(session, snapshot_);
    if (!seen) return say(session, seen.error());
    const auto issuers =
        mesh::rotation::current_issuers(seen->mesh, seen->observation, terms->assumed);
    if (!issuers) return say(session, issuers.error());
    auto next =
        run::imagine_rotation(*issuers, wanted(*seen, terms->strategy), session.around.random);
    if (!next) return say(session, Errors{std::move(next).error()});
    return show(session, *next, *terms, seen->at);
  }

 private:
  struct Terms {
    Strategy strategy = Strategy::kBridge;
    mesh::rotation::Pace pace;
    mesh::rotation::Assumed assumed;
  };

  static int say(Session& session, const Errors& errors) {
    session.console().show(errors);
    return exit_code_of(errors);
  }

  Result<Terms> read_terms() const {
    Terms terms;
    terms.strategy =
        *std::ranges::find(kStrategies, strategy_, [](Strategy one) { return name_of(one); });
    auto ttl = base::parse_duration(workload_ttl_);
    if (!ttl) return fail(Code::kUsage, "--workload-ttl: " + ttl.error().message);
    terms.pace.workload_ttl = *ttl;
    if (!multi_root_.empty()) terms.assumed.multi_root = multi_root_ == "on";
    if (!version_.empty()) {
      auto version = istio::parse_version(version_);
      if (!version) return fail(Code::kUsage, "--istio-version: " + version.error().message);
      terms.assumed.version = *version;
    }
    return terms;
  }

  /// As the mesh file has it.
  static run::ImaginedRoot wanted(const SeenMesh& seen, Strategy strategy) {
    const profiles::TrustProfile& trust = seen.mesh.trust;
    return {.strategy = strategy,
            .key = trust.root.key,
            .lifetime = trust.root.lifetime,
            .intermediate_key = trust.intermediate.key,
            .intermediate_lifetime = trust.intermediate.lifetime,
            .at = seen.at};
  }

  int show(Session& session,
           const mesh::rotation::NextRoot& next,
           const Terms& terms,
           base::Instant at) const {
    mesh::rotation::RotationPlan plan = mesh::rotation::plan_root(next);
    if (!skip_.empty()) plan = mesh::rotation::without_stage(std::move(plan), skip_);
    const mesh::rotation::Proof proof =
        mesh::rotation::prove({.plan = plan, .at = at, .pace = terms.pace});
    session.answer(to_json(plan, proof, terms.strategy), render(plan, proof, terms.strategy));
    session.console().say(
        "nothing was minted or written: certificates of today are replaced by "
        "stand-ins, those of tomorrow made with throw-away keys");
    return proof.holds() ? kDone : kRefused;
  }

  std::string what_ = "simulate";
  std::string strategy_ = "bridge";
  std::string skip_;
  std::string workload_ttl_ = "24h";
  std::string multi_root_;
  std::string version_;
  SnapshotOptions snapshot_;
};

}  // namespace

CommandEntry rotate_root_command() {
  return {
      .name = "rotate root",
      .group = "Changing certificates",
      .summary = "prove a change of root, pair by pair, touching nothing",
      .details =
          "Plans how the mesh gets from its root to a new one, stage by stage, and looks at "
          "every state that clusters can be in between two gates: whatever the order in which "
          "their istiods mount, reload, restart or crash and workloads renew. Whatever chain "
          "can then meet whatever roots is judged by the models of the verifiers that run in a "
          "mesh (Go, Envoy's BoringSSL, ztunnel's webpki) and by OpenSSL, at the first and "
          "at the last moment of the stage. Needs no key and touches nothing. Exit 0 when no "
          "pair fails, 4 when one does.",
      .examples = {{"Prove the change of root of this mesh", "meshtrust rotate root simulate"},
                   {"What a stage is there for", "meshtrust rotate root --skip prepare"},
                   {"On another machine, from a snapshot",
                    "meshtrust observe -o json > s.json && meshtrust rotate root --from s.json"}},
      .files = {"mesh.yaml     keys and lifetimes of what would be minted"},
      .make = make_command<RotateRoot>};
}

}  // namespace meshtrust::cli
