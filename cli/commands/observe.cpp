#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/observing.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <vector>

namespace meshtrust::cli {
namespace {

template <class T>
std::string word_of(const mesh::Observed<T>& fact) {
  if (fact.is_absent()) return "absent";
  const base::Error* why = fact.why_unknown();
  return why == nullptr ? "found" : fmt::format("unknown ({})", base::name_of(why->code));
}

std::string render_observation(const mesh::Observation& observation) {
  std::vector<std::vector<std::string>> rows{
      {"CLUSTER", "SERVER", "NAMESPACE", "CACERTS", "TWIN", "ISTIOD"}};
  for (const mesh::ClusterObservation& cluster : observation.clusters) {
    rows.push_back({cluster.name, word_of(cluster.server), word_of(cluster.system_namespace),
                    word_of(cluster.cacerts), word_of(cluster.twin), word_of(cluster.istiod)});
  }
  return fmt::format("{}\ntrust store: {}\nseen at {}\n", table(rows), word_of(observation.store),
                     base::format_rfc3339(observation.at));
}

void collect_unknowns(const mesh::ClusterObservation& cluster, base::Errors& errors) {
  const auto add = [&](const base::Error* why) {
    if (why != nullptr) errors.push_back(with_context(*why, cluster.name));
  };
  add(cluster.server.why_unknown());
  if (cluster.server.is_unknown()) return;
  add(cluster.system_namespace.why_unknown());
  add(cluster.cacerts.why_unknown());
  add(cluster.twin.why_unknown());
  add(cluster.istiod.why_unknown());
  add(cluster.workload_roots.why_unknown());
  add(cluster.trust_domain.why_unknown());
}

class ObserveCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    depth_.declare_level(app, "trust|mesh|deep",
                         "trust, mesh (default, with a version of Istio) or deep: asks istiods and "
                         "workloads too");
    depth_.declare_pods(app);
    declare_trust(app, trust_);
  }

  int run(Session& session) override {
    if (auto status = depth_.check({}, mesh::Level::kMesh); !status) {
      session.console().show(status.error());
      return kUsage;
    }
    auto context = open_mesh(session, trust_);
    if (!context) {
      session.console().show(context.error());
      return exit_code_of(context.error());
    }
    const mesh::Observation observation =
        observe_live(session, *context, depth_.depth(level_for(context->mesh, mesh::Level::kMesh)));
    session.answer(to_json(observation), render_observation(observation));
    base::Errors errors;
    for (const auto& cluster : observation.clusters) {
      collect_unknowns(cluster, errors);
    }
    if (const base::Error* why = observation.store.why_unknown()) errors.push_back(*why);
    session.console().show(errors);
    // The observation is complete as it is: what is unknown is part of it. A script still learns
    // it.
    return errors.empty() ? kDone : kWarnings;
  }

 private:
  DepthOptions depth_;
  run::KubeconfigTrust trust_;
};

}  // namespace

CommandEntry observe_command() {
  return {
      .name = "observe",
      .group = "Looking",
      .summary = "record what is, to think about it elsewhere",
      .details =
          "Reads the clusters and the trust store and prints all that status, plan and verify "
          "would know. Secrets are left out: of a CA key only whether it fits its certificate. "
          "What could not be read says why; it is never taken for absent (then the exit code is "
          "3).",
      .examples = {{"See what can be seen", "meshtrust observe"},
                   {"Save it for a colleague", "meshtrust observe -o json > seen.json"},
                   {"Plan on it without a cluster", "meshtrust plan --from seen.json"}},
      .files = {"mesh.yaml     which clusters", "<name>.trust  the trust store, read only"},
      .make = make_command<ObserveCommand>};
}

}  // namespace meshtrust::cli
