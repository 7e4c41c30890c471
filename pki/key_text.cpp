#include "pki/key_text.h"

#include "base/abandonable.h"
#include "base/text.h"
#include "pki/der.h"
#include "pki/derivation_cost.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs12err.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

// OpenSSL 3.0 gives scrypt 32 MiB when it reads a key, which N=2^15 with r=8 would already exceed.
constexpr std::uint64_t kScryptN = 1U << 14U;
constexpr std::uint64_t kScryptR = 8;
constexpr int kSaltBytes = 16;

constexpr std::string_view kPkcs8 = "PRIVATE KEY";
constexpr std::string_view kPkcs1 = "RSA PRIVATE KEY";
constexpr std::string_view kSec1 = "EC PRIVATE KEY";
constexpr std::string_view kEncryptedPkcs8 = "ENCRYPTED PRIVATE KEY";

constexpr std::string_view kConvertHint =
    "convert it: openssl pkey -in KEY -out NEW (asks for the passphrase)";

/// Decodes keys of one algorithm. OpenSSL 3.0 needs ten times as long to find its decoders as to
/// decode a key, and EVP_PKCS82PKEY finds them anew each time.
class Pkcs8Decoder {
 public:
  explicit Pkcs8Decoder(const std::string& algorithm)
      : context_(OSSL_DECODER_CTX_new_for_pkey(&made_,
                                               "DER",
                                               "PrivateKeyInfo",
                                               algorithm.c_str(),
                                               EVP_PKEY_KEYPAIR,
                                               nullptr,
                                               nullptr)) {}

  Pkcs8Decoder(const Pkcs8Decoder&) = delete;
  Pkcs8Decoder(Pkcs8Decoder&&) = delete;
  Pkcs8Decoder& operator=(const Pkcs8Decoder&) = delete;
  Pkcs8Decoder& operator=(Pkcs8Decoder&&) = delete;
  ~Pkcs8Decoder() = default;

  /// Null for what is no such key.
  Pkey decode(base::ByteView der) {
    const unsigned char* next = der.data();
    std::size_t left = der.size();
    const bool decoded =
        context_ && OSSL_DECODER_from_data(context_.get(), &next, &left) == 1 && left == 0;
    Pkey key(std::exchange(made_, nullptr));
    return decoded ? std::move(key) : nullptr;
  }

 private:
  EVP_PKEY* made_ = nullptr;
  Handle<OSSL_DECODER_CTX, OSSL_DECODER_CTX_free> context_;  // writes to `made_`
};

Pkey key_from_pkcs8(base::ByteView der) {
  const unsigned char* next = der.data();
  const Pkcs8 info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &next, static_cast<long>(der.size())));
  if (!info || next != der.data() + der.size()) return nullptr;
  const ASN1_OBJECT* algorithm = nullptr;
  PKCS8_pkey_get0(&algorithm, nullptr, nullptr, nullptr, info.get());
  if (OBJ_obj2nid(algorithm) != NID_undef) {
    thread_local std::map<std::string, Pkcs8Decoder> decoders;
    const std::string name = dotted_text(algorithm);
    if (Pkey key = decoders.try_emplace(name, name).first->second.decode(der)) return key;
  }
  return Pkey(EVP_PKCS82PKEY(info.get()));
}

Pkey key_from_own_form(int type, base::ByteView der) {
  const unsigned char* next = der.data();
  Pkey key(d2i_PrivateKey(type, nullptr, &next, static_cast<long>(der.size())));
  return next == der.data() + der.size() ? std::move(key) : nullptr;
}

Pkey key_in(std::string_view label, base::ByteView der) {
  if (label == kPkcs8) return key_from_pkcs8(der);
  return key_from_own_form(label == kPkcs1 ? EVP_PKEY_RSA : EVP_PKEY_EC, der);
}

/// Why a block is not a key in clear: what was found, and how to get what is wanted.
base::Error not_a_clear_key(const PemBlock& block) {
  base::Error error{.code = Code::kInvalidInput, .message = {}};
  if (block.label == kEncryptedPkcs8 || block.has_headers) {
    error.message = "the private key is encrypted, wanted one in clear";
    error.hints.emplace_back(kConvertHint);
  } else if (block.label == "EC PARAMETERS") {
    error.message = "'EC PARAMETERS' stand before the private key, wanted the key first";
    error.hints.emplace_back("convert it: openssl pkey -in KEY -out NEW");
  } else {
    error.message = "found '" + base::printable(block.label, 60) +
                    "', wanted 'PRIVATE KEY', 'RSA PRIVATE KEY' or 'EC PRIVATE KEY'";
  }
  return error;
}

/// Go reads exponents below 2^31, BoringSSL and ring below 2^33; ring signs with none below 65537.
base::Status check_exponent(const EVP_PKEY& key) {
  constexpr BN_ULONG kLeast = 65537;
  constexpr int kMostBits = 31;
  BIGNUM* found = nullptr;
  if (EVP_PKEY_get_bn_param(&key, OSSL_PKEY_PARAM_RSA_E, &found) != 1) {
    return fail(openssl_error(Code::kInvalidInput, "reading the exponent of an RSA key"));
  }
  const BigNumber exponent(found);
  const int bits = BN_num_bits(found);
  if (BN_is_odd(found) == 1 && bits <= kMostBits && BN_get_word(found) >= kLeast) return {};
  const std::string what = bits <= kMostBits ? fmt::format("is {}", BN_get_word(found))
                                             : fmt::format("has {} bits", bits);
  return fail(Code::kInvalidInput,
              fmt::format("the exponent of the RSA key {}, wanted an odd number from 65537 to 31 "
                          "bits",
                          what),
              "make a new key: every tool of today takes 65537 unless it is told otherwise");
}

/// What is cheap to tell of the numbers themselves: an RSA modulus without small factors that is no
/// prime nor the power of one, a point that is on its curve (SP 800-56B 6.4.2.1,
/// 800-56A 5.6.2.3.3).
base::Status check_numbers(const EVP_PKEY& key) {
  const PkeyContext context(EVP_PKEY_CTX_new(const_cast<EVP_PKEY*>(&key), nullptr));  // NOLINT
  const bool good = context && EVP_PKEY_public_check(context.get()) == 1;
  forget_openssl_errors();
  if (good) return {};
  return fail(Code::kInvalidInput,
              EVP_PKEY_is_a(&key, "RSA") == 1
                  ? "the modulus of the RSA key has a small factor or is no product of two primes"
                  : "the point of the key is not on its curve",
              "make a new key");
}

/// scrypt or PBKDF2 under PBES2 with a cipher that OpenSSL knows: then a failure to open is the
/// passphrase's.
bool is_known_pbes2(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  const void* parameters = nullptr;
  int type = 0;
  X509_ALGOR_get0(&object, &type, &parameters, algorithm);
  if (OBJ_obj2nid(object) != NID_pbes2 || type != V_ASN1_SEQUENCE) return false;
  const Pbe2Parameters pbes2(static_cast<PBE2PARAM*>(
      ASN1_item_unpack(static_cast<const ASN1_STRING*>(parameters), ASN1_ITEM_rptr(PBE2PARAM))));
  if (!pbes2) return false;
  const int derivation = OBJ_obj2nid(pbes2->keyfunc->algorithm);
  return (derivation == NID_id_scrypt || derivation == NID_id_pbkdf2) &&
         EVP_get_cipherbyobj(pbes2->encryption->algorithm) != nullptr;
}

/// What a wrong passphrase does: the padding or, once in 256 times, the structure is wrong. Other
/// reasons (parameters that cannot be used) are none of the passphrase.
bool was_the_passphrase() {
  const unsigned long last = ERR_peek_last_error();
  return ERR_GET_LIB(last) == ERR_LIB_PKCS12 &&
         (ERR_GET_REASON(last) == PKCS12_R_PKCS12_CIPHERFINAL_ERROR ||
          ERR_GET_REASON(last) == PKCS12_R_DECODE_ERROR);
}

base::Result<Encrypted> read_encrypted(std::string_view pem) {
  MESHTRUST_TRY(const std::vector<PemBlock> blocks, pem_blocks(pem));
  if (blocks.empty() || blocks.front().label != kEncryptedPkcs8) {
    return fail(Code::kCorrupt, "found no 'ENCRYPTED PRIVATE KEY'");
  }
  MESHTRUST_TRY(const base::Bytes der, decode(blocks.front()));
  const unsigned char* next = der.data();
  Encrypted encrypted(d2i_X509_SIG(nullptr, &next, static_cast<long>(der.size())));
  if (!encrypted || next != der.data() + der.size()) {
    forget_openssl_errors();
    return fail(Code::kCorrupt, "the encrypted private key is not PKCS#8");
  }
  return encrypted;
}

base::Result<std::string> encrypt_key(PKCS8_PRIV_KEY_INFO& info,
                                      const base::Secret& passphrase,
                                      unsigned scrypt_p) {
  Algorithm algorithm(PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, kSaltBytes, nullptr,
                                            kScryptN, kScryptR, scrypt_p));
  if (!algorithm) return fail(openssl_error(Code::kInternal, "encrypting a key"));
  const std::string_view words = base::reveal(passphrase, "OpenSSL's scrypt, to encrypt a key");
  const Encrypted encrypted(
      PKCS8_set0_pbe(words.data(), static_cast<int>(words.size()), &info, algorithm.get()));
  if (!encrypted) return fail(openssl_error(Code::kInternal, "encrypting a key"));
  algorithm.release();  // NOLINT(bugprone-unused-return-value): `encrypted` owns it now
  return to_pem(kEncryptedPkcs8,
                to_der(i2d_X509_SIG, static_cast<const X509_SIG*>(encrypted.get())));
}

base::Result<Pkey> decrypt_key(const X509_SIG& encrypted, const base::Secret& passphrase) {
  const std::string_view words =
      base::reveal(passphrase, "OpenSSL's key derivation, to open a key");
  const Pkcs8 info(PKCS8_decrypt(&encrypted, words.data(), static_cast<int>(words.size())));
  if (!info && was_the_passphrase()) {
    forget_openssl_errors();
    return fail(Code::kInvalidInput, "wrong passphrase", "give the passphrase of this very key");
  }
  if (!info) return fail(openssl_error(Code::kCorrupt, "the private key cannot be decrypted"));
  Pkey key(EVP_PKCS82PKEY(info.get()));
  if (!key) return fail(openssl_error(Code::kCorrupt, "the decrypted private key does not parse"));
  return key;
}

}  // namespace

bool has_named_curve(const EVP_PKEY& key) {
  std::array<char, 32> encoding{};
  const int got = EVP_PKEY_get_utf8_string_param(&key, OSSL_PKEY_PARAM_EC_ENCODING, encoding.data(),
                                                 encoding.size(), nullptr);
  forget_openssl_errors();
  return got == 1 && std::string_view(encoding.data()) == OSSL_PKEY_EC_ENCODING_GROUP;
}

bool is_clear_key(const PemBlock& block) {
  return !block.has_headers &&
         (block.label == kPkcs8 || block.label == kPkcs1 || block.label == kSec1);
}

base::Result<Pkey> read_clear_key(const PemBlock& block) {
  if (!is_clear_key(block)) return fail(not_a_clear_key(block));
  MESHTRUST_TRY(const base::Secret der, decode_secret(block));
  const base::ByteView bytes = base::reveal_bytes(der, "OpenSSL's parser, to become a key");
  Pkey key = key_in(block.label, bytes);
  forget_openssl_errors();
  if (!key) return fail(Code::kInvalidInput, "the private key does not parse");
  return key;
}

base::Result<Pkey> read_clear_key(const base::Secret& pem) {
  MESHTRUST_TRY(const std::vector<PemBlock> blocks,
                pem_blocks(base::reveal(pem, "a key's PEM, to be cut into blocks")));
  if (blocks.empty()) {
    return fail(Code::kInvalidInput, "found no pem block, wanted a private key");
  }
  return read_clear_key(blocks.front());
}

ClearKey clear_key_from_der(base::ByteView der) {
  for (const std::string_view label : {kPkcs8, kPkcs1, kSec1}) {
    Pkey key = key_in(label, der);
    forget_openssl_errors();
    if (key) return {.key = std::move(key), .label = label};
  }
  return {};
}

base::Result<KeyAlgorithm> usable_algorithm(const EVP_PKEY& key) {
  const std::string type = key_type_of(&key);
  const auto algorithm = key_algorithm_from_name(type);
  if (!algorithm) {
    return fail(
        Code::kInvalidInput,
        "the key is '" + type + "', wanted rsa-2048, rsa-3072, rsa-4096, ecdsa-p256 or ecdsa-p384");
  }
  if (EVP_PKEY_is_a(&key, "EC") == 1 && !has_named_curve(key)) {
    return fail(Code::kInvalidInput,
                "the key spells out the parameters of its curve, wanted the curve by name",
                "convert it: openssl ec -in KEY -param_enc named_curve -out NEW");
  }
  if (EVP_PKEY_is_a(&key, "RSA") == 1) MESHTRUST_TRY_DO(check_exponent(key));
  MESHTRUST_TRY_DO(check_numbers(key));
  return *algorithm;
}

base::Result<base::Secret> write_clear_key(const EVP_PKEY& key) {
  const Pkcs8 info(EVP_PKEY2PKCS8(&key));  // wiped by OpenSSL when freed
  if (!info) return fail(openssl_error(Code::kInternal, "encoding a key"));
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info.get(), nullptr);
  if (size <= 0) return fail(openssl_error(Code::kInternal, "encoding a key"));
  base::Secret der = base::Secret::of_size(static_cast<std::size_t>(size));
  unsigned char* out = der.writable().data();
  i2d_PKCS8_PRIV_KEY_INFO(info.get(), &out);
  return to_secret_pem(kPkcs8, der);
}

base::Result<std::string> write_encrypted_key(const EVP_PKEY& key,
                                              const base::Secret& passphrase,
                                              unsigned scrypt_p,
                                              const base::Cancellation* cancellation) {
  if (passphrase.empty()) return fail(Code::kInvalidInput, "the passphrase is empty");
  const std::shared_ptr<PKCS8_PRIV_KEY_INFO> info = Pkcs8(EVP_PKEY2PKCS8(&key));
  if (!info) return fail(openssl_error(Code::kInternal, "encrypting a key"));
  const auto words = std::make_shared<base::Secret>(passphrase.clone());
  return base::run_abandonably<std::string>(
      cancellation, [info, words, scrypt_p] { return encrypt_key(*info, *words, scrypt_p); });
}

base::Result<Pkey> open_encrypted_key(std::string_view pem,
                                      const base::Secret& passphrase,
                                      const base::Cancellation* cancellation) {
  auto read = read_encrypted(pem);
  if (!read) {
    // Whatever is wrong with the text, it is ours and was written whole.
    read.error().code = Code::kCorrupt;
    return fail(std::move(read).error());
  }
  const std::shared_ptr<X509_SIG> encrypted = *std::move(read);
  const X509_ALGOR* algorithm = nullptr;
  X509_SIG_get0(encrypted.get(), &algorithm, nullptr);
  if (!is_known_pbes2(algorithm)) {
    forget_openssl_errors();
    return fail(Code::kCorrupt, "the private key is not encrypted with PBES2");
  }
  if (const auto affordable = DerivationBudget().take(algorithm); !affordable) {
    base::Error error = affordable.error();
    error.code = Code::kRefused;
    return fail(std::move(error));
  }
  const auto words = std::make_shared<base::Secret>(passphrase.clone());
  return base::run_abandonably<Pkey>(
      cancellation, [encrypted, words] { return decrypt_key(*encrypted, *words); });
}

}  // namespace meshtrust::pki
