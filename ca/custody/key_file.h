#pragma once

#include "base/files.h"
#include "base/result.h"
#include "base/secret.h"
#include "ca/custody/custody.h"
#include "ca/custody/key_protection.h"
#include "ca/environment.h"
#include "pki/key.h"

#include <filesystem>
#include <string>

namespace meshtrust::ca {

/// How a root key lies in its file. Internal to this room.
enum class KeyForm { kEncrypted, kClear };

/// Looks at a key file without opening the key: a private file of its owner's that holds one PEM
/// block of a PKCS#8 key. kCorrupt when it is missing or holds anything else, kPermission when it
/// is open to others, kRefused when it is a link.
base::Result<KeyForm> look_at_key(base::Files& files, const std::filesystem::path& path);

/// A key as it will lie in its file.
struct SealedKey {
  base::Secret content;
  std::string digest;  ///< SHA-256 of `content`, which `open_key` is given later
};

/// `key` as `protection` says. kCancelled where its passphrase makes that take long.
base::Result<SealedKey> seal_key(const Environment& environment,
                                 const pki::PrivateKey& key,
                                 const KeyProtection& protection);

/// Opens the key in `path`. kInvalidInput for a wrong passphrase; kCorrupt when the file is
/// damaged or holds another key; kRefused when opening it asks for too much work; kCancelled. A
/// file that somebody re-encrypted under another passphrase is as good as the first.
base::Result<pki::PrivateKey> open_key(const Environment& environment,
                                       const std::filesystem::path& path,
                                       const base::Secret& passphrase,
                                       const ExpectedKey& expected);

/// Writes `sealed` to `path`, which must not exist, reads it back and opens it: a key that cannot
/// be opened must never be relied on.
base::Result<pki::PrivateKey> put_into_custody(const Environment& environment,
                                               const std::filesystem::path& path,
                                               const SealedKey& sealed,
                                               const KeyProtection& protection,
                                               const std::string& key_id);

}  // namespace meshtrust::ca
