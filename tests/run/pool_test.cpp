#include "run/pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace meshtrust::run {
namespace {

using std::chrono::milliseconds;

TEST(ForEachIndex, DoesEachOnce) {
  std::vector<std::atomic<int>> done(1'000);
  for_each_index(done.size(), 16, [&](std::size_t index) { ++done[index]; });
  EXPECT_TRUE(std::all_of(done.begin(), done.end(), [](const auto& times) { return times == 1; }));
}

TEST(ForEachIndex, DoesNothingForNothing) {
  for_each_index(0, 16, [](std::size_t) { FAIL(); });
}

TEST(ForEachIndex, DoesTheRestWhenOneThrows) {
  std::atomic<int> done{0};
  const auto all = [&] {
    for_each_index(10, 1, [&](std::size_t index) {
      ++done;
      if (index == 3) throw std::runtime_error("three");
    });
  };
  EXPECT_THROW(all(), std::runtime_error);
  EXPECT_EQ(done, 10);
}

/// The first sixteen wait until all others are done, which is for ever where they hold them up.
TEST(ForEachIndex, LetsNothingThatHangsHoldUpTheOthers) {
  constexpr std::size_t kDead = 16;
  constexpr std::size_t kAll = 200;
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t living_done = 0;
  const auto work = [&](std::size_t index) {
    std::unique_lock lock(mutex);
    if (index < kDead) {
      changed.wait(lock, [&] { return living_done == kAll - kDead; });
      return;
    }
    ++living_done;
    changed.notify_all();
  };
  for_each_index(kAll, kDead, work, milliseconds(1));
  EXPECT_EQ(living_done, kAll - kDead);
}

TEST(ForEachIndex, WorksOnNoMoreThanItIsToldTo) {
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  for_each_index(
      200, 4,
      [&](std::size_t) {
        const int running = ++now;
        for (int seen = most; seen < running && !most.compare_exchange_weak(seen, running);) {
        }
        --now;
      },
      std::chrono::hours(1));
  EXPECT_LE(most, 4);
}

}  // namespace
}  // namespace meshtrust::run
