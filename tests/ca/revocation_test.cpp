#include "ca/revocation.h"

#include "ledger/codec.h"
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

class RevocationTest : public AnyStoreTest {
 protected:
  RevocationTest() : store(create()), held(lock(store)), root(mint_clear_root(store, held)) {}

  pki::Certificate issue(const std::string& cluster) {
    const auto minted = mint_intermediate(store, held, *root.signer, {.cluster = cluster}, kAlice);
    MESHTRUST_CHECK(minted.has_value());
    MESHTRUST_CHECK(
        store.record(held, ledger::Pushed{minted->certificate.fingerprint()}, kAlice).has_value());
    clock.time += std::chrono::minutes(1);
    return minted->certificate;
  }
  base::Status note(const ledger::Event& event) {
    return store.append(held, kAlice, event, *root.signer);
  }
  base::Status revoke(const pki::Certificate& certificate, std::string reason = {}) {
    return note(
        ledger::Revoked{.fingerprint = certificate.fingerprint(), .reason = std::move(reason)});
  }
  base::Status take_back(const pki::Certificate& certificate) {
    return note(ledger::Unrevoked{certificate.fingerprint()});
  }
  base::Result<ledger::CrlSet> make(const CrlRequest& request = {}) {
    return make_crls(store, held, *root.signer, request, kAlice);
  }

  TrustStore store;
  StoreLock held;
  MintedRoot root;
};

TEST_P(RevocationTest, ThereIsOneListInForceOfEveryCa) {
  const auto east = issue("east");
  const auto west = issue("west");
  const auto set = make();
  ASSERT_THAT(set, test::Succeeds());
  EXPECT_THAT(set->crls, SizeIs(3));
  EXPECT_TRUE(
      pki::without_list(std::vector{root.root.certificate, east, west}, set->crls, clock.time)
          .empty());
  for (const pki::RevocationList& list : set->crls) {
    EXPECT_TRUE(list.facts().revoked.empty());
  }
  EXPECT_EQ(set->crls[1].facts().next_update, east.facts().not_after);
}

TEST_P(RevocationTest, TheNumberGrowsAlsoOverRunsOfTheProgram) {
  EXPECT_EQ(make()->crls.front().facts().number, "01");
  EXPECT_EQ(make()->crls.front().facts().number, "02");
  EXPECT_EQ(open().issued().front().newest_crl.empty(), false);
  EXPECT_EQ(make()->crls.front().facts().number, "03");
}

TEST_P(RevocationTest, TheNumberIsAboveWhatWasSeenElsewhereToo) {
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
  ASSERT_EQ(make()->crls.front().facts().number, "01");
  for (const Case& each : cases) {
    const auto set = make({.at_least_above = each.seen});
    ASSERT_THAT(set, test::Succeeds()) << each.seen;
    EXPECT_EQ(set->crls.front().facts().number, each.made);
  }
  EXPECT_THAT(make(),
              test::FailsWith(Code::kRefused,
                              "there is no number above '7fffffffffffffffffffffffffffffffffff"
                              "ffff' for a list: RFC 5280 ends at 20 octets"));
  EXPECT_THAT(make({.at_least_above = "-1"}),
              test::FailsWith(Code::kInvalidInput,
                              "'-1' is no number of a list, wanted hexadecimal digits"));
}

TEST_P(RevocationTest, AnOlderCopyOfTheStoreRepeatsNoNumberThatWasSeen) {
  ASSERT_THAT(make(), test::Succeeds());
  const std::string older = content_of(path / "store.db");
  const Shelf older_shelf = shelf;
  const auto live = make()->crls.front().facts().number;
  put(path / "store.db", older);
  shelf = older_shelf;
  TrustStore again = open();
  { const StoreLock let_go = std::move(held); }
  const StoreLock again_held = lock(again);
  const auto set = make_crls(again, again_held, *root.signer, {.at_least_above = live}, kAlice);
  ASSERT_THAT(set, test::Succeeds());
  EXPECT_EQ(set->crls.front().facts().number, "03");
}

TEST_P(RevocationTest, ListsWhatIsRevokedUntilThatIsTakenBack) {
  const auto east = issue("east");
  ASSERT_THAT(revoke(east, "keyCompromise"), test::Succeeds());
  const auto listed = make()->crls.front().facts().revoked;
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed[0],
            (pki::RevokedCertificate{
                .serial = east.facts().serial, .at = clock.time, .reason = "keyCompromise"}));
  // Its own list stays in the set: it is still in its cluster's chain file.
  EXPECT_THAT(make()->crls, SizeIs(2));
  ASSERT_THAT(take_back(east), test::Succeeds());
  EXPECT_TRUE(make()->crls.front().facts().revoked.empty());
}

TEST_P(RevocationTest, NothingIsRevokedTwiceNorARootAtAll) {
  const auto east = issue("east");
  EXPECT_THAT(take_back(east), test::FailsWith(Code::kConflict, HasSubstr("is not revoked")));
  ASSERT_THAT(revoke(east), test::Succeeds());
  EXPECT_THAT(revoke(east), test::FailsWith(Code::kConflict, HasSubstr("is already revoked")));
  EXPECT_THAT(revoke(root.root.certificate),
              test::FailsWith(Code::kConflict, HasSubstr("is a root")));
}

TEST_P(RevocationTest, RefusesASetWithAGapAndRecordsNothing) {
  // An intermediate of a store that made no lists yet.
  const auto key = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256);
  const auto old =
      pki::issue_intermediate({.subject = pki::DistinguishedName::parse("O=Shop,CN=old").value(),
                               .not_before = root.root.certificate.facts().not_before,
                               .not_after = clock.time + base::days(300)},
                              key->public_key(), root.root.certificate, *root.signer, random);
  ASSERT_THAT(note(ledger::IntermediateMinted{.certificate = *old, .cluster = "old"}),
              test::Succeeds());
  const std::size_t lines = store.log().size();
  EXPECT_THAT(make(), test::FailsWith(Code::kRefused,
                                      "there would be no revocation list in force of "
                                      "'O=Shop,CN=old': Envoy would refuse every workload below"));
  EXPECT_THAT(*lacking_a_crl(store), SizeIs(1));
  EXPECT_EQ(store.log().size(), lines);

  const auto supplied = pki::issue_list({.this_update = clock.time,
                                         .next_update = clock.time + base::days(100),
                                         .number = "09",
                                         .revoked = {}},
                                        *old, *key);
  EXPECT_THAT(make({.lifetime = base::days(90), .supplied = {*supplied}}), test::Succeeds());
  EXPECT_THAT(make(), test::Succeeds()) << "what was supplied once is kept";
  ASSERT_THAT(store.record(held, ledger::Abandoned{old->fingerprint()}, kAlice), test::Succeeds());
  EXPECT_THAT(make(), test::Succeeds());
}

TEST_P(RevocationTest, RefusesAListThatIsOverBeforeAnybodyNotices) {
  EXPECT_THAT(make({.lifetime = base::days(6), .supplied = {}}),
              test::FailsWith(Code::kRefused, HasSubstr("wanted at least 7d")));
}

TEST_P(RevocationTest, KnowsWhatAClusterLivesOn) {
  const auto first = issue("east");
  EXPECT_TRUE(is_last_of_its_cluster(store, *store.find(first.fingerprint())));
  const auto second = issue("east");
  EXPECT_FALSE(is_last_of_its_cluster(store, *store.find(first.fingerprint())));
  EXPECT_TRUE(is_last_of_its_cluster(store, *store.find(second.fingerprint())));
}

TEST_P(RevocationTest, FindsByClusterOrByTheBeginOfAFingerprint) {
  const auto east = issue("east");
  const auto find = [this](std::string_view name, ledger::Wanted wanted = ledger::Wanted::kInUse) {
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
  ASSERT_THAT(revoke(east), test::Succeeds());
  EXPECT_EQ(find("east")->fingerprint(), second.fingerprint());
  EXPECT_EQ(find("east", ledger::Wanted::kRevoked)->fingerprint(), east.fingerprint());
}

TEST_P(RevocationTest, FilesThatAPersonGotAreNoSuccessorOfWhatAClusterHas) {
  const auto live = issue("east");
  const auto spare = mint_intermediate(store, held, *root.signer, {.cluster = "east"}, kAlice);
  ASSERT_THAT(store.record(held,
                           ledger::Pushed{.fingerprint = spare->certificate.fingerprint(),
                                          .written_to = "spare"},
                           kAlice),
              test::Succeeds());
  EXPECT_TRUE(is_last_of_its_cluster(store, *store.find(live.fingerprint())));
}

TEST_P(RevocationTest, RefusesListsThatItDidNotAskFor) {
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

TEST_P(RevocationTest, GoesOnAboveAListThatAnotherCopyOfTheStoreMade) {
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
  ASSERT_THAT(revoke(east), test::Succeeds());
  const auto made = make({.supplied = {other(east.facts().serial)}});
  ASSERT_THAT(made, test::Succeeds());
  EXPECT_EQ(made->crls.front().facts().number, "20");
  EXPECT_THAT(made->crls.front().facts().revoked, SizeIs(1));
  EXPECT_EQ(make()->crls.front().facts().number, "21");
  EXPECT_EQ(make({.at_least_above = "30"})->crls.front().facts().number, "31");
  EXPECT_EQ(make({.at_least_above = "2f"})->crls.front().facts().number, "32");
}

TEST_P(RevocationTest, NumbersAreComparedAsNumbersHoweverTheyAreWritten) {
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
    EXPECT_EQ(set->crls.front().facts().number, each.made);
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

TEST_P(RevocationTest, RefusesAListThatHasNoEnd) {
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

TEST_P(RevocationTest, KeepsWhatWasGivenOfACaAboveTheRoot) {
  const auto key = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256).value();
  const auto wanted = [this](const std::string& subject) {
    return pki::CaTemplate{.subject = pki::DistinguishedName::parse(subject).value(),
                           .not_before = clock.time - base::days(1),
                           .not_after = clock.time + base::days(3000)};
  };
  const auto company = pki::issue_root(wanted("O=Corp,CN=Corp Root"), key, random).value();
  const auto certified = pki::issue_intermediate(wanted(root.root.certificate.facts().subject),
                                                 root.signer->public_key(), company, key, random);
  ASSERT_THAT(note(ledger::Subordinated{.root = root.root.fingerprint(),
                                        .above = {certified.value(), company}}),
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
  const auto again = newest_crls(open());
  ASSERT_THAT(again, test::Succeeds());
  EXPECT_THAT(again->crls, ElementsAre(_, ninth));
  EXPECT_THAT(make(), test::Succeeds()) << "what was given once is kept";
  EXPECT_THAT(give(list_of_company(8, {})),
              test::FailsWith(Code::kRefused, HasSubstr("(number 08, of")));
  EXPECT_THAT(
      give(list_of_company(
          10,
          {{.serial = certified->facts().serial, .at = clock.time, .reason = "keyCompromise"}})),
      test::FailsWith(Code::kRefused, HasSubstr("every workload below would be refused")));
  const auto given = [&](const std::string& authority, base::Bytes crl) {
    return ledger::CrlGiven{
        .root = root.root.fingerprint(), .authority = authority, .crl = std::move(crl)};
  };
  const base::Bytes nonsense{'A', 'B', 'C'};
  EXPECT_THAT(note(given("0123", nonsense)),
              test::FailsWith(Code::kNotFound, "'0123' stands above no root of this ledger"));

  // Behind the signature an older one would take back what the newest revokes.
  const ledger::CrlGiven older = given(company.fingerprint(), ninth.der());
  EXPECT_THAT(store.append(held, kAlice, older),
              test::FailsWith(Code::kRefused, HasSubstr("is recorded only with the root's key")));
  for (const base::Bytes& crl : {ninth.der(), nonsense}) {
    ledger::Rows rows = stored_rows();
    ledger::Line line = ledger::line_of(given(company.fingerprint(), crl));
    line.sequence = static_cast<std::int64_t>(rows.lines.size()) + 1;
    rows.digests.push_back(ledger::chain_digest(rows.digests.back(), line));
    rows.lines.push_back(line);
    ledger::Rows old_format = rows;
    old_format.heads.clear();
    old_format.format = ledger::Format::kUnsigned;
    EXPECT_THAT(ledger::Ledger::assemble(std::move(rows)),
                test::FailsWith(Code::kCorrupt, HasSubstr("it records 'list-given', which is never "
                                                          "done without the root's key")));
    EXPECT_EQ(ledger::Ledger::assemble(std::move(old_format)).has_value(), crl == ninth.der());
  }
}

INSTANTIATE_TEST_SUITE_P(Stores,
                         RevocationTest,
                         testing::Values(Backend::kOnDisk, Backend::kLedgerInMemory),
                         name_of_backend);

}  // namespace
}  // namespace meshtrust::ca
