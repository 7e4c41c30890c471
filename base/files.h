#pragma once

#include "base/cancellation.h"
#include "base/result.h"
#include "base/secret.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::base {

/// Who may read what is written. Nothing in between is ever needed.
enum class Access {
  kPrivate,  ///< files 0600, folders 0700
  kPublic,   ///< files 0644, folders 0755 (less the umask)
};

enum class Overwrite { kNever, kReplace };

enum class FileKind { kAbsent, kFile, kFolder, kSymlink, kOther };

struct FileFacts {
  FileKind kind = FileKind::kAbsent;
  unsigned mode = 0;             ///< permission bits
  bool owned_by_caller = false;  ///< whether the effective user owns it
  std::uint32_t owner = 0;       ///< user id
  std::uintmax_t size_bytes = 0;
};

/// A held advisory lock; released when it goes, also when the process is killed.
class FileLock {
 public:
  FileLock() = default;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  virtual ~FileLock() = default;
  /// Replaces what the lock file says about its holder.
  virtual Status describe(std::string_view holder) = 0;
};

/// The disk, as a parameter. Paths are taken as they are (relative to the working directory).
///
/// Errors: kNotFound (the path or its folder), kPermission, kConflict (exists and `kNever`),
/// kRefused (a symbolic link where a file of ours was due), kInvalidInput (a folder, FIFO, socket
/// or device where a file was due, too large, a path with a NUL), kCancelled, kInternal (disk full,
/// input/output error). Every message names the path.
///
/// Nothing waits for a FIFO or device that somebody put in a file's place. What the caller handed
/// over as an open descriptor (`/dev/fd/N`, which a shell makes of `<(...)`, and `/dev/stdin`) is
/// read as a stream, until it ends, is too large, or the run is cancelled; `/dev/null` is an empty
/// file.
class Files {
 public:
  Files() = default;
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  virtual ~Files() = default;

  /// The whole file, following links, at most `limit` bytes. For secret content use `read_secret`.
  virtual Result<std::string> read(const std::filesystem::path& path,
                                   std::size_t limit = 64U << 20U) = 0;
  virtual Result<Secret> read_secret(const std::filesystem::path& path,
                                     std::size_t limit = 1U << 20U) = 0;

  /// All or nothing: a file without a name in the same folder, written, synced, linked to its name
  /// (for kReplace by way of another and a rename), folder synced. A crash leaves either the old
  /// file or the new one; what else it may leave, a `.meshtrust-*` where something was replaced or
  /// the filesystem has no files without names, the next write to that folder removes.
  virtual Status write(const std::filesystem::path& path,
                       std::string_view content,
                       Access access,
                       Overwrite overwrite) = 0;
  /// The same, private, for secret content.
  virtual Status write_secret(const std::filesystem::path& path,
                              const Secret& content,
                              Overwrite overwrite) = 0;

  /// Creates one folder. kConflict when anything is already there.
  virtual Status make_folder(const std::filesystem::path& path, Access access) = 0;
  /// Removes a file (never follows a link, never a folder) and syncs its folder.
  virtual Status remove(const std::filesystem::path& path) = 0;
  /// Facts about the path itself, not about what a link points to.
  virtual Result<FileFacts> facts(const std::filesystem::path& path) = 0;
  /// Facts about what it leads to, if it is a link.
  virtual Result<FileFacts> facts_behind_links(const std::filesystem::path& path) = 0;
  /// Names in a folder, sorted.
  virtual Result<std::vector<std::string>> list(const std::filesystem::path& folder) = 0;

  /// Takes an exclusive advisory lock on `path` (created 0600 if missing). kLocked, with the holder
  /// as its file describes it in the message, when another process has it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::filesystem::path& path,
                                                 std::string_view holder) = 0;
};

/// The real disk.
class DiskFiles final : public Files {
 public:
  /// Nobody cancels its reading.
  DiskFiles() = default;
  /// Reading from descriptors ends once `cancellation` says so. It outlives this.
  explicit DiskFiles(const Cancellation& cancellation) : cancellation_(&cancellation) {}

  Result<std::string> read(const std::filesystem::path& path, std::size_t limit) override;
  Result<Secret> read_secret(const std::filesystem::path& path, std::size_t limit) override;
  Status write(const std::filesystem::path& path,
               std::string_view content,
               Access access,
               Overwrite overwrite) override;
  Status write_secret(const std::filesystem::path& path,
                      const Secret& content,
                      Overwrite overwrite) override;
  Status make_folder(const std::filesystem::path& path, Access access) override;
  Status remove(const std::filesystem::path& path) override;
  Result<FileFacts> facts(const std::filesystem::path& path) override;
  Result<FileFacts> facts_behind_links(const std::filesystem::path& path) override;
  Result<std::vector<std::string>> list(const std::filesystem::path& folder) override;
  Result<std::unique_ptr<FileLock>> lock(const std::filesystem::path& path,
                                         std::string_view holder) override;

 private:
  const Cancellation* cancellation_ = nullptr;
};

}  // namespace meshtrust::base
