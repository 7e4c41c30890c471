#include "pki/key.h"

#include "base/encoding.h"
#include "pki/der.h"
#include "pki/handle.h"
#include "pki/key_text.h"
#include "pki/pem.h"
#include "tests/pki/forge.h"

#include <botan/auto_rng.h>
#include <botan/data_src.h>
#include <botan/pkcs8.h>
#include <botan/pubkey.h>
#include <botan/x509_key.h>
#include <gmock/gmock.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <map>
#include <memory>

namespace meshtrust::pki {
namespace {

using testing::fixture;
using ::testing::HasSubstr;
using testing::secret_fixture;
using ::testing::StartsWith;

std::string text_of_key(const PrivateKey& key) {
  return std::string(base::reveal(*key.to_pem(), "test"));
}

TEST(KeyAlgorithm, HasANameThatLeadsBackToIt) {
  for (const KeyAlgorithm algorithm : all_key_algorithms()) {
    EXPECT_EQ(key_algorithm_from_name(name_of(algorithm)), algorithm);
  }
  EXPECT_EQ(key_algorithm_from_name("ed25519"), std::nullopt);
}

/// A key a kind for all tests: a large RSA key takes seconds to make.
class EveryAlgorithm : public ::testing::TestWithParam<KeyAlgorithm> {
 protected:
  static const PrivateKey& a_key() {
    static std::map<KeyAlgorithm, PrivateKey> keys;
    const auto found = keys.find(GetParam());
    if (found != keys.end()) return found->second;
    auto key = PrivateKey::generate(GetParam());
    MESHTRUST_CHECK(key.has_value());
    return keys.emplace(GetParam(), *std::move(key)).first->second;
  }
};

TEST_P(EveryAlgorithm, SurvivesClearAndEncryptedText) {
  const PrivateKey& key = a_key();
  EXPECT_EQ(key.algorithm(), GetParam());

  const auto clear = key.to_pem();
  ASSERT_TRUE(clear);
  const auto again = PrivateKey::from_pem(*clear);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->algorithm(), GetParam());
  EXPECT_EQ(again->public_key(), key.public_key());
  EXPECT_EQ(text_of_key(*again), text_of_key(key));

  const base::Secret passphrase("correct horse");
  const auto encrypted = key.encrypt(passphrase, 1);
  ASSERT_TRUE(encrypted);
  const auto opened = PrivateKey::decrypt(*encrypted, passphrase);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->public_key(), key.public_key());
}

TEST_P(EveryAlgorithm, IsReadByBotanInClearAndEncrypted) {
  const PrivateKey& key = a_key();
  Botan::DataSource_Memory clear(text_of_key(key));
  EXPECT_EQ(Botan::PKCS8::load_key(clear)->subject_public_key(), key.public_key());

  Botan::DataSource_Memory encrypted(*key.encrypt(base::Secret("pass"), 1));
  EXPECT_EQ(Botan::PKCS8::load_key(encrypted, std::string("pass"))->subject_public_key(),
            key.public_key());
}

TEST_P(EveryAlgorithm, SignsWhatBotanVerifies) {
  const PrivateKey& key = a_key();
  const auto message = base::as_bytes("to be signed");
  const auto signature = key.sign(message);
  ASSERT_TRUE(signature);

  const std::unique_ptr<Botan::Public_Key> public_key(Botan::X509::load_key(key.public_key()));
  const bool rsa = name_of(GetParam()).substr(0, 3) == "rsa";
  const std::string padding = rsa                                      ? "EMSA3(SHA-256)"
                              : GetParam() == KeyAlgorithm::kEcdsaP384 ? "EMSA1(SHA-384)"
                                                                       : "EMSA1(SHA-256)";
  Botan::PK_Verifier verifier(*public_key, padding, rsa ? Botan::IEEE_1363 : Botan::DER_SEQUENCE);
  EXPECT_TRUE(verifier.verify_message(message.data(), message.size(), signature->data(),
                                      signature->size()));
}

INSTANTIATE_TEST_SUITE_P(Key,
                         EveryAlgorithm,
                         ::testing::ValuesIn(all_key_algorithms().begin(),
                                             all_key_algorithms().end()),
                         [](const auto& test) {
                           std::string name(name_of(test.param));
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(PrivateKey, ReadsAllThreeClearFormsAsTheSameKey) {
  const auto pkcs8 = PrivateKey::from_pem(secret_fixture("keys/p256-pkcs8.pem"));
  const auto sec1 = PrivateKey::from_pem(secret_fixture("keys/p256-sec1.pem"));
  ASSERT_TRUE(pkcs8 && sec1);
  EXPECT_EQ(text_of_key(*pkcs8), text_of_key(*sec1));
  const auto rsa8 = PrivateKey::from_pem(secret_fixture("keys/rsa2048-pkcs8.pem"));
  const auto rsa1 = PrivateKey::from_pem(secret_fixture("keys/rsa2048-pkcs1.pem"));
  ASSERT_TRUE(rsa8 && rsa1);
  EXPECT_EQ(text_of_key(*rsa8), text_of_key(*rsa1));
}

TEST(PrivateKey, WritesByteForByteWhatOpensslWrites) {
  for (const char* name :
       {"keys/p256-pkcs8.pem", "keys/p384-pkcs8.pem", "keys/rsa2048-pkcs8.pem"}) {
    const auto key = PrivateKey::from_pem(secret_fixture(name));
    ASSERT_TRUE(key) << name;
    EXPECT_EQ(text_of_key(*key), fixture(name));
  }
}

struct BadKey {
  std::string file;
  std::string message;
};

class BadKeys : public ::testing::TestWithParam<BadKey> {};

TEST_P(BadKeys, AreRefusedWithTheReason) {
  const auto key = PrivateKey::from_pem(secret_fixture(GetParam().file));
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, base::Code::kInvalidInput);
  EXPECT_EQ(key.error().message, GetParam().message);
}

constexpr const char* kWantedKinds =
    "', wanted rsa-2048, rsa-3072, rsa-4096, ecdsa-p256 or ecdsa-p384";

INSTANTIATE_TEST_SUITE_P(
    Key,
    BadKeys,
    ::testing::Values(
        BadKey{"keys/p256-pbkdf2.pem", "the private key is encrypted, wanted one in clear"},
        BadKey{"keys/rsa2048-legacy-encrypted.pem",
               "the private key is encrypted, wanted one in clear"},
        BadKey{"keys/p256-parameters-first.pem",
               "'EC PARAMETERS' stand before the private key, wanted the key first"},
        BadKey{"keys/p256-explicit.pem",
               "the key spells out the parameters of its curve, wanted the curve by name"},
        BadKey{"keys/ed25519.pem", std::string("the key is 'ed25519") + kWantedKinds},
        BadKey{"keys/p521-pkcs8.pem", std::string("the key is 'ecdsa-p521") + kWantedKinds},
        BadKey{"keys/rsa1024.pem", std::string("the key is 'rsa-1024") + kWantedKinds},
        BadKey{"objects/root.pem",
               "found 'CERTIFICATE', wanted 'PRIVATE KEY', 'RSA PRIVATE KEY' or 'EC PRIVATE KEY'"},
        BadKey{"README.md", "found no pem block, wanted a private key"}));

TEST(PrivateKey, RefusesBytesThatAreNoKeyOrMoreThanOne) {
  const std::string good = fixture("keys/p256-pkcs8.pem");
  const auto blocks = pem_blocks(good);
  base::Bytes der = *decode(blocks->front());
  der.push_back(0);
  for (const base::Bytes& bytes : {der, base::Bytes{1, 2, 3}, base::Bytes{}}) {
    for (const char* label : {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"}) {
      const auto key = PrivateKey::from_pem(base::Secret(to_pem(label, bytes)));
      ASSERT_FALSE(key);
      EXPECT_EQ(key.error().message, "the private key does not parse");
    }
  }
}

TEST(PrivateKey, EncryptsWithScryptAndAes) {
  const auto key = PrivateKey::from_pem(secret_fixture("keys/p256-pkcs8.pem"));
  const std::string pem = *key->encrypt(base::Secret("pass"));
  EXPECT_THAT(pem, StartsWith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
  const std::string hex = base::to_hex(*decode(pem_blocks(pem)->front()));
  EXPECT_THAT(hex, HasSubstr("06092b06010401da47040b"));  // scrypt
  EXPECT_THAT(hex, HasSubstr("02024000020108020120"));    // N=16384, r=8, p=32
  EXPECT_THAT(hex, HasSubstr("060960864801650304012a"));  // aes-256-cbc
  EXPECT_NE(*key->encrypt(base::Secret("pass"), 1),
            *key->encrypt(base::Secret("pass"), 1));  // salt and IV are fresh
  EXPECT_EQ(key->encrypt(base::Secret()).error().message, "the passphrase is empty");
}

TEST(PrivateKey, TellsAWrongPassphraseFromAThingThatIsNoKey) {
  const auto key = PrivateKey::from_pem(secret_fixture("keys/p256-pkcs8.pem"));
  const std::string pem = *key->encrypt(base::Secret("right"), 1);
  // A wrong passphrase gives good padding once in about 256 times: PBKDF2 is quick enough to meet
  // it.
  const std::string quick = fixture("keys/p256-pbkdf2.pem");
  EXPECT_TRUE(PrivateKey::decrypt(quick, base::Secret("fixture")));
  for (int i = 0; i < 600; ++i) {
    const auto opened = PrivateKey::decrypt(quick, base::Secret("wrong" + std::to_string(i)));
    ASSERT_FALSE(opened);
    ASSERT_EQ(opened.error().code, base::Code::kInvalidInput) << i << opened.error().message;
    ASSERT_EQ(opened.error().message, "wrong passphrase");
  }
  const auto wrong = PrivateKey::decrypt(pem, base::Secret("wrong"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, base::Code::kInvalidInput);
  EXPECT_EQ(wrong.error().message, "wrong passphrase");
  EXPECT_EQ(wrong.error().hints,
            (std::vector<std::string>{"give the passphrase of this very key"}));
}

base::Bytes public_key_of(const testing::Key& key) {
  return to_der(i2d_PUBKEY, static_cast<const EVP_PKEY*>(key.get()));
}

/// An RSA public key of 2048 bits whose modulus is `factor` times an odd number.
base::Bytes rsa_with_factor(unsigned factor) {
  const BigNumber modulus(BN_new());
  BN_set_bit(modulus.get(), 2047);
  BN_add_word(modulus.get(), 1);
  while (BN_mod_word(modulus.get(), factor) != 0)
    BN_add_word(modulus.get(), 2);
  const Handle<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_ulong(builder.get(), OSSL_PKEY_PARAM_RSA_E, 65537);
  const Handle<OSSL_PARAM, OSSL_PARAM_free> parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  EVP_PKEY_fromdata_init(context.get());
  MESHTRUST_CHECK(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) ==
                  1);
  return public_key_of(testing::Key(key, EVP_PKEY_free));
}

struct Strange {
  std::string what;
  base::Bytes public_key;
  std::string message;
};

TEST(KeyOfAuthority, IsOneThatEveryToolSignsAndVerifiesWith) {
  for (const KeyAlgorithm algorithm : {KeyAlgorithm::kRsa2048, KeyAlgorithm::kEcdsaP256}) {
    EXPECT_TRUE(check_key_of_authority(PrivateKey::generate(algorithm)->public_key()));
  }
  const std::string exponent = "the exponent of the RSA key ";
  const std::string wanted = ", wanted an odd number from 65537 to 31 bits";
  const std::string factor =
      "the modulus of the RSA key has a small factor or is no product of two primes";
  const auto rsa = [](std::string_view number) {
    return public_key_of(testing::rsa_key_with_exponent(number));
  };
  const base::Bytes good = public_key_of(testing::ec_key());
  base::Bytes off_curve = good;
  off_curve.back() ^= 1U;
  const Strange cases[] = {
      {"1", rsa("1"), exponent + "is 1" + wanted},
      {"3", rsa("3"), exponent + "is 3" + wanted},
      {"17", rsa("17"), exponent + "is 17" + wanted},
      {"32 bits", rsa("4294967297"), exponent + "has 33 bits" + wanted},
      {"a factor of 3", rsa_with_factor(3), factor},
      {"a factor of 751", rsa_with_factor(751), factor},
      {"ed25519", public_key_of(testing::ed25519_key()),
       std::string("the key is 'ed25519") + kWantedKinds},
      {"P-521", public_key_of(testing::ec_key("P-521")),
       std::string("the key is 'ecdsa-p521") + kWantedKinds},
      {"secp256k1", public_key_of(testing::ec_key("secp256k1")),
       std::string("the key is 'ecdsa-secp256k1") + kWantedKinds},
      {"rsa-1024", public_key_of(testing::rsa_key(1024)),
       std::string("the key is 'rsa-1024") + kWantedKinds},
      {"off its curve", off_curve, "the public key does not parse"},
      {"nothing", {}, "the public key does not parse"},
  };
  for (const Strange& each : cases) {
    const auto checked = check_key_of_authority(each.public_key);
    ASSERT_FALSE(checked) << each.what;
    EXPECT_EQ(checked.error().code, base::Code::kInvalidInput) << each.what;
    EXPECT_EQ(checked.error().message, each.message) << each.what;
  }
}

TEST(PrivateKey, WithTheExponentThreeIsNotTaken) {
  const auto made = testing::rsa_key_with_exponent("3");
  const auto key = PrivateKey::from_pem(*write_clear_key(*made));
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().message,
            "the exponent of the RSA key is 3, wanted an odd number from 65537 to 31 bits");
}

struct Garbage {
  std::string pem;
  std::string message;
};

TEST(PrivateKey, CallsGarbageCorrupt) {
  const std::string cut = fixture("keys/p256-pbkdf2.pem").substr(0, 100);
  for (const Garbage& garbage :
       {Garbage{"", "found no 'ENCRYPTED PRIVATE KEY'"},
        Garbage{"rubbish", "found no 'ENCRYPTED PRIVATE KEY'"},
        Garbage{fixture("keys/p256-pkcs8.pem"), "found no 'ENCRYPTED PRIVATE KEY'"},
        Garbage{to_pem("ENCRYPTED PRIVATE KEY", base::as_bytes("rubbish")),
                "the encrypted private key is not PKCS#8"},
        Garbage{fixture("keys/p256-pbes1.pem"), "the private key is not encrypted with PBES2"},
        Garbage{cut, "pem block 'ENCRYPTED PRIVATE KEY' of line 1 has no end line"}}) {
    const auto key = PrivateKey::decrypt(garbage.pem, base::Secret("fixture"));
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, base::Code::kCorrupt);
    EXPECT_EQ(key.error().message, garbage.message);
  }
}

TEST(PrivateKey, NeverLeaksTheTextOfAKeyIntoAMessage) {
  std::string pem = fixture("keys/p256-pkcs8.pem");
  pem[40] = '*';
  const auto key = PrivateKey::from_pem(base::Secret(pem));
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().message, "pem block 'PRIVATE KEY' of line 1 is not base64");
}

}  // namespace
}  // namespace meshtrust::pki
