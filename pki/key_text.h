#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"
#include "pki/handle.h"
#include "pki/key.h"
#include "pki/pem.h"

#include <string>
#include <string_view>

// Private keys as text: the PEM forms that are read and written, and what is said about the others.

namespace meshtrust::pki {

/// The first block of `pem`, as istiod reads it: PKCS#8, PKCS#1 or SEC1 in clear. kInvalidInput
/// with what was found instead.
base::Result<Pkey> read_clear_key(const base::Secret& pem);

/// The key in a block that `is_clear_key` is true for.
base::Result<Pkey> read_clear_key(const PemBlock& block);

/// Whether the curve of an EC key is written by its name.
bool has_named_curve(const EVP_PKEY& key);
bool is_clear_key(const PemBlock& block);

/// A key in clear that stands alone as DER, and the PEM label of the form it has.
struct ClearKey {
  Pkey key;  ///< null: `der` is none
  std::string_view label;
};
ClearKey clear_key_from_der(base::ByteView der);

/// The algorithm of a key that a CA of a mesh may have, see `check_key_of_authority`. kInvalidInput
/// with found versus wanted.
base::Result<KeyAlgorithm> usable_algorithm(const EVP_PKEY& key);

/// "PRIVATE KEY", through secrets only.
base::Result<base::Secret> write_clear_key(const EVP_PKEY& key);

/// "ENCRYPTED PRIVATE KEY" as `PrivateKey::encrypt` and `decrypt` promise.
base::Result<std::string> write_encrypted_key(const EVP_PKEY& key,
                                              const base::Secret& passphrase,
                                              unsigned scrypt_p,
                                              const base::Cancellation* cancellation);
base::Result<Pkey> open_encrypted_key(std::string_view pem,
                                      const base::Secret& passphrase,
                                      const base::Cancellation* cancellation);

}  // namespace meshtrust::pki
