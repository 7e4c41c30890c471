#include "ca/database.h"
#include "ca/sqlite.h"
#include "pki/issue.h"
#include "tests/ca/support.h"
#include "tests/support/matchers.h"

#include <fmt/format.h>

// What somebody who can write to the store's files, and has no key, can make it say.

namespace meshtrust::ca {
namespace {

namespace fs = std::filesystem;
using base::Code;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kHead =
    "meshtrust ledger head v1\n"
    "line 42\n"
    "sha256 00ff\n";

class SignedLedgerTest : public StoreTest {
 protected:
  SignedLedgerTest() {
    environment.tell = [this](const auto& words) { told.push_back(words); };
  }

  /// A root and the CA of one cluster, as `ca issue` leaves them.
  void make_store(pki::KeyAlgorithm key = pki::KeyAlgorithm::kEcdsaP256) {
    TrustStore store = create();
    const StoreLock held = lock(store);
    RootRequest wanted = shop_root();
    wanted.key = key;
    MintedRoot minted = mint_root(store, held, wanted, KeyProtection::none(), kAlice).value();
    root = std::move(minted.signer);
    east = mint(store, held);
  }
  std::string mint(TrustStore& store, const StoreLock& held) {
    auto minted = mint_intermediate(store, held, *root, {.cluster = "east"}, kAlice);
    const std::string fingerprint = minted.value().certificate.fingerprint();
    MESHTRUST_CHECK(
        store.record(held, fingerprint, Event::kPushed, kAlice, {}, root.get()).has_value());
    return fingerprint;
  }
  base::Status note(Event event, const std::string& fingerprint, const std::string& detail = {}) {
    TrustStore store = open();
    const StoreLock held = lock(store);
    return store.append(held, Action{.who = kAlice,
                                     .event = event,
                                     .fingerprint = fingerprint,
                                     .cluster = "east",
                                     .detail = detail});
  }

  Sqlite database() const { return Sqlite::open(path / "store.db", Sqlite::Mode::kWrite).value(); }
  void write(const std::string& statements) {
    auto connection = database();
    ASSERT_THAT(connection.run(statements), test::Succeeds());
  }
  LedgerRows rows() const { return Database::read(path / "store.db").value(); }

  /// Writes the ledger anew, its digests in order, as whoever knows how it is made would.
  void forge(const LedgerRows& wanted) {
    fs::remove(path / "store.db");
    put(path / "store.db", "");
    MESHTRUST_CHECK(Database::initialise(path / "store.db", wanted.actions.front()).has_value());
    Database forged = Database::open_to_write(path / "store.db").value();
    std::string digest = chain_digest({}, wanted.actions.front());
    for (std::size_t i = 1; i < wanted.actions.size(); ++i) {
      Action action = wanted.actions[i];
      action.sequence = static_cast<std::int64_t>(i) + 1;
      digest = chain_digest(digest, action);
      std::optional<pki::Certificate> minted;
      for (const IssuedCertificate& row : wanted.certificates) {
        if (is_minting(action.event) && row.fingerprint == action.fingerprint) {
          minted = pki::Certificate::from_der(row.der).value();
        }
      }
      MESHTRUST_CHECK(
          forged.append(action, digest, minted ? &*minted : nullptr, nullptr).has_value());
    }
    auto connection = database();
    MESHTRUST_CHECK(connection.run("PRAGMA foreign_keys = OFF").has_value());
    for (const SignedHead& head : wanted.heads) {
      auto row = connection.prepare("INSERT INTO signed_head VALUES (?, ?, ?)").value();
      row.bind(head.root).bind(head.sequence).bind(base::ByteView(head.signature));
      MESHTRUST_CHECK(row.step().has_value());
    }
    if (wanted.is_always_signed) return;
    MESHTRUST_CHECK(connection.run("DROP TABLE signed_head; PRAGMA user_version = 1").has_value());
  }

  /// A root of somebody's who has no key of this store.
  struct Stranger {
    pki::PrivateKey key;
    pki::Certificate root;
    fs::path key_file;

    void add_to(LedgerRows& rows, std::size_t line) const {
      rows.certificates.push_back({.fingerprint = root.fingerprint(), .der = root.der()});
      rows.actions.insert(
          rows.actions.begin() + static_cast<std::ptrdiff_t>(line) - 1,
          Action{.who = kAlice, .event = Event::kRootMinted, .fingerprint = root.fingerprint()});
      for (std::size_t i = line - 1; i < rows.actions.size(); ++i) {
        rows.actions[i].sequence = static_cast<std::int64_t>(i) + 1;
      }
    }
    SignedHead sign(const LedgerRows& rows) const {
      std::string digest;
      for (const Action& action : rows.actions) {
        digest = chain_digest(digest, action);
      }
      return sign_head(root, key, static_cast<std::int64_t>(rows.actions.size()), digest).value();
    }
  };
  /// His key file lies beside the root's.
  Stranger make_stranger() {
    auto key = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256).value();
    auto certificate =
        pki::issue_root({.subject = pki::DistinguishedName::parse("O=Shop,CN=Evil").value(),
                         .not_before = clock.time - base::days(1),
                         .not_after = clock.time + base::days(900)},
                        key, random)
            .value();
    const fs::path file = path / fmt::format("root-{}.key.pem", key_name(certificate));
    put(file, base::reveal(key.to_pem().value(), "a key file for the test"));
    return {.key = std::move(key), .root = std::move(certificate), .key_file = file};
  }

  std::unique_ptr<pki::Signer> root;
  std::string east;
  std::vector<std::string> told;
};

TEST_F(SignedLedgerTest, WhatIsSignedSaysWhatItIsAndIsNoDer) {
  EXPECT_EQ(head_message(42, "00ff"), kHead);
  EXPECT_NE(head_message(42, "00ff").front(), '\x30');
}

TEST_F(SignedLedgerTest, EachLineWrittenWithTheKeyIsSignedByEveryKindOfKey) {
  for (const pki::KeyAlgorithm key : pki::all_key_algorithms()) {
    make_store(key);
    const Coverage coverage = open().coverage();
    EXPECT_EQ(coverage.lines, 5) << name_of(key);  // created, planned, root, minted, pushed
    EXPECT_EQ(coverage.signed_lines, 5);
    EXPECT_THAT(coverage.since, IsEmpty());
    fs::remove_all(path);
  }
  EXPECT_THAT(told, IsEmpty());
}

TEST_F(SignedLedgerTest, WhatNeedsNoKeyStandsBehindTheSignatureUntilTheKeyIsOpenAgain) {
  make_store();
  ASSERT_THAT(note(Event::kRevoked, east), test::Succeeds());
  ASSERT_THAT(note(Event::kUnrevoked, east), test::Succeeds());
  ASSERT_THAT(note(Event::kRevoked, east), test::Succeeds());
  EXPECT_EQ(open().coverage().signed_lines, 5);
  EXPECT_THAT(open().coverage().since, ElementsAre("revoked", "unrevoked"));
  TrustStore store = open();
  const StoreLock held = lock(store);
  mint(store, held);
  EXPECT_EQ(open().coverage().signed_lines, 10);
  EXPECT_THAT(told, ElementsAre("the root's key now also signs what was recorded without it since "
                                "line 5: revoked, unrevoked"));
}

TEST_F(SignedLedgerTest, WhatNeedsTheKeyIsNotRecordedWithoutIt) {
  make_store();
  for (const std::string& authority : {open().root()->fingerprint(), east}) {
    EXPECT_THAT(note(Event::kListMade, authority),
                test::FailsWith(Code::kRefused,
                                "'list-made' is recorded only with the root's key "
                                "open, which signs the record"));
  }
}

TEST_F(SignedLedgerTest, WhoHasTheKeyOpenSignsAlsoWhenNothingIsRecorded) {
  make_store();
  ASSERT_THAT(note(Event::kRevoked, east), test::Succeeds());
  TrustStore store = open();
  const StoreLock held = lock(store);
  const std::size_t lines = store.log().size();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(store.record(held, east, Event::kPushed, kAlice, {}, root.get()), test::Succeeds());
    EXPECT_THAT(store.sign(held, *root), test::Succeeds());
  }
  EXPECT_EQ(store.coverage().signed_lines, 6);
  EXPECT_EQ(open().coverage().signed_lines, 6);
  EXPECT_EQ(open().log().size(), lines);
  EXPECT_THAT(told, ElementsAre("the root's key now also signs what was recorded without it since "
                                "line 5: revoked"));
}

TEST_F(SignedLedgerTest, AnothersKeySignsNothing) {
  make_store();
  TrustStore store = open();
  const StoreLock held = lock(store);
  const auto other = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256).value();
  EXPECT_THAT(store.record(held, east, Event::kAbandoned, kAlice, {}, &other),
              test::FailsWith(Code::kRefused,
                              HasSubstr("the key that is to sign the ledger is not the key of ")));
  EXPECT_EQ(open().log().size(), 5U);
}

/// What is done to the rows, and what opening then says.
struct Forgery {
  std::string name;
  std::function<void(LedgerRows&)> doing;
  std::string told;
};

void take_last(LedgerRows& rows, std::size_t count) {
  rows.actions.resize(rows.actions.size() - count);
}

TEST_F(SignedLedgerTest, ALedgerThatWasWrittenAnewIsRefused) {
  make_store();
  {
    TrustStore store = open();
    const StoreLock held = lock(store);
    ASSERT_THAT(
        store.append(
            held,
            Action{.who = kAlice, .event = Event::kRevoked, .fingerprint = east, .cluster = "east"},
            nullptr, root.get()),
        test::Succeeds());
  }
  const LedgerRows sound = rows();
  const pki::Certificate root_certificate = open().root()->certificate;
  const std::string subject = root_certificate.facts().subject;
  const std::string not_signed = fmt::format(
      "the signature over lines 1 to 6 of the ledger does not verify with the key of '{}': they "
      "are "
      "not what was signed",
      subject);
  const Stranger stranger = make_stranger();
  const auto add = [](LedgerRows& all, Event event, const std::string& fingerprint,
                      const std::string& detail = {}) {
    all.actions.push_back(Action{.sequence = static_cast<std::int64_t>(all.actions.size()) + 1,
                                 .event = event,
                                 .fingerprint = fingerprint,
                                 .detail = detail});
  };
  const std::vector<Forgery> forgeries{
      {"the revocation is taken away", [](auto& all) { take_last(all, 1); },
       "the root's key has signed 6 lines of the ledger and 5 are there: it was cut off, or is an "
       "older copy"},
      {"the revocation becomes another event",
       [](auto& all) { all.actions.back().event = Event::kAbandoned; }, not_signed},
      {"somebody else did it", [](auto& all) { all.actions[0].who.user = "mallory"; }, not_signed},
      {"the signature is taken away", [](auto& all) { all.heads.clear(); },
       "the signature of the root's key over the ledger is missing"},
      {"the signature is garbled", [](auto& all) { all.heads[0].signature.back() ^= 1U; },
       not_signed},
      {"the signature is said to be over less", [](auto& all) { all.heads[0].sequence = 5; },
       fmt::format("the signature over lines 1 to 5 of the ledger does not verify with the key of "
                   "'{}': they are not what was signed",
                   subject)},
      {"a root is added", [&](auto& all) { stranger.add_to(all, 7); },
       fmt::format("line 7 of the ledger contradicts those before it: '{}' is a second root, and a "
                   "ledger has one",
                   stranger.root.fingerprint())},
      {"a root is added and signs",
       [&](auto& all) {
         stranger.add_to(all, 7);
         all.heads.push_back(stranger.sign(all));
       },
       "the ledger is signed by a key that is no root's of it"},
      {"a root is put before the root, and signs a ledger without the revocation",
       [&](auto& all) {
         take_last(all, 1);
         stranger.add_to(all, 2);
         all.heads = {stranger.sign(all)};
       },
       fmt::format("line 4 of the ledger contradicts those before it: '{}' is a second root, and a "
                   "ledger has one",
                   root_certificate.fingerprint())},
      {"another key signs it all",
       [&](auto& all) {
         SignedHead head = stranger.sign(all);
         head.root = all.heads[0].root;
         all.heads[0] = head;
       },
       not_signed},
      {"a signature names what is no root", [&](auto& all) { all.heads[0].root = east; },
       "the ledger is signed by a key that is no root's of it"},
      {"the root is put below somebody's CA",
       [&](auto& all) {
         const auto certified = pki::issue_intermediate(
             {.subject = pki::DistinguishedName::parse(root_certificate.facts().subject).value(),
              .not_before = clock.time - base::days(1),
              .not_after = clock.time + base::days(900)},
             root->public_key(), stranger.root, stranger.key, random);
         add(all, Event::kSubordinated, root_certificate.fingerprint(),
             above_text({certified.value(), stranger.root}));
       },
       "line 7 of the ledger, which is not signed, cannot be right: it records 'subordinated', "
       "which "
       "is never done without the root's key and its signature"},
      {"an older list of a CA is put behind",
       [&](auto& all) { add(all, Event::kListMade, east, "AAAA"); },
       "line 7 of the ledger, which is not signed, cannot be right: it records 'list-made', which "
       "is never done without the root's key and its signature"},
      {"an older list of the root is put behind",
       [&](auto& all) { add(all, Event::kListMade, all.heads[0].root, "AAAA"); },
       "line 7 of the ledger, which is not signed, cannot be right: it records 'list-made', which "
       "is "
       "never done without the root's key and its signature"},
  };
  for (const Forgery& each : forgeries) {
    LedgerRows forged = sound;
    each.doing(forged);
    forge(forged);
    const auto opened = TrustStore::open(environment, path);
    ASSERT_FALSE(opened) << each.name;
    EXPECT_EQ(opened.error().code, Code::kCorrupt) << each.name;
    EXPECT_EQ(opened.error().message, "trust store '" + path.string() + "': " + each.told)
        << each.name;
  }
  forge(sound);
  fs::remove(stranger.key_file);
  EXPECT_TRUE(TrustStore::open(environment, path));
}

class UnsignedLedgerTest : public SignedLedgerTest {
 protected:
  /// What a meshtrust that signed nothing has left.
  UnsignedLedgerTest() {
    make_store();
    LedgerRows old = rows();
    old.heads.clear();
    old.is_always_signed = false;
    forge(old);
  }
};

TEST_F(UnsignedLedgerTest, IsOpenedAndSignedWhenTheKeyIsOpenNext) {
  EXPECT_EQ(open().coverage().signed_lines, 0);
  ASSERT_THAT(note(Event::kRevoked, east), test::Succeeds());
  EXPECT_EQ(open().coverage().signed_lines, 0);
  TrustStore store = open();
  const StoreLock held = lock(store);
  mint(store, held);
  EXPECT_EQ(open().coverage().signed_lines, 8);
  EXPECT_THAT(told, ElementsAre("the ledger, which no key had signed, is signed by the root's from "
                                "now on"));
  auto connection = database();
  EXPECT_EQ(connection.number("PRAGMA user_version").value(), 2) << "older versions leave it alone";
}

TEST_F(UnsignedLedgerTest, ASecondRootIsRefusedWhereverItStands) {
  const Stranger stranger = make_stranger();
  const LedgerRows sound = rows();
  const auto last = sound.actions.size() + 1;
  for (const std::size_t line : {std::size_t{2}, last}) {
    LedgerRows all = sound;
    stranger.add_to(all, line);
    forge(all);
    EXPECT_EQ(open_error().code, Code::kCorrupt) << line;
    EXPECT_THAT(open_error().message, testing::EndsWith("' is a second root, and a ledger has one"))
        << line;
  }
}

TEST_F(UnsignedLedgerTest, ACertificateThatTheRootNeverSignedIsRefused) {
  const auto root_certificate = open().root()->certificate;
  // By another key of the same name and identifier.
  const auto other = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256).value();
  const auto child = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256).value();
  const auto imitation =
      pki::issue_root(
          {.subject = pki::DistinguishedName::parse(root_certificate.facts().subject).value(),
           .not_before = clock.time - base::days(1),
           .not_after = clock.time + base::days(900)},
          other, random)
          .value();
  const auto forged =
      pki::issue_intermediate({.subject = pki::DistinguishedName::parse("O=Shop,CN=west").value(),
                               .not_before = clock.time,
                               .not_after = clock.time + base::days(90)},
                              child.public_key(), imitation, other, random);
  LedgerRows all = rows();
  all.actions.pop_back();
  all.actions.back().fingerprint = forged.value().fingerprint();
  all.certificates.back() = {.fingerprint = forged->fingerprint(), .der = forged->der()};
  if (all.certificates.front().fingerprint != root_certificate.fingerprint()) {
    all.certificates.front() = {.fingerprint = root_certificate.fingerprint(),
                                .der = root_certificate.der()};
  }
  forge(all);
  EXPECT_THAT(open_error().message, HasSubstr("line 4 of the ledger"));
}

TEST_F(UnsignedLedgerTest, ACertificateWhoseSignatureIsGarbledIsRefused) {
  LedgerRows all = rows();
  for (IssuedCertificate& row : all.certificates) {
    if (row.fingerprint != east) continue;
    row.der.back() ^= 1U;
    row.fingerprint = pki::Certificate::from_der(row.der).value().fingerprint();
    for (Action& action : all.actions) {
      if (action.fingerprint == east) action.fingerprint = row.fingerprint;
    }
  }
  forge(all);
  EXPECT_THAT(open_error().message,
              testing::MatchesRegex("trust store '.*': line 4 of the ledger, which is not signed, "
                                    "cannot be right: 'O=Shop,.*CN=east' is not signed by "
                                    "'O=Shop,.*CN=Shop Mesh Root'"));
}

TEST_F(UnsignedLedgerTest, AListThatItsCaNeverSignedIsRefused) {
  LedgerRows all = rows();
  for (Action& action : all.actions) {
    if (action.event == Event::kIntermediateMinted) action.detail = "AAAA";
  }
  forge(all);
  EXPECT_THAT(open_error().message, HasSubstr("cannot be right: the list is not signed by '"));
}

}  // namespace
}  // namespace meshtrust::ca
