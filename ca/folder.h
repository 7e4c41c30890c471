#pragma once

#include "base/files.h"
#include "base/result.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::ca {

/// The files of a trust store. Internal to this room.
struct Layout {
  std::filesystem::path folder;

  std::filesystem::path database() const { return folder / "store.db"; }
  std::filesystem::path lock() const { return folder / "lock"; }
  std::filesystem::path ignore() const { return folder / ".gitignore"; }
  /// "root-<name>.key.pem".
  std::filesystem::path key(std::string_view name) const;
  /// "request-<name>.key.pem": a key that waits for its certificate.
  std::filesystem::path request_key(std::string_view name) const;
};

enum class FolderState {
  kAbsent,
  kUnfinished,  ///< empty, or holds only what an interrupted creation leaves
  kStore,       ///< holds a database
  kForeign,     ///< holds something else
};

/// What is at `layout.folder`, after checking that it may be used: a real folder, closed to others,
/// its database a private file. kRefused for a symbolic link, kPermission when it is open to
/// others, kInvalidInput for a file, kCorrupt for keys without a database.
base::Result<FolderState> look_at_folder(base::Files& files, const Layout& layout);

/// Whether the caller may write there: owns it, and has not made it read-only. kPermission if not.
base::Status check_writable(base::Files& files, const Layout& layout);

/// kRefused when Git tracks the folder or anything in it.
base::Status check_untracked(base::Files& files, const Layout& layout);

/// Removes the temporary files of writes that were killed. Only under the store's lock.
base::Status sweep(base::Files& files, const Layout& layout);

/// The names (without "root-" and ".key.pem") of the key files in the folder, sorted.
base::Result<std::vector<std::string>> key_files(base::Files& files, const Layout& layout);

}  // namespace meshtrust::ca
