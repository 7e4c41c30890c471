#include "ledger/hierarchy.h"

#include "ledger/chain.h"
#include "tests/ledger/scene.h"
#include "tests/support/matchers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace meshtrust::ledger {
namespace {

using base::Code;
using test::FailsWith;
using test::Succeeds;
using ::testing::ElementsAre;

std::vector<RootState> states_of(const Hierarchy& hierarchy) {
  std::vector<RootState> found;
  for (const Root& root : hierarchy.roots()) {
    found.push_back(root.state);
  }
  return found;
}

TEST(Hierarchy, RootsComeInGenerations) {
  const Scene s;
  const std::string a = s.a.certificate.fingerprint();
  const std::string b = s.b.certificate.fingerprint();
  Hierarchy hierarchy;
  EXPECT_FALSE(hierarchy.current());
  take(hierarchy, RootMinted{.certificate = s.a.certificate});
  EXPECT_EQ(hierarchy.current()->fingerprint(), a);
  EXPECT_FALSE(hierarchy.next());
  take(hierarchy, next_root(s.b, s.a));
  EXPECT_EQ(hierarchy.next()->fingerprint(), b);
  EXPECT_THAT(states_of(hierarchy), ElementsAre(RootState::kCurrent, RootState::kNext));
  take(hierarchy, RootActivated{b});
  EXPECT_EQ(hierarchy.current()->fingerprint(), b);
  EXPECT_FALSE(hierarchy.next());
  EXPECT_THAT(states_of(hierarchy), ElementsAre(RootState::kFormer, RootState::kCurrent));
  take(hierarchy, RootRetired{a});
  EXPECT_THAT(states_of(hierarchy), ElementsAre(RootState::kRetired, RootState::kCurrent));
  take(hierarchy, KeyDestroyed{a});
  EXPECT_TRUE(hierarchy.root(a)->key_is_destroyed);
}

TEST(Hierarchy, ANextRootThatNobodyWantsMakesRoomForAnother) {
  const Scene s;
  Hierarchy hierarchy = two_roots(s);
  const Identity c = forge_root(root_called("CN=C"));
  EXPECT_THAT(hierarchy.may_follow(next_root(c, s.a)),
              FailsWith(Code::kConflict, "a next root is there already: 'CN=B'"));
  take(hierarchy, RootRetired{s.b.certificate.fingerprint()});
  take(hierarchy, next_root(c, s.a));
  EXPECT_EQ(hierarchy.next()->certificate, c.certificate);
}

std::string fingerprint(const Identity& one) {
  return one.certificate.fingerprint();
}

/// After: A, B to follow it, east below A, the bridge of B by A.
TEST(Hierarchy, SaysWhoMaySignWhat) {
  const Scene s;
  Hierarchy hierarchy = two_roots(s);
  take(hierarchy, IntermediateMinted{.certificate = s.east.certificate, .cluster = "east"});
  take(hierarchy, BridgeMinted{s.bridge.certificate});
  const Identity c = forge_root(root_called("CN=C"));
  const Identity namesake = forge_root(root_called("CN=A"));
  Forgery same_key = root_called("CN=D");
  same_key.key = s.east.key;
  const Identity twin = forge_root(same_key);
  const Identity of_nobody = forge(upper_called("CN=E"), s.a);
  const Identity below_east = forge(intermediate_forgery("CN=deep"), s.east);
  const Identity stray = forge(intermediate_forgery("CN=stray"), c);
  struct Row {
    Event event;
    Code code;
    std::string told;
  };
  for (const Row& each : std::vector<Row>{
           {RootMinted{.certificate = c.certificate}, Code::kConflict,
            fmt::format("'{}' is a second root that follows none before it", fingerprint(c))},
           {next_root(c, s.b), Code::kConflict,
            fmt::format("'{}' is to follow '{}', which is not the current root", fingerprint(c),
                        fingerprint(s.b))},
           {IntermediateMinted{.certificate = c.certificate, .cluster = "c"}, Code::kConflict,
            fmt::format("'{}' is not of the kind recorded, intermediate-minted", fingerprint(c))},
           {next_root(s.west, s.a), Code::kConflict,
            fmt::format("'{}' is not of the kind recorded, next-root-minted", fingerprint(s.west))},
           {BridgeMinted{s.bridge.certificate}, Code::kConflict,
            fmt::format("'{}' was minted already", fingerprint(s.bridge))},
           {BridgeMinted{of_nobody.certificate}, Code::kConflict,
            fmt::format("the bridge '{}' has not name and key of a root that is in use",
                        fingerprint(of_nobody))},
           {IntermediateMinted{.certificate = stray.certificate, .cluster = "c"}, Code::kConflict,
            fmt::format("the issuer of '{}' is not in the ledger", fingerprint(stray))},
           {IntermediateMinted{.certificate = below_east.certificate, .cluster = "c"},
            Code::kConflict,
            fmt::format("the issuer of '{}' is not in the ledger", fingerprint(below_east))},
           {RootActivated{fingerprint(s.a)}, Code::kConflict,
            fmt::format("'{}' is the current root already", fingerprint(s.a))},
           {RootActivated{fingerprint(s.east)}, Code::kNotFound,
            fmt::format("'{}' is no root of this ledger", fingerprint(s.east))},
           {RootRetired{fingerprint(s.a)}, Code::kConflict,
            fmt::format("'{}' is the current root: another has to be that first",
                        fingerprint(s.a))},
           {KeyDestroyed{fingerprint(s.a)}, Code::kConflict,
            fmt::format("root '{}' is not retired: its key may be needed", fingerprint(s.a))},
           {Pushed{fingerprint(s.bridge)}, Code::kConflict,
            fmt::format("'{}' is no intermediate of a cluster", fingerprint(s.bridge))},
           {CrlMade{.fingerprint = fingerprint(s.bridge), .crl = {}}, Code::kConflict,
            fmt::format("'{}' is a bridge: the CRLs of its root are its own",
                        fingerprint(s.bridge))}}) {
    EXPECT_THAT(hierarchy.may_follow(each.event), FailsWith(each.code, each.told));
  }
  take(hierarchy, RootRetired{fingerprint(s.b)});
  EXPECT_THAT(hierarchy.may_follow(next_root(namesake, s.a)),
              FailsWith(Code::kConflict, "the new root 'CN=A' has the name of 'CN=A'"));
  EXPECT_THAT(hierarchy.may_follow(next_root(twin, s.a)),
              FailsWith(Code::kConflict, "the new root 'CN=D' has the key of 'CN=east'"));
  EXPECT_THAT(hierarchy.may_follow(
                  IntermediateMinted{.certificate = s.west.certificate, .cluster = "west"}),
              FailsWith(Code::kConflict, fmt::format("the root above '{}', 'CN=B', is retired",
                                                     fingerprint(s.west))));
}

TEST(Hierarchy, SaysWhoseKeysSignALine) {
  const Scene s;
  Hierarchy hierarchy = two_roots(s);
  const std::string a = fingerprint(s.a);
  const std::string b = fingerprint(s.b);
  take(hierarchy, IntermediateMinted{.certificate = s.east.certificate, .cluster = "east"});
  take(hierarchy, IssuingMinted{s.issuing.certificate});
  const auto keys = [&hierarchy](const Event& event) { return hierarchy.keys_needed(event).all; };
  const Identity c = forge_root(root_called("CN=C"));
  EXPECT_THAT(keys(next_root(c, s.a)), ElementsAre(fingerprint(c), a));
  NextRootMinted vouched = next_root(c, s.a);
  vouched.voucher = Voucher::kOutside;
  EXPECT_THAT(keys(vouched), ElementsAre(fingerprint(c)));
  EXPECT_THAT(keys(BridgeMinted{s.bridge.certificate}), ElementsAre(a));
  EXPECT_THAT(keys(BridgeMinted{s.reverse.certificate}), ElementsAre(b));
  EXPECT_THAT(keys(IntermediateMinted{.certificate = s.west.certificate, .cluster = "west"}),
              ElementsAre(b));
  EXPECT_THAT(keys(IntermediateMinted{.certificate = s.north.certificate, .cluster = "north"}),
              ElementsAre(fingerprint(s.issuing)));
  EXPECT_THAT(keys(RootActivated{b}), ElementsAre(b));
  EXPECT_THAT(keys(RootRetired{b}), ElementsAre(a)) << "the current root's";
  EXPECT_THAT(keys(CrlMade{.fingerprint = b, .crl = {}}), ElementsAre(b));
  EXPECT_TRUE(hierarchy.keys_needed(CrlMade{.fingerprint = fingerprint(s.east), .crl = {}}).any);
  EXPECT_TRUE(hierarchy.keys_needed(Revoked{fingerprint(s.east)}).none());
}

TEST(Hierarchy, AnIntermediateIsOfTheRootAndNotOfTheBridgeOfItsName) {
  const Scene s;
  Hierarchy hierarchy = two_roots(s);
  take(hierarchy, BridgeMinted{s.bridge.certificate});
  take(hierarchy, IntermediateMinted{.certificate = s.west.certificate, .cluster = "west"});
  EXPECT_EQ(hierarchy.find(fingerprint(s.west))->issuer, fingerprint(s.b));
}

// --- chains --------------------------------------------------------------------------------------

std::vector<std::string> chain_of(const Hierarchy& hierarchy,
                                  const Identity& authority,
                                  const Identity& anchor) {
  const auto chain = find_chain(hierarchy, authority.certificate, anchor.certificate, kNow);
  if (!chain) return {chain.error().message};
  std::vector<std::string> subjects;
  for (const pki::Certificate& one : chain->certificates) {
    subjects.push_back(one.facts().subject + " by " + one.facts().issuer);
  }
  return subjects;
}

TEST(Chain, LeadsOverIssuingCasAndBridgesAndHoldsNoRoot) {
  const Scene s;
  Hierarchy hierarchy = two_roots(s);
  take(hierarchy, IntermediateMinted{.certificate = s.east.certificate, .cluster = "east"});
  take(hierarchy, IssuingMinted{s.issuing.certificate});
  take(hierarchy, IntermediateMinted{.certificate = s.north.certificate, .cluster = "north"});
  EXPECT_THAT(chain_of(hierarchy, s.east, s.a), ElementsAre("CN=east by CN=A"));
  EXPECT_THAT(chain_of(hierarchy, s.east, s.b),
              ElementsAre("no chain leads from 'CN=east' to 'CN=B'"));
  take(hierarchy, BridgeMinted{s.bridge.certificate});
  take(hierarchy, BridgeMinted{s.reverse.certificate});
  EXPECT_THAT(chain_of(hierarchy, s.east, s.a), ElementsAre("CN=east by CN=A"));
  EXPECT_THAT(chain_of(hierarchy, s.east, s.b), ElementsAre("CN=east by CN=A", "CN=A by CN=B"));
  EXPECT_THAT(chain_of(hierarchy, s.north, s.b),
              ElementsAre("CN=north by CN=issuing", "CN=issuing by CN=B"));
  EXPECT_THAT(chain_of(hierarchy, s.north, s.a),
              ElementsAre("CN=north by CN=issuing", "CN=issuing by CN=B", "CN=B by CN=A"));
}

TEST(Chain, OfTwoBridgesTakesTheOneThatLastsLonger) {
  const Scene s;
  Hierarchy hierarchy = two_roots(s);
  Forgery shorter = cross(s.b);
  shorter.not_after = kNow + base::days(30);
  const Identity first = forge(shorter, s.a);
  take(hierarchy, BridgeMinted{s.bridge.certificate});
  take(hierarchy, BridgeMinted{first.certificate});
  const auto chain = find_chain(hierarchy, s.west.certificate, s.a.certificate, kNow);
  ASSERT_THAT(chain, Succeeds());
  EXPECT_EQ(chain->certificates.back(), s.bridge.certificate);
  EXPECT_EQ(chain->until, s.west.certificate.facts().not_after);
}

TEST(Chain, ABridgeThatHasEndedLeadsNowhere) {
  const Scene s;
  Hierarchy hierarchy = two_roots(s);
  Forgery ended = cross(s.b);
  ended.not_after = kNow - base::days(1);
  take(hierarchy, BridgeMinted{forge(ended, s.a).certificate});
  EXPECT_THAT(chain_of(hierarchy, s.west, s.a),
              ElementsAre("'CN=B' by 'CN=A' is valid from 2029-12-27T00:00:00Z to "
                          "2029-12-31T00:00:00Z, and it is 2030-01-01T00:00:00Z"));
}

/// The rows of a table of path lengths: of the old root, of the bridge.
TEST(Chain, CountsTheBridgeInPathLengths) {
  struct Row {
    std::string root;
    std::string bridge;
    std::string told;
  };
  const std::string good = "CN=west by CN=B";
  for (const Row& row : std::vector<Row>{
           {"", "", good},
           {",pathlen:2", ",pathlen:1", good},
           {",pathlen:1", "", "'CN=A' allows 1 CA below it, wanted 2 for the CAs of clusters"},
           {",pathlen:1", ",pathlen:1",
            "'CN=A' allows 1 CA below it, wanted 2 for the CAs of clusters"},
           {"", ",pathlen:0", "'CN=B' allows 0 CAs below it, wanted 1 for the CAs of clusters"}}) {
    Scene s;
    s.a = forge_root(root_called("CN=A").with("basicConstraints", "critical,CA:TRUE" + row.root));
    s.bridge = forge(cross(s.b).with("basicConstraints", "critical,CA:TRUE" + row.bridge), s.a);
    Hierarchy hierarchy = two_roots(s);
    take(hierarchy, BridgeMinted{s.bridge.certificate});
    EXPECT_EQ(chain_of(hierarchy, s.west, s.a).front(), row.told) << row.root << row.bridge;
  }
}

}  // namespace
}  // namespace meshtrust::ledger
