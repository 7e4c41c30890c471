// When istiods count as using rights that were given back.
#include "mesh/take_up.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace meshtrust::mesh {
namespace {

using std::chrono::seconds;

std::string text_of(const Verdict& verdict) {
  return (verdict.state == Verdict::State::kYes ? "yes: " : "no: ") + verdict.why;
}

/// What is said at each of some moments, of what was counted then.
struct Moment {
  seconds at;
  std::vector<Refusals> counted;
  std::string said;
};

void expect(const std::vector<Moment>& moments) {
  TakeUp take_up("west");
  for (const Moment& moment : moments) {
    EXPECT_EQ(text_of(take_up.judge(moment.counted, moment.at)), moment.said)
        << moment.at.count() << " s";
  }
}

TEST(TakeUp, IsDoneAtOnceWhereNothingWasEverRefused) {
  expect({{seconds(0),
           {{"istiod-1", 0}, {"istiod-2", 0}},
           "yes: west has refused nothing to 2 istiods"}});
}

TEST(TakeUp, IsProvedByNoRefusalForAsLongAsIstiodWaitsAtMost) {
  const std::string refused = "no: west has refused istiod-1 23 times; each asks again within 65 s";
  expect(
      {{seconds(0), {{"istiod-1", 23}}, refused},
       {seconds(64), {{"istiod-1", 23}}, refused},
       {seconds(65),
        {{"istiod-1", 23}},
        "yes: west has refused nothing more to 1 istiod for 65 s, within which each asks again"}});
}

TEST(TakeUp, BeginsAnewWithEveryRefusalAndEveryIstiod) {
  const std::string more = "no: west has refused istiod-1 24 times; each asks again within 65 s";
  expect({{seconds(0),
           {{"istiod-1", 23}},
           "no: west has refused istiod-1 23 times; each asks again within 65 s"},
          {seconds(60), {{"istiod-1", 24}}, more},
          {seconds(100), {{"istiod-1", 24}}, more},
          {seconds(124),
           {{"istiod-1", 24}, {"istiod-2", 1}},
           "no: west has refused istiod-1 24 times, istiod-2 1 time; each asks again within 65 s"},
          {seconds(125),
           {{"istiod-1", 24}, {"istiod-2", 1}},
           "no: west has refused istiod-2 1 time; each asks again within 65 s"},
          {seconds(126), {{"istiod-3", 0}}, "yes: west has refused nothing to 1 istiod"}});
}

TEST(TakeUp, IsNotToldOfNobody) {
  expect({{seconds(0), {}, "no: no istiod is running"}});
}

TEST(TakeUp, ThatNobodyCanSeeIsSaidToBeUnseenAndWaitedForByTheClock) {
  TakeUp take_up("west");
  const base::Error why{.code = base::Code::kUnavailable, .message = "no way to the pod"};
  EXPECT_EQ(text_of(take_up.judge_unseen(why, seconds(0))),
            "no: what its istiods were refused was not seen (no way to the pod); each asks again "
            "within 65 s");
  EXPECT_EQ(text_of(take_up.judge_unseen(why, kAsksAgainWithin)),
            "yes: what its istiods were refused was not seen (no way to the pod); each has asked "
            "again by now");
}

}  // namespace
}  // namespace meshtrust::mesh
