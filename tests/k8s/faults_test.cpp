// Bad networks by chance: whatever goes wrong in whatever order, a write ends with the truth, or
// with an error that claims nothing.

#include "tests/k8s/client_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <random>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Json;
using test::Fault;

const ObjectRef kTwinRef = config_map_ref("istio-system", "meshtrust-trust");
const Json kWanted{{"data", {{"root", "A"}, {"chain", "B"}}}};

/// A schedule of faults that the seed decides, one for each request in its order.
class Schedule {
 public:
  explicit Schedule(unsigned seed) : chance_(seed) {}

  std::vector<Fault> faults() {
    std::vector<Fault> out;
    for (unsigned left = pick(8); left > 0; --left) {
      out.push_back(one());
    }
    return out;
  }
  unsigned pick(unsigned choices) { return static_cast<unsigned>(chance_() % choices); }

 private:
  Fault one() {
    using Kind = Fault::Kind;
    switch (pick(14)) {
      case 0:
        return {.kind = Kind::kCutBefore};
      case 1:
        return {.kind = Kind::kCutAfter};
      case 2:
        return {.kind = Kind::kTruncate};
      case 3:
        return {.kind = Kind::kShortLength};
      case 4:
        return {.kind = Kind::kUnendedChunks};
      case 5:
        return {.kind = Kind::kBrokenGzip};
      case 6:
        return {.kind = Kind::kReplyAfter, .reply = page()};
      case 7:
        return {.reply = page()};
      case 8:
        return {.reply = throttled("1")};
      case 9:
        return {.reply = throttled("Wed, 21 Oct 2026 07:28:00 GMT")};
      case 10:
        return {.reply = throttled("")};
      case 11:
        return {.reply = test::failure_reply(503, "ServiceUnavailable", "starting")};
      case 12:
        return {.kind = Kind::kReplyAfter,
                .reply = test::failure_reply(504, "Timeout", "gave up waiting")};
      default:
        return {.kind = Kind::kNone};
    }
  }

  static test::FakeReply page() {
    return {.status = 502, .body = "<html>Bad Gateway</html>", .content_type = "text/html"};
  }
  static test::FakeReply throttled(const std::string& when) {
    test::FakeReply reply{.status = 429, .body = "too many", .content_type = "text/plain"};
    if (!when.empty()) reply.headers["Retry-After"] = when;
    return reply;
  }

  std::mt19937 chance_;
};

/// MESHTRUST_FAULT_SEEDS=N tries N of them instead.
unsigned seeds() {
  const char* text = std::getenv("MESHTRUST_FAULT_SEEDS");  // NOLINT(concurrency-mt-unsafe)
  return text == nullptr ? 100U : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

class FaultsTest : public ClientTest {
 protected:
  FaultsTest() { server().put("east", "/api/v1/namespaces/istio-system", Json::object()); }

  /// Runs `attempt` once a seed, on a fresh client and a server without the object.
  template <class Attempt>
  void under_all_faults(const Attempt& attempt) {
    for (unsigned seed = 0; seed < seeds(); ++seed) {
      server().clear_faults();
      server().remove("east", kTwin);
      Schedule schedule(seed);
      auto api = client();
      if (schedule.pick(2) == 0) (void)api->get(kTwinRef);  // some begin on a used connection
      attempt(*api, schedule);
      if (HasFailure()) {
        ADD_FAILURE() << "with seed " << seed;
        return;
      }
    }
    EXPECT_GT(successes, seeds() / 4);
    EXPECT_LT(successes, seeds());
  }
  void expect_faults(Schedule& schedule) {
    for (Fault& fault : schedule.faults()) {
      server().add_fault(std::move(fault));
    }
  }

  std::optional<Json> live() { return server().object("east", kTwin); }
  std::string live_uid() { return live()->at("metadata").at("uid").get<std::string>(); }

  /// What is told to be known was not changed: only these errors leave it open.
  static bool leaves_open(const base::Error& error) { return error.code == Code::kUnavailable; }

  void expect_there_as_asked(const Applied& applied) {
    ASSERT_TRUE(live());
    EXPECT_EQ(live()->at("data"), kWanted.at("data"));
    EXPECT_EQ(live_uid(), applied.uid);
    EXPECT_EQ(live()->at("metadata").at("resourceVersion"), applied.resource_version);
  }

  unsigned successes = 0;
};

TEST_F(FaultsTest, NeverMakeAnApplyClaimWhatIsNotSo) {
  under_all_faults([&](ApiClient& api, Schedule& schedule) {
    const bool owned = schedule.pick(5) == 0;
    if (owned) server().put("east", kTwin, {{"data", {{"root", "theirs"}}}}, "argocd");
    expect_faults(schedule);
    const auto applied = api.apply(kTwinRef, kWanted);
    if (applied) {
      EXPECT_FALSE(owned);
      expect_there_as_asked(*applied);
      ++successes;
    } else if (owned) {
      EXPECT_EQ(live()->at("data").at("root"), "theirs");
    } else {
      EXPECT_TRUE(leaves_open(applied.error())) << applied.error().message;
    }
  });
}

TEST_F(FaultsTest, NeverMakeACreateClaimWhatIsNotSo) {
  under_all_faults([&](ApiClient& api, Schedule& schedule) {
    const bool taken = schedule.pick(5) == 0;
    if (taken) server().put("east", kTwin, kWanted, "argocd");  // the same words, but not ours
    const std::string before = taken ? live_uid() : "";
    expect_faults(schedule);
    const auto made = api.create(kTwinRef, kWanted);
    if (made) {
      EXPECT_FALSE(taken);
      expect_there_as_asked(*made);
      ++successes;
    } else if (taken) {
      EXPECT_EQ(live_uid(), before);
    } else {
      EXPECT_TRUE(leaves_open(made.error())) << made.error().message;
    }
  });
}

TEST_F(FaultsTest, NeverMakeADeleteTakeAnotherObject) {
  under_all_faults([&](ApiClient& api, Schedule& schedule) {
    server().put("east", kTwin, kWanted);
    std::string meant = live_uid();
    const bool replaced = schedule.pick(3) == 0;
    if (replaced) {
      server().remove("east", kTwin);
      server().put("east", kTwin, kWanted);
    }
    expect_faults(schedule);
    const auto removed = api.remove(kTwinRef, {.uid = meant});
    if (replaced) {
      EXPECT_TRUE(live()) << "another object was deleted";
      EXPECT_FALSE(removed);
    } else if (removed) {
      EXPECT_FALSE(live());
      ++successes;
    } else {
      EXPECT_TRUE(leaves_open(removed.error())) << removed.error().message;
    }
  });
}

TEST_F(FaultsTest, NeverMakeAChangeLoseWhatSomebodyElseWrote) {
  under_all_faults([&](ApiClient& api, Schedule& schedule) {
    server().put("east", kTwin, {{"data", {{"n", "0"}}}});
    int interferences = static_cast<int>(schedule.pick(4));
    expect_faults(schedule);
    int written = 0;
    const auto changed = api.change(kTwinRef, [&](Json& object) {
      if (interferences-- > 0) {
        server().put("east", kTwin, {{"data", {{"n", std::to_string(++written)}}}});
      }
      object["data"]["ours"] = "yes";
      return base::Status();
    });
    ASSERT_TRUE(live());
    EXPECT_EQ(live()->at("data").at("n"), std::to_string(written));
    if (!changed) return;
    EXPECT_EQ(live()->at("data").at("ours"), "yes");
    ++successes;
  });
}

TEST_F(FaultsTest, OfAStormOfRefusalsAreWaitedOut) {
  for (const char* after : {"1", "Wed, 21 Oct 2026 07:28:00 GMT", ""}) {
    test::FakeReply reply{.status = 429, .body = "too many", .content_type = "text/plain"};
    if (*after != '\0') reply.headers["Retry-After"] = after;
    server().add_fault({.times = 10, .reply = reply});
    EXPECT_TRUE(client()->apply(kTwinRef, kWanted)) << after;
    server().clear_faults();
  }
}

TEST_F(FaultsTest, OfAServerThatNeverStartsEndInAnError) {
  server().add_fault(
      {.times = 10, .reply = test::failure_reply(503, "ServiceUnavailable", "starting")});
  EXPECT_FALSE(client()->apply(kTwinRef, kWanted));
  EXPECT_FALSE(live());
}

TEST_F(FaultsTest, OfAHugeAnswerEndInAnError) {
  server().add_fault({.reply = {.status = 200, .body = std::string(70U << 20U, ' ')}});
  const auto found = client()->get(kTwinRef);
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, ::testing::HasSubstr("is larger than 64 MiB"));
}

TEST_F(FaultsTest, OfAnAnswerThatDripsEndWhenItFallsSilent) {
  http.silence_timeout = std::chrono::milliseconds(50);
  server().add_fault({.kind = Fault::Kind::kStallInBody});
  const auto found = client()->get(kTwinRef);
  ASSERT_FALSE(found);
  EXPECT_EQ(without_address(found.error().message),
            "reading configmap 'istio-system/meshtrust-trust': SERVER said nothing for 1s");
}

TEST_F(FaultsTest, OfAnAnswerThatNestsTooDeepEndInAnError) {
  const std::string deep = R"({"kind":"ConfigMap","data":)" + std::string(100'000, '[');
  server().add_fault({.reply = {.status = 200, .body = deep}});
  EXPECT_EQ(client()->get(kTwinRef).error().code, Code::kUnavailable);
}

TEST_F(FaultsTest, OfCertificatesThatChangeAreNoneAsLongAsTheAuthorityStays) {
  const auto api = client();
  ASSERT_TRUE(api->apply(kTwinRef, kWanted));
  const auto from = *base::parse_rfc3339("2000-01-01T00:00:00Z");
  const auto until = *base::parse_rfc3339("2100-01-01T00:00:00Z");
  server().change_identity(server().authority().server(from, until));
  EXPECT_TRUE(api->apply(kTwinRef, kWanted));
  server().change_identity(test::TestAuthority("another").server(from, until));
  const auto applied = api->apply(kTwinRef, kWanted);
  ASSERT_FALSE(applied);
  EXPECT_THAT(applied.error().message, ::testing::HasSubstr("is not trusted"));
}

}  // namespace
}  // namespace meshtrust::k8s
