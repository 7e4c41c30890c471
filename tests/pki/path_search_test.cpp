#include "tests/pki/path_scene.h"

#include <gmock/gmock.h>
#include <openssl/x509.h>

#include <algorithm>

namespace meshtrust::pki {
namespace {

using testing::answer;
using testing::as_path;
using testing::forge;
using testing::forge_root;
using testing::Forgery;
using testing::Identity;
using testing::intermediate_forgery;
using testing::kNow;
using testing::path_of;
using testing::PathScene;

Forgery ca(const std::string& subject) {
  Forgery wanted = intermediate_forgery(subject);
  wanted.with("basicConstraints", "critical,CA:TRUE");
  return wanted;
}

Forgery root_called(const std::string& subject) {
  Forgery wanted;
  wanted.subject = subject;
  return wanted;
}

/// The same subject and key as `of`, below `issuer`.
Forgery cross(const Identity& of) {
  Forgery wanted = ca(of.certificate.facts().subject);
  wanted.key = of.key;
  return wanted;
}

ChainQuestion question(const std::vector<PathCertificate>& chain,
                       const std::vector<Identity>& roots) {
  ChainQuestion question;
  question.chain = chain;
  for (const Identity& root : roots) {
    question.anchors.push_back(as_path(root.certificate));
  }
  question.at = kNow;
  return question;
}

std::vector<std::string> path_subjects(const ChainQuestion& question) {
  std::vector<std::string> subjects;
  for (const PathCertificate& one : judge_chain(question, "meshtrust").path) {
    subjects.push_back(one.facts().subject.text);
  }
  return subjects;
}

/// old root A, new root B, and B's certificate by A; a leaf below an intermediate of B.
struct Bridge {
  Identity a = forge_root(root_called("CN=A"));
  Identity b = forge_root(root_called("CN=B"));
  Identity bridge = forge(cross(b), a);
  Identity east = forge(intermediate_forgery("CN=east"), b);
  PathCertificate leaf = path_of(PathScene::server_forgery(), east);
};

TEST(PathSearch, FindsTheBridgeUnderTheOldRoot) {
  const Bridge s;
  const auto chain =
      std::vector{s.leaf, as_path(s.east.certificate), as_path(s.bridge.certificate)};
  EXPECT_EQ(answer(question(chain, {s.a})), "accepted");
  EXPECT_EQ(answer(question(chain, {s.b})), "accepted");
  EXPECT_THAT(path_subjects(question(chain, {s.a})),
              ::testing::ElementsAre("O=Forge,CN=web", "CN=east", "CN=B", "CN=A"));
}

TEST(PathSearch, IsNotMisledByASelfSignedNamesakeBeforeTheBridge) {
  const Bridge s;
  const auto chain = std::vector{s.leaf, as_path(s.east.certificate), as_path(s.b.certificate),
                                 as_path(s.bridge.certificate)};
  EXPECT_EQ(answer(question(chain, {s.a})), "accepted");
}

TEST(PathSearch, IsNotMisledByAnExpiredBridgeBeforeAGoodOne) {
  const Bridge s;
  Forgery expired = cross(s.b);
  expired.not_after = kNow - base::days(1);
  const auto chain =
      std::vector{s.leaf, as_path(s.east.certificate), as_path(forge(expired, s.a).certificate),
                  as_path(s.bridge.certificate)};
  EXPECT_EQ(answer(question(chain, {s.a})), "accepted");
}

TEST(PathSearch, IsNotMisledByANamesakeWithAnotherKey) {
  const Bridge s;
  const Identity stranger = forge(ca("CN=east"), s.b);
  const auto chain = std::vector{s.leaf, as_path(stranger.certificate), as_path(s.east.certificate),
                                 as_path(s.bridge.certificate)};
  EXPECT_EQ(answer(question(chain, {s.a})), "accepted");
}

TEST(PathSearch, GoesRoundConstraintsThatForbidOneOfTwoWays) {
  const Identity a = forge_root(root_called("CN=A"));
  const Identity b = forge_root(root_called("CN=B"));
  Forgery narrow = ca("CN=east");
  narrow.with("nameConstraints", "critical,permitted;DNS:example.net");
  const Identity forbidding = forge(narrow, a);
  Forgery wide = ca("CN=east");
  wide.key = forbidding.key;
  const Identity allowing = forge(wide, b);
  const auto chain = std::vector{path_of(PathScene::server_forgery(), allowing),
                                 as_path(forbidding.certificate), as_path(allowing.certificate)};
  EXPECT_EQ(answer(question(chain, {a, b})), "accepted");
  EXPECT_EQ(answer(question(chain, {a})), "name_not_permitted");
}

TEST(PathSearch, LeavesCirclesAlone) {
  Identity a = forge_root(root_called("CN=A"));
  Identity b = forge_root(root_called("CN=B"));
  const Identity a_by_b = forge(cross(a), b);
  const Identity b_by_a = forge(cross(b), a);
  const auto chain = std::vector{path_of(PathScene::server_forgery(), a),
                                 as_path(a_by_b.certificate), as_path(b_by_a.certificate)};
  const Identity stranger = forge_root(root_called("CN=stranger"));
  const ChainVerdict verdict = judge_chain(question(chain, {stranger}), "meshtrust");
  EXPECT_FALSE(verdict.accepted);
  EXPECT_EQ(verdict.candidates, 1U);  // by names no anchor can be reached
  EXPECT_EQ(answer(question(chain, {b})), "accepted");
}

TEST(PathSearch, TakesAChainOfThirtyInAnyOrder) {
  const Identity root = forge_root();
  Identity issuer = root;
  std::vector<PathCertificate> chain;
  for (int i = 0; i < 30; ++i) {
    issuer = forge(ca("CN=level " + std::to_string(i)), issuer);
    chain.push_back(as_path(issuer.certificate));
  }
  chain.insert(chain.begin(), path_of(PathScene::server_forgery(), issuer));
  EXPECT_EQ(answer(question(chain, {root})), "accepted");
}

TEST(PathSearch, GivesUpAmongNamesakesThatSignEachOther) {
  const testing::Key key = testing::ec_key();
  const Identity root = forge_root(root_called("CN=same"));
  std::vector<PathCertificate> chain;
  Identity issuer = root;
  for (int i = 0; i < 60; ++i) {
    Forgery wanted = ca("CN=same");
    wanted.with("subjectKeyIdentifier", "");
    wanted.with("authorityKeyIdentifier", "");
    wanted.serial = "0" + std::to_string(1000 + i);
    issuer = forge(wanted, issuer);
    chain.push_back(as_path(issuer.certificate));
  }
  Forgery leaf = PathScene::server_forgery();
  leaf.with("authorityKeyIdentifier", "");
  leaf.signing_key = testing::ec_key();
  chain.insert(chain.begin(), path_of(leaf, issuer));
  const ChainVerdict verdict = judge_chain(question(chain, {root}), "meshtrust");
  EXPECT_FALSE(verdict.accepted);
  EXPECT_LE(verdict.candidates, own_rules().most_candidates + 1);
}

TEST(PathSearch, SaysWhatIsWrongWithThePathThatCameClosest) {
  Bridge s;
  Forgery expired = cross(s.b);
  expired.not_after = kNow - base::days(1);
  const auto chain =
      std::vector{s.leaf, as_path(s.east.certificate), as_path(forge(expired, s.a).certificate)};
  const ChainVerdict verdict = judge_chain(question(chain, {s.a}), "meshtrust");
  ASSERT_EQ(verdict.failures.size(), 1U);
  EXPECT_EQ(
      verdict.failures.front().text(),
      "intermediate 'CN=B': expired, found not after 2029-12-31T00:00:00Z, wanted at or after "
      "2030-01-01T00:00:00Z (RFC 5280 6.1.3 (a)(2))");
}

TEST(PathSearch, TellsWhatIsWrongWithTheLeafBesideWhatIsWrongWithThePath) {
  PathScene scene;
  scene.leaf.not_after = kNow - base::Seconds(1);
  ChainQuestion question = ask(scene);
  question.anchors.clear();
  const ChainVerdict verdict = judge_chain(question, "meshtrust");
  ASSERT_EQ(verdict.failures.size(), 2U);
  EXPECT_EQ(verdict.failures[0].id(), "expired");
  EXPECT_EQ(verdict.failures[1].id(), "no_path");
}

TEST(PathSearch, AcceptsWithEveryJudgeWhatIsMinted) {
  base::SystemRandom random;
  const auto root_key = *PrivateKey::generate(KeyAlgorithm::kEcdsaP256);
  const auto root = *issue_root(testing::wanted_ca("O=Shop,CN=Root"), root_key, random);
  const testing::Key key = testing::ec_key();
  const base::Bytes public_key = [&] {
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key.get(), &der);
    base::Bytes bytes(der, der + size);
    OPENSSL_free(der);
    return bytes;
  }();
  const auto east = *issue_intermediate(testing::wanted_ca("O=Shop,CN=East", base::days(730)),
                                        public_key, root, root_key, random);
  ChainQuestion question;
  question.chain = {path_of(PathScene::server_forgery(), {east, key}), as_path(east)};
  question.anchors = {as_path(root)};
  question.at = kNow;
  question.purpose = Purpose::kServer;
  for (const std::string_view judge : chain_judges()) {
    EXPECT_EQ(answer(question, judge), "accepted") << judge;
  }
  EXPECT_TRUE(as_path(root).facts().defects.size() == 1) << "a CA as the leaf is all";
}

TEST(PathSearch, JudgesNothing) {
  for (const std::string_view judge : chain_judges()) {
    EXPECT_EQ(judge_chain({}, judge).reason, "there is no certificate to judge") << judge;
  }
}

TEST(Checks, HaveAnIdSourceAndSummaryEach) {
  std::vector<std::string_view> ids;
  for (const CheckInfo& info : all_checks()) {
    EXPECT_EQ(info_of(info.check).id, info.id);
    EXPECT_FALSE(info.source.empty());
    EXPECT_FALSE(info.summary.empty());
    ids.push_back(info.id);
  }
  EXPECT_EQ(ids.size(), kCheckCount);
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end());
}

}  // namespace
}  // namespace meshtrust::pki
