#include "istio/reload.h"

#include "base/files.h"
#include "istio/acceptance.h"
#include "istio/lint.h"

#include <gtest/gtest.h>

#include <set>

namespace meshtrust::istio {
namespace {

std::string pem(const std::string& name) {
  base::DiskFiles files;
  return files.read(std::string(MESHTRUST_TEST_DATA "/data/trust/") + name + ".pem", 1U << 20U)
      .value();
}

bool is_taken(const std::string& loaded,
              const std::string& wanted,
              RootRule rule,
              bool multi_root) {
  return objection_to_reload(
             {.loaded = loaded, .wanted = wanted, .rule = rule, .multi_root = multi_root})
      .empty();
}

TEST(Reload, TakesAnyChangeOfRootsOnlyWithTheFlag) {
  const std::string a = pem("root");
  const std::string b = pem("other-root");
  const std::string c = pem("short-root");
  for (const RootRule rule : {RootRule::kSubset, RootRule::kPartOfBytes}) {
    EXPECT_TRUE(is_taken(a, a, rule, false));
    EXPECT_FALSE(is_taken(a, a + b, rule, false));
    EXPECT_TRUE(is_taken(a, a + b, rule, true));
    EXPECT_TRUE(is_taken(a + b, b, rule, true));
    EXPECT_FALSE(is_taken(a, b, rule, true));
    EXPECT_FALSE(is_taken(a + b, b + c, rule, true));
  }
}

TEST(Reload, ComparedBytesBefore1_30AndCertificatesSince) {
  const std::string a = pem("root");
  const std::string b = pem("other-root");
  EXPECT_FALSE(is_taken(a + b, b + a, RootRule::kPartOfBytes, true));
  EXPECT_TRUE(is_taken(a + b, b + a, RootRule::kSubset, true));
  EXPECT_FALSE(is_taken(a, "# comment\n" + b + a.substr(1), RootRule::kPartOfBytes, true));
}

struct Since {
  const char* version;
  bool refuses_incomplete;
  bool reads_crl;
  bool clamps;
  RootRule rule;
};

TEST(Behaviour, ChangesWithTheReleasesThatBroughtIt) {
  constexpr auto kBytes = RootRule::kPartOfBytes;
  constexpr auto kSet = RootRule::kSubset;
  for (const Since& each :
       {Since{"1.24.0", false, false, false, kBytes}, Since{"1.26.0", false, false, false, kBytes},
        Since{"1.26.1", true, false, false, kBytes}, Since{"1.27.0", true, true, false, kBytes},
        Since{"1.28.6", true, true, false, kBytes}, Since{"1.28.7", true, true, true, kBytes},
        Since{"1.29.2", true, true, false, kBytes}, Since{"1.29.3", true, true, true, kBytes},
        Since{"1.30.0", true, true, true, kSet}, Since{"1.31.0", true, true, true, kSet}}) {
    const LoaderBehaviour found = behaviour_of(parse_version(each.version).value());
    EXPECT_EQ(found.refuses_incomplete, each.refuses_incomplete) << each.version;
    EXPECT_EQ(found.reads_crl, each.reads_crl) << each.version;
    EXPECT_EQ(found.clamps_workloads, each.clamps) << each.version;
    EXPECT_EQ(found.root_rule, each.rule) << each.version;
  }
}

TEST(Incomplete, StopsIstiodOrMakesItSignForItself) {
  const auto outcome = [](std::vector<std::string> missing, const char* version) {
    return name_of(judge_incomplete(missing, parse_version(version).value()).outcome);
  };
  EXPECT_EQ(outcome({"ca-key.pem"}, "1.30.3"), "refuses to start");
  EXPECT_EQ(outcome({"ca-key.pem"}, "1.26.0"), "silently falls back to self-signed");
  EXPECT_EQ(outcome({"root-cert.pem"}, "1.26.0"), "refuses to start");
  EXPECT_EQ(outcome({"ca-cert.pem", "root-cert.pem", "cert-chain.pem", "ca-key.pem"}, "1.30.3"),
            "silently falls back to self-signed");
}

TEST(AllRules, HaveDistinctIdsAndEverythingToSay) {
  std::set<std::string_view> ids;
  for (const pki::Rule& rule : all_rules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
    EXPECT_FALSE(rule.source.empty() || rule.summary.empty() || rule.why.empty()) << rule.id;
    EXPECT_EQ(find_rule(rule.id), &rule);
  }
  EXPECT_EQ(find_rule("no-such-rule"), nullptr);
}

}  // namespace
}  // namespace meshtrust::istio
