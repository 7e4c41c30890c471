#include "base/encoding.h"
#include "ca/sign_head.h"
#include "ca/storage/sqlite.h"
#include "ledger/codec.h"
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
        store.record(held, ledger::Pushed{fingerprint}, kAlice, root.get()).has_value());
    return fingerprint;
  }
  base::Status note(const ledger::Event& event) {
    TrustStore store = open();
    const StoreLock held = lock(store);
    return store.append(held, kAlice, event);
  }
  base::Status revoke() { return note(ledger::Revoked{.fingerprint = east, .cluster = "east"}); }
  base::Status take_back() { return note(ledger::Unrevoked{east, "east"}); }

  Sqlite database() const { return Sqlite::open(path / "store.db", Sqlite::Mode::kWrite).value(); }
  void write(const std::string& statements) {
    auto connection = database();
    ASSERT_THAT(connection.run(statements), test::Succeeds());
  }
  ledger::Rows rows() const { return sqlite_storage(path / "store.db")->read({}).value(); }

  /// Writes the ledger anew, its digests in order, as whoever knows how it is made would.
  void forge(const ledger::Rows& wanted) {
    fs::remove(path / "store.db");
    put(path / "store.db", "");
    const auto storage = sqlite_storage(path / "store.db");
    MESHTRUST_CHECK(storage->initialise(wanted.lines.front()).has_value());
    const auto forged = storage->open_to_write().value();
    std::string digest = ledger::chain_digest({}, wanted.lines.front());
    for (std::size_t i = 1; i < wanted.lines.size(); ++i) {
      ledger::Line line = wanted.lines[i];
      line.sequence = static_cast<std::int64_t>(i) + 1;
      digest = ledger::chain_digest(digest, line);
      std::optional<pki::Certificate> minted;
      for (const ledger::StoredCertificate& row : wanted.certificates) {
        if (line.event.ends_with("-minted") && row.fingerprint == line.fingerprint) {
          minted = pki::Certificate::from_der(row.der).value();
        }
      }
      MESHTRUST_CHECK(forged
                          ->append({.line = line,
                                    .digest = digest,
                                    .minted = minted ? &*minted : nullptr,
                                    .format = wanted.format})
                          .has_value());
    }
    auto connection = database();
    MESHTRUST_CHECK(connection.run("PRAGMA foreign_keys = OFF").has_value());
    for (const ledger::SignedHead& head : wanted.heads) {
      auto row = connection.prepare("INSERT INTO signed_head VALUES (?, ?, ?)").value();
      row.bind(head.root).bind(head.sequence).bind(base::ByteView(head.signature));
      MESHTRUST_CHECK(row.step().has_value());
    }
    if (wanted.format != ledger::Format::kUnsigned) return;
    MESHTRUST_CHECK(connection.run("DROP TABLE signed_head; PRAGMA user_version = 1").has_value());
  }

  /// A root of somebody's who has no key of this store.
  struct Stranger {
    pki::PrivateKey key;
    pki::Certificate root;
    fs::path key_file;

    void add_to(ledger::Rows& rows, std::size_t line) const {
      rows.certificates.push_back({.fingerprint = root.fingerprint(), .der = root.der()});
      rows.lines.insert(
          rows.lines.begin() + static_cast<std::ptrdiff_t>(line) - 1,
          ledger::Line{.who = kAlice, .event = "root-minted", .fingerprint = root.fingerprint()});
      for (std::size_t i = line - 1; i < rows.lines.size(); ++i) {
        rows.lines[i].sequence = static_cast<std::int64_t>(i) + 1;
      }
    }
    /// As the root that follows the one of the store.
    void add_as_next(ledger::Rows& rows, const std::string& vouched) const {
      add_to(rows, rows.lines.size() + 1);
      rows.format = ledger::Format::kRotating;
      rows.lines.back().event = "next-root-minted";
      rows.lines.back().detail = fmt::format("after {}, {}", rows.heads.front().root, vouched);
    }
    ledger::SignedHead sign(const ledger::Rows& rows) const {
      std::string digest;
      for (const ledger::Line& line : rows.lines) {
        digest = ledger::chain_digest(digest, line);
      }
      return sign_head(root, key, static_cast<std::int64_t>(rows.lines.size()), digest).value();
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
    const fs::path file = path / fmt::format("root-{}.key.pem", ledger::key_name(certificate));
    put(file, base::reveal(key.to_pem().value(), "a key file for the test"));
    return {.key = std::move(key), .root = std::move(certificate), .key_file = file};
  }

  std::unique_ptr<pki::Signer> root;
  std::string east;
  std::vector<std::string> told;
};

TEST_F(SignedLedgerTest, WhatIsSignedSaysWhatItIsAndIsNoDer) {
  EXPECT_EQ(ledger::head_message(42, "00ff"), kHead);
  EXPECT_NE(ledger::head_message(42, "00ff").front(), '\x30');
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
  ASSERT_THAT(revoke(), test::Succeeds());
  ASSERT_THAT(take_back(), test::Succeeds());
  ASSERT_THAT(revoke(), test::Succeeds());
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
    EXPECT_THAT(note(ledger::CrlMade{.fingerprint = authority, .crl = {}}),
                test::FailsWith(Code::kRefused,
                                "'list-made' is recorded only with the root's key "
                                "open, which signs the record"));
  }
}

TEST_F(SignedLedgerTest, WhoHasTheKeyOpenSignsAlsoWhenNothingIsRecorded) {
  make_store();
  ASSERT_THAT(revoke(), test::Succeeds());
  TrustStore store = open();
  const StoreLock held = lock(store);
  const std::size_t lines = store.log().size();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(store.record(held, ledger::Pushed{east}, kAlice, root.get()), test::Succeeds());
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
  EXPECT_THAT(store.record(held, ledger::Abandoned{east}, kAlice, &other),
              test::FailsWith(Code::kRefused,
                              HasSubstr("the key that is to sign the ledger is not the key of ")));
  EXPECT_EQ(open().log().size(), 5U);
}

/// What is done to the rows, and what opening then says.
struct Forgery {
  std::string name;
  std::function<void(ledger::Rows&)> doing;
  std::string told;
};

void take_last(ledger::Rows& rows, std::size_t count) {
  rows.lines.resize(rows.lines.size() - count);
}

TEST_F(SignedLedgerTest, ALedgerThatWasWrittenAnewIsRefused) {
  make_store();
  {
    TrustStore store = open();
    const StoreLock held = lock(store);
    ASSERT_THAT(store.append(held, kAlice, ledger::Revoked{.fingerprint = east, .cluster = "east"},
                             root.get()),
                test::Succeeds());
  }
  const ledger::Rows sound = rows();
  const pki::Certificate root_certificate = open().root()->certificate;
  const std::string subject = root_certificate.facts().subject;
  const std::string not_signed = fmt::format(
      "the signature over lines 1 to 6 of the ledger does not verify with the key of '{}': they "
      "are "
      "not what was signed",
      subject);
  const Stranger stranger = make_stranger();
  const auto add = [](ledger::Rows& all, const std::string& event, const std::string& fingerprint,
                      const std::string& detail = {}) {
    all.lines.push_back(ledger::Line{.sequence = static_cast<std::int64_t>(all.lines.size()) + 1,
                                     .event = event,
                                     .fingerprint = fingerprint,
                                     .detail = detail});
  };
  const std::vector<Forgery> forgeries{
      {"the revocation is taken away", [](auto& all) { take_last(all, 1); },
       "the root's key has signed 6 lines of the ledger and 5 are there: it was cut off, or is an "
       "older copy"},
      {"the revocation becomes another event",
       [](auto& all) { all.lines.back().event = "abandoned"; }, not_signed},
      {"somebody else did it", [](auto& all) { all.lines[0].who.user = "mallory"; }, not_signed},
      {"the signature is taken away", [](auto& all) { all.heads.clear(); },
       "the signature of the root's key over the ledger is missing"},
      {"the signature is garbled", [](auto& all) { all.heads[0].signature.back() ^= 1U; },
       not_signed},
      {"the signature is said to be over less", [](auto& all) { all.heads[0].sequence = 5; },
       fmt::format("the signature over lines 1 to 5 of the ledger does not verify with the key of "
                   "'{}': they are not what was signed",
                   subject)},
      {"a root is added", [&](auto& all) { stranger.add_to(all, 7); },
       fmt::format("line 7 of the ledger contradicts those before it: '{}' is a second root that "
                   "follows none before it",
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
       fmt::format("line 4 of the ledger contradicts those before it: '{}' is a second root that "
                   "follows none before it",
                   root_certificate.fingerprint())},
      {"another key signs it all",
       [&](auto& all) {
         ledger::SignedHead head = stranger.sign(all);
         head.root = all.heads[0].root;
         all.heads[0] = head;
       },
       not_signed},
      {"a signature names what is no root", [&](auto& all) { all.heads[0].root = east; },
       "the ledger is signed by a key that is no root's of it"},
      {"a next root is added that signs, and the root before does not",
       [&](auto& all) {
         stranger.add_as_next(all, "signed");
         all.heads.push_back(stranger.sign(all));
       },
       fmt::format("line 7 of the ledger cannot be right: it records 'next-root-minted', which "
                   "takes the key of '{}', and that has signed 6 lines",
                   root_certificate.fingerprint())},
      {"a next root is added and neither signs",
       [&](auto& all) { stranger.add_as_next(all, "signed"); },
       "line 7 of the ledger, which is not signed, cannot be right: it records "
       "'next-root-minted', which is never done without the root's key and its signature"},
      {"a next root is added in a format that knows none",
       [&](auto& all) {
         stranger.add_as_next(all, "signed");
         all.format = ledger::Format::kSigned;
       },
       "line 7 of the ledger cannot be read: it records an unknown event"},
      {"a root is put before the root, which is said to follow it",
       [&](auto& all) {
         stranger.add_to(all, 2);
         all.format = ledger::Format::kRotating;
         all.lines[3].event = "next-root-minted";
         all.lines[3].detail = "after " + stranger.root.fingerprint() + ", signed";
         all.heads.push_back(stranger.sign(all));
       },
       not_signed},
      {"the root is put below somebody's CA",
       [&](auto& all) {
         const auto certified = pki::issue_intermediate(
             {.subject = pki::DistinguishedName::parse(root_certificate.facts().subject).value(),
              .not_before = clock.time - base::days(1),
              .not_after = clock.time + base::days(900)},
             root->public_key(), stranger.root, stranger.key, random);
         const ledger::Line line = ledger::line_of(ledger::Subordinated{
             .root = root_certificate.fingerprint(), .above = {certified.value(), stranger.root}});
         add(all, line.event, line.fingerprint, line.detail);
       },
       "line 7 of the ledger, which is not signed, cannot be right: it records 'subordinated', "
       "which "
       "is never done without the root's key and its signature"},
      {"an older list of a CA is put behind",
       [&](auto& all) { add(all, "list-made", east, "AAAA"); },
       "line 7 of the ledger, which is not signed, cannot be right: it records 'list-made', which "
       "is never done without the root's key and its signature"},
      {"an older list of the root is put behind",
       [&](auto& all) { add(all, "list-made", all.heads[0].root, "AAAA"); },
       "line 7 of the ledger, which is not signed, cannot be right: it records 'list-made', which "
       "is "
       "never done without the root's key and its signature"},
  };
  for (const Forgery& each : forgeries) {
    ledger::Rows forged = sound;
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

/// Whoever can write to the store can say that a root of his follows, with the old key out of
/// reach. So nobody believes that who does not know the root from elsewhere.
TEST_F(SignedLedgerTest, ANextRootThatOnlyItselfSignsIsNotBelieved) {
  make_store();
  const std::string subject = open().root()->certificate.facts().subject;
  const Stranger stranger = make_stranger();
  ledger::Rows forged = rows();
  stranger.add_as_next(forged, "vouched for outside");
  forged.heads.push_back(stranger.sign(forged));
  forge(forged);
  const base::Error error = open_error();
  EXPECT_EQ(error.code, Code::kRefused);
  EXPECT_EQ(
      error.message,
      fmt::format("trust store '{}': root 'O=Shop,CN=Evil' (sha256 {}) follows '{}' without a "
                  "signature of that root's key, which was out of reach: nothing in the "
                  "ledger can vouch for it",
                  path.string(), base::group_hex(stranger.root.fingerprint().substr(0, 16)),
                  subject));
}

class UnsignedLedgerTest : public SignedLedgerTest {
 protected:
  /// What a meshtrust that signed nothing has left.
  UnsignedLedgerTest() {
    make_store();
    ledger::Rows old = rows();
    old.heads.clear();
    old.format = ledger::Format::kUnsigned;
    forge(old);
  }
};

TEST_F(UnsignedLedgerTest, IsOpenedAndSignedWhenTheKeyIsOpenNext) {
  EXPECT_EQ(open().coverage().signed_lines, 0);
  ASSERT_THAT(revoke(), test::Succeeds());
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
  const ledger::Rows sound = rows();
  const auto last = sound.lines.size() + 1;
  for (const std::size_t line : {std::size_t{2}, last}) {
    ledger::Rows all = sound;
    stranger.add_to(all, line);
    forge(all);
    EXPECT_EQ(open_error().code, Code::kCorrupt) << line;
    EXPECT_THAT(open_error().message,
                testing::EndsWith("' is a second root that follows none before it"))
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
  ledger::Rows all = rows();
  all.lines.pop_back();
  all.lines.back().fingerprint = forged.value().fingerprint();
  all.certificates.back() = {.fingerprint = forged->fingerprint(), .der = forged->der()};
  if (all.certificates.front().fingerprint != root_certificate.fingerprint()) {
    all.certificates.front() = {.fingerprint = root_certificate.fingerprint(),
                                .der = root_certificate.der()};
  }
  forge(all);
  EXPECT_THAT(open_error().message, HasSubstr("line 4 of the ledger"));
}

TEST_F(UnsignedLedgerTest, ACertificateWhoseSignatureIsGarbledIsRefused) {
  ledger::Rows all = rows();
  for (ledger::StoredCertificate& row : all.certificates) {
    if (row.fingerprint != east) continue;
    row.der.back() ^= 1U;
    row.fingerprint = pki::Certificate::from_der(row.der).value().fingerprint();
    for (ledger::Line& action : all.lines) {
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
  ledger::Rows all = rows();
  for (ledger::Line& action : all.lines) {
    if (action.event == "intermediate-minted") action.detail = "AAAA";
  }
  forge(all);
  EXPECT_THAT(open_error().message, HasSubstr("cannot be right: the list is not signed by '"));
}

}  // namespace
}  // namespace meshtrust::ca
