#include "ca/folder.h"

#include "ca/git_index.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::FileFacts;
using base::FileKind;
using base::Result;
using base::Status;

constexpr std::string_view kKeyPrefix = "root-";
constexpr std::string_view kKeySuffix = ".key.pem";
constexpr std::string_view kTemporaryPrefix = ".meshtrust-";
constexpr unsigned kOpenToOthers = 077;
constexpr unsigned kOwnerAll = 0700;

bool is_key_file(std::string_view name) {
  return name.size() > kKeyPrefix.size() + kKeySuffix.size() && name.starts_with(kKeyPrefix) &&
         name.ends_with(kKeySuffix);
}

/// What may stand in a folder before its database is complete.
bool is_left_by_creation(const std::string& name) {
  return name == ".gitignore" || name == "lock" || name == "store.db" ||
         name == "store.db-journal" || name.starts_with(kTemporaryPrefix);
}

Status check_private(const std::filesystem::path& path, const FileFacts& facts, unsigned wanted) {
  if (facts.kind == FileKind::kSymlink) {
    return fail(
        Code::kRefused,
        fmt::format("'{}' is a symbolic link, which a trust store may not be", path.string()));
  }
  if ((facts.mode & kOpenToOthers) == 0) return {};
  return fail(Code::kPermission,
              fmt::format("'{}' is open to others: its mode is {:04o}, wanted {:04o}",
                          path.string(), facts.mode, wanted),
              fmt::format("chmod {:o} '{}'", wanted, path.string()));
}

Result<FolderState> look_inside(base::Files& files, const Layout& layout) {
  MESHTRUST_TRY(const FileFacts database, files.facts(layout.database()));
  if (database.kind != FileKind::kAbsent) {
    MESHTRUST_TRY_DO(check_private(layout.database(), database, 0600));
    if (database.kind != FileKind::kFile) {
      return fail(Code::kCorrupt, fmt::format("'{}' is not a file", layout.database().string()));
    }
    if (database.size_bytes != 0) return FolderState::kStore;
  }
  MESHTRUST_TRY(const std::vector<std::string> names, files.list(layout.folder));
  if (std::any_of(names.begin(), names.end(), is_key_file)) {
    return fail(Code::kCorrupt,
                fmt::format("trust store '{}' holds a root key and no ledger: its database is {}",
                            layout.folder.string(),
                            database.kind == FileKind::kAbsent ? "missing" : "empty"),
                "restore the whole store folder from a backup");
  }
  const bool only_ours = std::all_of(names.begin(), names.end(), is_left_by_creation);
  return only_ours ? FolderState::kUnfinished : FolderState::kForeign;
}

}  // namespace

std::filesystem::path Layout::key(std::string_view name) const {
  return folder / fmt::format("{}{}{}", kKeyPrefix, name, kKeySuffix);
}

std::filesystem::path Layout::request_key(std::string_view name) const {
  return folder / fmt::format("request-{}{}", name, kKeySuffix);
}

Result<FolderState> look_at_folder(base::Files& files, const Layout& layout) {
  MESHTRUST_TRY(const FileFacts facts, files.facts(layout.folder));
  if (facts.kind == FileKind::kAbsent) return FolderState::kAbsent;
  if (facts.kind == FileKind::kFile || facts.kind == FileKind::kOther) {
    return fail(Code::kInvalidInput, fmt::format("'{}' is not a folder, and a trust store is one",
                                                 layout.folder.string()));
  }
  MESHTRUST_TRY_DO(check_private(layout.folder, facts, kOwnerAll));
  return look_inside(files, layout);
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

Status check_untracked(base::Files& files, const Layout& layout) {
  if (!is_tracked_by_git(files, layout.folder)) return {};
  return fail(Code::kRefused,
              fmt::format("Git tracks '{}', and a trust store holds keys", layout.folder.string()),
              fmt::format("git rm -r --cached '{}', and replace every key that was committed",
                          layout.folder.string()));
}

Status sweep(base::Files& files, const Layout& layout) {
  MESHTRUST_TRY(const std::vector<std::string> names, files.list(layout.folder));
  for (const std::string& name : names) {
    if (name.starts_with(kTemporaryPrefix)) MESHTRUST_TRY_DO(files.remove(layout.folder / name));
  }
  return {};
}

Result<std::vector<std::string>> key_files(base::Files& files, const Layout& layout) {
  MESHTRUST_TRY(const std::vector<std::string> names, files.list(layout.folder));
  std::vector<std::string> keys;
  for (const std::string& name : names) {
    if (!is_key_file(name)) continue;
    keys.push_back(
        name.substr(kKeyPrefix.size(), name.size() - kKeyPrefix.size() - kKeySuffix.size()));
  }
  return keys;
}

}  // namespace meshtrust::ca
