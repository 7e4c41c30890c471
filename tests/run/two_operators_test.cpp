// Two operators at once: one does its run, or a part of it, between any two requests of the other.

#include "base/encoding.h"
#include "mesh/trust.h"
#include "run/cluster_lock.h"
#include "tests/run/run_fixture.h"
#include "tests/support/found.h"

#include <nlohmann/json.hpp>

#include <atomic>
#include <filesystem>
#include <set>

namespace meshtrust::run {
namespace {

namespace fs = std::filesystem;
using base::Json;
using namespace testing;
using ::testing::IsEmpty;

enum class End { kDone, kNothingToDo, kRefused, kLocked, kPartial };

/// Processes of one machine that are told which of them have ended.
class OneMachine final : public base::ProcessTable {
 public:
  base::ProcessId self() const override { return {}; }
  bool is_gone(const base::ProcessId& other) const override { return ended.contains(other.pid); }
  std::set<long> ended;
};

/// Whoever runs `apply --only trust` on the clusters of one server, with a store of his own.
class Operator {
 public:
  Operator(std::string name,
           long pid,
           const profiles::Mesh& mesh,
           test::FakeApiServer& server,
           OneMachine& machine)
      : name_(std::move(name)), pid_(pid), mesh_(mesh), machine_(machine) {
    test::put_file(folder_ / "kubeconfig", server.kubeconfig());
    access_.sources.flag = folder_ / "kubeconfig";
    access_.mesh_file_folder = folder_.path();
    access_.client.pause = &pause_;
    access_.client.http.user_agent = name_;
    connect();
  }

  /// The same steps as the command, in its order. `ignores_leases`: as a program that knows of
  /// none.
  End apply(bool ignores_leases = false) {
    connect();
    const mesh::Planned first = plan();
    if (first.is_refused()) return End::kRefused;
    if (first.plan.is_empty()) return End::kNothingToDo;
    if (!check_rights(first.plan, *world_).empty()) return End::kRefused;
    auto store = open_store();
    if (!store) return End::kRefused;
    auto lock = store->lock(name_);
    if (!lock) return End::kLocked;
    std::unique_ptr<ClusterLocks> leases;
    if (!ignores_leases) {
      auto taken = ClusterLocks::take(first.plan, *clusters_, clock_, machine_,
                                      {.identity = name_,
                                       .mesh = mesh_.name,
                                       .process = {.machine = "one", .pid = pid_, .started = "1"}},
                                      {.renew_every = {}});
      if (!taken) return End::kLocked;
      leases = *std::move(taken);
    }
    const mesh::Planned second = plan();
    if (second.is_refused() || to_json(second.plan) != to_json(first.plan)) return End::kRefused;
    if (!rehearse(mesh_, second.plan, *world_).refusals.empty()) return End::kRefused;
    return execute_plan(second.plan, *store, *lock, leases.get());
  }

  void mint_root() {
    connect();
    const mesh::Planned planned = plan();
    const auto* root = std::get_if<mesh::MintRoot>(&planned.plan.steps.front().action);
    ASSERT_NE(root, nullptr);
    ca::TrustStore made = store();
    const auto lock = made.lock(name_).value();
    TrustSteps trust(mesh_, *world_, planned.plan, made, lock,
                     {.passphrase = {}, .clear_text = true});
    ASSERT_TRUE(std::holds_alternative<Done>(trust.mint_root(*root)));
  }

  ca::TrustStore store() { return open_store().value(); }
  fs::path store_path() const { return folder_ / "shop.trust"; }
  mesh::Observation observe() {
    connect();
    return run::observe(mesh_, *world_);
  }

 private:
  void connect() {
    clusters_ = std::make_unique<Clusters>(mesh_, access_,
                                           k8s::ClientEffects{.clock = clock_,
                                                              .random = random_,
                                                              .files = files_,
                                                              .processes = processes_,
                                                              .cancellation = cancellation_});
    world_ = std::make_unique<World>(World{.clusters = *clusters_,
                                           .environment = {files_, clock_, random_},
                                           .cancellation = cancellation_,
                                           .store = store_path(),
                                           .who = {.user = name_, .host = "laptop"},
                                           .jobs = 1});
  }

  mesh::Planned plan() {
    return plan_trust(mesh_, run::observe(mesh_, *world_), {.at = clock_.now()});
  }

  base::Result<ca::TrustStore> open_store() {
    auto store = ca::TrustStore::open(world_->environment, world_->store);
    if (store) return store;
    return ca::TrustStore::create(world_->environment, world_->store, world_->who);
  }

  End execute_plan(const mesh::Plan& plan,
                   ca::TrustStore& store,
                   const ca::StoreLock& lock,
                   ClusterLocks* leases) {
    TrustSteps trust(mesh_, *world_, plan, store, lock, {.passphrase = {}, .clear_text = true});
    if (!trust.unlock()) return End::kRefused;
    const mesh::Observation observation = run::observe(mesh_, *world_);
    Istioctl istioctl({.processes = processes_,
                       .files = files_,
                       .program = "istioctl-that-is-not-needed",
                       .folder = folder_ / "state"});
    MeshSteps more(mesh_, *world_, observation, istioctl);
    Steps both(&trust, more);
    NotedEvents events;
    const ExecutionReport report = execute(
        plan, [&both](const mesh::Step& one, const Tell& tell) { return both.attempt(one, tell); },
        events, clock_, cancellation_, {.workers = 1, .stop = [leases](const mesh::Step& step) {
                                          return leases == nullptr ? std::nullopt
                                                                   : leases->lost(step.cluster);
                                        }});
    return report.succeeded() ? End::kDone : End::kPartial;
  }

  const std::string name_;
  const long pid_;
  const profiles::Mesh& mesh_;
  OneMachine& machine_;
  test::TempFolder folder_;
  JumpingClock clock_;
  base::Cancellation cancellation_;
  base::DiskFiles files_;
  base::SystemRandom random_;
  base::SystemProcesses processes_;
  NoPause pause_;
  ClusterAccess access_;
  std::unique_ptr<Clusters> clusters_;
  std::unique_ptr<World> world_;
};

struct Case {
  const char* name;
  bool one_store;       ///< the second works with a copy of the first one's store
  bool ignores_leases;  ///< the second knows of no Leases
  int dies_after;       ///< requests of the second; -1: it does its whole run
};

class TwoOperators : public ::testing::TestWithParam<Case> {
 protected:
  /// Both on fresh clusters, the second between the requests `n - 1` and `n` of the first. Says
  /// whether the first came as far.
  bool meet_at(int n);

  void expect_sound(test::FakeApiServer& server, Operator& one, End end, const std::string& where) {
    if (end != End::kDone && end != End::kNothingToDo) return;
    const auto seen = one.observe();
    for (const auto& cluster : seen.clusters) {
      const auto& facts = test::found_in(cluster.cacerts);
      EXPECT_EQ(facts.key, istio::KeyMatch::kMatches) << where << ": two CAs in one Secret";
      const auto certificate = pki::certificates_from_pem(facts.certificates.ca_cert);
      ASSERT_TRUE(certificate) << where;
      EXPECT_TRUE(one.store().find(certificate->front().fingerprint()).has_value())
          << where << ": said done over somebody else's CA";
      const auto twin = server.object(cluster.name, kTwinPath);
      ASSERT_TRUE(twin.has_value()) << where;
      EXPECT_EQ(twin->at("data").at("ca-cert.pem"), facts.certificates.ca_cert) << where;
    }
  }

  /// Every cacerts was made by one POST and never touched again.
  static void expect_written_once(test::FakeApiServer& server, const std::string& where) {
    for (const char* cluster : {"east", "west"}) {
      int created = 0;
      for (const auto& request : server.writes(cluster)) {
        if (request.path == kCacertsPath) ADD_FAILURE() << where << ": " << request.method;
        const bool posted = request.method == "POST" && request.path.ends_with("/secrets");
        if (posted && request.status == 201) ++created;
      }
      EXPECT_LE(created, 1) << where;
      const auto live = server.object(cluster, kCacertsPath);
      if (!live) continue;
      EXPECT_EQ(live->at("data").size(), 4U) << where;
    }
  }
};

bool TwoOperators::meet_at(int n) {
  const Case& how = GetParam();
  MeshWorld world({"east", "west"});
  OneMachine machine;
  Operator first("first", 1, world.mesh, world.server, machine);
  Operator second("second", 2, world.mesh, world.server, machine);
  if (how.one_store) {
    first.mint_root();
    fs::copy(first.store_path(), second.store_path(), fs::copy_options::recursive);
    fs::permissions(second.store_path(), fs::perms::owner_all);
  }
  std::atomic<int> of_first = 0;
  std::atomic<int> of_second = 0;
  std::atomic<bool> met = false;
  std::optional<End> second_end;
  world.server.on_arrival([&](const test::SeenRequest& request) {
    if (request.headers.at("user-agent") == "second") {
      return how.dies_after < 0 || ++of_second <= how.dies_after;
    }
    if (++of_first != n || met.exchange(true)) return true;
    second_end = second.apply(how.ignores_leases);
    if (how.dies_after >= 0) machine.ended.insert(2);
    return true;
  });
  const std::string where = std::string(how.name) + ", before request " + std::to_string(n);
  const End end = first.apply();
  world.server.on_arrival({});
  expect_written_once(world.server, where);
  if (second_end && how.dies_after < 0) expect_sound(world.server, second, *second_end, where);
  expect_sound(world.server, first, end, where);
  return met;
}

TEST_P(TwoOperators, NeverMixTheirCasAndSayNothingFalse) {
  int n = 1;
  while (meet_at(n) && !HasFatalFailure()) {
    ++n;
  }
  EXPECT_GT(n, 20) << "the run has more requests than that";
}

INSTANTIATE_TEST_SUITE_P(
    Everywhere,
    TwoOperators,
    ::testing::Values(Case{"two stores", false, false, -1},
                      Case{"two copies of one store", true, false, -1},
                      Case{"two stores, the other without Leases", false, true, -1},
                      Case{"two copies, the other without Leases", true, true, -1},
                      Case{"the other dies early", false, false, 30},
                      Case{"the other dies when it has begun to write", false, true, 48}),
    [](const auto& one) {
      std::string name = one.param.name;
      std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
      return name;
    });

}  // namespace
}  // namespace meshtrust::run
