#include "ca/roots.h"
#include "ca/sign_head.h"
#include "ledger/codec.h"
#include "tests/ca/support.h"
#include "tests/support/matchers.h"

#include <fmt/format.h>

#include <functional>

// What somebody who can write to a store with two roots can make it say: with no key, and with that
// of a root which is retired.

namespace meshtrust::ca {
namespace {

using base::Code;

class RotatedLedgerTest : public StoreTest {
 protected:
  /// A, then B, for which A vouches and which is the current one; A is retired.
  RotatedLedgerTest() {
    TrustStore store = create();
    const StoreLock held = lock(store);
    a = mint_clear_root(store, held);
    b = mint_next_root(store, held, shop_root(), KeyProtection::none(), a->signer.get(), kAlice)
            .value();
    MESHTRUST_CHECK(
        activate_root(store, held, b->root.fingerprint(), *b->signer, kAlice).has_value());
    MESHTRUST_CHECK(
        retire_root(store, held, a->root.fingerprint(), *b->signer, kAlice).has_value());
    MESHTRUST_CHECK(
        store.append(held, kAlice, ledger::LockBroken{"east", "bob"}, *b->signer).has_value());
    rows = sqlite_storage(path / "store.db")->read({}).value();
  }

  static void add(ledger::Rows& all, const ledger::Event& event) {
    ledger::Line line = ledger::line_of(event);
    line.sequence = static_cast<std::int64_t>(all.lines.size()) + 1;
    all.digests.push_back(ledger::chain_digest(all.digests.back(), line));
    all.lines.push_back(std::move(line));
  }
  static void drop_head(ledger::Rows& all, const MintedRoot& of) {
    std::erase_if(all.heads, [&of](const ledger::SignedHead& head) {
      return head.root == of.root.fingerprint();
    });
  }
  static void sign_anew(ledger::Rows& all, const MintedRoot& by) {
    drop_head(all, by);
    all.heads.push_back(sign_head(by.root.certificate, *by.signer,
                                  static_cast<std::int64_t>(all.lines.size()), all.digests.back())
                            .value());
  }

  std::optional<MintedRoot> a;
  std::optional<MintedRoot> b;
  ledger::Rows rows;
};

TEST_F(RotatedLedgerTest, IsBelievedAsItIs) {
  EXPECT_THAT(ledger::Ledger::assemble(rows), test::Succeeds());
}

TEST_F(RotatedLedgerTest, NeedsTheSignatureOfEachRootWhoseKeyALineTakes) {
  const std::string id_a = a->root.fingerprint();
  const std::string id_b = b->root.fingerprint();
  struct Forgery {
    std::string name;
    std::function<void(ledger::Rows&)> doing;
    std::string told;
  };
  for (const Forgery& each : std::vector<Forgery>{
           {"the old root's signature is taken away", [&](auto& all) { drop_head(all, *a); },
            fmt::format(
                "line 3 of the ledger cannot be right: it records 'root-minted', which takes "
                "the key of '{}', and that has signed 0 lines",
                id_a)},
           {"the new root's is", [&](auto& all) { drop_head(all, *b); },
            fmt::format("line 5 of the ledger cannot be right: it records 'next-root-minted', "
                        "which takes the key of '{}', and that has signed 0 lines",
                        id_b)},
           {"the old root is made the current one, without a key",
            [&](auto& all) { add(all, ledger::RootActivated{id_a}); },
            fmt::format("line 9 of the ledger contradicts those before it: root '{}' is retired",
                        id_a)},
           {"the old root's key signs on",
            [&](auto& all) {
              add(all, ledger::LockBroken{"west", "mallory"});
              sign_anew(all, *a);
            },
            fmt::format("line 7 of the ledger cannot be right: '{}' is retired there and has "
                        "signed 9 lines",
                        id_a)}}) {
    ledger::Rows forged = rows;
    each.doing(forged);
    const auto made = ledger::Ledger::assemble(std::move(forged));
    ASSERT_FALSE(made) << each.name;
    EXPECT_EQ(made.error().code, Code::kCorrupt) << each.name;
    EXPECT_EQ(made.error().message, each.told) << each.name;
  }
}

}  // namespace
}  // namespace meshtrust::ca
