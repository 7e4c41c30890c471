#include "base/time.h"

#include "tests/support/matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace meshtrust::base {
namespace {

using test::FailsWith;

Instant at(std::string_view text) {
  return parse_rfc3339(text).value();
}

TEST(Rfc3339, IsReadWithAnyOffset) {
  const Instant wanted = at("2031-01-02T03:04:05Z");
  for (const char* text : {"2031-01-02t03:04:05z", "2031-01-02 03:04:05Z", "2031-01-02T03:04:05.9Z",
                           "2031-01-02T03:04:05.999999999+00:00", "2031-01-02T05:34:05+02:30",
                           "2031-01-01T19:04:05-08:00"}) {
    EXPECT_EQ(at(text), wanted) << text;
  }
}

TEST(Rfc3339, KnowsLeapDaysAndLeapSeconds) {
  EXPECT_EQ(format_rfc3339(at("2028-02-29T00:00:00Z")), "2028-02-29T00:00:00Z");
  EXPECT_EQ(at("2016-12-31T23:59:60Z"), at("2017-01-01T00:00:00Z"));
}

TEST(Rfc3339, RefusesEverythingElseAndQuotesIt) {
  for (const std::string text :
       {"", "soon", "2031-01-02", "2031-01-02T03:04:05", "2031-1-2T03:04:05Z",
        "2027-02-29T00:00:00Z", "2031-13-01T00:00:00Z", "2031-00-01T00:00:00Z",
        "2031-01-02T24:00:00Z", "2031-01-02T03:60:05Z", "2031-01-02T03:04:61Z",
        "2031-01-02T03:04:05.Z", "2031-01-02T03:04:05Z ", "2031-01-02T03:04:05+24:00",
        "2031-01-02T03:04:05+0100", "+031-01-02T03:04:05Z"}) {
    EXPECT_THAT(
        parse_rfc3339(text),
        FailsWith(Code::kInvalidInput,
                  "'" + text + "' is not a time, expected RFC 3339 like 2031-01-02T03:04:05Z"));
  }
}

TEST(Rfc3339, WritingAndReadingAreInverse) {
  for (const char* text :
       {"1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
        "2038-01-19T03:14:08Z", "2049-12-31T23:59:59Z", "9999-12-31T23:59:59Z"}) {
    EXPECT_EQ(format_rfc3339(at(text)), text);
  }
  EXPECT_EQ(format_date(at("2031-01-02T23:59:59Z")), "2031-01-02");
}

TEST(Duration, AddsUpUnitsLargestFirst) {
  EXPECT_EQ(parse_duration("90d").value(), days(90));
  EXPECT_EQ(parse_duration("1d12h").value(), std::chrono::hours(36));
  EXPECT_EQ(parse_duration("1d2h3m4s").value(), Seconds(93784));
  EXPECT_EQ(parse_duration("10m").value(), Seconds(600));
  EXPECT_EQ(parse_duration("0d1s").value(), Seconds(1));
  EXPECT_EQ(parse_duration("36525d").value(), days(36525));
}

TEST(Duration, RefusesEverythingElseAndQuotesIt) {
  for (const std::string text :
       {"", "d", "90", "0d", "-1d", "+1d", "1.5h", "1h1d", "1d1d", "1w", "1 d", "1d ", "36526d",
        "36525d1s", "99999999999999999999d", "3155760001s", "1D",
        "\xc2\xbd"
        "d"}) {
    EXPECT_THAT(parse_duration(text),
                FailsWith(Code::kInvalidInput,
                          "'" + text +
                              "' is not a duration, expected days, hours, minutes or seconds, "
                              "largest first, like 90d, 24h or 1d12h"));
  }
}

TEST(Duration, WritingAndReadingAreInverse) {
  for (const char* text : {"1s", "59s", "1m", "24s", "1h", "23h59m59s", "1d", "1d1s", "730d"}) {
    EXPECT_EQ(format_duration(parse_duration(text).value()), text);
  }
  EXPECT_EQ(format_duration(Seconds(0)), "0s");
  EXPECT_EQ(format_duration(Seconds(-90)), "-1m30s");
  EXPECT_EQ(format_duration(std::chrono::hours(48)), "2d") << "the largest unit first";
}

TEST(RelativeTime, NamesOneUnitRoundedDown) {
  const Instant now = at("2026-11-21T00:00:00Z");
  const auto relative = [now](Seconds distance) { return format_relative(now + distance, now); };
  EXPECT_EQ(relative(days(71) + Seconds(5)), "in 71 days");
  EXPECT_EQ(relative(days(1)), "in 1 day");
  EXPECT_EQ(relative(days(1) - Seconds(1)), "in 23 hours");
  EXPECT_EQ(relative(Seconds(60)), "in 1 minute");
  EXPECT_EQ(relative(Seconds(59)), "in 59 seconds");
  EXPECT_EQ(relative(Seconds(1)), "in 1 second");
  EXPECT_EQ(relative(Seconds(0)), "now");
  EXPECT_EQ(relative(Seconds(-1)), "1 second ago");
  EXPECT_EQ(relative(-std::chrono::minutes(12)), "12 minutes ago");
  EXPECT_EQ(relative(-days(400)), "400 days ago");
}

}  // namespace
}  // namespace meshtrust::base
