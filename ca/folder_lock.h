#pragma once

#include "base/result.h"

#include <filesystem>

namespace meshtrust::ca {

/// An exclusive lock on a store's folder itself, taken before that on its lock file: a file can be
/// removed while its lock is held, and whoever makes it anew locks another file. A folder cannot,
/// as long as there is anything in it. Let go of when this object goes, and by the kernel when the
/// process dies. Internal to this room.
class FolderLock {
 public:
  /// kLocked, naming the process that has it as far as the system tells, kCorrupt when something
  /// else than the locked folder stands at `folder` by then, kPermission, kInternal. Where a file
  /// system has no locks on folders (NFS), nothing is locked and that is no error.
  static base::Result<FolderLock> take(const std::filesystem::path& folder);

  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace meshtrust::ca
