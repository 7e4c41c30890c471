#pragma once

#include "base/cancellation.h"
#include "ca/store.h"
#include "mesh/plan.h"
#include "profiles/load.h"
#include "run/clusters.h"
#include "run/execute.h"
#include "run/namespace_contents.h"
#include "run/observe.h"
#include "run/preflight.h"
#include "run/rehearse.h"
#include "run/steps.h"
#include "run/world.h"
#include "tests/run/execute_support.h"
#include "tests/support/fake_api_server.h"
#include "tests/support/matchers.h"
#include "tests/support/temp_folder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace meshtrust::run::testing {

inline const std::string kNamespacePath = "/api/v1/namespaces/istio-system";
inline const std::string kCacertsPath = kNamespacePath + "/secrets/cacerts";
inline const std::string kTwinPath = kNamespacePath + "/configmaps/meshtrust-trust";

/// Waits between repeats that take no time.
class NoPause final : public k8s::Pause {
 public:
  base::Status wait(std::chrono::milliseconds /*duration*/) override { return {}; }
};

/// A mesh of primaries whose API servers are in this process, with a trust store on disk.
class MeshWorld {
 public:
  explicit MeshWorld(const std::vector<std::string>& names, std::size_t jobs = 16)
      : server({.clusters = names}), jobs_(jobs) {
    std::string text =
        "apiVersion: meshtrust/v1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n  clusters:\n";
    for (const std::string& name : names) {
      text += fmt::format("  - {{name: {0}, context: {0}, network: {0}}}\n", name);
      server.put(name, "/api/v1/namespaces/kube-system", base::Json::object());
    }
    mesh = profiles::load_mesh("mesh.yaml", text).value();
    test::put_file(folder / "kubeconfig", server.kubeconfig());
    access_.sources.flag = folder / "kubeconfig";
    access_.mesh_file_folder = folder.path();
    access_.client.pause = &pause_;
    reconnect();
  }

  /// As a new process would: fresh clients, nothing remembered.
  void reconnect() {
    clusters_ = std::make_unique<Clusters>(mesh, access_,
                                           k8s::ClientEffects{.clock = clock,
                                                              .random = random_,
                                                              .files = files_,
                                                              .processes = processes_,
                                                              .cancellation = cancellation});
    world_ = std::make_unique<World>(World{.clusters = *clusters_,
                                           .environment = {files_, clock, random_},
                                           .cancellation = cancellation,
                                           .store = folder / "shop.trust",
                                           .who = {.user = "alice", .host = "laptop"},
                                           .jobs = jobs_});
  }

  const World& world() const { return *world_; }
  mesh::Observation observe() const { return run::observe(mesh, *world_); }
  mesh::Planned plan() const { return plan_trust(mesh, observe(), {.at = clock.now()}); }

  /// Everything that `apply --only trust` does after the questions. `none` where it was refused.
  std::optional<ExecutionReport> apply() {
    const mesh::Planned planned = plan();
    if (planned.is_refused() || !check_rights(planned.plan, *world_).empty()) return std::nullopt;
    rehearsal = rehearse(mesh, planned.plan, *world_);
    if (!rehearsal.refusals.empty()) return std::nullopt;
    const ca::Environment environment{files_, clock, random_};
    auto store = ca::TrustStore::open(environment, world_->store);
    if (!store) store = ca::TrustStore::create(environment, world_->store, world_->who);
    const auto lock = store.value().lock("a test").value();
    TrustSteps steps(mesh, *world_, planned.plan, *store, lock,
                     {.passphrase = {}, .clear_text = true});
    if (!steps.unlock()) return std::nullopt;
    const mesh::Observation observation = observe();
    Istioctl istioctl({.processes = processes_,
                       .files = files_,
                       .program = "istioctl-that-is-not-needed",
                       .folder = folder / "state"});
    MeshSteps more(mesh, *world_, observation, istioctl);
    Steps both(&steps, more);
    return execute(
        planned.plan,
        [&both](const mesh::Step& one, const Tell& tell) { return both.attempt(one, tell); },
        events, clock, cancellation, {.workers = jobs_});
  }

  /// What `destroy` looks at.
  mesh::Observation observe_all() const {
    mesh::Observation observation = run::observe(mesh, *world_, {}, mesh::Level::kMesh);
    observe_contents(mesh, *world_, {}, observation);
    return observation;
  }
  mesh::Planned plan_destroy(const mesh::DestroyOptions& options = {}) const {
    return mesh::plan_destroy(mesh, observe_all(), options);
  }
  /// Everything that `destroy` does with a plan after the questions.
  ExecutionReport destroy(const mesh::Plan& plan) {
    const mesh::Observation observation{};  // for addresses, of which there are none
    Istioctl istioctl({.processes = processes_,
                       .files = files_,
                       .program = "istioctl-that-is-not-needed",
                       .folder = folder / "state"});
    MeshSteps more(mesh, *world_, observation, istioctl);
    Steps steps(nullptr, more);
    return execute(
        plan,
        [&steps](const mesh::Step& one, const Tell& tell) { return steps.attempt(one, tell); },
        events, clock, cancellation, {.workers = jobs_, .step_timeout = std::chrono::seconds{3}});
  }

  ca::TrustStore store() {
    return ca::TrustStore::open({files_, clock, random_}, world_->store).value();
  }

  JumpingClock clock;
  base::Cancellation cancellation;
  test::TempFolder folder;
  test::FakeApiServer server;
  profiles::Mesh mesh;
  NotedEvents events;
  Rehearsal rehearsal;

 private:
  base::DiskFiles files_;
  base::SystemRandom random_;
  base::SystemProcesses processes_;
  NoPause pause_;
  std::size_t jobs_;
  ClusterAccess access_;
  std::unique_ptr<Clusters> clusters_;
  std::unique_ptr<World> world_;
};

}  // namespace meshtrust::run::testing
