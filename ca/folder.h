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
  /// A slash at the end says nothing, and would have a link followed.
  explicit Layout(const std::filesystem::path& path)
      : folder(path.has_filename() || !path.has_relative_path() ? path : path.parent_path()) {}

  std::filesystem::path folder;

  std::filesystem::path database() const { return folder / "store.db"; }
  std::filesystem::path lock() const { return folder / "lock"; }
  std::filesystem::path ignore() const { return folder / ".gitignore"; }
  /// There from the first step of a creation to its end. Without it a folder that holds anything
  /// was once a store, and what it lacks is lost.
  std::filesystem::path creating() const { return folder / ".meshtrust-creating"; }
  /// "root-<name>.key.pem".
  std::filesystem::path key(std::string_view name) const;
  /// "request-<name>.key.pem": a key that waits for its certificate.
  std::filesystem::path request_key(std::string_view name) const;
};

enum class FolderState {
  kAbsent,      ///< there is no folder, and one could be made there
  kUnfinished,  ///< empty, or of a creation that was interrupted before there was a ledger
  kStore,       ///< holds a database
  kForeign,     ///< holds something else, and nothing of a store
};

/// What is at `layout.folder`, after checking that it may be used: a real folder that nobody else
/// can enter or replace, and in it private files of the same owner. That owner is the caller; root
/// may look at anybody's store, and writes to none but its own (`check_writable`). Groups and
/// others count by the mode alone, access control lists are not looked at.
///
/// kRefused for a symbolic link; kPermission, with the command that mends it, when something is
/// open to others, belongs to somebody else, or anybody may write to the folder above;
/// kInvalidInput for a file, and where the way to the folder ends in a file or in a link that leads
/// nowhere; kCorrupt for a store without its database, and for a pipe or a device among its files.
base::Result<FolderState> look_at_folder(base::Files& files, const Layout& layout);

/// Whether a folder for a store may be made there: kPermission when anybody may write to the one
/// above, as `look_at_folder` would say afterwards.
base::Status check_place(base::Files& files, const Layout& layout);

/// Whether the caller may write there: owns it, and has not made it read-only. kPermission if not.
base::Status check_writable(base::Files& files, const Layout& layout);

/// kRefused when Git tracks the folder or anything in it. Otherwise empty, or a sentence that says
/// why it cannot be told.
base::Result<std::string> check_untracked(base::Files& files, const Layout& layout);

/// Removes the temporary files of writes that were killed. Only under the store's lock.
base::Status sweep(base::Files& files, const Layout& layout);

/// Notes that the creation has begun, or has ended.
base::Status begin_creation(base::Files& files, const Layout& layout);
base::Status end_creation(base::Files& files, const Layout& layout);
/// Whether it has begun and not ended.
base::Result<bool> is_being_created(base::Files& files, const Layout& layout);

/// The names (without "root-" and ".key.pem") of the key files in the folder, sorted.
base::Result<std::vector<std::string>> key_files(base::Files& files, const Layout& layout);

}  // namespace meshtrust::ca
