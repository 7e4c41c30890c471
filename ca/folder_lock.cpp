#include "ca/folder_lock.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace meshtrust::ca {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Failure;
using base::Result;

Failure<base::Error> system_failure(const fs::path& folder, int number) {
  const bool is_forbidden = number == EACCES || number == EPERM;
  return fail(is_forbidden ? Code::kPermission : Code::kInternal,
              fmt::format("cannot lock folder '{}': {}", folder.string(),
                          std::generic_category().message(number)));
}

/// Whether this says that folders there have no locks: NFS wants files that are open for writing.
bool is_not_lockable(int number) {
  return number == EBADF || number == ENOLCK || number == EINVAL || number == EOPNOTSUPP;
}

/// The process that holds a lock on the inode, as a line of /proc/locks tells it:
/// "1: FLOCK  ADVISORY  WRITE 4242 08:01:1310722 0 EOF".
std::optional<long> holder_in(const std::string& line, ino_t inode) {
  std::istringstream words(line);
  std::string number;
  std::string kind;
  std::string advisory;
  std::string access;
  long process = 0;
  std::string file;
  if (!(words >> number >> kind >> advisory >> access >> process >> file)) return std::nullopt;
  const bool is_it = kind == "FLOCK" && access == "WRITE" && process > 0 &&
                     file.substr(file.rfind(':') + 1) == std::to_string(inode);
  return is_it ? std::optional(process) : std::nullopt;
}

/// "pid 4242: meshtrust apply --yes", or less where the system tells less.
std::string describe_holder_of(ino_t inode) {
  std::ifstream locks("/proc/locks");
  std::optional<long> process;
  for (std::string line; !process && std::getline(locks, line);) {
    process = holder_in(line, inode);
  }
  if (!process) return "another run";
  std::ifstream arguments(fmt::format("/proc/{}/cmdline", *process), std::ios::binary);
  std::string words;
  std::getline(arguments, words);
  std::replace(words.begin(), words.end(), '\0', ' ');
  constexpr std::size_t kLongest = 200;
  const std::string command = base::printable(base::trim(words), kLongest);
  return command.empty() ? fmt::format("pid {}", *process)
                         : fmt::format("pid {}: {}", *process, command);
}

}  // namespace

Result<FolderLock> FolderLock::take(const fs::path& folder) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): open has no other form
  FolderLock lock(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (lock.descriptor_ < 0) return system_failure(folder, errno);
  struct stat held {};
  if (fstat(lock.descriptor_, &held) != 0) return system_failure(folder, errno);
  if (flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (is_not_lockable(errno)) return lock;
    if (errno != EWOULDBLOCK) return system_failure(folder, errno);
    return fail(Code::kLocked,
                fmt::format("trust store '{}' is held by {}, whose lock file is gone",
                            folder.string(), describe_holder_of(held.st_ino)),
                "wait for it to end; the lock goes when that process does");
  }
  struct stat there {};
  if (lstat(folder.c_str(), &there) == 0 && there.st_ino == held.st_ino &&
      there.st_dev == held.st_dev) {
    return lock;
  }
  return fail(Code::kCorrupt,
              fmt::format("trust store '{}' was replaced by something else while it was being "
                          "locked",
                          folder.string()),
              "find out who moves it, and run the same command again");
}

FolderLock::FolderLock(FolderLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace meshtrust::ca
