#include "ca/authority.h"
#include "ca/revocation.h"
#include "ca/roots.h"
#include "ledger/chain.h"
#include "pki/issue.h"
#include "pki/path/imagined_workload.h"
#include "tests/ca/support.h"
#include "tests/support/matchers.h"

#include <fmt/format.h>

#include <map>

// Two roots in one store, A before B, and what leads from one to the other.

namespace meshtrust::ca {
namespace {

using base::Code;
using ledger::RootState;
using test::FailsWith;
using test::Succeeds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view kEverybody = "openssl go boringssl webpki";

class RotationTest : public AnyStoreTest {
 protected:
  RotationTest() : store(create()), held(lock(store)), a(mint_clear_root(store, held)) {}

  base::Result<MintedRoot> mint_next(const pki::Signer* key_before) {
    clock.time += base::days(1);
    return mint_next_root(store, held, shop_root(), KeyProtection::none(), key_before, kAlice);
  }
  /// B, for whom A vouches.
  MintedRoot mint_b() { return mint_next(a.signer.get()).value(); }
  base::Result<pki::Certificate> mint_bridge_of(const MintedRoot& of, const MintedRoot& by) {
    return mint_bridge(store, held, *by.signer,
                       {.of = of.root.fingerprint(), .by = by.root.fingerprint()}, kAlice);
  }
  Intermediate mint_below(const MintedRoot& root, const MintedRoot& anchor) {
    return mint_intermediate(store, held, *root.signer,
                             {.cluster = "east",
                              .root = root.root.fingerprint(),
                              .anchor = anchor.root.fingerprint()},
                             kAlice)
        .value();
  }
  base::Status activate(const MintedRoot& root) {
    return activate_root(store, held, root.root.fingerprint(), *root.signer, kAlice);
  }
  std::vector<RootState> states() const {
    std::vector<RootState> found;
    for (const Root& root : store.roots()) {
      found.push_back(root.state);
    }
    return found;
  }
  /// Who of the verifiers of a mesh accepts a workload of `intermediate` that shows `chain` and the
  /// roots that its own cluster trusts, as agents do, where `trusted` is trusted.
  std::string takers(const std::vector<pki::Certificate>& chain,
                     const std::vector<pki::Certificate>& sent_along,
                     const std::vector<pki::Certificate>& trusted) const {
    std::vector<pki::Certificate> shown = chain;
    shown.insert(shown.end(), sent_along.begin(), sent_along.end());
    std::string found;
    for (const pki::Verdict& one : pki::judge_imagined_workload(
             {.authority = chain.front(), .shown = shown, .roots = trusted, .at = clock.time})) {
      if (one.accepted) found += (found.empty() ? "" : " ") + one.judge;
    }
    return found;
  }

  TrustStore store;
  StoreLock held;
  MintedRoot a;
};

TEST_P(RotationTest, ANextRootWaitsAndSharesNothingWithTheOneBefore) {
  const MintedRoot b = mint_b();
  EXPECT_THAT(states(), ElementsAre(RootState::kCurrent, RootState::kNext));
  EXPECT_EQ(store.root()->fingerprint(), a.root.fingerprint());
  EXPECT_EQ(b.root.after, a.root.fingerprint());
  EXPECT_EQ(b.root.declared_subject, a.root.declared_subject);
  const auto& before = a.root.certificate.facts();
  const auto& after = b.root.certificate.facts();
  EXPECT_NE(after.subject_der, before.subject_der);
  EXPECT_NE(after.key_id, before.key_id);
  EXPECT_NE(after.subject_key_id, before.subject_key_id);
  EXPECT_THAT(
      mint_next(a.signer.get()),
      FailsWith(Code::kConflict, fmt::format("trust store '{}' has a next root already: '{}'",
                                             path.string(), after.subject)));
  EXPECT_THAT(open().roots(), SizeIs(2)) << "by the signatures of both";
}

TEST_P(RotationTest, BothRootsSignTheMintingOfTheNext) {
  mint_b();
  const ledger::Rows rows = stored_rows();
  EXPECT_EQ(rows.format, ledger::Format::kRotating) << "older versions leave it alone";
  std::map<std::string, std::int64_t> heads;
  for (const ledger::SignedHead& head : rows.heads) {
    heads[head.root] = head.sequence;
  }
  const auto last = static_cast<std::int64_t>(rows.lines.size());
  EXPECT_THAT(heads, SizeIs(2));
  for (const Root& root : store.roots()) {
    EXPECT_EQ(heads[root.fingerprint()], last);
  }
}

TEST_P(RotationTest, AnothersKeyVouchesForNoRoot) {
  const auto stranger = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256).value();
  const std::size_t lines = store.log().size();
  EXPECT_THAT(mint_next(&stranger),
              FailsWith(Code::kRefused, fmt::format("this is not the key of '{}'",
                                                    a.root.certificate.facts().subject)));
  EXPECT_EQ(store.log().size(), lines);
}

TEST_P(RotationTest, AKeyThatWasPlannedForANextRootIsDiscarded) {
  ASSERT_THAT(store.append(held, kAlice, ledger::KeyPlanned{"0123456789abcdef"}), Succeeds());
  mint_b();
  EXPECT_THAT(store.planned_keys(), IsEmpty());
  EXPECT_THAT(open().roots(), SizeIs(2));
}

TEST_P(RotationTest, AForwardBridgeLeadsFromTheNextRootToTheOldOne) {
  const MintedRoot b = mint_b();
  const auto bridge = mint_bridge_of(b, a);
  ASSERT_THAT(bridge, Succeeds());
  const auto& facts = bridge->facts();
  const auto& of = b.root.certificate.facts();
  EXPECT_EQ(facts.subject_der, of.subject_der);
  EXPECT_EQ(facts.key_id, of.key_id);
  EXPECT_EQ(facts.subject_key_id, of.subject_key_id);
  EXPECT_EQ(facts.issuer_der, a.root.certificate.facts().subject_der);
  EXPECT_EQ(facts.authority_key_id, a.root.certificate.facts().subject_key_id);
  EXPECT_EQ(facts.basic_constraints->path_length, std::nullopt);
  ASSERT_THAT(activate(b), Succeeds());

  const Intermediate east = mint_below(b, a);
  EXPECT_THAT(east.chain, ElementsAre(east.certificate, *bridge));
  EXPECT_THAT(east.roots, ElementsAre(a.root.certificate));
  EXPECT_EQ(store.find(east.certificate.fingerprint())->issuer, b.root.fingerprint())
      << "not the bridge, which has the same name";
  const TrustStore again = open();
  EXPECT_EQ(again.root()->fingerprint(), b.root.fingerprint());
}

/// The table of a bridged chain: with either root in the chain's tail, every verifier of a mesh
/// accepts it, whichever root it trusts.
TEST_P(RotationTest, EverybodyAcceptsABridgedChainWhicheverRootHeTrusts) {
  const MintedRoot b = mint_b();
  const pki::Certificate& root_a = a.root.certificate;
  const pki::Certificate& root_b = b.root.certificate;
  const Intermediate old = mint_below(a, a);
  ASSERT_THAT(mint_bridge_of(b, a), Succeeds());
  ASSERT_THAT(mint_bridge_of(a, b), Succeeds());
  ASSERT_THAT(activate(b), Succeeds());
  const Intermediate forward = mint_below(b, a);
  const Intermediate fresh = mint_below(b, b);
  const auto reverse = chain_to(store, old.certificate, b.root);
  ASSERT_THAT(reverse, Succeeds());
  ASSERT_THAT(forward.chain, SizeIs(2));
  ASSERT_THAT(reverse->certificates, SizeIs(2));

  struct Row {
    std::string name;
    std::vector<pki::Certificate> chain;
    std::string under_a;
    std::string under_both;
    std::string under_b;
  };
  const std::string all(kEverybody);
  for (const Row& row : std::vector<Row>{{"old", old.chain, all, all, ""},
                                         {"forward bridge", forward.chain, all, all, all},
                                         {"reverse bridge", reverse->certificates, all, all, all},
                                         {"new", fresh.chain, "", all, all}}) {
    for (const auto& along :
         {std::vector<pki::Certificate>{}, {root_a}, {root_b}, {root_a, root_b}}) {
      EXPECT_EQ(takers(row.chain, along, {root_a}), row.under_a) << row.name << along.size();
      EXPECT_EQ(takers(row.chain, along, {root_a, root_b}), row.under_both)
          << row.name << along.size();
      EXPECT_EQ(takers(row.chain, along, {root_b}), row.under_b) << row.name << along.size();
    }
  }
}

TEST_P(RotationTest, ABridgeIsNestedInBothRootsAndNotShortened) {
  const MintedRoot b = mint_b();
  const BridgeRequest wanted{
      .of = b.root.fingerprint(), .by = a.root.fingerprint(), .lifetime = base::days(3650)};
  EXPECT_THAT(mint_bridge(store, held, *a.signer, wanted, kAlice),
              FailsWith(Code::kRefused,
                        "lifetime '3650d' would outlive the root, which ends on "
                        "2036-11-18T10:00:00Z"));
  EXPECT_THAT(mint_bridge(store, held, *b.signer, {.of = wanted.of, .by = wanted.by}, kAlice),
              FailsWith(Code::kRefused, fmt::format("the signing key is not the key of '{}'",
                                                    a.root.certificate.facts().subject)));
  EXPECT_THAT(mint_bridge(store, held, *a.signer, {.of = wanted.by, .by = wanted.by}, kAlice),
              FailsWith(Code::kInvalidInput, "a bridge leads from one root to another"));
  EXPECT_THAT(mint_bridge(store, held, *a.signer, {.of = "0123", .by = wanted.by}, kAlice),
              FailsWith(Code::kNotFound,
                        fmt::format("'0123' is no root of trust store '{}'", path.string())));
}

TEST_P(RotationTest, WithoutABridgeInForceNothingIsMintedForPeersThatTrustAnotherRoot) {
  const MintedRoot b = mint_b();
  const auto mint = [&] {
    return mint_intermediate(
        store, held, *b.signer,
        {.cluster = "east", .root = b.root.fingerprint(), .anchor = a.root.fingerprint()}, kAlice);
  };
  const std::size_t lines = store.log().size();
  EXPECT_THAT(mint(), FailsWith(Code::kNotFound, HasSubstr("no chain leads from ")));
  EXPECT_EQ(store.log().size(), lines);
  ASSERT_THAT(mint_bridge_of(b, a), Succeeds());
  EXPECT_THAT(mint(), Succeeds());
  clock.time += base::days(366);
  EXPECT_THAT(mint(), FailsWith(Code::kRefused,
                                HasSubstr(", and it is " + base::format_rfc3339(clock.time))));
  const auto renewed = mint_bridge_of(b, a);
  ASSERT_THAT(renewed, Succeeds());
  const auto minted = mint();
  ASSERT_THAT(minted, Succeeds());
  EXPECT_EQ(minted->chain.back(), *renewed) << "the one before has ended";
}

TEST_P(RotationTest, ARootBelowATightCompanyCaHasNoRoomForABridge) {
  const auto key = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256).value();
  const auto company =
      pki::issue_root({.subject = pki::DistinguishedName::parse("O=Corp,CN=Corp Root").value(),
                       .not_before = clock.time - base::days(1),
                       .not_after = clock.time + base::days(7000)},
                      key, random)
          .value();
  // Room for the root, which leaves none below: a cluster's CA would not fit either.
  const auto tight = pki::issue_intermediate(
      {.subject = pki::DistinguishedName::parse(a.root.certificate.facts().subject).value(),
       .not_before = clock.time,
       .not_after = clock.time + base::days(3000)},
      a.signer->public_key(), company, key, random);
  ASSERT_THAT(store.append(held, kAlice,
                           ledger::Subordinated{.root = a.root.fingerprint(),
                                                .above = {tight.value(), company}},
                           *a.signer),
              Succeeds());
  const MintedRoot b = mint_b();
  EXPECT_THAT(mint_bridge_of(b, a),
              FailsWith(Code::kRefused,
                        fmt::format("'{}' allows 0 CAs below it, wanted 2 for the CAs of clusters",
                                    a.root.certificate.facts().subject)));
}

TEST_P(RotationTest, GoesBackAndOnceMoreForward) {
  const MintedRoot b = mint_b();
  EXPECT_THAT(activate_root(store, held, b.root.fingerprint(), *a.signer, kAlice),
              FailsWith(Code::kRefused,
                        fmt::format("'root-activated' is recorded only with the key of '{}' open, "
                                    "which signs the record",
                                    b.root.certificate.facts().subject)));
  ASSERT_THAT(activate(b), Succeeds());
  EXPECT_THAT(states(), ElementsAre(RootState::kFormer, RootState::kCurrent));
  ASSERT_THAT(activate(a), Succeeds());
  EXPECT_THAT(states(), ElementsAre(RootState::kCurrent, RootState::kFormer));
  ASSERT_THAT(activate(b), Succeeds());
  EXPECT_EQ(open().root()->fingerprint(), b.root.fingerprint());
}

TEST_P(RotationTest, ARetiredRootSignsNothingAndStaysAsACertificate) {
  const MintedRoot b = mint_b();
  const std::string old = a.root.fingerprint();
  EXPECT_THAT(
      retire_root(store, held, old, *a.signer, kAlice),
      FailsWith(Code::kConflict,
                fmt::format("'{}' is the current root: another has to be that first", old)));
  const Intermediate below = mint_below(a, a);
  ASSERT_THAT(activate(b), Succeeds());
  EXPECT_THAT(
      retire_root(store, held, old, *a.signer, kAlice),
      FailsWith(Code::kRefused, HasSubstr("'root-retired' is recorded only with the key of")));
  ASSERT_THAT(retire_root(store, held, old, *b.signer, kAlice), Succeeds());
  EXPECT_THAT(states(), ElementsAre(RootState::kRetired, RootState::kCurrent));
  EXPECT_THAT(
      store.record(held, ledger::Abandoned{below.certificate.fingerprint()}, kAlice, *a.signer),
      FailsWith(Code::kRefused, HasSubstr("is retired: its key signs no more")));
  EXPECT_THAT(mint_intermediate(store, held, *a.signer, {.cluster = "east", .root = old}, kAlice),
              FailsWith(Code::kConflict, HasSubstr("is retired")));
  EXPECT_THAT(activate(a), FailsWith(Code::kConflict, fmt::format("root '{}' is retired", old)));
  EXPECT_THAT(mint_bridge_of(a, b), FailsWith(Code::kRefused, HasSubstr("is retired")));
  EXPECT_THAT(open().roots(), SizeIs(2));
  EXPECT_EQ(pki::key_id(unlock_root(store, *store.root(old), {}).value()->public_key()),
            a.root.certificate.facts().key_id)
      << "its key is there until somebody says that it shall not be";
}

TEST_P(RotationTest, TheKeyOfARetiredRootIsDestroyedOnAnExplicitWordAlone) {
  const MintedRoot b = mint_b();
  const std::string old = a.root.fingerprint();
  ASSERT_THAT(activate(b), Succeeds());
  EXPECT_THAT(destroy_root_key(store, held, old, *b.signer, kAlice),
              FailsWith(Code::kConflict,
                        fmt::format("root '{}' is not retired: its key may be needed", old)));
  ASSERT_THAT(retire_root(store, held, old, *b.signer, kAlice), Succeeds());
  ASSERT_THAT(destroy_root_key(store, held, old, *b.signer, kAlice), Succeeds());
  ASSERT_THAT(destroy_root_key(store, held, old, *b.signer, kAlice), Succeeds()) << "again";
  EXPECT_THAT(store.custody().names().value(), ElementsAre(b.root.id));
  const TrustStore again = open();
  EXPECT_TRUE(again.root(old)->key_is_destroyed);
  EXPECT_THAT(unlock_root(again, *again.root(old), {}),
              FailsWith(Code::kNotFound, HasSubstr("was destroyed")));
  EXPECT_TRUE(std::holds_alternative<ledger::KeyDestroyed>(again.log().back().event));
}

TEST_P(RotationTest, ADestructionThatWasKilledIsFinishedByWhoeverTakesTheLock) {
  const MintedRoot b = mint_b();
  ASSERT_THAT(activate(b), Succeeds());
  ASSERT_THAT(retire_root(store, held, a.root.fingerprint(), *b.signer, kAlice), Succeeds());
  ASSERT_THAT(store.append(held, kAlice, ledger::KeyDestroyed{a.root.fingerprint()}, *b.signer),
              Succeeds());
  EXPECT_THAT(store.custody().names().value(), SizeIs(2)) << "killed behind the record";
  TrustStore again = open();
  { const StoreLock let_go = std::move(held); }
  const StoreLock held_again = lock(again);
  EXPECT_THAT(again.custody().names().value(), ElementsAre(b.root.id));
}

TEST_P(RotationTest, WithTheOldKeyOutOfReachSomebodyOutsideVouches) {
  const MintedRoot b = mint_next(nullptr).value();
  const auto unknown = TrustStore::open(environment, path);
  EXPECT_THAT(unknown, FailsWith(Code::kRefused,
                                 HasSubstr("without a signature of that root's key, which was out "
                                           "of reach: nothing in the ledger can vouch for it")));
  EXPECT_THAT(TrustStore::open(environment, path, {a.root.fingerprint()}),
              FailsWith(Code::kRefused, HasSubstr("out of reach")));
  // The reverse bridge: nothing of it takes the old key.
  const auto reverse = mint_bridge_of(a, b);
  ASSERT_THAT(reverse, Succeeds());
  ASSERT_THAT(activate(b), Succeeds());
  auto vouched = TrustStore::open(environment, path, {b.root.fingerprint()});
  ASSERT_THAT(vouched, Succeeds());
  EXPECT_EQ(vouched->root()->fingerprint(), b.root.fingerprint());
  { const StoreLock let_go = std::move(held); }
  EXPECT_THAT(vouched->lock("reads it again"), Succeeds());
  // Gone for good: nothing is missed.
  ASSERT_THAT(store.custody().remove(a.root.id), Succeeds());
  EXPECT_THAT(TrustStore::open(environment, path, {b.root.fingerprint()}), Succeeds());
}

TEST_P(RotationTest, AMeshNeedsTheCrlsOfBothRootsUntilOneIsRetired) {
  const Intermediate old = mint_below(a, a);
  const MintedRoot b = mint_b();
  ASSERT_THAT(mint_bridge_of(b, a), Succeeds());
  ASSERT_THAT(activate(b), Succeeds());
  const Intermediate fresh = mint_below(b, a);
  EXPECT_THAT(make_crls(store, held, *b.signer, {}, kAlice),
              FailsWith(Code::kRefused,
                        fmt::format("there would be no revocation list in force of '{}': Envoy "
                                    "would refuse every workload below",
                                    a.root.certificate.facts().subject)));
  const auto set = make_crls(store, held, RootKeys{a.signer.get(), b.signer.get()}, {}, kAlice);
  ASSERT_THAT(set, Succeeds());
  EXPECT_THAT(set->authorities, ElementsAre(b.root.certificate, a.root.certificate, old.certificate,
                                            fresh.certificate));
  EXPECT_THAT(set->crls, SizeIs(4));
  EXPECT_TRUE(set->crls.front().is_of(b.root.certificate)) << "the current root's comes first";
  EXPECT_TRUE(set->crls.front().is_of(fresh.chain.back())) << "and is the bridge's";
  // As long as that of the old root is in force, its key is not needed.
  clock.time += base::days(30);
  const auto renewed = make_crls(store, held, *b.signer, {}, kAlice);
  ASSERT_THAT(renewed, Succeeds());
  EXPECT_EQ(renewed->crls[0].facts().number, "02");
  EXPECT_EQ(renewed->crls[1], set->crls[1]);
  ASSERT_THAT(retire_root(store, held, a.root.fingerprint(), *b.signer, kAlice), Succeeds());
  EXPECT_THAT(newest_crls(store)->authorities, ElementsAre(b.root.certificate, fresh.certificate));
}

TEST_P(RotationTest, ARevokedBridgeStandsOnTheCrlOfItsIssuerAndLeadsNowhere) {
  const MintedRoot b = mint_b();
  const auto bridge = mint_bridge_of(b, a);
  const Intermediate east = mint_below(b, a);
  ASSERT_THAT(store.append(held, kAlice, ledger::Revoked{.fingerprint = bridge->fingerprint()}),
              Succeeds());
  const auto set = make_crls(store, held, RootKeys{a.signer.get(), b.signer.get()}, {}, kAlice);
  ASSERT_THAT(set, Succeeds());
  EXPECT_THAT(set->crls.front().facts().revoked, SizeIs(1));
  EXPECT_THAT(chain_to(store, east.certificate, a.root), FailsWith(Code::kNotFound, HasSubstr("")));
}

INSTANTIATE_TEST_SUITE_P(Stores,
                         RotationTest,
                         testing::Values(Backend::kOnDisk, Backend::kAllInMemory),
                         name_of_backend);

}  // namespace
}  // namespace meshtrust::ca
