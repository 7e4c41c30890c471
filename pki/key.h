#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// An OpenSSL type, owned here through an out-of-line deleter only.
using EVP_PKEY = struct evp_pkey_st;

namespace meshtrust::pki {

/// The keys that a certificate authority of a mesh may have. The signature follows from the key:
/// SHA-256, or SHA-384 with P-384.
enum class KeyAlgorithm { kRsa2048, kRsa3072, kRsa4096, kEcdsaP256, kEcdsaP384 };

/// "rsa-2048", "ecdsa-p256", ...
std::string_view name_of(KeyAlgorithm algorithm);
std::optional<KeyAlgorithm> key_algorithm_from_name(std::string_view name);
std::span<const KeyAlgorithm> all_key_algorithms();

/// Something that can sign. Everything that meshtrust signs goes through this interface: a key from
/// a file, a throw-away key of a rehearsal, a token.
class Signer {
 public:
  Signer() = default;
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;
  Signer(Signer&&) = default;
  Signer& operator=(Signer&&) = default;
  virtual ~Signer() = default;

  virtual KeyAlgorithm algorithm() const = 0;
  /// SubjectPublicKeyInfo, DER (RFC 5280 4.1.2.7).
  virtual base::Bytes public_key() const = 0;
  /// The signature over `message` as it stands in a certificate (for ECDSA the DER sequence).
  virtual base::Result<base::Bytes> sign(base::ByteView message) const = 0;
};

/// A private key in memory (in the secure heap as far as OpenSSL puts it there).
class PrivateKey final : public Signer {
 public:
  static base::Result<PrivateKey> generate(KeyAlgorithm algorithm);

  /// Reads one clear-text PEM key (PKCS#8, PKCS#1 or SEC1). kInvalidInput otherwise, or for a kind
  /// of key that is not a `KeyAlgorithm`. The message never quotes the text.
  static base::Result<PrivateKey> from_pem(const base::Secret& pem);

  /// Reads PKCS#8 encrypted with PBES2. kInvalidInput "wrong passphrase" when it does not open,
  /// kCorrupt when it is not such a thing at all.
  static base::Result<PrivateKey> decrypt(std::string_view pem, const base::Secret& passphrase);

  PrivateKey(PrivateKey&&) noexcept;
  PrivateKey& operator=(PrivateKey&&) noexcept;
  PrivateKey(const PrivateKey&) = delete;
  PrivateKey& operator=(const PrivateKey&) = delete;
  ~PrivateKey() override;

  KeyAlgorithm algorithm() const override;
  base::Bytes public_key() const override;
  base::Result<base::Bytes> sign(base::ByteView message) const override;

  /// One clear-text PKCS#8 PEM block ("PRIVATE KEY") with a final newline, as istiod reads it. Goes
  /// through no `std::string` and no ordinary heap.
  base::Result<base::Secret> to_pem() const;

  /// PKCS#8 PEM, PBES2 with AES-256-CBC and scrypt (N=2^14, r=8, p=5: OpenSSL 3.0 refuses a larger
  /// N when reading, so the work is raised by p). Opens with `openssl pkey` and with Botan.
  base::Result<std::string> encrypt(const base::Secret& passphrase) const;

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const noexcept;
  };
  explicit PrivateKey(EVP_PKEY* key, KeyAlgorithm algorithm);

  std::unique_ptr<EVP_PKEY, Free> key_;
  KeyAlgorithm algorithm_;
};

/// The public half (SubjectPublicKeyInfo, DER) of the clear-text key that a PEM text begins with,
/// of any kind that istiod reads, whether or not meshtrust would mint with it. kInvalidInput
/// otherwise.
base::Result<base::Bytes> public_key_of(const base::Secret& pem);

/// SHA-256 of a SubjectPublicKeyInfo in lower-case hex: how a key is named without showing it.
std::string key_id(base::ByteView public_key);

}  // namespace meshtrust::pki
