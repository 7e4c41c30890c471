#include "base/abandonable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace meshtrust::base {
namespace {

TEST(Abandonable, GivesWhatTheWorkGives) {
  const Cancellation cancellation;
  for (const Cancellation* one : {&cancellation, static_cast<const Cancellation*>(nullptr)}) {
    EXPECT_EQ(run_abandonably<int>(one, [] { return Result<int>(42); }).value(), 42);
    const auto failed =
        run_abandonably<int>(one, [] { return Result<int>(fail(Code::kCorrupt, "broken")); });
    EXPECT_EQ(failed.error().message, "broken");
    EXPECT_FALSE(is_abandoned_work_running());
  }
}

TEST(Abandonable, IsGivenUpWhenSomebodySaysStopAndThenRunsToItsEnd) {
  Cancellation cancellation;
  const auto may_end = std::make_shared<std::atomic<bool>>(false);
  const auto result = run_abandonably<int>(&cancellation, [may_end, &cancellation] {
    cancellation.cancel();
    may_end->wait(false);
    return Result<int>(42);
  });
  EXPECT_EQ(result.error().code, Code::kCancelled);
  EXPECT_TRUE(is_abandoned_work_running());
  may_end->store(true);
  may_end->notify_all();
  while (is_abandoned_work_running())
    std::this_thread::yield();
}

TEST(Abandonable, IsNotBegunForLongOnceItWasStopped) {
  Cancellation cancellation;
  cancellation.cancel();
  const auto may_end = std::make_shared<std::atomic<bool>>(false);
  const bool finished = finishes(&cancellation, [may_end] { may_end->wait(false); });
  EXPECT_FALSE(finished);
  may_end->store(true);
  may_end->notify_all();
  while (is_abandoned_work_running())
    std::this_thread::yield();
}

}  // namespace
}  // namespace meshtrust::base
