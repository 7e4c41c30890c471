#include "ca/revocation.h"

#include "ca/database.h"
#include "pki/issue.h"
#include "pki/issue_list.h"
#include "tests/ca/support.h"
#include "tests/support/matchers.h"

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

namespace meshtrust::ca {
namespace {

using base::Code;
using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class RevocationTest : public StoreTest {
 protected:
  RevocationTest() : store(create()), held(lock(store)), root(mint_clear_root(store, held)) {}

  pki::Certificate issue(const std::string& cluster) {
    const auto minted = mint_intermediate(store, held, *root.signer, {.cluster = cluster}, kAlice);
    MESHTRUST_CHECK(minted.has_value());
    MESHTRUST_CHECK(
        store.record(held, minted->certificate.fingerprint(), Event::kPushed, kAlice).has_value());
    clock.time += std::chrono::minutes(1);
    return minted->certificate;
  }
  base::Status note(const pki::Certificate& certificate, Event event, std::string detail = {}) {
    return store.append(held,
                        Action{.who = kAlice,
                               .event = event,
                               .fingerprint = certificate.fingerprint(),
                               .detail = std::move(detail)},
                        nullptr, root.signer.get());
  }
  base::Result<ListSet> make(ListRequest request = {}) {
    return make_lists(store, held, *root.signer, request, kAlice);
  }

  TrustStore store;
  StoreLock held;
  MintedRoot root;
};

TEST_F(RevocationTest, ThereIsOneListInForceOfEveryCa) {
  const auto east = issue("east");
  const auto west = issue("west");
  const auto set = make();
  ASSERT_THAT(set, test::Succeeds());
  EXPECT_THAT(set->lists, SizeIs(3));
  EXPECT_TRUE(
      pki::without_list(std::vector{root.root.certificate, east, west}, set->lists, clock.time)
          .empty());
  for (const pki::RevocationList& list : set->lists) {
    EXPECT_TRUE(list.facts().revoked.empty());
  }
  EXPECT_EQ(set->lists[1].facts().next_update, east.facts().not_after);
}

TEST_F(RevocationTest, TheNumberGrowsAlsoOverRunsOfTheProgram) {
  EXPECT_EQ(make()->lists.front().facts().number, "01");
  EXPECT_EQ(make()->lists.front().facts().number, "02");
  EXPECT_EQ(open().issued().front().newest_list.empty(), false);
  EXPECT_EQ(make()->lists.front().facts().number, "03");
}

TEST_F(RevocationTest, TheNumberIsAboveWhatWasSeenElsewhereToo) {
  struct Case {
    std::string seen;
    std::string made;
  };
  const std::vector<Case> cases{
      {"0", "02"},
      {"01", "03"},
      {"0009", "0a"},
      {"FE", "ff"},
      {"ff", "0100"},
      {"02", "0101"},
      {"00FE", "0102"},
      {"ffffffffffffffff", "010000000000000000"},
      {"7ffffffffffffffffffffffffffffffffffffffe", "7fffffffffffffffffffffffffffffffffffffff"}};
  ASSERT_EQ(make()->lists.front().facts().number, "01");
  for (const Case& each : cases) {
    const auto set = make({.at_least_above = each.seen});
    ASSERT_THAT(set, test::Succeeds()) << each.seen;
    EXPECT_EQ(set->lists.front().facts().number, each.made);
  }
  EXPECT_THAT(make(),
              test::FailsWith(Code::kRefused,
                              "there is no number above '7fffffffffffffffffffffffffffffffffff"
                              "ffff' for a list: RFC 5280 ends at 20 octets"));
  EXPECT_THAT(make({.at_least_above = "-1"}),
              test::FailsWith(Code::kInvalidInput,
                              "'-1' is no number of a list, wanted hexadecimal digits"));
}

TEST_F(RevocationTest, AnOlderCopyOfTheStoreRepeatsNoNumberThatWasSeen) {
  ASSERT_THAT(make(), test::Succeeds());
  const std::string older = content_of(path / "store.db");
  const auto live = make()->lists.front().facts().number;
  put(path / "store.db", older);
  TrustStore again = open();
  { const StoreLock let_go = std::move(held); }
  const StoreLock again_held = lock(again);
  const auto set = make_lists(again, again_held, *root.signer, {.at_least_above = live}, kAlice);
  ASSERT_THAT(set, test::Succeeds());
  EXPECT_EQ(set->lists.front().facts().number, "03");
}

TEST_F(RevocationTest, ListsWhatIsRevokedUntilThatIsTakenBack) {
  const auto east = issue("east");
  ASSERT_THAT(note(east, Event::kRevoked, "keyCompromise"), test::Succeeds());
  const auto listed = make()->lists.front().facts().revoked;
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed[0],
            (pki::RevokedCertificate{
                .serial = east.facts().serial, .at = clock.time, .reason = "keyCompromise"}));
  // Its own list stays in the set: it is still in its cluster's chain file.
  EXPECT_THAT(make()->lists, SizeIs(2));
  ASSERT_THAT(note(east, Event::kUnrevoked), test::Succeeds());
  EXPECT_TRUE(make()->lists.front().facts().revoked.empty());
}

TEST_F(RevocationTest, NothingIsRevokedTwiceNorARootAtAll) {
  const auto east = issue("east");
  EXPECT_THAT(note(east, Event::kUnrevoked),
              test::FailsWith(Code::kConflict, HasSubstr("is not revoked")));
  ASSERT_THAT(note(east, Event::kRevoked), test::Succeeds());
  EXPECT_THAT(note(east, Event::kRevoked),
              test::FailsWith(Code::kConflict, HasSubstr("is already revoked")));
  EXPECT_THAT(note(root.root.certificate, Event::kRevoked),
              test::FailsWith(Code::kConflict, HasSubstr("is a root")));
}

TEST_F(RevocationTest, RefusesASetWithAGapAndRecordsNothing) {
  // An intermediate of a store that made no lists yet.
  const auto key = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256);
  const auto old =
      pki::issue_intermediate({.subject = pki::DistinguishedName::parse("O=Shop,CN=old").value(),
                               .not_before = root.root.certificate.facts().not_before,
                               .not_after = clock.time + base::days(300)},
                              key->public_key(), root.root.certificate, *root.signer, random);
  ASSERT_TRUE(store.append(held,
                           Action{.who = kAlice,
                                  .event = Event::kIntermediateMinted,
                                  .fingerprint = old->fingerprint(),
                                  .cluster = "old"},
                           &*old, root.signer.get()));
  const std::size_t lines = store.log().size();
  EXPECT_THAT(make(), test::FailsWith(Code::kRefused,
                                      "there would be no revocation list in force of "
                                      "'O=Shop,CN=old': Envoy would refuse every workload below"));
  EXPECT_THAT(*lacking_a_list(store), SizeIs(1));
  EXPECT_EQ(store.log().size(), lines);

  const auto supplied = pki::issue_list({.this_update = clock.time,
                                         .next_update = clock.time + base::days(100),
                                         .number = "09",
                                         .revoked = {}},
                                        *old, *key);
  EXPECT_THAT(make({.lifetime = base::days(90), .supplied = {*supplied}}), test::Succeeds());
  EXPECT_THAT(make(), test::Succeeds()) << "what was supplied once is kept";
  ASSERT_THAT(store.record(held, old->fingerprint(), Event::kAbandoned, kAlice), test::Succeeds());
  EXPECT_THAT(make(), test::Succeeds());
}

TEST_F(RevocationTest, RefusesAListThatIsOverBeforeAnybodyNotices) {
  EXPECT_THAT(make({.lifetime = base::days(6), .supplied = {}}),
              test::FailsWith(Code::kRefused, HasSubstr("wanted at least 7d")));
}

TEST_F(RevocationTest, KnowsWhatAClusterLivesOn) {
  const auto first = issue("east");
  EXPECT_TRUE(is_last_of_its_cluster(store, *store.find(first.fingerprint()), clock.time));
  const auto second = issue("east");
  EXPECT_FALSE(is_last_of_its_cluster(store, *store.find(first.fingerprint()), clock.time));
  EXPECT_TRUE(is_last_of_its_cluster(store, *store.find(second.fingerprint()), clock.time));
}

TEST_F(RevocationTest, FindsByClusterOrByTheBeginOfAFingerprint) {
  const auto east = issue("east");
  const auto find = [this](std::string_view name, Wanted wanted = Wanted::kInUse) {
    return find_issued(store, name, wanted);
  };
  EXPECT_EQ(find("east")->fingerprint(), east.fingerprint());
  EXPECT_EQ(find(east.fingerprint().substr(0, 16))->fingerprint(), east.fingerprint());
  EXPECT_THAT(find(east.fingerprint().substr(0, 15)),
              test::FailsWith(Code::kNotFound, HasSubstr("issued nothing")));
  // What never arrived is not what the cluster's name stands for.
  ASSERT_THAT(mint_intermediate(store, held, *root.signer, {.cluster = "east"}, kAlice),
              test::Succeeds());
  EXPECT_EQ(find("east")->fingerprint(), east.fingerprint());
  const auto second = issue("east");
  EXPECT_THAT(
      find("east"),
      test::FailsWith(Code::kUsage, "cluster 'east' got 2 intermediates that may be in use"));
  ASSERT_THAT(note(east, Event::kRevoked), test::Succeeds());
  EXPECT_EQ(find("east")->fingerprint(), second.fingerprint());
  EXPECT_EQ(find("east", Wanted::kRevoked)->fingerprint(), east.fingerprint());
}

TEST_F(RevocationTest, FilesThatAPersonGotAreNoSuccessorOfWhatAClusterHas) {
  const auto live = issue("east");
  const auto spare = mint_intermediate(store, held, *root.signer, {.cluster = "east"}, kAlice);
  ASSERT_THAT(store.record(held, spare->certificate.fingerprint(), Event::kPushed, kAlice,
                           "written to spare"),
              test::Succeeds());
  EXPECT_TRUE(is_last_of_its_cluster(store, *store.find(live.fingerprint()), clock.time));
}

TEST_F(RevocationTest, RefusesListsThatItDidNotAskFor) {
  const auto east = issue("east");
  const auto list_of = [this](const pki::Certificate& issuer, const pki::Signer& key,
                              std::vector<pki::RevokedCertificate> revoked) {
    return pki::issue_list({.this_update = clock.time,
                            .next_update = clock.time + base::days(100),
                            .number = "09",
                            .revoked = std::move(revoked)},
                           issuer, key)
        .value();
  };
  const auto key = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256);
  const auto stranger =
      pki::issue_root({.subject = pki::DistinguishedName::parse("O=Else,CN=Root").value(),
                       .not_before = clock.time - base::days(1),
                       .not_after = clock.time + base::days(300)},
                      *key, random);
  EXPECT_THAT(make({.lifetime = base::days(90), .supplied = {list_of(*stranger, *key, {})}}),
              test::FailsWith(Code::kRefused,
                              "a list of 'O=Else,CN=Root' was given, which is no CA of this mesh"));
}

TEST_F(RevocationTest, GoesOnAboveAListThatAnotherCopyOfTheStoreMade) {
  const auto east = issue("east");
  const auto other = [&](const std::string& serial) {
    return pki::issue_list({.this_update = clock.time,
                            .next_update = clock.time + base::days(100),
                            .number = "1f",
                            .revoked = {{.serial = serial, .at = clock.time, .reason = {}}}},
                           root.root.certificate, *root.signer)
        .value();
  };
  const std::size_t lines = store.log().size();
  const std::string given = "the list of '" + root.root.certificate.facts().subject +
                            "' that was given (number 1f, of " + base::format_rfc3339(clock.time) +
                            ") revokes ";
  EXPECT_THAT(make({.supplied = {other(east.facts().serial)}}),
              test::FailsWith(Code::kRefused, given + "'" + east.facts().subject +
                                                  "', which this store does not know as revoked"));
  EXPECT_THAT(make({.supplied = {other("0badc0de")}}),
              test::FailsWith(Code::kRefused,
                              given + "serial 0badc0de, which this store did not issue: it is an "
                                      "older copy"));
  EXPECT_EQ(store.log().size(), lines);
  ASSERT_THAT(note(east, Event::kRevoked), test::Succeeds());
  const auto made = make({.supplied = {other(east.facts().serial)}});
  ASSERT_THAT(made, test::Succeeds());
  EXPECT_EQ(made->lists.front().facts().number, "20");
  EXPECT_THAT(made->lists.front().facts().revoked, SizeIs(1));
  EXPECT_EQ(make()->lists.front().facts().number, "21");
  EXPECT_EQ(make({.at_least_above = "30"})->lists.front().facts().number, "31");
  EXPECT_EQ(make({.at_least_above = "2f"})->lists.front().facts().number, "32");
}

TEST_F(RevocationTest, NumbersAreComparedAsNumbersHoweverTheyAreWritten) {
  struct Case {
    std::string above;
    std::string supplied;
    std::string made;
  };
  for (const Case& each : std::vector<Case>{{"FF", "fe", "0100"},
                                            {"000000101", "fe", "0102"},
                                            {"1FE", "01fd", "01ff"},
                                            {"2", "0200", "0201"}}) {
    const auto list = pki::issue_list({.this_update = clock.time,
                                       .next_update = clock.time + base::days(100),
                                       .number = each.supplied,
                                       .revoked = {}},
                                      root.root.certificate, *root.signer);
    const auto set = make({.supplied = {*list}, .at_least_above = each.above});
    ASSERT_THAT(set, test::Succeeds()) << each.above;
    EXPECT_EQ(set->lists.front().facts().number, each.made);
  }
}

/// A list of the root's as `key` signs it that does not say when it ends.
pki::RevocationList without_end(const pki::RevocationList& list, const base::Secret& key) {
  const base::Bytes der = list.der();
  const unsigned char* begin = der.data();
  const std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> old(
      d2i_X509_CRL(nullptr, &begin, static_cast<long>(der.size())), X509_CRL_free);
  const std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> made(X509_CRL_new(), X509_CRL_free);
  X509_CRL_set_version(made.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(made.get(), X509_CRL_get_issuer(old.get()));
  X509_CRL_set1_lastUpdate(made.get(), X509_CRL_get0_lastUpdate(old.get()));
  for (int i = 0; i < X509_CRL_get_ext_count(old.get()); ++i) {
    X509_CRL_add_ext(made.get(), X509_CRL_get_ext(old.get(), i), -1);
  }
  const std::string_view pem = base::reveal(key, "to sign a list for a test");
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> signer(
      PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  MESHTRUST_CHECK(X509_CRL_sign(made.get(), signer.get(), EVP_sha256()) > 0);
  unsigned char* encoded = nullptr;
  const int size = i2d_X509_CRL(made.get(), &encoded);
  const base::Bytes bytes(encoded, encoded + size);
  OPENSSL_free(encoded);
  return pki::RevocationList::from_der(bytes).value();
}

TEST_F(RevocationTest, RefusesAListThatHasNoEnd) {
  auto minted = mint_intermediate(store, held, *root.signer, {.cluster = "east"}, kAlice);
  const auto list = pki::issue_list({.this_update = clock.time,
                                     .next_update = clock.time + base::days(100),
                                     .number = "09",
                                     .revoked = {}},
                                    minted->certificate, minted->key);
  const auto endless = without_end(*list, minted->key.to_pem().value());
  ASSERT_TRUE(endless.is_signed_by(minted->certificate));
  EXPECT_THAT(pki::without_list(std::vector{minted->certificate}, std::vector{endless}, clock.time),
              SizeIs(1));
  const std::size_t lines = store.log().size();
  EXPECT_THAT(
      make({.supplied = {endless}}),
      test::FailsWith(Code::kRefused,
                      "the list of '" + minted->certificate.facts().subject +
                          "' that was given (number 09, of " + base::format_rfc3339(clock.time) +
                          ") does not say until when it counts (nextUpdate, RFC 5280 "
                          "5.1.2.5)"));
  EXPECT_EQ(store.log().size(), lines);
}

TEST_F(RevocationTest, KeepsWhatWasGivenOfACaAboveTheRoot) {
  const auto key = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256).value();
  const auto wanted = [this](const std::string& subject) {
    return pki::CaTemplate{.subject = pki::DistinguishedName::parse(subject).value(),
                           .not_before = clock.time - base::days(1),
                           .not_after = clock.time + base::days(3000)};
  };
  const auto company = pki::issue_root(wanted("O=Corp,CN=Corp Root"), key, random).value();
  const auto certified = pki::issue_intermediate(wanted(root.root.certificate.facts().subject),
                                                 root.signer->public_key(), company, key, random);
  ASSERT_THAT(
      note(root.root.certificate, Event::kSubordinated, above_text({certified.value(), company})),
      test::Succeeds());
  const auto list_of_company = [&](std::uint64_t number,
                                   std::vector<pki::RevokedCertificate> revoked) {
    return pki::issue_list({.this_update = clock.time,
                            .next_update = clock.time + base::days(100),
                            .number = fmt::format("{:02x}", number),
                            .revoked = std::move(revoked)},
                           company, key)
        .value();
  };
  const auto give = [&](const pki::RevocationList& list) {
    return make({.lifetime = base::days(90), .supplied = {list}});
  };
  EXPECT_THAT(make(),
              test::FailsWith(Code::kRefused,
                              "there would be no revocation list in force of 'O=Corp,CN=Corp "
                              "Root': Envoy would refuse every workload below"));
  const auto ninth = list_of_company(9, {});
  EXPECT_THAT(give(ninth), test::Succeeds());
  const auto again = newest_lists(open());
  ASSERT_THAT(again, test::Succeeds());
  EXPECT_THAT(again->lists, ElementsAre(_, ninth));
  EXPECT_THAT(make(), test::Succeeds()) << "what was given once is kept";
  EXPECT_THAT(give(list_of_company(8, {})),
              test::FailsWith(Code::kRefused, HasSubstr("(number 08, of")));
  EXPECT_THAT(
      give(list_of_company(
          10,
          {{.serial = certified->facts().serial, .at = clock.time, .reason = "keyCompromise"}})),
      test::FailsWith(Code::kRefused, HasSubstr("every workload below would be refused")));
  EXPECT_THAT(note(root.root.certificate, Event::kListGiven, "0123 QUJD"),
              test::FailsWith(Code::kNotFound, "'0123' stands above no root of this ledger"));

  // Behind the signature an older one would take back what the newest revokes.
  const std::string older = given_text(company, ninth.der());
  const Action without_key{.who = kAlice,
                           .event = Event::kListGiven,
                           .fingerprint = root.root.fingerprint(),
                           .detail = older};
  EXPECT_THAT(store.append(held, without_key),
              test::FailsWith(Code::kRefused, HasSubstr("is recorded only with the root's key")));
  for (const std::string& detail : {older, company.fingerprint() + " QUJD"}) {
    LedgerRows rows = Database::read(path / "store.db").value();
    Action line = without_key;
    line.sequence = static_cast<std::int64_t>(rows.actions.size()) + 1;
    line.detail = detail;
    rows.digests.push_back(chain_digest(rows.digests.back(), line));
    rows.actions.push_back(line);
    LedgerRows old_format = rows;
    old_format.heads.clear();
    old_format.is_always_signed = false;
    EXPECT_THAT(Ledger::assemble(std::move(rows)),
                test::FailsWith(Code::kCorrupt, HasSubstr("it records 'list-given', which is never "
                                                          "done without the root's key")));
    EXPECT_EQ(Ledger::assemble(std::move(old_format)).has_value(), detail == older);
  }
}

}  // namespace
}  // namespace meshtrust::ca
