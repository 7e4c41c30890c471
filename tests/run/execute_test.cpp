#include "run/execute.h"

#include "tests/run/execute_support.h"
#include "tests/support/matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <barrier>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace meshtrust::run {
namespace {

using base::Code;
using namespace testing;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class ExecuteTest : public ::testing::Test {
 protected:
  ExecutionReport run(const mesh::Plan& plan,
                      const std::function<Outcome(const mesh::Step& step)>& attempt,
                      const ExecuteOptions& options = {}) {
    return execute(
        plan, [&attempt](const mesh::Step& step, const Tell&) { return attempt(step); }, events,
        clock, cancellation, options);
  }

  JumpingClock clock{std::chrono::milliseconds(100)};
  NotedEvents events;
  base::Cancellation cancellation;
};

Outcome done(const mesh::Step& /*step*/) {
  return Done{};
}

TEST_F(ExecuteTest, RunsNothingForAnEmptyPlan) {
  const auto report = run(plan_of({}), done);
  EXPECT_TRUE(report.succeeded());
  EXPECT_FALSE(report.changed_anything());
  EXPECT_THAT(report.errors(), IsEmpty());
}

TEST_F(ExecuteTest, RunsWhatAStepNeedsBeforeIt) {
  // In the plan the last comes first, so that its order alone would be wrong.
  const auto plan = plan_of({step("east/twin", {"east/cacerts"}),
                             step("east/cacerts", {"store/root", "east/namespace"}),
                             step("east/namespace"), step("store/root")});
  const auto report = run(plan, done, {.workers = 1});
  EXPECT_TRUE(report.succeeded());
  EXPECT_THAT(events.notes,
              ElementsAre("started east/namespace", "done east/namespace", "started store/root",
                          "done store/root", "started east/cacerts", "done east/cacerts",
                          "started east/twin", "done east/twin"));
}

TEST_F(ExecuteTest, RunsWhatNeedsNothingAtTheSameTime) {
  // Each waits for all others: that ends only if all three run at once.
  std::barrier<> together(3);
  const auto report = run(plan_of({step("a/x"), step("b/x"), step("c/x")}),
                          [&together](const mesh::Step&) -> Outcome {
                            together.arrive_and_wait();
                            return Done{};
                          },
                          {.workers = 3});
  EXPECT_TRUE(report.succeeded());
}

TEST_F(ExecuteTest, RunsNoMoreAtATimeThanItHasWorkers) {
  std::vector<mesh::Step> steps;
  for (int i = 0; i < 200; ++i) {
    steps.push_back(step("c" + std::to_string(i) + "/x"));
  }
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::barrier<> full(4);
  std::atomic<int> first{0};
  const auto report = run(plan_of(std::move(steps)),
                          [&](const mesh::Step&) -> Outcome {
                            const int now = ++running;
                            int seen = most;
                            while (now > seen && !most.compare_exchange_weak(seen, now)) {
                            }
                            if (first++ < 4) full.arrive_and_wait();
                            --running;
                            return Done{};
                          },
                          {.workers = 4});
  EXPECT_TRUE(report.succeeded());
  EXPECT_EQ(most, 4);
}

TEST_F(ExecuteTest, BeginsNothingMoreWhereItIsStoppedAndGoesOnElsewhere) {
  const base::Error lost{.code = Code::kLocked, .message = "west: the lock is lost"};
  const auto plan = plan_of({step("west/namespace"), step("west/cacerts", {"west/namespace"}),
                             step("east/namespace"), step("east/cacerts", {"east/namespace"}),
                             step("north/forget", {"west/cacerts"})});
  const auto report = run(plan, done, {.stop = [&lost](const mesh::Step& one) {
                            return one.cluster == "west" ? std::optional(lost) : std::nullopt;
                          }});
  EXPECT_THAT(report.left(), ElementsAre("west/namespace", "west/cacerts", "north/forget"));
  ASSERT_THAT(report.errors(), ::testing::SizeIs(1));
  EXPECT_EQ(report.errors().front().code, Code::kLocked);
  EXPECT_EQ(report.errors().front().message, "west: the lock is lost");
}

TEST_F(ExecuteTest, NeverTriesAStepTwiceAtATime) {
  std::mutex mutex;
  std::map<std::string, int> running;
  std::map<std::string, int> attempts;
  std::vector<mesh::Step> steps;
  for (int i = 0; i < 20; ++i) {
    steps.push_back(step("c" + std::to_string(i) + "/x"));
  }
  const auto report = run(plan_of(std::move(steps)), [&](const mesh::Step& one) -> Outcome {
    int attempt = 0;
    {
      const std::lock_guard guard(mutex);
      EXPECT_EQ(++running[one.id], 1);
      attempt = ++attempts[one.id];
    }
    const std::lock_guard guard(mutex);
    --running[one.id];
    if (attempt < 5) return NotYet{.why = "not yet", .wake = std::chrono::milliseconds(1)};
    return Done{};
  });
  EXPECT_TRUE(report.succeeded());
  for (const auto& [id, count] : attempts) {
    EXPECT_EQ(count, 5) << id;
  }
}

TEST_F(ExecuteTest, LeavesWhatNeedsAFailedStepAndGoesOnElsewhere) {
  const auto plan = plan_of({step("east/namespace"), step("east/cacerts", {"east/namespace"}),
                             step("east/twin", {"east/cacerts"}), step("west/namespace"),
                             step("west/cacerts", {"west/namespace"})});
  const auto report = run(plan, [](const mesh::Step& one) -> Outcome {
    if (one.id == "east/namespace") return Failed{error(Code::kConflict, "somebody else's")};
    return Done{};
  });
  EXPECT_EQ(states(report),
            "east/namespace failed, east/cacerts left, east/twin left, west/namespace done, "
            "west/cacerts done");
  EXPECT_FALSE(report.succeeded());
  EXPECT_TRUE(report.changed_anything());
  EXPECT_THAT(report.left(), ElementsAre("east/namespace", "east/cacerts", "east/twin"));
  EXPECT_THAT(report.errors(),
              ElementsAre(error(Code::kConflict, "east/namespace: somebody else's")));
}

TEST_F(ExecuteTest, DoesNotTryAClusterAgainThatCouldNotBeReached) {
  int attempts = 0;
  const auto plan = plan_of({step("east/a"), step("east/b"), step("west/a"), step("store/x")});
  const auto report = run(plan,
                          [&attempts](const mesh::Step& one) -> Outcome {
                            if (one.cluster != "east") return Done{};
                            ++attempts;
                            return Failed{error(Code::kUnavailable, "connection refused")};
                          },
                          {.workers = 1});
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(states(report), "east/a failed, east/b left, west/a done, store/x done");
}

TEST_F(ExecuteTest, KeepsTryingAClusterThatMerelyRefused) {
  const auto report = run(plan_of({step("east/a"), step("east/b")}),
                          [](const mesh::Step& one) -> Outcome {
                            if (one.id == "east/b") return Done{};
                            return Failed{error(Code::kPermission, "403")};
                          },
                          {.workers = 1});
  EXPECT_EQ(states(report), "east/a failed, east/b done");
}

TEST_F(ExecuteTest, RepeatsWhatIsNotYetSoAndTellsWhy) {
  clock.jump_by(std::chrono::seconds(1));
  int attempts = 0;
  const auto report = run(plan_of({step("east/a")}), [&attempts](const mesh::Step&) -> Outcome {
    ++attempts;
    if (attempts == 1) return NotYet{.why = "no address"};
    if (attempts == 2) return Retry{.why = error(Code::kUnavailable, "503")};
    return Done{.changed = false, .detail = "10.0.0.1"};
  });
  EXPECT_TRUE(report.succeeded());
  EXPECT_FALSE(report.changed_anything());
  EXPECT_EQ(report.steps.front().detail, "10.0.0.1");
  EXPECT_THAT(events.notes, ElementsAre("started east/a", "waiting east/a: no address",
                                        "waiting east/a: 503", "done east/a"));
}

TEST_F(ExecuteTest, GivesUpInTheEndAndSaysWhatWasSeenLast) {
  clock.jump_by(std::chrono::seconds(1));
  const auto report =
      run(plan_of({step("east/a"), step("east/b", {"east/a"})}),
          [](const mesh::Step&) -> Outcome {
            return NotYet{.why = "0 of 1 replica ready", .hints = {"look at its pods"}};
          },
          {.step_timeout = std::chrono::minutes(1)});
  EXPECT_EQ(states(report), "east/a failed, east/b left");
  const base::Error& why = report.steps.front().error;
  EXPECT_EQ(why.code, Code::kUnavailable);
  EXPECT_EQ(why.message, "gave up after 1m; last seen: 0 of 1 replica ready");
  EXPECT_THAT(why.hints, ElementsAre("look at its pods"));
}

TEST_F(ExecuteTest, WaitsAsLongAsItSaysAndLooksOnceMoreThen) {
  clock.jump_by(std::chrono::seconds(1));
  const auto report = run(plan_of({step("east/a")}),
                          [](const mesh::Step&) -> Outcome {
                            return NotYet{.why = "no name", .wake = std::chrono::seconds(20)};
                          },
                          {.step_timeout = std::chrono::seconds(30)});
  EXPECT_EQ(report.steps.front().error.message, "gave up after 30s; last seen: no name");
  EXPECT_GE(report.steps.front().took, std::chrono::seconds(30));
}

TEST_F(ExecuteTest, GivesUpARetryWithTheCodeOfItsReason) {
  clock.jump_by(std::chrono::seconds(1));
  const auto report = run(
      plan_of({step("store/a")}),
      [](const mesh::Step&) -> Outcome { return Retry{.why = error(Code::kConflict, "taken")}; },
      {.step_timeout = std::chrono::seconds(5)});
  EXPECT_EQ(report.steps.front().error.code, Code::kConflict);
  EXPECT_EQ(report.steps.front().error.message, "gave up after 5s; last seen: taken");
}

TEST_F(ExecuteTest, SaysWhoHasToGoOnAndHow) {
  const auto report = run(
      plan_of({step("store/a"), step("east/b", {"store/a"})}), [](const mesh::Step&) -> Outcome {
        return Blocked{.by_whom = "the keeper of the root", .command = "meshtrust ca sign"};
      });
  EXPECT_EQ(states(report), "store/a blocked, east/b left");
  ASSERT_EQ(report.errors().size(), 1U);
  const base::Error expected{.code = Code::kNotYet,
                             .message = "store/a: awaits the keeper of the root",
                             .hints = {"run 'meshtrust ca sign'"}};
  EXPECT_EQ(report.errors().front(), expected);
}

TEST_F(ExecuteTest, BeginsNothingMoreOnceCancelled) {
  const auto report = run(plan_of({step("east/a"), step("east/b"), step("west/a")}),
                          [this](const mesh::Step&) -> Outcome {
                            cancellation.cancel();
                            return Done{};
                          },
                          {.workers = 1});
  EXPECT_TRUE(report.cancelled);
  EXPECT_EQ(states(report), "east/a done, east/b left, west/a left");
  EXPECT_THAT(report.errors(), ElementsAre(error(Code::kCancelled, "interrupted")));
}

TEST_F(ExecuteTest, DoesNotCallItInterruptedWhenAllIsDone) {
  const auto report = run(plan_of({step("east/a")}), [this](const mesh::Step&) -> Outcome {
    cancellation.cancel();
    return Done{};
  });
  EXPECT_TRUE(report.succeeded());
  EXPECT_THAT(report.errors(), IsEmpty());
}

TEST_F(ExecuteTest, EndsAWaitWhenCancelledFromAnotherThread) {
  // The clock stands still: without the cancellation the step would be waited for for ever.
  JumpingClock still;
  std::condition_variable attempted;
  std::mutex mutex;
  bool was_attempted = false;
  std::jthread person([&] {
    std::unique_lock lock(mutex);
    attempted.wait(lock, [&] { return was_attempted; });
    cancellation.cancel();
  });
  const auto report =
      execute(plan_of({step("east/a")}),
              [&](const mesh::Step&, const Tell&) -> Outcome {
                const std::lock_guard guard(mutex);
                was_attempted = true;
                attempted.notify_one();
                return NotYet{.why = "no address", .wake = std::chrono::hours(1)};
              },
              events, still, cancellation, {.step_timeout = std::chrono::hours(10)});
  EXPECT_TRUE(report.cancelled);
  EXPECT_EQ(states(report), "east/a left");
}

TEST_F(ExecuteTest, PassesOnWhatAnAttemptTellsWhileItGoesOn) {
  const auto report = execute(
      plan_of({step("east/a")}),
      [](const mesh::Step&, const Tell& tell) -> Outcome {
        tell("not ready: istiod-1 (discovery: CrashLoopBackOff)");
        return Done{};
      },
      events, clock, cancellation);
  EXPECT_TRUE(report.succeeded());
  EXPECT_THAT(events.notes,
              Contains("waiting east/a: not ready: istiod-1 (discovery: CrashLoopBackOff)"));
}

}  // namespace
}  // namespace meshtrust::run
