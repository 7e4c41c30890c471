#pragma once

#include "base/bytes.h"
#include "base/cancellation.h"
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

/// How dear it is to guess a passphrase: scrypt with N=2^14 and r=8, this often. OpenSSL 3.0 reads
/// no larger N (it gives scrypt 32 MiB), so the work is raised by p. 32 takes about a second on a
/// machine of 2026; 5 is the least that OWASP names beside this N.
inline constexpr unsigned kLeastScryptP = 5;
inline constexpr unsigned kUsualScryptP = 32;
inline constexpr unsigned kMostScryptP = 64;

/// A private key in memory (in the secure heap as far as OpenSSL puts it there).
class PrivateKey final : public Signer {
 public:
  static base::Result<PrivateKey> generate(KeyAlgorithm algorithm);

  /// Reads one clear-text PEM key (PKCS#8, PKCS#1 or SEC1). kInvalidInput otherwise, for a kind of
  /// key that is not a `KeyAlgorithm`, and for one that fails `check_key_of_authority`. The message
  /// never quotes the text.
  static base::Result<PrivateKey> from_pem(const base::Secret& pem);

  /// Reads PKCS#8 encrypted with PBES2. kInvalidInput "wrong passphrase" when it does not open,
  /// kCorrupt when it is not such a thing at all, kRefused, before any of it is done, when its key
  /// derivation asks for more than some seconds of work. kCancelled within a moment of
  /// `cancellation`.
  static base::Result<PrivateKey> decrypt(std::string_view pem,
                                          const base::Secret& passphrase,
                                          const base::Cancellation* cancellation = nullptr);

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

  /// PKCS#8 PEM, PBES2 with AES-256-CBC and scrypt. Opens with `openssl pkey` (OpenSSL 3.0 too) and
  /// with Botan 2.19. kCancelled as `decrypt`.
  base::Result<std::string> encrypt(const base::Secret& passphrase,
                                    unsigned scrypt_p = kUsualScryptP,
                                    const base::Cancellation* cancellation = nullptr) const;

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

/// What a CA's public key (SubjectPublicKeyInfo, DER) has to be for us to sign with it or for it:
/// a `KeyAlgorithm`; for RSA an exponent that is odd, from 65537 (with 3, signatures over sloppily
/// checked padding can be forged) and below 2^31 (the most that Go reads), and a modulus that is no
/// prime and has no small factor; for ECDSA a point on the named curve. kInvalidInput with what was
/// found and wanted.
base::Status check_key_of_authority(base::ByteView public_key);

/// SHA-256 of a SubjectPublicKeyInfo in lower-case hex: how a key is named without showing it.
std::string key_id(base::ByteView public_key);

}  // namespace meshtrust::pki
