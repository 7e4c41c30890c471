#pragma once

#include "base/result.h"
#include "base/secret.h"
#include "ca/custody/key_protection.h"
#include "pki/key.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::ca {

struct Environment;

/// Where the key of a root is, as far as people are told.
struct KeyPlace {
  std::filesystem::path file;
  bool is_encrypted = true;  ///< false: no passphrase is needed (nor wanted)
};

/// What a key must turn out to be.
struct ExpectedKey {
  std::string key_id;       ///< SHA-256 of the public key; of a waiting key its beginning will do
  std::string file_digest;  ///< of the sealed key; tells damage from a wrong passphrase; empty
                            ///< where that is not known
};

/// The key of a root to be, which is nowhere but in this process yet. It can sign, so that all that
/// can fail has been done before anything is kept.
class NewKey {
 public:
  NewKey() = default;
  NewKey(const NewKey&) = delete;
  NewKey& operator=(const NewKey&) = delete;
  virtual ~NewKey() = default;

  virtual const pki::Signer& signer() const = 0;
  /// Makes ready what will be kept, as `protection` says, and returns its digest for the ledger;
  /// empty where there is nothing to compare one with. May take a second. kCancelled.
  virtual base::Result<std::string> seal(const KeyProtection& protection) = 0;
  /// Keeps what was sealed under `name`, which must be free, and opens it from there: a key that
  /// cannot be opened must never be relied on.
  virtual base::Result<std::unique_ptr<pki::Signer>> keep(std::string_view name,
                                                          const KeyProtection& protection) = 0;
};

/// Who has the keys of a store's roots. Names are those of `ledger::key_name`.
class Custody {
 public:
  Custody() = default;
  Custody(const Custody&) = delete;
  Custody& operator=(const Custody&) = delete;
  virtual ~Custody() = default;

  /// The names of all root keys that are kept, sorted.
  virtual base::Result<std::vector<std::string>> names() = 0;
  /// Looks at a key without opening it. kCorrupt when it is missing or no key, kPermission when it
  /// is open to others, kRefused when it is a link.
  virtual base::Result<KeyPlace> look(std::string_view name) = 0;
  virtual base::Result<std::unique_ptr<NewKey>> make(pki::KeyAlgorithm algorithm) = 0;
  /// kInvalidInput for a wrong passphrase; kCorrupt when what is kept is damaged or another key;
  /// kRefused when opening it asks for too much work; kCancelled.
  virtual base::Result<std::unique_ptr<pki::Signer>> open(std::string_view name,
                                                          const base::Secret& passphrase,
                                                          const ExpectedKey& expected) = 0;
  /// There is no such key on return; there need not have been one.
  virtual base::Status remove(std::string_view name) = 0;
};

/// A custody for the store in `folder`.
using MakeCustody = std::function<std::unique_ptr<Custody>(const Environment& environment,
                                                           const std::filesystem::path& folder)>;

}  // namespace meshtrust::ca
