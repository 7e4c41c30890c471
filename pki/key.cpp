#include "pki/key.h"

#include "base/encoding.h"
#include "pki/der.h"
#include "pki/handle.h"
#include "pki/key_text.h"
#include "pki/openssl_error.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

struct AlgorithmRow {
  KeyAlgorithm algorithm;
  std::string_view name;
  unsigned rsa_bits;  ///< 0 for the curves
  const char* curve;  ///< null for RSA
};
constexpr std::array kAlgorithms = {
    AlgorithmRow{KeyAlgorithm::kRsa2048, "rsa-2048", 2048, nullptr},
    AlgorithmRow{KeyAlgorithm::kRsa3072, "rsa-3072", 3072, nullptr},
    AlgorithmRow{KeyAlgorithm::kRsa4096, "rsa-4096", 4096, nullptr},
    AlgorithmRow{KeyAlgorithm::kEcdsaP256, "ecdsa-p256", 0, "P-256"},
    AlgorithmRow{KeyAlgorithm::kEcdsaP384, "ecdsa-p384", 0, "P-384"}};
constexpr std::array kAllAlgorithms = {KeyAlgorithm::kRsa2048, KeyAlgorithm::kRsa3072,
                                       KeyAlgorithm::kRsa4096, KeyAlgorithm::kEcdsaP256,
                                       KeyAlgorithm::kEcdsaP384};

const AlgorithmRow& row_of(KeyAlgorithm algorithm) {
  const auto* const row = std::ranges::find(kAlgorithms, algorithm, &AlgorithmRow::algorithm);
  MESHTRUST_CHECK(row != kAlgorithms.end());
  return *row;
}

}  // namespace

std::string_view name_of(KeyAlgorithm algorithm) {
  return row_of(algorithm).name;
}

std::optional<KeyAlgorithm> key_algorithm_from_name(std::string_view name) {
  const auto* const row = std::ranges::find(kAlgorithms, name, &AlgorithmRow::name);
  if (row == kAlgorithms.end()) return std::nullopt;
  return row->algorithm;
}

std::span<const KeyAlgorithm> all_key_algorithms() {
  return kAllAlgorithms;
}

base::Result<base::Bytes> public_key_of(const base::Secret& pem) {
  MESHTRUST_TRY(const Pkey key, read_clear_key(pem));
  return to_der(i2d_PUBKEY, static_cast<const EVP_PKEY*>(key.get()));
}

base::Status check_key_of_authority(base::ByteView public_key) {
  const unsigned char* next = public_key.data();
  const Pkey key(d2i_PUBKEY(nullptr, &next, static_cast<long>(public_key.size())));
  forget_openssl_errors();
  if (!key || next != public_key.data() + public_key.size()) {
    return fail(Code::kInvalidInput, "the public key does not parse");
  }
  MESHTRUST_TRY_DO(usable_algorithm(*key));
  return {};
}

std::string key_id(base::ByteView public_key) {
  return base::to_hex(base::sha256(public_key));
}

void PrivateKey::Free::operator()(EVP_PKEY* key) const noexcept {
  EVP_PKEY_free(key);
}

PrivateKey::PrivateKey(EVP_PKEY* key, KeyAlgorithm algorithm) : key_(key), algorithm_(algorithm) {}
PrivateKey::PrivateKey(PrivateKey&&) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&&) noexcept = default;
PrivateKey::~PrivateKey() = default;

base::Result<PrivateKey> PrivateKey::generate(KeyAlgorithm algorithm) {
  const AlgorithmRow& row = row_of(algorithm);
  // Both write a curve by its name when encoded, as every consumer of the mesh wants it.
  EVP_PKEY* key = row.curve != nullptr ? EVP_EC_gen(row.curve) : EVP_RSA_gen(row.rsa_bits);
  if (key == nullptr) {
    return fail(openssl_error(Code::kInternal, "generating a key of " + std::string(row.name)));
  }
  return PrivateKey(key, algorithm);
}

base::Result<PrivateKey> PrivateKey::from_pem(const base::Secret& pem) {
  MESHTRUST_TRY(Pkey key, read_clear_key(pem));
  MESHTRUST_TRY(const KeyAlgorithm algorithm, usable_algorithm(*key));
  return PrivateKey(key.release(), algorithm);
}

base::Result<PrivateKey> PrivateKey::decrypt(std::string_view pem,
                                             const base::Secret& passphrase,
                                             const base::Cancellation* cancellation) {
  MESHTRUST_TRY(Pkey key, open_encrypted_key(pem, passphrase, cancellation));
  MESHTRUST_TRY(const KeyAlgorithm algorithm, usable_algorithm(*key));
  return PrivateKey(key.release(), algorithm);
}

base::Result<base::Secret> PrivateKey::to_pem() const {
  return write_clear_key(*key_);
}

base::Result<std::string> PrivateKey::encrypt(const base::Secret& passphrase,
                                              unsigned scrypt_p,
                                              const base::Cancellation* cancellation) const {
  return write_encrypted_key(*key_, passphrase, scrypt_p, cancellation);
}

KeyAlgorithm PrivateKey::algorithm() const {
  return algorithm_;
}

base::Bytes PrivateKey::public_key() const {
  return to_der(i2d_PUBKEY, static_cast<const EVP_PKEY*>(key_.get()));
}

base::Result<base::Bytes> PrivateKey::sign(base::ByteView message) const {
  const EVP_MD* digest = algorithm_ == KeyAlgorithm::kEcdsaP384 ? EVP_sha384() : EVP_sha256();
  const DigestContext context(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, message.data(), message.size()) != 1) {
    return fail(openssl_error(Code::kInternal, "signing"));
  }
  base::Bytes signature(size);
  if (EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1) {
    return fail(openssl_error(Code::kInternal, "signing"));
  }
  signature.resize(size);  // an ECDSA signature is often shorter than the longest one
  return signature;
}

}  // namespace meshtrust::pki
