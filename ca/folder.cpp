#include "ca/folder.h"

#include "ca/git_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <unistd.h>
#include <utility>

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Failure;
using base::FileFacts;
using base::FileKind;
using base::Result;
using base::Status;

std::filesystem::path folder_of(const std::filesystem::path& path) {
  const std::filesystem::path parent = path.parent_path();
  return parent.empty() ? std::filesystem::path(".") : parent;
}

constexpr std::string_view kRootPrefix = "root-";
constexpr std::string_view kRequestPrefix = "request-";
constexpr std::string_view kKeySuffix = ".key.pem";
constexpr std::string_view kTemporaryPrefix = ".meshtrust-";
constexpr unsigned kOpenToOthers = 077;
constexpr unsigned kWritableByOthers = 022;
constexpr unsigned kWritableByAnybody = 002;
constexpr unsigned kSticky = 01000;
constexpr unsigned kOwnerAll = 0700;

bool is_key_of(std::string_view name, std::string_view prefix) {
  return name.size() > prefix.size() + kKeySuffix.size() && name.starts_with(prefix) &&
         name.ends_with(kKeySuffix);
}

bool is_root_key(std::string_view name) {
  return is_key_of(name, kRootPrefix);
}

/// What no folder holds by chance.
bool is_of_a_store(std::string_view name) {
  return name == "lock" || name.starts_with("store.db") || is_root_key(name) ||
         is_key_of(name, kRequestPrefix);
}

bool is_temporary(std::string_view name) {
  return name.starts_with(kTemporaryPrefix);
}

Status check_mode(const std::filesystem::path& path,
                  const FileFacts& facts,
                  unsigned forbidden,
                  unsigned wanted) {
  if (facts.kind == FileKind::kSymlink) {
    return fail(
        Code::kRefused,
        fmt::format("'{}' is a symbolic link, which a trust store may not be", path.string()));
  }
  if ((facts.mode & forbidden) == 0) return {};
  return fail(Code::kPermission,
              fmt::format("'{}' is open to others: its mode is {:04o}, wanted {:04o}",
                          path.string(), facts.mode, wanted),
              fmt::format("chmod {:o} '{}'", wanted, path.string()));
}

/// A file of the store: SQLite, the lock and the reader of keys take it as it is.
Status check_file(const std::filesystem::path& path, const FileFacts& facts, std::uint32_t owner) {
  const std::string name = path.filename().string();
  const bool is_link_or_open =
      facts.kind == FileKind::kSymlink || (facts.mode & kOpenToOthers) != 0;
  if (is_root_key(name) && is_link_or_open) return {};  // `look_at_key` says more about that
  const bool may_be_read = name == ".gitignore";
  MESHTRUST_TRY_DO(check_mode(path, facts, may_be_read ? kWritableByOthers : kOpenToOthers, 0600));
  if (facts.kind != FileKind::kFile) {
    return fail(Code::kCorrupt,
                fmt::format("'{}' is {}, wanted a file", path.string(),
                            facts.kind == FileKind::kFolder ? "a folder" : "a pipe or a device"),
                "restore the whole store folder from a backup");
  }
  if (facts.owner == owner) return {};
  return fail(Code::kPermission,
              fmt::format("'{}' belongs to user {}, and the trust store to user {}", path.string(),
                          facts.owner, owner),
              fmt::format("find out who put it there; if it is yours, chown {} '{}'", owner,
                          path.string()));
}

/// Root may look at what is anybody's.
Status check_owner(const std::filesystem::path& folder, const FileFacts& facts) {
  if (facts.owned_by_caller || geteuid() == 0) return {};
  return fail(Code::kPermission,
              fmt::format("trust store '{}' belongs to user {}, and this is user {}",
                          folder.string(), facts.owner, geteuid()),
              fmt::format("run this as its owner; if it is yours, chown -R {} '{}'", geteuid(),
                          folder.string()));
}

/// Whoever may write to the folder above can put another store in this one's place, unless the
/// sticky bit is set. Groups are left out: that of a person is often his own, with a mask of 002.
Status check_replaceable(base::Files& files,
                         const std::filesystem::path& folder,
                         const std::filesystem::path& above) {
  MESHTRUST_TRY(const FileFacts facts, files.facts(above / "."));
  if ((facts.mode & kWritableByAnybody) == 0 || (facts.mode & kSticky) != 0) return {};
  return fail(Code::kPermission,
              fmt::format("anybody may replace the trust store '{}': the mode of the folder above "
                          "is {:04o}",
                          folder.string(), facts.mode),
              fmt::format("chmod o-w '{}', or a folder of its own (mode 0700) for the store",
                          above.string()));
}

/// That nothing is there has to be certain: the way there must not end in a link that leads
/// nowhere (a disk that is not mounted), nor in a file.
Status check_really_absent(base::Files& files, const std::filesystem::path& folder) {
  for (auto above = folder_of(folder);; above = folder_of(above)) {
    MESHTRUST_TRY(const FileFacts behind, files.facts(above / "."));
    if (behind.kind == FileKind::kFolder) return {};
    MESHTRUST_TRY(const FileFacts itself, files.facts(above));
    if (itself.kind != FileKind::kAbsent) {
      return fail(
          Code::kInvalidInput,
          fmt::format("whether there is a trust store at '{}' cannot be told: '{}' {}",
                      folder.string(), above.string(),
                      itself.kind == FileKind::kSymlink ? "is a symbolic link that leads nowhere"
                                                        : "is not a folder"),
          "is a disk not mounted?");
    }
    if (above == folder_of(above)) return {};
  }
}

Failure<base::Error> lost_database(const Layout& layout, bool has_root_key, bool is_missing) {
  base::Error error{
      .code = Code::kCorrupt,
      .message = fmt::format("trust store '{}' holds {}no ledger: its database is {}",
                             layout.folder.string(), has_root_key ? "a root key and " : "",
                             is_missing ? "missing" : "empty"),
      .hints = {"restore the whole store folder from a backup"}};
  if (!has_root_key) {
    error.hints.emplace_back("if nothing was ever made in it, remove the folder");
  }
  return fail(std::move(error));
}

Result<FolderState> look_inside(base::Files& files, const Layout& layout, std::uint32_t owner) {
  MESHTRUST_TRY(const std::vector<std::string> names, files.list(layout.folder));
  FileFacts database;
  for (const std::string& name : names) {
    if (!is_of_a_store(name) && name != ".gitignore") continue;
    MESHTRUST_TRY(const FileFacts facts, files.facts(layout.folder / name));
    if (facts.kind == FileKind::kAbsent) continue;  // a journal that has just gone
    MESHTRUST_TRY_DO(check_file(layout.folder / name, facts, owner));
    if (name == layout.database().filename()) database = facts;
  }
  if (database.kind == FileKind::kFile && database.size_bytes != 0) return FolderState::kStore;
  const bool is_missing = database.kind == FileKind::kAbsent;
  if (std::any_of(names.begin(), names.end(), is_root_key)) {
    return lost_database(layout, true, is_missing);
  }
  const bool is_beginning = std::all_of(names.begin(), names.end(), is_temporary);
  MESHTRUST_TRY(const bool is_unfinished, is_being_created(files, layout));
  if (is_beginning || is_unfinished) return FolderState::kUnfinished;
  if (std::any_of(names.begin(), names.end(), is_of_a_store)) {
    return lost_database(layout, false, is_missing);
  }
  return FolderState::kForeign;
}

}  // namespace

std::filesystem::path Layout::key(std::string_view name) const {
  return folder / fmt::format("{}{}{}", kRootPrefix, name, kKeySuffix);
}

std::filesystem::path Layout::request_key(std::string_view name) const {
  return folder / fmt::format("{}{}{}", kRequestPrefix, name, kKeySuffix);
}

Result<FolderState> look_at_folder(base::Files& files, const Layout& layout) {
  MESHTRUST_TRY(const FileFacts facts, files.facts(layout.folder));
  if (facts.kind == FileKind::kAbsent) {
    MESHTRUST_TRY_DO(check_really_absent(files, layout.folder));
    return FolderState::kAbsent;
  }
  if (facts.kind == FileKind::kFile || facts.kind == FileKind::kOther) {
    return fail(Code::kInvalidInput, fmt::format("'{}' is not a folder, and a trust store is one",
                                                 layout.folder.string()));
  }
  MESHTRUST_TRY_DO(check_mode(layout.folder, facts, kOpenToOthers, kOwnerAll));
  MESHTRUST_TRY_DO(check_owner(layout.folder, facts));
  MESHTRUST_TRY_DO(check_replaceable(files, layout.folder, layout.folder / ".."));
  return look_inside(files, layout, facts.owner);
}

Status check_place(base::Files& files, const Layout& layout) {
  return check_replaceable(files, layout.folder, folder_of(layout.folder));
}

Status check_writable(base::Files& files, const Layout& layout) {
  MESHTRUST_TRY(const FileFacts facts, files.facts(layout.folder));
  if (!facts.owned_by_caller) {
    return fail(Code::kPermission,
                fmt::format("trust store '{}' belongs to another user", layout.folder.string()),
                "run this as its owner");
  }
  if ((facts.mode & kOwnerAll) == kOwnerAll) return {};
  return fail(Code::kPermission,
              fmt::format("trust store '{}' is read-only: its mode is {:04o}, wanted 0700",
                          layout.folder.string(), facts.mode),
              fmt::format("chmod 700 '{}'", layout.folder.string()));
}

Result<std::string> check_untracked(base::Files& files, const Layout& layout) {
  const GitAnswer answer = ask_git(files, layout.folder);
  if (!answer.is_tracked && answer.unknown.empty()) return std::string();
  if (!answer.is_tracked) {
    return fmt::format("whether Git tracks '{}' cannot be told: {}", layout.folder.string(),
                       answer.unknown);
  }
  return fail(Code::kRefused,
              fmt::format("Git tracks '{}', and a trust store holds keys", layout.folder.string()),
              fmt::format("git rm -r --cached '{}', and replace every key that was committed",
                          layout.folder.string()));
}

Status sweep(base::Files& files, const Layout& layout) {
  MESHTRUST_TRY(const std::vector<std::string> names, files.list(layout.folder));
  for (const std::string& name : names) {
    if (!is_temporary(name) || name == layout.creating().filename()) continue;
    MESHTRUST_TRY_DO(files.remove(layout.folder / name));
  }
  return {};
}

Status begin_creation(base::Files& files, const Layout& layout) {
  const Status written =
      files.write(layout.creating(), {}, base::Access::kPrivate, base::Overwrite::kNever);
  if (!written && written.error().code != Code::kConflict) return written;
  return {};
}

Status end_creation(base::Files& files, const Layout& layout) {
  const Status removed = files.remove(layout.creating());
  if (!removed && removed.error().code != Code::kNotFound) return removed;
  return {};
}

Result<bool> is_being_created(base::Files& files, const Layout& layout) {
  MESHTRUST_TRY(const FileFacts facts, files.facts(layout.creating()));
  return facts.kind == FileKind::kFile;
}

Result<std::vector<std::string>> key_files(base::Files& files, const Layout& layout) {
  MESHTRUST_TRY(const std::vector<std::string> names, files.list(layout.folder));
  std::vector<std::string> keys;
  for (const std::string& name : names) {
    if (!is_root_key(name)) continue;
    keys.push_back(
        name.substr(kRootPrefix.size(), name.size() - kRootPrefix.size() - kKeySuffix.size()));
  }
  return keys;
}

}  // namespace meshtrust::ca
