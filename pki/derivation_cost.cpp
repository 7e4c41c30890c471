#include "pki/derivation_cost.h"

#include "pki/handle.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pkcs12.h>

#include <algorithm>
#include <optional>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;
using base::Status;

using OldParameters = Handle<PBEPARAM, PBEPARAM_free>;
using Pbkdf2Parameters = Handle<PBKDF2PARAM, PBKDF2PARAM_free>;
using ScryptParameters = Handle<SCRYPT_PARAMS, SCRYPT_PARAMS_free>;

/// What OpenSSL gives scrypt.
constexpr std::uint64_t kMostMemory = 32U << 20U;
/// Salts are hashed too, and real ones have 8 to 64 bytes.
constexpr int kLongestSalt = 1024;
/// Hashed blocks that the longest output of a derivation takes: a key, with MD5.
constexpr std::uint64_t kBlocksOfKey = 2;
/// PKCS#12 derives a key of up to two blocks and an IV of one.
constexpr std::uint64_t kBlocksOfKeyAndIv = 3;

template <class Owner>
Owner unpack(const X509_ALGOR* algorithm, const ASN1_ITEM* item) {
  const void* value = nullptr;
  int type = 0;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  if (type != V_ASN1_SEQUENCE) return nullptr;
  Owner owner(static_cast<typename Owner::pointer>(
      ASN1_item_unpack(static_cast<const ASN1_STRING*>(value), item)));
  forget_openssl_errors();
  return owner;
}

const ASN1_OBJECT* object_of(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  return object;
}

/// Nothing for what is negative or has more than 64 bits.
std::optional<std::uint64_t> number_of(const ASN1_INTEGER* integer) {
  std::uint64_t number = 0;
  const bool read = integer != nullptr && ASN1_INTEGER_get_uint64(&number, integer) == 1;
  forget_openssl_errors();
  if (!read) return std::nullopt;
  return number;
}

Status unknown(const ASN1_OBJECT* object) {
  return fail(Code::kInvalidInput,
              fmt::format("its key derivation is '{}', wanted scrypt, PBKDF2 or PKCS#12's own",
                          object_text(object)));
}

Status unreadable() {
  return fail(Code::kInvalidInput, "the parameters of its key derivation do not parse");
}

/// PBES1 and PKCS#12's own are told by number, not by name: OpenSSL knows which it can do.
bool is_old_scheme(const ASN1_OBJECT* object) {
  int cipher = 0;
  int digest = 0;
  EVP_PBE_KEYGEN* derive = nullptr;
  return EVP_PBE_find(EVP_PBE_TYPE_OUTER, OBJ_obj2nid(object), &cipher, &digest, &derive) == 1;
}

std::uint64_t times(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

}  // namespace

Status DerivationBudget::take(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* scheme = object_of(algorithm);
  if (OBJ_obj2nid(scheme) == NID_pbes2) {
    const auto pbes2 = unpack<Pbe2Parameters>(algorithm, ASN1_ITEM_rptr(PBE2PARAM));
    if (!pbes2) return unreadable();
    const ASN1_OBJECT* derivation = object_of(pbes2->keyfunc);
    if (OBJ_obj2nid(derivation) == NID_id_scrypt) return take_scrypt(pbes2->keyfunc);
    if (OBJ_obj2nid(derivation) == NID_id_pbkdf2) return take_pbkdf2(pbes2->keyfunc);
    return unknown(derivation);
  }
  if (!is_old_scheme(scheme)) return unknown(scheme);
  const auto old = unpack<OldParameters>(algorithm, ASN1_ITEM_rptr(PBEPARAM));
  return old ? take_rounds(old->iter, old->salt, kBlocksOfKeyAndIv) : unreadable();
}

Status DerivationBudget::take_checksum(const ASN1_INTEGER* rounds, const ASN1_OCTET_STRING* salt) {
  if (rounds == nullptr) return take_work(1, "one round");
  return take_rounds(rounds, salt, 1);
}

Status DerivationBudget::take_pbkdf2(const X509_ALGOR* algorithm) {
  const auto pbkdf2 = unpack<Pbkdf2Parameters>(algorithm, ASN1_ITEM_rptr(PBKDF2PARAM));
  if (!pbkdf2) return unreadable();
  // Any other source of the salt is refused by OpenSSL.
  const ASN1_TYPE* salt = pbkdf2->salt;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-union-access): OpenSSL's form, type looked at
  const bool is_given = salt != nullptr && salt->type == V_ASN1_OCTET_STRING;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-union-access)
  return is_given ? take_rounds(pbkdf2->iter, salt->value.octet_string, kBlocksOfKey)
                  : unreadable();
}

Status DerivationBudget::take_rounds(const ASN1_INTEGER* rounds,
                                     const ASN1_OCTET_STRING* salt,
                                     std::uint64_t blocks) {
  if (ASN1_STRING_length(salt) > kLongestSalt) {
    return fail(Code::kInvalidInput,
                fmt::format("the salt of its key derivation has {} bytes, wanted at most {}",
                            ASN1_STRING_length(salt), kLongestSalt));
  }
  const auto count = number_of(rounds);
  if (!count || *count > INT32_MAX) {
    return take_work(UINT64_MAX, count ? fmt::format("{} rounds", *count) : "uncounted rounds");
  }
  return take_work(times(*count, blocks), fmt::format("{} rounds", *count));
}

Status DerivationBudget::take_scrypt(const X509_ALGOR* algorithm) {
  const auto scrypt = unpack<ScryptParameters>(algorithm, ASN1_ITEM_rptr(SCRYPT_PARAMS));
  if (!scrypt) return unreadable();
  const std::uint64_t n = number_of(scrypt->costParameter).value_or(UINT64_MAX);
  const std::uint64_t r = number_of(scrypt->blockSize).value_or(UINT64_MAX);
  const std::uint64_t p = number_of(scrypt->parallelizationParameter).value_or(UINT64_MAX);
  const std::string what = fmt::format("scrypt with N={} r={} p={}", n, r, p);
  constexpr std::uint64_t kBlockBytes = 128;
  // RFC 7914 6: p blocks stand beside the table of N.
  const std::uint64_t memory = times(times(kBlockBytes, r), std::max(n, p));
  if (memory > kMostMemory) {
    return fail(Code::kInvalidInput,
                fmt::format("asks for {}, which takes {} bytes of memory, wanted at most {} "
                            "(what OpenSSL 3.0 allows)",
                            what, memory == UINT64_MAX ? "more than 2^64" : fmt::to_string(memory),
                            kMostMemory));
  }
  if (ASN1_STRING_length(scrypt->salt) > kLongestSalt) {
    return fail(Code::kInvalidInput,
                fmt::format("the salt of its key derivation has {} bytes, wanted at most {}",
                            ASN1_STRING_length(scrypt->salt), kLongestSalt));
  }
  // Besides the table, PBKDF2 fills p blocks of 128 r bytes (four hashes each 32), salted each
  // time.
  constexpr std::uint64_t kHashesOfBlock = 4;
  const std::uint64_t salted =
      2 + static_cast<std::uint64_t>(ASN1_STRING_length(scrypt->salt)) / 64;
  return take_work(times(times(n, r), p) + times(times(r, p), kHashesOfBlock * salted), what);
}

Status DerivationBudget::take_work(std::uint64_t work, const std::string& what) {
  if (work <= left_) {
    left_ -= work;
    return {};
  }
  return fail(Code::kInvalidInput,
              fmt::format("asks for {} of key derivation, {} units of work where {} are left of {}",
                          what, work == UINT64_MAX ? "more than 2^64" : fmt::to_string(work), left_,
                          kMostDerivationWork),
              "have it encrypted anew with less: some seconds of work are enough");
}

}  // namespace meshtrust::pki
