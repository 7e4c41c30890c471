#pragma once

#include "base/result.h"
#include "ledger/ledger.h"
#include "ledger/line.h"
#include "pki/certificate.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace meshtrust::ca {

/// What one append adds: all of it, or nothing. References: kept alive by the caller.
struct Addition {
  const ledger::Line& line;
  const std::string& digest;
  const pki::Certificate* minted = nullptr;  ///< the certificate that the line mints, if any
  /// Each takes the place of the same CA's last.
  std::span<const ledger::SignedHead> heads = {};
  /// What the ledger is at least from this line on. Raised with the line, so that there is no
  /// instant in which an older program finds a line that it would have to guess at.
  ledger::Format format = ledger::Format::kSigned;
};

/// The right to add to a storage, held no longer than the store's lock.
class StorageWriter {
 public:
  StorageWriter() = default;
  StorageWriter(const StorageWriter&) = delete;
  StorageWriter& operator=(const StorageWriter&) = delete;
  virtual ~StorageWriter() = default;

  /// Durable on return, whatever dies then.
  virtual base::Status append(const Addition& addition) = 0;
  /// Puts a signature over what is there in place of the same CA's last; durable on return.
  virtual base::Status sign(const ledger::SignedHead& head) = 0;
};

/// Where the lines of a ledger lie. Knows texts, numbers and certificates, and nothing of what they
/// mean; in it nothing is ever changed but the last signature of each CA.
///
/// Errors: kCorrupt for what is not what was written, kPermission, kLocked (busy), kInvalidInput
/// for one that a newer meshtrust wrote, kInternal.
class Storage {
 public:
  Storage() = default;
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  virtual ~Storage() = default;

  /// Everything, as it was at one instant. kNotFound when nothing is in it because its creation was
  /// interrupted.
  virtual base::Result<ledger::Rows> read(const ledger::Pulse& pulse) = 0;
  /// Makes a ledger that begins with `first` of what was empty; all or nothing.
  virtual base::Status initialise(const ledger::Line& first) = 0;
  virtual base::Result<std::unique_ptr<StorageWriter>> open_to_write() = 0;
};

/// A storage for the store whose database is `file`, which is there, empty before `initialise` and
/// not empty after it: the file is what says that there is a store, and a storage that keeps its
/// lines elsewhere leaves in it where that is.
using MakeStorage = std::function<std::unique_ptr<Storage>(const std::filesystem::path& file)>;

}  // namespace meshtrust::ca
