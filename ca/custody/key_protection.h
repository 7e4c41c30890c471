#pragma once

#include "base/secret.h"
#include "pki/key.h"

namespace meshtrust::ca {

/// How a key lies on disk.
class KeyProtection {
 public:
  /// Encrypted PKCS#8, with scrypt's p as the price of a guess. The passphrase is borrowed and must
  /// outlive this value.
  static KeyProtection passphrase(const base::Secret& words,
                                  unsigned scrypt_p = pki::kUsualScryptP) {
    return {&words, scrypt_p};
  }
  /// In clear text, for callers whose user has said so in two words.
  static KeyProtection none() { return {nullptr, 0}; }

  /// Null when there is none.
  const base::Secret* words() const { return words_; }
  unsigned scrypt_p() const { return scrypt_p_; }

 private:
  KeyProtection(const base::Secret* words, unsigned scrypt_p)
      : words_(words), scrypt_p_(scrypt_p) {}

  const base::Secret* words_;
  unsigned scrypt_p_;
};

}  // namespace meshtrust::ca
