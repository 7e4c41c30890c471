#include "ca/authority.h"

#include "pki/verify.h"
#include "tests/ca/support.h"

#include <set>
#include <thread>

namespace meshtrust::ca {
namespace {

namespace fs = std::filesystem;
using base::Code;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class AuthorityTest : public AnyStoreTest {
 protected:
  AuthorityTest() : store(create()), held(lock(store)) {}

  base::Result<Intermediate> mint(const MintedRoot& root, IntermediateRequest request) {
    return mint_intermediate(store, held, *root.signer, request, kAlice);
  }
  std::vector<std::string> events() {
    std::vector<std::string> names;
    for (const ledger::Record& record : store.log()) {
      names.emplace_back(name_of(record.event));
    }
    return names;
  }

  TrustStore store;
  StoreLock held;
};

TEST_P(AuthorityTest, TheRootKeyIsOnDiskEncryptedAndOpensAgain) {
  const base::Secret words("correct horse");
  const auto minted =
      mint_root(store, held, shop_root(), KeyProtection::passphrase(words, 1), kAlice).value();
  EXPECT_THAT(content_of(minted.root.key_file),
              StartsWith("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
  const TrustStore again = open();
  ASSERT_TRUE(again.root().has_value());
  EXPECT_TRUE(again.root()->key_is_encrypted);
  const auto signer = unlock_root(again, words);
  ASSERT_TRUE(signer);
  EXPECT_EQ((*signer)->public_key(), minted.signer->public_key());

  const auto wrong = unlock_root(again, base::Secret("battery staple"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kInvalidInput);

  flip_byte(minted.root.key_file, 200);
  const auto damaged = unlock_root(again, words);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, Code::kCorrupt);
}

TEST_P(AuthorityTest, TheRootSaysWhatWasAskedForAndItsGeneration) {
  const auto minted = mint_clear_root(store, held);
  const auto& facts = minted.root.certificate.facts();
  EXPECT_EQ(facts.subject, "O=Shop,OU=root 2026-11-21 00010203,CN=Shop Mesh Root");
  EXPECT_EQ(minted.root.declared_subject, "O=Shop,CN=Shop Mesh Root");
  EXPECT_EQ(base::format_rfc3339(facts.not_before), "2026-11-21T09:00:00Z");
  EXPECT_EQ(base::format_rfc3339(facts.not_after), "2036-11-18T10:00:00Z");
  EXPECT_FALSE(minted.root.key_is_encrypted);
  EXPECT_THAT(events(), ElementsAre("store-created", "key-planned", "root-minted"));
}

TEST_P(AuthorityTest, ASecondRootIsNotMinted) {
  mint_clear_root(store, held);
  const auto again = mint_root(store, held, shop_root(), KeyProtection::none(), kAlice);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kConflict);
  EXPECT_THAT(store.roots(), SizeIs(1));
}

TEST_P(AuthorityTest, BadRequestsForARootLeaveNothingBehind) {
  const base::Secret empty;
  RootRequest nameless = shop_root();
  nameless.subject = {};
  RootRequest lifeless = shop_root();
  lifeless.lifetime = base::Seconds(0);
  for (const auto& result :
       {mint_root(store, held, nameless, KeyProtection::none(), kAlice).error().code,
        mint_root(store, held, lifeless, KeyProtection::none(), kAlice).error().code,
        mint_root(store, held, shop_root(), KeyProtection::passphrase(empty), kAlice)
            .error()
            .code}) {
    EXPECT_EQ(result, Code::kInvalidInput);
  }
  EXPECT_THAT(events(), ElementsAre("store-created"));
}

/// Killed after the plan was recorded, before or after its key was written: there is no root, and
/// the next run mints one and only one.
TEST_P(AuthorityTest, APlannedKeyThatBecameNoRootIsDiscarded) {
  const std::string name = "0123456789abcdef";
  const fs::path orphan = path / ("root-" + name + ".key.pem");
  for (const bool was_written : {false, true}) {
    ASSERT_TRUE(store.append(held, kAlice, ledger::KeyPlanned{name}));
    if (was_written) put(orphan, "an encrypted key");
    EXPECT_FALSE(open().root().has_value());
    const auto rejected =
        mint_root(store, held, RootRequest{.subject = {}}, KeyProtection::none(), kAlice);
    EXPECT_FALSE(rejected);
    if (was_written) break;
    ASSERT_TRUE(store.append(held, kAlice, ledger::KeyDiscarded{name}));
  }
  mint_clear_root(store, held);
  EXPECT_FALSE(fs::exists(orphan));
  EXPECT_THAT(open().roots(), SizeIs(1));
  EXPECT_THAT(events(), ElementsAre("store-created", "key-planned", "key-discarded", "key-planned",
                                    "key-discarded", "key-planned", "root-minted"));
}

TEST_P(AuthorityTest, AnIntermediateIsWhatItsClusterNeeds) {
  const auto root = mint_clear_root(store, held);
  const auto east = mint(root, {.cluster = "east"}).value();
  const auto& facts = east.certificate.facts();
  EXPECT_THAT(facts.subject, StartsWith("O=Shop,OU=intermediate 2026-11-21 "));
  EXPECT_THAT(facts.subject, EndsWith(",CN=east"));
  EXPECT_EQ(facts.issuer_der, root.root.certificate.facts().subject_der);
  EXPECT_EQ(base::format_rfc3339(facts.not_before), "2026-11-21T09:00:00Z");
  EXPECT_EQ(base::format_rfc3339(facts.not_after), "2028-11-20T10:00:00Z");
  ASSERT_TRUE(facts.basic_constraints.has_value());
  EXPECT_EQ(facts.basic_constraints->path_length, 0);
  EXPECT_EQ(pki::key_id(east.key.public_key()), facts.key_id);
  EXPECT_THAT(east.chain, ElementsAre(east.certificate));
  EXPECT_THAT(east.roots, ElementsAre(root.root.certificate));
  EXPECT_TRUE(
      pki::all_accept(pki::judge({.chain = east.chain, .roots = east.roots, .at = clock.now()})));
}

TEST_P(AuthorityTest, EveryKindOfKeyCanBeMinted) {
  const auto root = mint_clear_root(store, held);
  for (const pki::KeyAlgorithm algorithm : pki::all_key_algorithms()) {
    const auto minted = mint(root, {.cluster = "east", .key = algorithm});
    ASSERT_TRUE(minted) << minted.error().message;
    EXPECT_EQ(minted->certificate.facts().key_type, pki::name_of(algorithm));
  }
}

TEST_P(AuthorityTest, TheIntentIsOnDiskAndTheKeyIsNot) {
  const auto root = mint_clear_root(store, held);
  const auto east = mint(root, {.cluster = "east"}).value();
  const TrustStore observer = open();
  ASSERT_THAT(observer.undelivered(), SizeIs(1));
  const ledger::Authority entry = observer.undelivered()[0];
  EXPECT_EQ(entry.fingerprint(), east.certificate.fingerprint());
  EXPECT_EQ(entry.cluster, "east");
  EXPECT_EQ(entry.issuer, root.root.fingerprint());
  EXPECT_EQ(entry.state, ledger::Delivery::kMinted);
  std::vector<std::string> names = files.list(path).value();
  std::erase(names, "store.db-journal");
  EXPECT_THAT(names,
              ElementsAre(".gitignore", "lock", "root-" + root.root.id + ".key.pem", "store.db"));
}

TEST_P(AuthorityTest, SubjectsDifferByClusterAndByGeneration) {
  const auto root = mint_clear_root(store, held);
  const std::string longest(63, 'a');
  std::set<std::string> subjects;
  for (const std::string& cluster : {std::string("east"), std::string("east"), longest, longest}) {
    const auto minted = mint(root, {.cluster = cluster});
    ASSERT_TRUE(minted) << minted.error().message;
    subjects.insert(minted->certificate.facts().subject);
  }
  EXPECT_THAT(subjects, SizeIs(4));
}

TEST_P(AuthorityTest, AnIntermediateThatWouldOutliveItsRootIsRefusedAndNotShortened) {
  const auto root = mint_clear_root(store, held);
  const auto refused = mint(root, {.cluster = "east", .lifetime = base::days(9999)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_EQ(refused.error().message,
            "lifetime '9999d' would outlive the root, which ends on 2036-11-18T10:00:00Z");
  EXPECT_THAT(refused.error().hints, ElementsAre("at most 3650d is possible"));
  EXPECT_THAT(store.undelivered(), IsEmpty());
  EXPECT_TRUE(mint(root, {.cluster = "east", .lifetime = base::days(3650)}));
}

TEST_P(AuthorityTest, AnExpiredRootSignsNothing) {
  const auto root = mint_clear_root(store, held);
  clock.time += base::days(3650);
  const auto refused = mint(root, {.cluster = "east"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRefused);
}

TEST_P(AuthorityTest, ANameThatIsNoClusterIsRefused) {
  const auto root = mint_clear_root(store, held);
  for (const std::string name : {"", "East", "a.b", "../x"}) {
    EXPECT_EQ(mint(root, {.cluster = name}).error().code, Code::kInvalidInput) << name;
  }
}

TEST_P(AuthorityTest, AnotherKeyThanTheRootsSignsNothing) {
  const auto root = mint_clear_root(store, held);
  const auto stranger = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256).value();
  const auto refused = mint_intermediate(store, held, stranger, {.cluster = "east"}, kAlice);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_THAT(store.undelivered(), IsEmpty());
}

TEST_P(AuthorityTest, DeliveryIsRecordedStepByStep) {
  const auto root = mint_clear_root(store, held);
  const auto east = mint(root, {.cluster = "east"}).value();
  const std::string& id = east.certificate.fingerprint();
  ASSERT_TRUE(store.record(held, ledger::Pushing{id}, kAlice));
  EXPECT_EQ(open().find(id)->state, ledger::Delivery::kPushing);
  EXPECT_THAT(open().undelivered(), SizeIs(1));
  ASSERT_TRUE(store.record(held, ledger::Pushed{.fingerprint = id, .note = "istio-system/cacerts"},
                           kAlice));
  EXPECT_EQ(open().find(id)->state, ledger::Delivery::kPushed);
  EXPECT_THAT(open().undelivered(), IsEmpty());
  const ledger::Event last = open().log().back().event;
  EXPECT_EQ(std::get<ledger::Pushed>(last).note, "istio-system/cacerts");
  EXPECT_EQ(std::get<ledger::Pushed>(last).cluster, "east");

  const std::size_t lines = store.log().size();
  EXPECT_TRUE(store.record(held, ledger::Pushed{id}, kAlice));
  EXPECT_EQ(store.log().size(), lines) << "recording the same again writes nothing";
  EXPECT_EQ(store.record(held, ledger::Pushing{id}, kAlice).error().code, Code::kConflict);
  EXPECT_EQ(store.record(held, ledger::Pushed{root.root.fingerprint()}, kAlice).error().code,
            Code::kConflict);
  EXPECT_EQ(store.record(held, ledger::Pushed{std::string(64, '0')}, kAlice).error().code,
            Code::kNotFound);
}

TEST_P(AuthorityTest, SeveralThreadsMayMintAtOnce) {
  const auto root = mint_clear_root(store, held);
  base::SystemRandom system_random;
  const Environment shared{
      .files = files, .clock = clock, .random = system_random, .storage = environment.storage};
  TrustStore busy = [&] {
    { const StoreLock gone = std::move(held); }
    return TrustStore::open(shared, path).value();
  }();
  const StoreLock busy_lock = lock(busy);
  std::vector<std::thread> workers;
  for (int i = 0; i < 8; ++i) {
    workers.emplace_back([&, i] {
      const auto minted = mint_intermediate(busy, busy_lock, *root.signer,
                                            {.cluster = "c" + std::to_string(i)}, kAlice);
      EXPECT_TRUE(minted);
      EXPECT_TRUE(
          busy.record(busy_lock, ledger::Pushed{minted->certificate.fingerprint()}, kAlice));
    });
  }
  for (std::thread& worker : workers) {
    worker.join();
  }
  EXPECT_THAT(open().issued(), SizeIs(9));
  EXPECT_THAT(open().undelivered(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Stores,
                         AuthorityTest,
                         testing::Values(Backend::kOnDisk, Backend::kLedgerInMemory),
                         name_of_backend);

}  // namespace
}  // namespace meshtrust::ca
