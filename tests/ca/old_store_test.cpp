#include "ca/authority.h"
#include "ca/request.h"
#include "ca/revocation.h"
#include "ca/roots.h"
#include "ca/storage/sqlite.h"
#include "tests/ca/support.h"
#include "tests/support/matchers.h"

// Stores that an earlier meshtrust wrote, see tests/data/stores. They are opened as they are: what
// a line means is the same, and its digest and the signatures over it hold.

namespace meshtrust::ca {
namespace {

namespace fs = std::filesystem;
using base::Code;
using test::FailsWith;
using test::Succeeds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class OldStoreTest : public StoreTest {
 protected:
  OldStoreTest() { clock.time = base::parse_rfc3339("2026-12-01T00:00:00Z").value(); }

  void copy(const std::string& name) {
    const fs::path data = fs::path(MESHTRUST_TEST_DATA) / "data" / "stores" / name;
    fs::create_directory(path);
    fs::permissions(path, fs::perms::owner_all);
    for (const auto& entry : fs::directory_iterator(data)) {
      put(path / entry.path().filename(), content_of(entry.path()));
    }
  }
  ledger::Rows rows() const { return sqlite_storage(path / "store.db")->read({}).value(); }
  std::int64_t format() const {
    auto connection = Sqlite::open(path / "store.db", Sqlite::Mode::kRead).value();
    return connection.number("PRAGMA user_version").value();
  }
  /// Whether all that `before` holds is there as it was.
  void expect_begins_as(const ledger::Rows& before) const {
    const ledger::Rows after = rows();
    ASSERT_GE(after.lines.size(), before.lines.size());
    for (std::size_t i = 0; i < before.lines.size(); ++i) {
      EXPECT_EQ(after.digests[i], before.digests[i]) << i;
      EXPECT_EQ(after.lines[i].detail, before.lines[i].detail) << i;
    }
  }
  static std::vector<std::string> events_of(const TrustStore& store) {
    std::vector<std::string> names;
    for (const ledger::Record& record : store.log()) {
      names.emplace_back(name_of(record.event));
    }
    return names;
  }
};

TEST_F(OldStoreTest, IsReadAsItWasAndNothingIsWritten) {
  for (const std::string name : {"encrypted", "plain"}) {
    fs::remove_all(path);
    copy(name);
    const std::string before = content_of(path / "store.db");
    const auto store = TrustStore::open(environment, path);
    ASSERT_THAT(store, Succeeds()) << name;
    EXPECT_EQ(store->coverage().signed_lines, 8) << name;
    EXPECT_EQ(content_of(path / "store.db"), before) << name;
  }
}

TEST_F(OldStoreTest, SaysWhatHappenedInIt) {
  copy("encrypted");
  const TrustStore encrypted = open();
  EXPECT_THAT(events_of(encrypted), ElementsAre("store-created", "key-planned", "root-minted",
                                                "subordinated", "intermediate-minted", "pushed",
                                                "intermediate-minted", "pushed", "revoked"));
  const Root root = *encrypted.root();
  EXPECT_EQ(root.state, ledger::RootState::kCurrent);
  EXPECT_EQ(root.declared_subject, "O=Shop,CN=Shop Mesh Root");
  EXPECT_EQ(root.anchor().facts().subject, "O=Corp,CN=Corp Root");
  EXPECT_TRUE(root.key_is_encrypted);
  const auto issued = encrypted.issued();
  EXPECT_EQ(issued[1].revoked->reason, "keyCompromise");
  EXPECT_TRUE(issued[2].was_written);
  const auto last = encrypted.log()[7].event;
  EXPECT_EQ(std::get<ledger::Pushed>(last).written_to, "west");

  fs::remove_all(path);
  copy("plain");
  const TrustStore plain = open();
  EXPECT_THAT(
      events_of(plain),
      ElementsAre("store-created", "key-planned", "root-minted", "intermediate-minted", "pushed",
                  "list-made", "intermediate-minted", "pushed", "abandoned", "requested"));
  EXPECT_EQ(plain.issued()[2].state, ledger::Delivery::kAbandoned);
  ASSERT_THAT(plain.requests(), SizeIs(1));
  EXPECT_EQ(plain.requests()[0].cluster, "south");
}

TEST_F(OldStoreTest, WorksOnWithAnEncryptedKeyBelowACompanysCa) {
  copy("encrypted");
  const ledger::Rows before = rows();
  TrustStore store = open();
  const StoreLock held = lock(store);
  const auto key = unlock_root(store, base::Secret("correct horse"));
  ASSERT_THAT(key, Succeeds());
  const auto north = mint_intermediate(store, held, **key, {.cluster = "north"}, kAlice);
  ASSERT_THAT(north, Succeeds());
  EXPECT_THAT(north->chain, SizeIs(2)) << "the root's certificate by the company";
  EXPECT_EQ(north->roots.front().facts().subject, "O=Corp,CN=Corp Root");
  ASSERT_THAT(
      store.append(held, kAlice, ledger::Revoked{north->certificate.fingerprint(), "north"}),
      Succeeds());
  EXPECT_THAT(make_crls(store, held, **key, {}, kAlice),
              FailsWith(Code::kRefused,
                        "there would be no revocation list in force of 'O=Corp,CN=Corp Root': "
                        "Envoy would refuse every workload below"));
  EXPECT_EQ(open().coverage().signed_lines, 10);
  expect_begins_as(before);
}

TEST_F(OldStoreTest, WorksOnWithAClearKeyAndAWaitingRequest) {
  copy("plain");
  const ledger::Rows before = rows();
  TrustStore store = open();
  const StoreLock held = lock(store);
  const auto key = unlock_root(store, {});
  ASSERT_THAT(key, Succeeds());
  const auto crls = make_crls(store, held, **key, {}, kAlice);
  ASSERT_THAT(crls, Succeeds());
  EXPECT_EQ(crls->crls.front().facts().number, "02");
  const auto again = repeat_request(store, store.requests().front(), [] {
    return base::Result<base::Secret>(base::Secret("waiting"));
  });
  EXPECT_THAT(again, Succeeds());
  ASSERT_THAT(close_request(store, held, store.requests().front(), kAlice), Succeeds());
  EXPECT_EQ(format(), 2) << "the program that wrote it may go on with it";
  expect_begins_as(before);
}

TEST_F(OldStoreTest, IsLeftAloneByOlderProgramsFromTheFirstSuccessorOn) {
  copy("plain");
  const ledger::Rows before = rows();
  TrustStore store = open();
  const StoreLock held = lock(store);
  const auto key = unlock_root(store, {});
  EXPECT_EQ(format(), 2);
  ASSERT_THAT(mint_next_root(store, held, shop_root(), KeyProtection::none(), key->get(), kAlice),
              Succeeds());
  EXPECT_EQ(format(), 3);
  EXPECT_THAT(open().roots(), SizeIs(2));
  expect_begins_as(before);
}

}  // namespace
}  // namespace meshtrust::ca
