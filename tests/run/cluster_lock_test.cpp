// Who may change a cluster, and for how long.

#include "run/cluster_lock.h"

#include "run/lease.h"
#include "tests/run/run_fixture.h"

#include <nlohmann/json.hpp>

#include <map>
#include <string>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Json;
using namespace testing;
using std::chrono::seconds;
using test::Fault;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kLease =
    "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/meshtrust-istio-system";

/// Moved by hand.
class HandClock final : public base::Clock {
 public:
  base::Instant now() const override { return now_; }
  Steady steady() const override { return Steady(now_.time_since_epoch()); }
  void advance(base::Seconds by) { now_ += by; }

 private:
  base::Instant now_ = *base::parse_rfc3339("2026-11-21T00:00:00Z");
};

/// One machine, on which the processes of `ended` are no more.
class FakeProcesses final : public base::ProcessTable {
 public:
  base::ProcessId self() const override { return process(1); }
  bool is_gone(const base::ProcessId& other) const override {
    return other.machine == "here" && ended.contains(other.pid);
  }
  static base::ProcessId process(long pid, const std::string& machine = "here") {
    return {.machine = machine, .pid = pid, .started = "100"};
  }
  std::set<long> ended;
};

class ClusterLockTest : public ::testing::Test {
 protected:
  using Taken = base::Result<std::unique_ptr<ClusterLocks>, base::Errors>;

  Taken take(const std::string& who,
             long pid,
             const std::string& reason = {},
             const std::string& machine = "here") {
    const mesh::Plan plan = world.plan().plan;
    return ClusterLocks::take(
        plan, world.world().clusters, clock, processes,
        {.identity = who, .mesh = "shop", .process = FakeProcesses::process(pid, machine)},
        {.break_reason = reason, .renew_every = {}});
  }

  std::string holder(const std::string& cluster = "east") {
    const auto lease = world.server.object(cluster, kLease);
    return lease ? lease->at("spec").at("holderIdentity").get<std::string>() : "nobody";
  }

  /// What is seen of the world at this time.
  Sight look() {
    const ca::Environment& around = world.world().environment;
    const World now{.clusters = world.world().clusters,
                    .environment = {around.files, clock, around.random},
                    .cancellation = world.cancellation,
                    .store = world.world().store,
                    .who = world.world().who};
    return observe_between_runs(world.mesh, now, processes);
  }

  using Told = std::map<std::string, std::string>;
  Told at_work() {
    Told told;
    for (const AtWork& run : look().runs) {
      const LeaseHolder* holder = run.holder.found(mesh::Unknown::kTold);
      told[run.cluster] = holder != nullptr        ? holder->who + " since " + holder->since
                          : run.holder.is_absent() ? "nobody"
                                                   : "unknown";
    }
    return told;
  }

  std::vector<std::string> writes() {
    std::vector<std::string> out;
    for (const auto& request : world.server.writes()) {
      out.push_back(request.cluster + " " + request.method);
    }
    return out;
  }

  MeshWorld world{{"east", "west"}};
  FakeProcesses processes;
  HandClock clock;
};

TEST_F(ClusterLockTest, IsALeaseInEveryClusterAndGoneAtTheEnd) {
  auto locks = take("alice", 1);
  ASSERT_TRUE(locks);
  for (const char* cluster : {"east", "west"}) {
    const Json lease = *world.server.object(cluster, kLease);
    EXPECT_EQ(lease["spec"], (Json{{"holderIdentity", "alice"},
                                   {"leaseDurationSeconds", 60},
                                   {"acquireTime", "2026-11-21T00:00:00.000000Z"},
                                   {"renewTime", "2026-11-21T00:00:00.000000Z"}}));
    EXPECT_EQ(lease["metadata"]["annotations"], (Json{{"meshtrust.io/process", "here/1/100"}}));
    EXPECT_EQ(lease["metadata"]["labels"],
              (Json{{"app.kubernetes.io/managed-by", "meshtrust"}, {"meshtrust.io/mesh", "shop"}}));
  }
  EXPECT_FALSE((*locks)->lost("east"));
  EXPECT_THAT((*locks)->release(), IsEmpty());
  EXPECT_EQ(holder("east"), "nobody");
  EXPECT_EQ(holder("west"), "nobody");
  EXPECT_THAT(writes(), ::testing::UnorderedElementsAre("east POST", "west POST", "east DELETE",
                                                        "west DELETE"));
}

TEST_F(ClusterLockTest, NamesEveryHolderAtOnceAndKeepsNothing) {
  const auto first = take("bob", 2);
  ASSERT_TRUE(first);
  clock.advance(seconds(12));
  const auto second = take("alice", 1);
  ASSERT_FALSE(second);
  base::Errors wanted;
  for (const std::string cluster : {"east", "west"}) {
    wanted.push_back({.code = Code::kLocked,
                      .message = cluster + ": lease 'kube-system/meshtrust-istio-system' is held "
                                           "by bob since 2026-11-21T00:00:00.000000Z",
                      .hints = {"let that run end; if it is dead, its Lease ends by itself in 48s",
                                "to take it over before, say --break-lock and why"}});
  }
  EXPECT_EQ(second.error(), wanted);
  EXPECT_EQ(holder(), "bob");
}

TEST_F(ClusterLockTest, LetsGoOfTheOthersWhereOneIsHeld) {
  ASSERT_TRUE(take("bob", 2));  // and let go of
  Json lease{{"metadata", {{"annotations", {{"meshtrust.io/process", "there/2/100"}}}}},
             {"spec",
              {{"holderIdentity", "bob"},
               {"leaseDurationSeconds", 60},
               {"renewTime", "2026-11-21T00:00:00.000000Z"}}}};
  world.server.put("west", kLease, lease);
  ASSERT_FALSE(take("alice", 1));
  EXPECT_EQ(holder("east"), "nobody");
  EXPECT_EQ(holder("west"), "bob");
}

TEST_F(ClusterLockTest, IsTakenOverAtOnceFromAProcessOfThisMachineThatEnded) {
  const auto killed = take("bob", 2);
  ASSERT_TRUE(killed);
  processes.ended = {2};
  const auto next = take("alice", 1);
  ASSERT_TRUE(next);
  EXPECT_EQ(holder(), "alice");
  EXPECT_THAT((*next)->broken(), IsEmpty());
}

TEST_F(ClusterLockTest, OfAnotherMachineIsTakenOverWhenItHasExpired) {
  const auto other = take("bob", 2, "", "there");
  ASSERT_TRUE(other);
  processes.ended = {2};
  clock.advance(seconds(59));
  EXPECT_FALSE(take("alice", 1));
  clock.advance(seconds(1));
  EXPECT_TRUE(take("alice", 1));
}

TEST_F(ClusterLockTest, CountsItsTimeByTheClockOfTheServer) {
  Json lease{
      {"metadata",
       {{"managedFields",
         {{{"manager", "meshtrust"}, {"operation", "Update"}, {"time", "2026-11-21T00:00:00Z"}}}}}},
      {"spec",
       {{"holderIdentity", "bob"},
        {"leaseDurationSeconds", 60},
        {"renewTime", "2020-01-01T00:00:00.000000Z"}}}};
  Json answer = lease;
  answer["apiVersion"] = "coordination.k8s.io/v1";
  answer["kind"] = "Lease";
  answer["metadata"].update({{"name", "meshtrust-istio-system"},
                             {"namespace", "kube-system"},
                             {"uid", "u"},
                             {"resourceVersion", "7"}});
  for (const char* cluster : {"east", "west"}) {
    world.server.put(cluster, kLease, lease);
  }
  world.server.add_fault({.method = "GET",
                          .path_contains = "/leases/",
                          .times = -1,
                          .reply = test::json_reply(200, answer)});
  const auto refused = take("alice", 1);  // bob's clock is years behind, his Lease is not
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().front().hints.front(), HasSubstr("ends by itself in 1m"));
}

TEST_F(ClusterLockTest, IsBrokenForAReasonAndTellsOfWhom) {
  const auto other = take("bob", 2);
  ASSERT_TRUE(other);
  const auto mine = take("alice", 1, "the node is gone");
  ASSERT_TRUE(mine);
  EXPECT_EQ(holder("west"), "alice");
  ASSERT_THAT((*mine)->broken(), SizeIs(2));
  EXPECT_EQ((*mine)->broken().front().holder, "bob since 2026-11-21T00:00:00.000000Z");

  clock.advance(seconds(60));
  const auto lost = (*other)->lost("east");
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->code, Code::kLocked);
  EXPECT_THAT(lost->message, HasSubstr("the lock is lost: "));
  EXPECT_THAT(lost->message, HasSubstr("was taken over by alice"));
  EXPECT_THAT((*other)->release(), IsEmpty());
  EXPECT_EQ(holder(), "alice") << "what is another's is left alone";
}

TEST_F(ClusterLockTest, StaysWhileItIsRenewed) {
  const auto mine = take("alice", 1);
  ASSERT_TRUE(mine);
  for (int i = 0; i < 4; ++i) {
    clock.advance(seconds(30));
    (*mine)->renew();
    EXPECT_FALSE((*mine)->lost("east"));
  }
  clock.advance(seconds(59));
  EXPECT_FALSE(take("bob", 2, "", "there"));
}

TEST_F(ClusterLockTest, IsAskedForWhereARenewalIsLate) {
  const auto mine = take("alice", 1);
  ASSERT_TRUE(mine);
  clock.advance(seconds(500));  // the machine slept, and nobody else came
  EXPECT_FALSE((*mine)->lost("east"));
  clock.advance(seconds(500));
  world.server.add_fault(
      {.kind = Fault::Kind::kCutBefore, .path_contains = "/leases/", .times = -1});
  const auto lost = (*mine)->lost("east");
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->code, Code::kLocked);
  world.server.clear_faults();
}

TEST_F(ClusterLockTest, IsLostInOneClusterAlone) {
  const auto mine = take("alice", 1);
  ASSERT_TRUE(mine);
  world.server.add_fault({.kind = Fault::Kind::kCutBefore,
                          .cluster = "west",
                          .path_contains = "/leases/",
                          .times = -1});
  clock.advance(seconds(39));
  EXPECT_FALSE((*mine)->lost("west"));
  clock.advance(seconds(1));
  EXPECT_TRUE((*mine)->lost("west")) << "while it still counts, so that what was begun can end";
  EXPECT_FALSE((*mine)->lost("east"));
  world.server.clear_faults();
  EXPECT_FALSE((*mine)->lost("west")) << "it is ours still";
}

TEST_F(ClusterLockTest, IsTakenOnTheServersOfThePlanAlone) {
  mesh::Plan plan = world.plan().plan;
  plan.servers.back().cluster_uid = "another";
  const auto taken = ClusterLocks::take(
      plan, world.world().clusters, clock, processes,
      {.identity = "alice", .mesh = "shop", .process = processes.self()}, {.renew_every = {}});
  ASSERT_FALSE(taken);
  ASSERT_THAT(taken.error(), SizeIs(1));
  EXPECT_EQ(taken.error().front().code, Code::kRefused);
  EXPECT_THAT(taken.error().front().message, HasSubstr("west: "));
  EXPECT_THAT(taken.error().front().message, HasSubstr("wanted another"));
  EXPECT_EQ(holder("east"), "nobody");
}

TEST_F(ClusterLockTest, IsLostWhenSomebodyDeletesIt) {
  const auto mine = take("alice", 1);
  ASSERT_TRUE(mine);
  world.server.remove("east", kLease);
  (*mine)->renew();
  const auto lost = (*mine)->lost("east");
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->message,
            "east: the lock is lost: lease 'kube-system/meshtrust-istio-system' was deleted by "
            "somebody");
}

TEST_F(ClusterLockTest, IsOneLeaseAlsoWhereAnAnswerWasLost) {
  for (const auto kind :
       {Fault::Kind::kCutAfter, Fault::Kind::kCutBefore, Fault::Kind::kTruncate}) {
    for (const char* method : {"POST", "PUT", "DELETE"}) {
      world.server.clear_faults();
      world.server.add_fault(
          {.kind = kind, .cluster = "east", .method = method, .path_contains = "/leases"});
      auto mine = take("alice", 1);
      ASSERT_TRUE(mine) << method;
      (*mine)->renew();
      EXPECT_FALSE((*mine)->lost("east")) << method;
      EXPECT_THAT((*mine)->release(), IsEmpty()) << method;
      EXPECT_EQ(holder(), "nobody") << method;
    }
  }
}

TEST_F(ClusterLockTest, SweepsWhatRunsOfItsMeshLeftAndNothingElse) {
  const std::string of_others = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/other";
  const auto sweep = [this](const std::string& mesh) {
    return ClusterLocks::sweep(
        {"east", "west"}, "meshtrust-istio-system", world.world().clusters, clock, processes,
        {.identity = "carol", .mesh = mesh, .process = FakeProcesses::process(3)});
  };
  world.server.put("east", of_others, Json::object());
  auto killed = take("alice", 1);
  ASSERT_TRUE(killed);
  world.server.remove("west", kLease);

  EXPECT_THAT(sweep("shop"), IsEmpty());
  EXPECT_EQ(holder(), "alice") << "a run that goes on keeps its Lease";
  processes.ended.insert(1);
  EXPECT_THAT(sweep("bank"), IsEmpty());
  EXPECT_EQ(holder(), "alice") << "another mesh's";
  EXPECT_THAT(sweep("shop"), IsEmpty());
  EXPECT_EQ(holder(), "nobody");
  EXPECT_TRUE(world.server.object("east", of_others));

  world.server.add_fault({.cluster = "west",
                          .path_contains = kLease,
                          .reply = test::failure_reply(403, "Forbidden", "no")});
  const base::Errors errors = sweep("shop");
  ASSERT_THAT(errors, SizeIs(1));
  EXPECT_THAT(errors.front().message, HasSubstr("west: "));
}

TEST_F(ClusterLockTest, TellsWhoIsAtWorkWhileItCounts) {
  const Told nobody{{"east", "nobody"}, {"west", "nobody"}};
  EXPECT_EQ(at_work(), nobody);
  auto locks = take("bob", 2, "", "there");
  ASSERT_TRUE(locks);
  const std::string bob = "bob since 2026-11-21T00:00:00.000000Z";
  EXPECT_EQ(at_work(), (Told{{"east", bob}, {"west", bob}}));
  clock.advance(seconds(59));
  EXPECT_EQ(at_work(), (Told{{"east", bob}, {"west", bob}}));
  clock.advance(seconds(1));
  EXPECT_EQ(at_work(), nobody);
  world.server.deny("west", "get", "leases");
  EXPECT_EQ(at_work(), (Told{{"east", "nobody"}, {"west", "unknown"}}));
  world.server.deny("east", "get", "namespaces");
  EXPECT_EQ(at_work(), (Told{{"east", "nobody"}, {"west", "unknown"}}))
      << "what may be read of east is judged";
}

TEST_F(ClusterLockTest, NothingIsKnownOfAClusterThatARunMayHaveChangedMeanwhile) {
  auto locks = take("bob", 2, "", "there");
  ASSERT_TRUE(locks);
  const Json lease = *world.server.object("east", kLease);
  world.server.remove("west", kLease);
  for (const bool begins_meanwhile : {false, true}) {
    if (begins_meanwhile) world.server.remove("east", kLease);
    world.server.on_arrival([this, &lease](const test::SeenRequest& request) {
      const bool is_looked_around = request.path.ends_with("/secrets/cacerts");
      if (request.cluster == "east" && is_looked_around) world.server.put("east", kLease, lease);
      return true;
    });
    const Sight sight = look();
    world.server.on_arrival({});
    const mesh::ClusterObservation& east = *sight.observation.find("east");
    ASSERT_NE(east.server.why_unknown(), nullptr) << begins_meanwhile;
    EXPECT_EQ(east.server.why_unknown()->code, Code::kLocked);
    EXPECT_EQ(east.server.why_unknown()->message,
              "it is not judged while a run is at work there: bob, since "
              "2026-11-21T00:00:00.000000Z");
    EXPECT_TRUE(east.cacerts.is_unknown());
    EXPECT_FALSE(sight.observation.find("west")->server.is_unknown());
  }
}

TEST_F(ClusterLockTest, IsTakenForDeadWithItsProcess) {
  const auto locks = take("bob", 2);
  ASSERT_TRUE(locks);
  processes.ended = {2};
  EXPECT_EQ(at_work(), (Told{{"east", "nobody"}, {"west", "nobody"}}));
}

TEST_F(ClusterLockTest, IsRenewedByItself) {
  const mesh::Plan plan = world.plan().plan;
  world.server.forget_requests();
  const auto mine =
      ClusterLocks::take(plan, world.world().clusters, clock, processes,
                         {.identity = "alice", .mesh = "shop", .process = processes.self()},
                         {.renew_every = std::chrono::milliseconds(1)});
  ASSERT_TRUE(mine);
  // A stalled renewal shows that there is one; nothing waits for the clock.
  world.server.add_fault({.kind = Fault::Kind::kStall,
                          .cluster = "east",
                          .method = "GET",
                          .path_contains = "/leases/"});
  world.server.wait_for_stalled(1);
  world.server.release();
  EXPECT_FALSE((*mine)->lost("east"));
}

}  // namespace
}  // namespace meshtrust::run
