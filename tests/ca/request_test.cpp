#include "ca/request.h"

#include "pki/issue.h"
#include "pki/make_request.h"
#include "tests/ca/support.h"
#include "tests/support/matchers.h"

namespace meshtrust::ca {
namespace {

using base::Code;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Two stores: where the root is, and a site that has none.
class RequestTest : public AnyStoreTest {
 protected:
  RequestTest()
      : centre(create()),
        centre_lock(lock(centre)),
        root(mint_clear_root(centre, centre_lock)),
        site(TrustStore::create(environment, folder / "site.trust", kAlice).value()),
        site_lock(lock(site)) {}

  pki::CertificateRequest open_one() {
    auto made = open_request(site, site_lock, {.cluster = "east"}, KeyProtection::none(), kAlice);
    MESHTRUST_CHECK(made.has_value());
    return *std::move(made);
  }
  base::Result<SignedRequest> sign(const pki::CertificateRequest& request) {
    return sign_request(centre, centre_lock, *root.signer, {.request = request, .cluster = "east"},
                        kAlice);
  }
  static std::vector<pki::Certificate> papers_of(const SignedRequest& done) {
    std::vector<pki::Certificate> papers = done.roots;
    papers.insert(papers.end(), done.chain.begin(), done.chain.end());
    return papers;
  }
  base::Result<Imported> import(const std::vector<pki::Certificate>& papers, const char* words) {
    const auto found = find_signed(site, papers, clock.time);
    if (!found) return base::fail(found.error());
    return import_signed(site, *found, saying(words));
  }
  static AskPassphrase saying(const char* words) {
    return [words] { return base::Result<base::Secret>(base::Secret(words)); };
  }
  std::vector<std::string> key_files_of_site() {
    std::vector<std::string> found;
    const std::vector<std::string> names = *files.list(folder / "site.trust");
    for (const std::string& name : names) {
      if (name.ends_with(".key.pem")) found.push_back(name);
    }
    return found;
  }

  TrustStore centre;
  StoreLock centre_lock;
  MintedRoot root;
  TrustStore site;
  StoreLock site_lock;
};

TEST_P(RequestTest, TheKeyStaysAndTheCertificateComesBack) {
  const auto request = open_one();
  EXPECT_THAT(request.facts().extensions,
              ElementsAre("basicConstraints", "keyUsage", "subjectKeyIdentifier"));
  const auto done = sign(request);
  ASSERT_THAT(done, test::Succeeds());
  EXPECT_EQ(done->certificate.facts().key_id, request.facts().key_id);
  EXPECT_EQ(done->certificate.facts().basic_constraints->path_length, 0);
  EXPECT_THAT(done->ignored, IsEmpty());

  const auto found = find_signed(site, papers_of(*done), clock.time);
  ASSERT_THAT(found, test::Succeeds());
  EXPECT_THAT(found->chain, ElementsAre(done->certificate));
  EXPECT_THAT(found->roots, ElementsAre(root.root.certificate));
  const auto imported = import_signed(site, *found, saying(""));
  ASSERT_THAT(imported, test::Succeeds());
  EXPECT_EQ(pki::key_id(imported->key.public_key()), request.facts().key_id);
  EXPECT_TRUE(imported->list.is_of(done->certificate));
  EXPECT_THAT(key_files_of_site(), SizeIs(1));
  EXPECT_TRUE(was_key_of(site, "east", request.facts().key_id));
  EXPECT_FALSE(was_key_of(site, "west", request.facts().key_id));
  ASSERT_THAT(close_request(site, site_lock, found->request, kAlice), test::Succeeds());
  EXPECT_TRUE(was_key_of(site, "east", request.facts().key_id));
  EXPECT_THAT(key_files_of_site(), IsEmpty());
  EXPECT_THAT(site.requests(), IsEmpty());
}

TEST_P(RequestTest, TheWaitingKeyIsEncrypted) {
  const base::Secret words("correct horse");
  const auto made = open_request(site, site_lock, {.cluster = "east"},
                                 KeyProtection::passphrase(words, 1), kAlice);
  ASSERT_THAT(made, test::Succeeds());
  const auto names = key_files_of_site();
  ASSERT_THAT(names, SizeIs(1));
  EXPECT_THAT(content_of(folder / "site.trust" / names[0]), HasSubstr("ENCRYPTED PRIVATE KEY"));
  const auto done = sign(*made);
  EXPECT_THAT(import(papers_of(*done), "wrong"),
              test::FailsWith(Code::kInvalidInput, HasSubstr("wrong passphrase")));
  EXPECT_THAT(import(papers_of(*done), "correct horse"), test::Succeeds());
  flip_byte(folder / "site.trust" / names[0], 200);
  // What exactly is wrong depends on the byte; that it is not the passphrase does not.
  EXPECT_THAT(import(papers_of(*done), "correct horse"),
              test::FailsWith(Code::kCorrupt, HasSubstr("waiting key '")));
}

TEST_P(RequestTest, AnOpenRequestCanBeWrittenAgainAsLongAsItsKeyIsThere) {
  const auto request = open_one();
  const auto again = repeat_request(site, site.requests().front(), saying(""));
  ASSERT_THAT(again, test::Succeeds());
  EXPECT_EQ(again->facts().key_id, request.facts().key_id);
  EXPECT_EQ(again->facts().subject, request.facts().subject);
  ASSERT_THAT(files.remove(folder / "site.trust" / key_files_of_site().front()), test::Succeeds());
  const auto gone = repeat_request(site, site.requests().front(), saying(""));
  EXPECT_THAT(gone, test::FailsWith(Code::kCorrupt, HasSubstr("is missing")));
  EXPECT_THAT(gone.error().hints.back(),
              HasSubstr("or give the request up: 'meshtrust ca request east --store "));
}

TEST_P(RequestTest, OneRequestOfAClusterIsOpenAtATime) {
  open_one();
  EXPECT_THAT(
      open_request(site, site_lock, {.cluster = "east"}, KeyProtection::none(), kAlice),
      test::FailsWith(Code::kConflict, "a request of cluster 'east' is open since 2026-11-21"));
  ASSERT_THAT(close_request(site, site_lock, site.requests().front(), kAlice), test::Succeeds());
  open_one();
}

TEST_P(RequestTest, TheSignerGivesTheSameCertificateAgainWhileItIsInForce) {
  const auto request = open_one();
  const auto first = sign(request);
  ASSERT_THAT(first, test::Succeeds());
  EXPECT_EQ(first->signed_before, std::nullopt);
  clock.time += base::days(1);
  const auto second = sign(request);
  ASSERT_THAT(second, test::Succeeds());
  EXPECT_EQ(second->certificate, first->certificate);
  EXPECT_EQ(second->chain, first->chain);
  EXPECT_EQ(second->roots, first->roots);
  EXPECT_EQ(second->signed_before, clock.time - base::days(1));
  EXPECT_THAT(centre.issued(), SizeIs(2));
  ASSERT_THAT(centre.append(centre_lock, kAlice,
                            ledger::Revoked{.fingerprint = first->certificate.fingerprint(),
                                            .cluster = "east"}),
              test::Succeeds());
  EXPECT_THAT(sign(request), test::FailsWith(Code::kRefused, HasSubstr("is that of ")));
}

TEST_P(RequestTest, TheSignerRefusesAKeyOfAnotherClusterAndARequestThatIsNotSignedByItsKey) {
  const auto request = open_one();
  ASSERT_THAT(sign(request), test::Succeeds());
  EXPECT_THAT(sign_request(centre, centre_lock, *root.signer,
                           {.request = request, .cluster = "west"}, kAlice),
              test::FailsWith(Code::kRefused, HasSubstr("is that of ")));

  const auto key = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256);
  const auto made =
      pki::make_request(pki::DistinguishedName::parse("CN=west").value(), key.value());
  base::Bytes der = made->der();
  der.back() ^= 1U;
  EXPECT_THAT(sign(*pki::CertificateRequest::from_der(der)),
              test::FailsWith(Code::kRefused, HasSubstr("is not signed by the key")));
}

TEST_P(RequestTest, AnImportNeedsTheKeyAndTheWayToTheRoot) {
  const auto done = sign(open_one());
  EXPECT_THAT(find_signed(site, std::vector{root.root.certificate}, clock.time),
              test::FailsWith(Code::kNotFound, HasSubstr("none of these certificates")));
  EXPECT_THAT(find_signed(site, done->chain, clock.time),
              test::FailsWith(Code::kRefused, HasSubstr("is not among the certificates given")));
}

TEST_P(RequestTest, TheRootCanStandBelowAnotherOnlyWithRoomForClusters) {
  const auto request = request_for_root(centre, *root.signer);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->facts().subject, root.root.certificate.facts().subject);
  EXPECT_EQ(request->facts().key_id, root.root.certificate.facts().key_id);
  EXPECT_THAT(request->facts().extensions,
              ElementsAre("basicConstraints", "keyUsage", "subjectKeyIdentifier"));

  const auto corporate_key = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256).value();
  const base::Instant now = clock.time;
  const auto wanted = [&](std::string_view subject, base::Seconds lifetime) {
    return pki::CaTemplate{.subject = pki::DistinguishedName::parse(subject).value(),
                           .not_before = now - pki::kBackdate,
                           .not_after = now + lifetime};
  };
  const auto corporate =
      pki::issue_root(wanted("O=Corp,CN=Corp Root", base::days(7000)), corporate_key, random);
  const auto certified =
      pki::issue_intermediate(wanted(root.root.certificate.facts().subject, base::days(3000)),
                              request->public_key(), *corporate, corporate_key, random);
  ASSERT_TRUE(certified);
  const std::vector papers{*certified, *corporate};
  EXPECT_TRUE(is_about_root(centre, papers));
  EXPECT_THAT(subordinate_root(centre, centre_lock, papers, now, *root.signer, kAlice),
              test::FailsWith(Code::kRefused, HasSubstr("leaves no room")));  // path length 0
  EXPECT_FALSE(is_about_root(centre, std::vector{*corporate}));
  EXPECT_THAT(
      subordinate_root(centre, centre_lock, std::vector{*corporate}, now, *root.signer, kAlice),
      test::FailsWith(Code::kNotFound, HasSubstr("none of these")));
}

TEST_P(RequestTest, WhatWaitsIsKnownAfterTheStoreIsOpenedAgain) {
  open_one();
  const auto again = TrustStore::open(environment, folder / "site.trust");
  ASSERT_TRUE(again);
  ASSERT_THAT(again->requests(), SizeIs(1));
  EXPECT_EQ(again->requests()[0].cluster, "east");
}

INSTANTIATE_TEST_SUITE_P(Stores,
                         RequestTest,
                         testing::Values(Backend::kOnDisk, Backend::kLedgerInMemory),
                         name_of_backend);

}  // namespace
}  // namespace meshtrust::ca
