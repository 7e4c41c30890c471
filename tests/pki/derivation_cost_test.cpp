#include "pki/derivation_cost.h"

#include "base/abandonable.h"
#include "pki/der.h"
#include "pki/handle.h"
#include "pki/inspect.h"
#include "pki/key.h"
#include "pki/pem.h"
#include "tests/pki/forge.h"
#include "tests/support/matchers.h"

#include <gmock/gmock.h>
#include <openssl/pkcs12.h>

#include <chrono>
#include <thread>

namespace meshtrust::pki {
namespace {

using base::Code;
using test::FailsWith;
using test::Succeeds;

struct Scrypt {
  std::uint64_t n;
  std::uint64_t r;
  std::uint64_t p;
};

ASN1_INTEGER* integer(std::uint64_t number) {
  ASN1_INTEGER* made = ASN1_INTEGER_new();
  ASN1_INTEGER_set_uint64(made, number);
  return made;
}

/// PBES2 with parameters that OpenSSL itself would not write.
Algorithm scrypt_algorithm(const Scrypt& wanted, int salt_bytes = 16) {
  Algorithm made(PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, salt_bytes, nullptr, 16, 1, 1));
  const void* value = nullptr;
  int type = 0;
  X509_ALGOR_get0(nullptr, &type, &value, made.get());
  const Pbe2Parameters pbes2(static_cast<PBE2PARAM*>(
      ASN1_item_unpack(static_cast<const ASN1_STRING*>(value), ASN1_ITEM_rptr(PBE2PARAM))));
  X509_ALGOR_get0(nullptr, &type, &value, pbes2->keyfunc);
  const Handle<SCRYPT_PARAMS, SCRYPT_PARAMS_free> scrypt(static_cast<SCRYPT_PARAMS*>(
      ASN1_item_unpack(static_cast<const ASN1_STRING*>(value), ASN1_ITEM_rptr(SCRYPT_PARAMS))));
  for (ASN1_INTEGER** each :
       {&scrypt->costParameter, &scrypt->blockSize, &scrypt->parallelizationParameter}) {
    ASN1_INTEGER_free(*each);
  }
  scrypt->costParameter = integer(wanted.n);
  scrypt->blockSize = integer(wanted.r);
  scrypt->parallelizationParameter = integer(wanted.p);
  X509_ALGOR_set0(pbes2->keyfunc, OBJ_nid2obj(NID_id_scrypt), V_ASN1_SEQUENCE,
                  ASN1_item_pack(scrypt.get(), ASN1_ITEM_rptr(SCRYPT_PARAMS), nullptr));
  X509_ALGOR_set0(made.get(), OBJ_nid2obj(NID_pbes2), V_ASN1_SEQUENCE,
                  ASN1_item_pack(pbes2.get(), ASN1_ITEM_rptr(PBE2PARAM), nullptr));
  return made;
}

Algorithm pbkdf2_algorithm(int rounds, int salt_bytes = 16) {
  return Algorithm(PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), rounds, nullptr, salt_bytes, nullptr,
                                     NID_hmacWithSHA512));
}

Algorithm old_algorithm(int scheme, int rounds) {
  return Algorithm(PKCS5_pbe_set(scheme, rounds, nullptr, 8));
}

/// An encrypted key that nobody ever made: what is in it does not matter.
std::string key_under(const X509_ALGOR* algorithm) {
  const Encrypted made(X509_SIG_new());
  X509_ALGOR* into = nullptr;
  ASN1_OCTET_STRING* content = nullptr;
  X509_SIG_getm(made.get(), &into, &content);
  X509_ALGOR_copy(into, algorithm);
  ASN1_OCTET_STRING_set(content, reinterpret_cast<const unsigned char*>("0123456789abcdef"), 16);
  return to_pem("ENCRYPTED PRIVATE KEY",
                to_der(i2d_X509_SIG, static_cast<const X509_SIG*>(made.get())));
}

struct Case {
  std::string what;
  Algorithm algorithm;
  std::string complaint;  ///< empty: within the bound
};

std::vector<Case> cases() {
  std::vector<Case> made;
  const auto add = [&made](std::string what, Algorithm algorithm, std::string complaint = {}) {
    made.push_back({std::move(what), std::move(algorithm), std::move(complaint)});
  };
  const std::string of = " where 16777216 are left of 16777216";
  add("our least", scrypt_algorithm({.n = 16384, .r = 8, .p = 5}));
  add("our usual", scrypt_algorithm({.n = 16384, .r = 8, .p = 32}));
  add("our most", scrypt_algorithm({.n = 16384, .r = 8, .p = 64}));
  add("hours", scrypt_algorithm({.n = 131072, .r = 1, .p = 131072}),
      "asks for scrypt with N=131072 r=1 p=131072 of key derivation, 17180917760 units of work" +
          of);
  add("gigabytes", scrypt_algorithm({.n = 1U << 24U, .r = 8, .p = 1}),
      "asks for scrypt with N=16777216 r=8 p=1, which takes 17179869184 bytes of memory, wanted at "
      "most 33554432 (what OpenSSL 3.0 allows)");
  add("more than can be counted", scrypt_algorithm({.n = UINT64_MAX, .r = UINT64_MAX, .p = 1}),
      "asks for scrypt with N=18446744073709551615 r=18446744073709551615 p=1, which takes more "
      "than 2^64 bytes of memory, wanted at most 33554432 (what OpenSSL 3.0 allows)");
  add("a long salt", scrypt_algorithm({.n = 16, .r = 1, .p = 1}, 2000),
      "the salt of its key derivation has 2000 bytes, wanted at most 1024");
  add("a salt that is hashed very often", scrypt_algorithm({.n = 2, .r = 1, .p = 262144}, 1024),
      "asks for scrypt with N=2 r=1 p=262144 of key derivation, 19398656 units of work" + of);
  add("OWASP's", pbkdf2_algorithm(1'300'000));
  add("eight million rounds", pbkdf2_algorithm(8'388'608));
  add("one more", pbkdf2_algorithm(8'388'609),
      "asks for 8388609 rounds of key derivation, 16777218 units of work" + of);
  add("the most", pbkdf2_algorithm(INT32_MAX),
      "asks for 2147483647 rounds of key derivation, 4294967294 units of work" + of);
  add("PBKDF2 with a long salt", pbkdf2_algorithm(1, 1025),
      "the salt of its key derivation has 1025 bytes, wanted at most 1024");
  add("PKCS#12's own", old_algorithm(NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 2048));
  add("too much of it", old_algorithm(NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 6'000'000),
      "asks for 6000000 rounds of key derivation, 18000000 units of work" + of);
  add("PBES1", old_algorithm(NID_pbeWithMD5AndDES_CBC, INT32_MAX),
      "asks for 2147483647 rounds of key derivation, 6442450941 units of work" + of);
  Algorithm hash(X509_ALGOR_new());
  X509_ALGOR_set_md(hash.get(), EVP_sha256());
  add("what is no encryption", std::move(hash),
      "its key derivation is 'SHA256', wanted scrypt, PBKDF2 or PKCS#12's own");
  return made;
}

TEST(DerivationCost, IsToldFromTheFileAndBounded) {
  for (const Case& each : cases()) {
    SCOPED_TRACE(each.what);
    ASSERT_NE(each.algorithm, nullptr);
    const auto taken = DerivationBudget().take(each.algorithm.get());
    if (each.complaint.empty()) {
      EXPECT_THAT(taken, Succeeds());
    } else {
      EXPECT_THAT(taken, FailsWith(Code::kInvalidInput, each.complaint));
    }
  }
}

TEST(DerivationCost, IsThatOfAllTheDerivationsOfAFile) {
  DerivationBudget budget;
  const Algorithm third = pbkdf2_algorithm(2'800'000);
  EXPECT_THAT(budget.take(third.get()), Succeeds());
  EXPECT_THAT(budget.take(third.get()), Succeeds());
  EXPECT_THAT(budget.take(third.get()),
              FailsWith(Code::kInvalidInput,
                        "asks for 2800000 rounds of key derivation, 5600000 units of work where "
                        "5577216 are left of 16777216"));
}

TEST(DerivationCost, OfAKeyFileIsRefusedBeforeAnythingIsDerived) {
  EXPECT_THAT(
      PrivateKey::decrypt(key_under(scrypt_algorithm({.n = 131072, .r = 1, .p = 131072}).get()),
                          base::Secret("fixture")),
      FailsWith(Code::kRefused,
                "asks for scrypt with N=131072 r=1 p=131072 of key derivation, 17180917760 units "
                "of work where 16777216 are left of 16777216"));
}

/// Long enough to be stopped in time, and not so long that a test waits for its end.
std::string dear_key() {
  return key_under(scrypt_algorithm({.n = 16384, .r = 8, .p = 10}).get());
}

TEST(DerivationCost, WithinTheBoundIsGivenUpWhenSomebodySaysStop) {
  base::Cancellation cancellation;
  std::thread person([&cancellation] { cancellation.cancel(); });
  const auto opened = PrivateKey::decrypt(dear_key(), base::Secret("fixture"), &cancellation);
  person.join();
  EXPECT_THAT(opened, FailsWith(Code::kCancelled, "interrupted"));
  const auto key = PrivateKey::from_pem(testing::secret_fixture("keys/p256-pkcs8.pem"));
  EXPECT_THAT(key->encrypt(base::Secret("fixture"), kLeastScryptP, &cancellation),
              FailsWith(Code::kCancelled, "interrupted"));
  while (base::is_abandoned_work_running())
    std::this_thread::yield();
}

}  // namespace
}  // namespace meshtrust::pki
