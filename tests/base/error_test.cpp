#include "base/error.h"

#include "base/cancellation.h"
#include "base/result.h"
#include "tests/support/matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <poll.h>
#include <string>
#include <thread>

namespace meshtrust::base {
namespace {

using test::FailsWith;
using testing::ElementsAre;

TEST(Code, HasAStableNameThatLeadsBack) {
  const std::vector<std::pair<Code, std::string>> names{{Code::kUsage, "usage"},
                                                        {Code::kInvalidInput, "invalid-input"},
                                                        {Code::kCorrupt, "corrupt"},
                                                        {Code::kLocked, "locked"},
                                                        {Code::kUnavailable, "unavailable"},
                                                        {Code::kPermission, "permission"},
                                                        {Code::kRefused, "refused"},
                                                        {Code::kNotYet, "not-yet"},
                                                        {Code::kPartial, "partial"},
                                                        {Code::kConflict, "conflict"},
                                                        {Code::kNotFound, "not-found"},
                                                        {Code::kCancelled, "cancelled"},
                                                        {Code::kInternal, "internal"}};
  for (const auto& [code, name] : names) {
    EXPECT_EQ(name_of(code), name);
    EXPECT_EQ(code_from_name(name), code);
  }
  EXPECT_EQ(code_from_name("of a later version"), Code::kInternal);
}

TEST(Error, GrowsContextInFrontAndHintsBehind) {
  Error error{.code = Code::kConflict, .message = "the field is taken", .hints = {"first"}};
  error.place = {.file = "mesh.yaml", .line = 7, .column = 5, .source_line = "x: y"};
  const Error grown = with_hint(with_context(error, "applying cacerts to east"), "second");
  EXPECT_EQ(grown.message, "applying cacerts to east: the field is taken");
  EXPECT_THAT(grown.hints, ElementsAre("first", "second"));
  EXPECT_EQ(grown.code, error.code);
  EXPECT_EQ(grown.place, error.place);
}

Result<std::unique_ptr<int>> half(int number) {
  if (number % 2 != 0) return fail(Code::kInvalidInput, "odd", "take an even one");
  return std::make_unique<int>(number / 2);
}

Result<int> quarter(int number) {
  MESHTRUST_TRY(const auto first, half(number));
  MESHTRUST_TRY(const auto second, half(*first));
  return *second;
}

Status check_quarter(int number) {
  MESHTRUST_TRY_DO(quarter(number));
  return {};
}

TEST(Result, CarriesAValueThroughTry) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_TRUE(check_quarter(12));
}

TEST(Result, CarriesTheFirstErrorOutOfTry) {
  EXPECT_THAT(quarter(6), FailsWith(Code::kInvalidInput, "odd"));
  EXPECT_THAT(check_quarter(7), FailsWith(Code::kInvalidInput, "odd"));
  EXPECT_THAT(check_quarter(7).error().hints, ElementsAre("take an even one"));
}

TEST(Result, HandsOutAMoveOnlyValue) {
  const std::unique_ptr<int> owned = *half(4);
  EXPECT_EQ(*owned, 2);
}

TEST(Result, HoldsSeveralErrorsWhereAskedTo) {
  const Result<int, Errors> failed = fail(Errors{{.message = "one"}, {.message = "two"}});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().size(), 2U);
}

TEST(ResultDeathTest, ReadingWhatIsNotThereStopsTheProgram) {
  EXPECT_DEATH((void)half(3).value(), "has_value");
  EXPECT_DEATH((void)half(4).error(), "has_value");
  EXPECT_DEATH(Status(fail(Code::kInternal, "no")).value(), "has_value");
}

bool is_readable(int fd) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&waiting, 1, 0) == 1;
}

TEST(Cancellation, IsSeenByFlagAndDescriptorForEver) {
  Cancellation cancellation;
  EXPECT_FALSE(cancellation.is_cancelled());
  EXPECT_FALSE(is_readable(cancellation.fd()));
  cancellation.cancel();
  cancellation.cancel();
  EXPECT_TRUE(cancellation.is_cancelled());
  EXPECT_TRUE(is_readable(cancellation.fd()));
  EXPECT_TRUE(is_readable(cancellation.fd()));
}

TEST(Cancellation, WakesAThreadThatWaits) {
  Cancellation cancellation;
  int woken_by = 0;
  std::thread waiter([&] {
    pollfd waiting{.fd = cancellation.fd(), .events = POLLIN, .revents = 0};
    woken_by = poll(&waiting, 1, -1);
  });
  cancellation.cancel();
  waiter.join();
  EXPECT_EQ(woken_by, 1);
}

}  // namespace
}  // namespace meshtrust::base
