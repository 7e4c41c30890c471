#pragma once

#include "base/cancellation.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/random.h"
#include "ca/custody/file_custody.h"
#include "ca/storage/sqlite_storage.h"

#include <functional>
#include <string>

namespace meshtrust::ca {

/// Every effect that this room has, but SQLite's own reads and writes of the store's database, and
/// the lock on its folder.
/// References: the caller keeps them alive longer than any `TrustStore` made with them.
struct Environment {
  base::Files& files;
  base::Clock& clock;
  base::Random& random;
  /// Takes what a person should know though nothing failed: a whole sentence, not more than one
  /// line. May be empty.
  std::function<void(const std::string&)> tell = {};
  /// Ends what takes long here, which is the derivation of a key from a passphrase; may be null.
  const base::Cancellation* cancellation = nullptr;
  /// Where the ledger of a store lies, and who has the keys of its roots.
  MakeStorage storage = sqlite_storage;
  MakeCustody custody = file_custody;
};

}  // namespace meshtrust::ca
