#include "istio/acceptance.h"

#include "base/files.h"
#include "base/random.h"
#include "istio/bundle.h"
#include "pki/issue.h"
#include "pki/key.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace meshtrust::istio {
namespace {

/// 2026-11-21T10:00:00Z, inside the life of every fixture.
constexpr base::Instant kNow{base::Seconds(1'795'255'200)};

std::string pem(const std::string& name) {
  base::DiskFiles files;
  return files.read(std::string(MESHTRUST_TEST_DATA "/data/trust/") + name + ".pem", 1U << 20U)
      .value();
}

std::string codes(const BundleVerdict& verdict) {
  std::string text;
  for (const BundleProblem& problem : verdict.problems) {
    text += (text.empty() ? "" : " ") + problem.code;
  }
  return text;
}

struct Case {
  std::string name;
  PublicBundle bundle;
  LoadOutcome outcome;
  std::string problems;
};

std::vector<Case> cases() {
  const auto under = [](const std::string& certificate, const std::string& root) {
    return PublicBundle{pem(certificate), pem(certificate), pem(root)};
  };
  const std::string garbage = "not PEM\n";
  return {
      {"sound", under("east", "root"), LoadOutcome::kLoads, ""},
      {"another root", under("east", "other-root"), LoadOutcome::kRefusesToStart, "chain-refused"},
      {"garbage",
       {garbage, pem("east"), pem("root")},
       LoadOutcome::kRefusesToStart,
       "unreadable-file"},
      {"chain of another cluster",
       {pem("east"), pem("west"), pem("root")},
       LoadOutcome::kLoads,
       "chain-does-not-begin-with-ca-cert"},
      {"no final newline",
       {pem("east").substr(0, pem("east").size() - 1), pem("east"), pem("root")},
       LoadOutcome::kLoads,
       "no-final-newline"},
      {"no room under the root", under("below-short", "short-root"), LoadOutcome::kLoads,
       "path-too-long"},
      {"extended key usage", under("eku", "root"), LoadOutcome::kLoads, "no-extended-key-usage"},
      {"no keyCertSign", under("no-cert-sign", "root"), LoadOutcome::kLoads, "key-usage-cert-sign"},
      {"outlives its root", under("outlives-root", "root"), LoadOutcome::kLoads,
       "outlives-its-root"},
      {"a CA in between ends sooner",
       {pem("east"), pem("east") + pem("short-bridge"), pem("company")},
       LoadOutcome::kLoads,
       "expires-soon outlives-its-root"},
  };
}

TEST(JudgeBundle, SaysWhatIstiodDoesAndWhatBreaks) {
  for (const Case& one : cases()) {
    const BundleVerdict verdict = judge_bundle({.bundle = one.bundle, .at = kNow});
    EXPECT_EQ(verdict.outcome, one.outcome) << one.name;
    EXPECT_EQ(codes(verdict), one.problems) << one.name;
  }
}

TEST(JudgeBundle, IsGoodOnlyWhenNothingBreaksHandshakes) {
  const PublicBundle sound{pem("east"), pem("east"), pem("root")};
  EXPECT_TRUE(judge_bundle({.bundle = sound, .at = kNow}).is_good());
  const PublicBundle wrong_chain{pem("east"), pem("west"), pem("root")};
  EXPECT_FALSE(judge_bundle({.bundle = wrong_chain, .at = kNow}).is_good());
}

TEST(JudgeBundle, WarnsAMonthBeforeTheEndAndRefusesAfterIt) {
  const PublicBundle sound{pem("east"), pem("east"), pem("root")};
  const base::Instant end =
      pki::certificates_from_pem(sound.ca_cert).value().front().facts().not_after;
  EXPECT_EQ(codes(judge_bundle({.bundle = sound, .at = end - base::days(31)})), "");
  EXPECT_EQ(codes(judge_bundle({.bundle = sound, .at = end - base::days(29)})), "expires-soon");
  const BundleVerdict after = judge_bundle({.bundle = sound, .at = end + base::days(1)});
  EXPECT_EQ(after.outcome, LoadOutcome::kRefusesToStart);
}

TEST(JudgeBundle, AsksWhoMeetsInTheMeshAboutItsWorkloads) {
  const PublicBundle sound{pem("east"), pem("east"), pem("root")};
  std::string judges;
  const BundleVerdict verdict = judge_bundle({.bundle = sound, .at = kNow});
  for (const pki::Verdict& one : verdict.workload_verdicts) {
    judges += one.judge + (one.accepted ? " " : "! ");
  }
  EXPECT_EQ(judges, "openssl go boringssl webpki ");
  EXPECT_TRUE(verdict.own_verdict->accepted);
}

TEST(JudgeBundle, StopsIstiodForAKeyThatDoesNotFit) {
  const PublicBundle sound{pem("east"), pem("east"), pem("root")};
  const auto judged = [&sound](KeyMatch key) {
    return codes(judge_bundle({.bundle = sound, .key = key, .at = kNow}));
  };
  EXPECT_EQ(judged(KeyMatch::kMatches), "");
  EXPECT_EQ(judged(KeyMatch::kOther), "key-of-another-certificate");
  EXPECT_EQ(judged(KeyMatch::kUnreadable), "unreadable-key");
  const BundleVerdict of_root =
      judge_bundle({.bundle = sound, .key = KeyMatch::kOfRoot, .at = kNow});
  EXPECT_EQ(codes(of_root), "key-of-another-certificate");
  EXPECT_EQ(of_root.safety(), Answer::kNo);
}

TEST(MatchKey, TellsAForeignKeyFromAnUnreadableOne) {
  const auto key = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256);
  const PublicBundle bundle{.ca_cert = pem("east"), .cert_chain = {}, .root_cert = pem("root")};
  EXPECT_EQ(match_key(key->to_pem().value(), bundle), KeyMatch::kOther);
  EXPECT_EQ(match_key(base::Secret("no key"), bundle), KeyMatch::kUnreadable);
}

TEST(MatchKey, KnowsTheKeyOfARoot) {
  const auto key = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256).value();
  base::SystemRandom random;
  const auto root = pki::issue_root({.subject = pki::DistinguishedName::parse("CN=Root").value(),
                                     .not_before = kNow,
                                     .not_after = kNow + base::days(10)},
                                    key, random);
  const PublicBundle bundle{.ca_cert = pem("east"), .cert_chain = {}, .root_cert = root->pem()};
  EXPECT_EQ(match_key(key.to_pem().value(), bundle), KeyMatch::kOfRoot);
}

TEST(MakeBundle, BeginsTheChainWithTheCaCertAndLeavesTheRootOut) {
  const auto east = pki::certificates_from_pem(pem("east")).value();
  const auto root = pki::certificates_from_pem(pem("root")).value();
  const Bundle bundle = make_bundle(east, root, base::Secret("key"));
  EXPECT_EQ(bundle.certificates.ca_cert, east.front().pem());
  EXPECT_EQ(bundle.certificates.cert_chain, east.front().pem());
  EXPECT_EQ(bundle.certificates.root_cert, root.front().pem());
  const auto parsed = parse_bundle(bundle.certificates);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->ca_cert, east.front());
}

}  // namespace
}  // namespace meshtrust::istio
