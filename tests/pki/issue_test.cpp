#include "pki/issue.h"

#include "pki/certificate_builder.h"
#include "pki/chain.h"
#include "pki/lint.h"
#include "pki/verify.h"
#include "tests/pki/forge.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <stdexcept>
#include <thread>

namespace meshtrust::pki {
namespace {

using ::testing::Each;

MATCHER(IsNote, "is a note") {
  *result_listener << arg.rule << ": " << arg.message;
  return arg.severity == Severity::kNote;
}

using testing::CountingRandom;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kNow;
using testing::wanted_ca;

PrivateKey new_key(KeyAlgorithm algorithm = KeyAlgorithm::kEcdsaP256) {
  auto key = PrivateKey::generate(algorithm);
  MESHTRUST_CHECK(key.has_value());
  return *std::move(key);
}

Certificate must(base::Result<Certificate> issued) {
  if (!issued) throw std::runtime_error(issued.error().message);
  return *std::move(issued);
}

struct Pair {
  KeyAlgorithm root;
  KeyAlgorithm intermediate;
};

class EveryPair : public ::testing::TestWithParam<Pair> {};

TEST_P(EveryPair, IsMintedToTheProfileAndAccepted) {
  CountingRandom random;
  const PrivateKey root_key = new_key(GetParam().root);
  const auto root = issue_root(wanted_ca("O=Shop,CN=Shop Mesh Root"), root_key, random);
  ASSERT_TRUE(root) << root.error().message;
  const PrivateKey east_key = new_key(GetParam().intermediate);
  const auto east = issue_intermediate(wanted_ca("O=Shop,CN=east", base::days(730)),
                                       east_key.public_key(), *root, root_key, random);
  ASSERT_TRUE(east) << east.error().message;

  EXPECT_TRUE(is_for_key(*east, east_key));
  EXPECT_EQ(east->facts().key_type, name_of(GetParam().intermediate));
  EXPECT_THAT(lint({.certificate = *root, .role = LintRole::kRoot}), Each(IsNote()));
  EXPECT_THAT(lint({.certificate = *east, .role = LintRole::kIntermediate, .issuer = &*root}),
              Each(IsNote()));
  EXPECT_TRUE(all_accept(judge({.chain = {*east}, .roots = {*root}, .at = kNow})));
}

INSTANTIATE_TEST_SUITE_P(Issue,
                         EveryPair,
                         ::testing::Values(Pair{KeyAlgorithm::kRsa2048, KeyAlgorithm::kRsa2048},
                                           Pair{KeyAlgorithm::kRsa3072, KeyAlgorithm::kEcdsaP256},
                                           Pair{KeyAlgorithm::kRsa4096, KeyAlgorithm::kEcdsaP384},
                                           Pair{KeyAlgorithm::kEcdsaP256, KeyAlgorithm::kEcdsaP256},
                                           Pair{KeyAlgorithm::kEcdsaP384, KeyAlgorithm::kEcdsaP256},
                                           Pair{KeyAlgorithm::kEcdsaP384, KeyAlgorithm::kRsa2048}));

/// A root, and what it takes to issue below it.
class Issue : public ::testing::Test {
 protected:
  base::Result<Certificate> issue(const CaTemplate& wanted) {
    return issue_intermediate(wanted, key.public_key(), root, root_key, random);
  }

  CountingRandom random;
  PrivateKey root_key = new_key();
  Certificate root = must(issue_root(wanted_ca("C=DE,O=Shop,CN=Shop Mesh Root"), root_key, random));
  PrivateKey key = new_key();
};

TEST_F(Issue, WritesTheFactsOfTheProfile) {
  const auto east = issue(wanted_ca("O=Shop,CN=east 1", base::days(730)));
  ASSERT_TRUE(east);
  const CertificateFacts& above = root.facts();
  EXPECT_EQ(above.serial, "010102030405060708090a0b0c0d0e0f10");
  EXPECT_EQ(above.subject, "C=DE,O=Shop,CN=Shop Mesh Root");
  EXPECT_EQ(above.basic_constraints->path_length, std::nullopt);
  EXPECT_EQ(above.authority_key_id, std::nullopt);

  const CertificateFacts& facts = east->facts();
  EXPECT_EQ(facts.version, 3);
  EXPECT_EQ(facts.serial, "011112131415161718191a1b1c1d1e1f20");
  EXPECT_EQ(facts.subject, "O=Shop,CN=east 1");
  EXPECT_EQ(facts.issuer_der, above.subject_der);
  EXPECT_EQ(facts.not_before, kNow - kBackdate);
  EXPECT_EQ(facts.not_after, kNow - kBackdate + base::days(730));
  EXPECT_TRUE(facts.basic_constraints->critical && facts.basic_constraints->is_ca);
  EXPECT_EQ(facts.basic_constraints->path_length, 0);
  EXPECT_TRUE(facts.key_usage->critical);
  EXPECT_THAT(facts.key_usage->bits, ElementsAre("keyCertSign", "cRLSign"));
  EXPECT_THAT(facts.extended_key_usage, ::testing::IsEmpty());
  EXPECT_EQ(facts.subject_key_id->size(), 40U);
  EXPECT_EQ(facts.authority_key_id, above.subject_key_id);
  EXPECT_FALSE(facts.has_name_constraints);
}

/// Whether `bytes` hold a string of this tag and content.
bool holds_string(const base::Bytes& bytes, std::uint8_t tag, std::string_view content) {
  std::string needle{static_cast<char>(tag), static_cast<char>(content.size())};
  needle += content;
  return base::as_text(bytes).find(needle) != std::string_view::npos;
}

// Go, and with it istiod, refuses every other way of saying true; OpenSSL and Botan do not care.
TEST_F(Issue, WritesBasicConstraintsInDer) {
  constexpr std::array<unsigned char, 8> kCaOfAnyDepth{0x04, 0x05, 0x30, 0x03,
                                                       0x01, 0x01, 0xff, 0x30};
  constexpr std::array<unsigned char, 10> kCaOfLeaves{0x04, 0x08, 0x30, 0x06, 0x01,
                                                      0x01, 0xff, 0x02, 0x01, 0x00};
  const auto holds = [](const Certificate& certificate, auto bytes) {
    const base::ByteView der = certificate.der();
    return !std::ranges::search(der, bytes).empty();
  };
  EXPECT_TRUE(holds(root, kCaOfAnyDepth));
  EXPECT_TRUE(holds(must(issue(wanted_ca("O=Shop,CN=east", base::days(730)))), kCaOfLeaves));
}

TEST_F(Issue, WritesUtf8NamesAndAPrintableCountry) {
  EXPECT_TRUE(holds_string(root.facts().subject_der, 0x13, "DE"));
  EXPECT_TRUE(holds_string(root.facts().subject_der, 0x0c, "Shop"));
  EXPECT_TRUE(holds_string(root.facts().subject_der, 0x0c, "Shop Mesh Root"));
}

TEST_F(Issue, WritesUtcTimeTo2049AndGeneralizedTimeFrom2050) {
  const base::Instant last = *base::parse_rfc3339("2049-12-31T23:59:59Z");
  for (const bool beyond : {false, true}) {
    CaTemplate wanted = wanted_ca("CN=Long");
    wanted.not_after = last + base::Seconds(beyond ? 1 : 0);
    const auto certificate = issue_root(wanted, key, random);
    ASSERT_TRUE(certificate);
    EXPECT_EQ(holds_string(certificate->der(), 0x17, "491231235959Z"), !beyond);
    EXPECT_EQ(holds_string(certificate->der(), 0x18, "20500101000000Z"), beyond);
  }
}

TEST_F(Issue, CopiesTheIssuerNameOfAForeignRootByteForByte) {
  // Made by openssl with PrintableString and T61String; re-encoding would break it for Go.
  const auto foreign =
      certificates_from_pem(testing::fixture("objects/printable-root.pem"))->front();
  const auto foreign_key = PrivateKey::from_pem(testing::secret_fixture("keys/p256-pkcs8.pem"));
  ASSERT_TRUE(foreign_key);
  const auto east = issue_intermediate(wanted_ca("CN=east", base::days(30)), key.public_key(),
                                       foreign, *foreign_key, random);
  ASSERT_TRUE(east) << east.error().message;
  EXPECT_EQ(east->facts().issuer_der, foreign.facts().subject_der);
  EXPECT_TRUE(holds_string(east->facts().issuer_der, 0x13, "Printable"));
}

TEST_F(Issue, RefusesToOutliveItsIssuer) {
  CaTemplate wanted = wanted_ca("CN=east");
  wanted.not_after = root.facts().not_after + base::Seconds(1);
  const auto east = issue(wanted);
  ASSERT_FALSE(east);
  EXPECT_EQ(east.error().code, base::Code::kRefused);
  EXPECT_EQ(east.error().message,
            "the certificate of 'CN=east' would break a rule: ends at 2039-12-29T23:00:01Z, wanted "
            "no later than the issuer at 2039-12-29T23:00:00Z (ca-outlives-issuer, mesh policy: "
            "validity nests in the issuer's)");
}

TEST_F(Issue, RefusesWhatALintRuleForbids) {
  CaTemplate early = wanted_ca("CN=east", base::days(1));
  early.not_before -= base::Seconds(1);
  EXPECT_THAT(issue(early).error().message, HasSubstr("begins-before-issuer"));
  EXPECT_THAT(issue(wanted_ca("CN=east", base::Seconds(0))).error().message,
              HasSubstr("validity-order"));
  EXPECT_THAT(issue(wanted_ca("C=DE,O=Shop,CN=Shop Mesh Root", base::days(1))).error().message,
              HasSubstr("subject-distinct"));
}

TEST_F(Issue, RefusesAKeyThatIsNotTheIssuers) {
  const auto east =
      issue_intermediate(wanted_ca("CN=east", base::days(1)), key.public_key(), root, key, random);
  ASSERT_FALSE(east);
  EXPECT_EQ(east.error().code, base::Code::kRefused);
  EXPECT_EQ(east.error().message,
            "the signing key is not the key of 'C=DE,O=Shop,CN=Shop Mesh Root'");
}

TEST_F(Issue, RefusesAPublicKeyThatIsNone) {
  const auto east = issue_intermediate(wanted_ca("CN=east", base::days(1)),
                                       base::as_bytes("rubbish"), root, root_key, random);
  ASSERT_FALSE(east);
  EXPECT_EQ(east.error().message, "the public key does not parse");
}

TEST_F(Issue, RefusesANameThatCannotBeWritten) {
  CaTemplate wanted = wanted_ca("CN=east", base::days(1));
  wanted.subject.attributes.clear();
  EXPECT_EQ(issue(wanted).error().message, "the name is empty");
}

TEST_F(Issue, RefusesAnIssuerWithoutKeyIdentifier) {
  const auto bare = certificates_from_pem(testing::fixture("objects/bare-root.pem"))->front();
  const auto bare_key = PrivateKey::from_pem(testing::secret_fixture("keys/p256-pkcs8.pem"));
  const auto east = issue_intermediate(wanted_ca("CN=east", base::days(1)), key.public_key(), bare,
                                       *bare_key, random);
  ASSERT_FALSE(east);
  EXPECT_EQ(
      east.error().message,
      "issuer 'CN=Bare' has no subject key identifier, which certificates below it must name");
}

/// A signer that does everything wrong in one chosen way, as a broken token might.
class BrokenSigner final : public Signer {
 public:
  BrokenSigner(const PrivateKey& shown, const PrivateKey& used) : shown_(shown), used_(used) {}

  KeyAlgorithm algorithm() const override { return shown_.algorithm(); }
  base::Bytes public_key() const override { return shown_.public_key(); }
  base::Result<base::Bytes> sign(base::ByteView message) const override {
    signed_ = {message.begin(), message.end()};
    return used_.sign(message);
  }

  const base::Bytes& what_was_signed() const { return signed_; }

 private:
  const PrivateKey& shown_;
  const PrivateKey& used_;
  mutable base::Bytes signed_;
};

TEST_F(Issue, LetsNothingOutWhoseSignatureIsWrong) {
  const BrokenSigner broken(root_key, key);
  const auto east = issue_intermediate(wanted_ca("CN=east", base::days(1)), key.public_key(), root,
                                       broken, random);
  ASSERT_FALSE(east);
  EXPECT_EQ(east.error().code, base::Code::kRefused);
  EXPECT_EQ(east.error().message,
            "the new signature does not verify with the key of 'C=DE,O=Shop,CN=Shop Mesh Root'");
  EXPECT_FALSE(issue_root(wanted_ca("CN=Root"), broken, random));
}

TEST_F(Issue, SignsExactlyTheBytesThatStandInTheCertificate) {
  const BrokenSigner honest(root_key, root_key);
  const auto east = issue_intermediate(wanted_ca("CN=east", base::days(1)), key.public_key(), root,
                                       honest, random);
  ASSERT_TRUE(east);
  const auto tbs = tbs_of(*east);
  EXPECT_TRUE(std::ranges::equal(tbs, honest.what_was_signed()));
}

TEST_F(Issue, AsksTheRealKeyForNothingWhenARuleIsBroken) {
  const BrokenSigner honest(root_key, root_key);
  CaTemplate wanted = wanted_ca("CN=east");
  wanted.not_after = root.facts().not_after + base::Seconds(1);
  EXPECT_FALSE(issue_intermediate(wanted, key.public_key(), root, honest, random));
  EXPECT_THAT(honest.what_was_signed(), ::testing::IsEmpty());
}

TEST_F(Issue, WorksBelowAnIssuerThatIsItselfAnIntermediate) {
  const auto signer = PrivateKey::from_pem(testing::secret_fixture("keys/p256-pkcs8.pem"));
  const auto upper = certificates_from_pem(testing::fixture("objects/upper.pem"))->front();
  const auto east = issue_intermediate(wanted_ca("CN=east", base::days(30)), key.public_key(),
                                       upper, *signer, random);
  ASSERT_TRUE(east) << east.error().message;
  EXPECT_FALSE(upper.is_self_issued());
}

TEST_F(Issue, MayBeCalledFromSeveralThreadsAtOnce) {
  const PrivateKey rsa = new_key(KeyAlgorithm::kRsa2048);
  const Certificate rsa_root = *issue_root(wanted_ca("CN=RSA Root"), rsa, random);
  std::atomic<int> issued = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&rsa, &rsa_root, &issued] {
      base::SystemRandom serials;
      for (int i = 0; i < 5; ++i) {
        const PrivateKey own = new_key();
        const auto certificate = issue_intermediate(wanted_ca("CN=east", base::days(1)),
                                                    own.public_key(), rsa_root, rsa, serials);
        if (certificate && certificate->is_signed_by(rsa_root)) ++issued;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(issued, 20);
}

}  // namespace
}  // namespace meshtrust::pki
