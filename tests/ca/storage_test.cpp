#include "ca/storage/storage.h"

#include "tests/ca/support.h"
#include "tests/support/matchers.h"

// What every storage has to be, held against each of them.

namespace meshtrust::ca {
namespace {

using base::Code;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class StorageTest : public AnyStoreTest {
 protected:
  StorageTest() { put(file, ""); }

  static ledger::Line line(std::int64_t sequence) {
    return {.sequence = sequence,
            .at = base::Instant(base::Seconds(1795082400)),
            .who = kAlice,
            .event = "pushed",
            .cluster = "east",
            .detail = "it's a \"line\""};
  }
  base::Status append(const ledger::Line& added,
                      std::vector<ledger::SignedHead> heads = {},
                      ledger::Format format = ledger::Format::kSigned) {
    const auto writer = storage()->open_to_write().value();
    return writer->append({.line = added,
                           .digest = std::string(64, static_cast<char>('0' + added.sequence)),
                           .heads = heads,
                           .format = format});
  }
  std::unique_ptr<Storage> storage() const { return environment.storage(file); }
  ledger::Rows read() const { return storage()->read({}).value(); }

  const std::filesystem::path file = folder / "store.db";
};

TEST_P(StorageTest, IsEmptyUntilItIsInitialised) {
  EXPECT_EQ(storage()->read({}).error().code, Code::kNotFound);
  ASSERT_THAT(storage()->initialise(line(1)), test::Succeeds());
  EXPECT_GT(std::filesystem::file_size(file), 0U) << "the file says that there is one";
  const ledger::Rows rows = read();
  EXPECT_EQ(rows.format, ledger::Format::kSigned);
  EXPECT_THAT(rows.lines, SizeIs(1));
  EXPECT_THAT(rows.digests, ElementsAre(ledger::chain_digest({}, line(1))));
}

TEST_P(StorageTest, GivesBackWhatWasAddedInItsOrder) {
  ASSERT_THAT(storage()->initialise(line(1)), test::Succeeds());
  ASSERT_THAT(append(line(2)), test::Succeeds());
  ASSERT_THAT(append(line(3)), test::Succeeds());
  const ledger::Rows rows = read();
  ASSERT_THAT(rows.lines, SizeIs(3));
  for (std::int64_t i = 0; i < 3; ++i) {
    const ledger::Line& found = rows.lines[static_cast<std::size_t>(i)];
    EXPECT_EQ(ledger::chain_digest({}, found), ledger::chain_digest({}, line(i + 1)));
  }
  EXPECT_EQ(rows.digests.back(), std::string(64, '3'));
  EXPECT_THAT(rows.heads, IsEmpty());
}

TEST_P(StorageTest, AddsNoLineTwiceAndThenNothingOfIt) {
  ASSERT_THAT(storage()->initialise(line(1)), test::Succeeds());
  EXPECT_FALSE(append(line(1), {}, ledger::Format::kRotating));
  EXPECT_THAT(read().lines, SizeIs(1));
  EXPECT_EQ(read().format, ledger::Format::kSigned);
}

TEST_P(StorageTest, TheFormatRisesWithTheLineThatNeedsItAndNeverFalls) {
  ASSERT_THAT(storage()->initialise(line(1)), test::Succeeds());
  ASSERT_THAT(append(line(2), {}, ledger::Format::kUnsigned), test::Succeeds());
  EXPECT_EQ(read().format, ledger::Format::kSigned);
  ASSERT_THAT(append(line(3), {}, ledger::Format::kRotating), test::Succeeds());
  ASSERT_THAT(append(line(4)), test::Succeeds());
  EXPECT_EQ(read().format, ledger::Format::kRotating);
}

TEST_P(StorageTest, KeepsTheLastSignatureOfEachCa) {
  TrustStore store = create();
  const StoreLock held = lock(store);
  const MintedRoot a = mint_clear_root(store, held);
  const MintedRoot b =
      mint_next_root(store, held, shop_root(), KeyProtection::none(), a.signer.get(), kAlice)
          .value();
  ASSERT_THAT(store.append(held, kAlice, ledger::LockBroken{"east", "bob"}, *b.signer),
              test::Succeeds());
  const ledger::Rows rows = stored_rows();
  ASSERT_THAT(rows.heads, SizeIs(2));
  for (const ledger::SignedHead& head : rows.heads) {
    const bool is_newer = head.root == b.root.fingerprint();
    EXPECT_EQ(head.sequence, static_cast<std::int64_t>(rows.lines.size()) - (is_newer ? 0 : 1));
  }
}

INSTANTIATE_TEST_SUITE_P(Stores,
                         StorageTest,
                         testing::Values(Backend::kOnDisk, Backend::kLedgerInMemory),
                         name_of_backend);

}  // namespace
}  // namespace meshtrust::ca
