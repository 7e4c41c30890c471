#include "pki/certificate.h"

#include "base/encoding.h"
#include "pki/chain.h"
#include "pki/handle.h"
#include "tests/pki/forge.h"

#include <gmock/gmock.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>

#include <algorithm>

namespace meshtrust::pki {
namespace {

using ::testing::ElementsAre;
using testing::fixture;
using testing::forge;
using testing::forge_root;
using testing::Forgery;
using testing::intermediate_forgery;
using testing::leaf_forgery;

TEST(Certificate, TellsWhatStandsInARoot) {
  Forgery wanted;
  wanted.subject = "C=DE,O=Forge,CN=Root";
  const auto root = forge_root(wanted);
  const CertificateFacts& facts = root.certificate.facts();
  EXPECT_EQ(facts.version, 3);
  EXPECT_EQ(facts.serial, wanted.serial);
  EXPECT_EQ(facts.subject, "C=DE,O=Forge,CN=Root");
  EXPECT_EQ(facts.issuer, facts.subject);
  EXPECT_EQ(facts.subject_der, facts.issuer_der);
  EXPECT_EQ(facts.not_before, wanted.not_before);
  EXPECT_EQ(facts.not_after, wanted.not_after);
  EXPECT_EQ(facts.key_type, "ecdsa-p256");
  EXPECT_EQ(facts.signature_algorithm, "ecdsa-with-SHA256");
  ASSERT_TRUE(facts.basic_constraints && facts.key_usage);
  EXPECT_TRUE(facts.basic_constraints->critical && facts.basic_constraints->is_ca);
  EXPECT_EQ(facts.basic_constraints->path_length, std::nullopt);
  EXPECT_TRUE(facts.key_usage->critical);
  EXPECT_THAT(facts.key_usage->bits, ElementsAre("keyCertSign", "cRLSign"));
  EXPECT_EQ(facts.subject_key_id->size(), 40U);
  EXPECT_EQ(facts.authority_key_id, std::nullopt);
  EXPECT_EQ(facts.fingerprint, base::to_hex(base::sha256(root.certificate.der())));
  EXPECT_TRUE(root.certificate.is_ca());
  EXPECT_TRUE(root.certificate.is_self_issued());
}

TEST(Certificate, TellsWhatStandsInALeaf) {
  const auto root = forge_root();
  Forgery wanted = leaf_forgery();
  wanted.with("subjectAltName",
              "DNS:a.b,URI:spiffe://x/ns/y/sa/z,IP:10.0.0.1,IP:2001:db8::1,email:a@b");
  wanted.with("nameConstraints", "permitted;DNS:b");
  wanted.with("1.2.3.4", "critical,DER:0500");
  wanted.with("extendedKeyUsage", "serverAuth,1.2.3.5");
  wanted.serial = "-0f";
  const auto leaf = forge(wanted, root).certificate;
  const CertificateFacts& facts = leaf.facts();
  EXPECT_EQ(facts.serial, "-0f");
  EXPECT_EQ(facts.subject, "");
  EXPECT_EQ(facts.issuer, "O=Forge,CN=Root");
  EXPECT_THAT(facts.extended_key_usage, ElementsAre("serverAuth", "1.2.3.5"));
  EXPECT_THAT(facts.dns_names, ElementsAre("a.b"));
  EXPECT_THAT(facts.uris, ElementsAre("spiffe://x/ns/y/sa/z"));
  EXPECT_THAT(facts.ip_addresses, ElementsAre("10.0.0.1", "2001:db8::1"));
  EXPECT_THAT(facts.emails, ElementsAre("a@b"));
  EXPECT_TRUE(facts.has_name_constraints);
  EXPECT_THAT(facts.unknown_critical_extensions, ElementsAre("1.2.3.4"));
  EXPECT_EQ(facts.authority_key_id, root.certificate.facts().subject_key_id);
  EXPECT_FALSE(leaf.is_ca());
  EXPECT_FALSE(leaf.is_self_issued());
}

TEST(Certificate, OfItsIssuersNameIsSelfIssuedAndNotSelfSigned) {
  const auto root = forge_root();
  EXPECT_TRUE(root.certificate.is_self_signed());
  const auto namesake = forge(intermediate_forgery("O=Forge,CN=Root"), root).certificate;
  EXPECT_TRUE(namesake.is_self_issued());
  EXPECT_FALSE(namesake.is_self_signed());
  const auto east = forge(intermediate_forgery(), root).certificate;
  EXPECT_FALSE(east.is_self_signed());
}

TEST(Certificate, NamesEveryKindOfKey) {
  const auto type_with = [](testing::Key key) {
    Forgery wanted;
    wanted.key = std::move(key);
    return forge_root(wanted).certificate.facts().key_type;
  };
  EXPECT_EQ(type_with(testing::ec_key("P-384")), "ecdsa-p384");
  EXPECT_EQ(type_with(testing::ec_key("P-521")), "ecdsa-p521");
  EXPECT_EQ(type_with(testing::ec_key("secp256k1")), "ecdsa-secp256k1");
  EXPECT_EQ(type_with(testing::rsa_key(2048)), "rsa-2048");
}

TEST(Certificate, IsTheSameAfterPem) {
  const auto root = forge_root().certificate;
  const auto east = forge_root(intermediate_forgery()).certificate;
  const std::vector<Certificate> both = {root, east};
  EXPECT_EQ(*certificates_from_pem("hello\n" + to_pem(both)), both);
  EXPECT_EQ(to_pem(both), root.pem() + east.pem());
  EXPECT_EQ(certificates_from_pem(fixture("objects/root.pem"))->front().pem(),
            fixture("objects/root.pem"));
}

TEST(Certificate, RefusesWhatIsNotExactlyOne) {
  base::Bytes der = forge_root().certificate.der();
  der.push_back(0);
  EXPECT_EQ(Certificate::from_der(der).error().message, "more bytes follow the certificate");
  der.resize(der.size() / 2);
  EXPECT_EQ(Certificate::from_der(der).error().code, base::Code::kInvalidInput);
  EXPECT_EQ(Certificate::from_der({}).error().code, base::Code::kInvalidInput);
}

TEST(Certificate, RefusesAnExtensionThatDoesNotParse) {
  base::Bytes der = forge_root().certificate.der();
  const base::Bytes constraints = {0x30, 0x03, 0x01, 0x01, 0xff};  // SEQUENCE { TRUE }
  const auto found = std::search(der.begin(), der.end(), constraints.begin(), constraints.end());
  ASSERT_NE(found, der.end());
  *found = 0x04;  // OCTET STRING
  const auto result = Certificate::from_der(der);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, base::Code::kInvalidInput);
  EXPECT_THAT(result.error().message,
              ::testing::StartsWith("certificate: extension 'basicConstraints' does not parse"));
}

TEST(Certificate, SaysWhichBlockOfATextIsBad) {
  const std::string good = fixture("objects/root.pem");
  const std::string text = good + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const auto result = certificates_from_pem(text);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, base::Code::kInvalidInput);
  EXPECT_THAT(result.error().message,
              ::testing::StartsWith("certificate 2 (line 20): not a certificate"));
  EXPECT_EQ(certificates_from_pem("nothing").error().message, "no certificate found");
  EXPECT_EQ(certificates_from_pem(fixture("keys/ed25519.pem")).error().message,
            "no certificate found, but 'PRIVATE KEY'");
}

TEST(Certificate, KnowsWhoseSignatureItBears) {
  const auto root = forge_root();
  const auto other = forge_root();
  const auto east = forge(intermediate_forgery(), root);
  EXPECT_TRUE(root.certificate.is_signed_by(root.certificate));
  EXPECT_TRUE(east.certificate.is_signed_by(root.certificate));
  EXPECT_FALSE(east.certificate.is_signed_by(other.certificate));
  EXPECT_FALSE(east.certificate.is_signed_by(east.certificate));
}

TEST(Certificate, ShowsControlCharactersInNamesAsHex) {
  // Nobody may move the cursor of whoever inspects a certificate.
  const auto foreign = certificates_from_pem(fixture("objects/strange-name.pem"));
  ASSERT_TRUE(foreign);
  EXPECT_EQ(foreign->front().facts().subject, "OU=b\\,c+O=a\\1B[2J,CN=x\\=y");
}

TEST(Chain, IsInOrderWhenEachIsIssuedByTheNext) {
  const auto root = forge_root();
  const auto east = forge(intermediate_forgery(), root);
  const auto leaf = forge(leaf_forgery(), east);
  const std::vector<Certificate> good = {leaf.certificate, east.certificate, root.certificate};
  EXPECT_TRUE(check_order(good));
  EXPECT_TRUE(check_order({}));

  const std::vector<Certificate> reversed = {root.certificate, east.certificate};
  EXPECT_EQ(check_order(reversed).error().message,
            "certificate 1 'O=Forge,CN=Root' is followed by 'O=Forge,CN=east', wanted its issuer "
            "'O=Forge,CN=Root'");
  const std::vector<Certificate> namesake = {east.certificate, forge_root().certificate};
  EXPECT_EQ(check_order(namesake).error().message,
            "certificate 1 'O=Forge,CN=east' is followed by a certificate of its issuer's name, "
            "whose key did not sign it");
}

TEST(Chain, FindsTheIssuerAmongNamesakes) {
  const auto root = forge_root();
  const auto east = forge(intermediate_forgery(), root);
  const std::vector<Certificate> candidates = {forge_root().certificate, east.certificate,
                                               root.certificate};
  EXPECT_EQ(find_issuer(east.certificate, candidates), &candidates[2]);
  EXPECT_EQ(find_issuer(forge_root().certificate, candidates), nullptr);
}

TEST(Chain, MatchesAKeyWithItsCertificate) {
  const auto key = PrivateKey::from_pem(testing::secret_fixture("keys/rsa2048-pkcs1.pem"));
  const auto other = PrivateKey::from_pem(testing::secret_fixture("keys/p256-pkcs8.pem"));
  ASSERT_TRUE(key && other);
  const auto root = certificates_from_pem(fixture("objects/root.pem"))->front();
  EXPECT_TRUE(is_for_key(root, *key));
  EXPECT_FALSE(is_for_key(root, *other));
}

base::Secret pem_of(EVP_PKEY* key) {
  const Handle<BIO, BIO_free_all> text(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(text.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  const char* begin = nullptr;
  const long size = BIO_get_mem_data(text.get(), &begin);
  return base::Secret(std::string(begin, static_cast<std::size_t>(size)));
}

TEST(Chain, MatchesAKeyFileAsGoReadsIt) {
  const auto root = forge_root();
  EXPECT_TRUE(is_for_key(root.certificate, pem_of(root.key.get())).value());
  EXPECT_FALSE(is_for_key(root.certificate, pem_of(testing::ec_key().get())).value());
  const Pkey spelt(EVP_PKEY_dup(root.key.get()));
  EVP_PKEY_set_utf8_string_param(spelt.get(), OSSL_PKEY_PARAM_EC_ENCODING,
                                 OSSL_PKEY_EC_ENCODING_EXPLICIT);
  EXPECT_FALSE(is_for_key(root.certificate, pem_of(spelt.get())).value());
  EXPECT_FALSE(is_for_key(root.certificate, base::Secret("no key")));
}

TEST(Chain, TriesWhetherAKeyFileSigns) {
  const auto root = forge_root();
  EXPECT_TRUE(signs_for(root.certificate, pem_of(root.key.get())));
  EXPECT_FALSE(signs_for(root.certificate, pem_of(testing::ec_key().get())));
  EXPECT_FALSE(signs_for(root.certificate, base::Secret("no key")));
}

}  // namespace
}  // namespace meshtrust::pki
