#include "base/unfinished_file.h"

#include "base/encoding.h"
#include "base/random.h"

#include <fmt/format.h>

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace meshtrust::base {
namespace {

constexpr std::string_view kPrefix = ".meshtrust-";
constexpr std::size_t kRandomBytes = 8;
constexpr int kTries = 100;

/// The file behind a descriptor, whether or not it has a name.
std::string own_path(int file) {
  return fmt::format("/proc/self/fd/{}", file);
}

std::string fresh_name() {
  SystemRandom random;
  return std::string(kPrefix) + to_hex(random.bytes(kRandomBytes));
}

bool is_unfinished(std::string_view name) {
  return name.starts_with(kPrefix) && name.size() == kPrefix.size() + 2 * kRandomBytes &&
         name.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string_view::npos;
}

std::vector<std::string> unfinished_in(int folder) {
  std::vector<std::string> names;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): openat has no other form
  const int own = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* listed = own < 0 ? nullptr : fdopendir(own);
  if (listed == nullptr) {
    if (own >= 0) close(own);
    return names;
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's readdir is safe on a stream of one's own
  while (const dirent* entry = readdir(listed)) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-bounds-array-to-pointer-decay): a C array by POSIX
    const std::string_view name = entry->d_name;
    if (is_unfinished(name)) names.emplace_back(name);
  }
  closedir(listed);
  return names;
}

/// Whether the name that `file` was opened by is gone.
bool was_swept(int file) {
  struct stat status {};
  return fstat(file, &status) != 0 || status.st_nlink == 0;
}

}  // namespace

UnfinishedFile::~UnfinishedFile() {
  give_up();
}

int UnfinishedFile::create(int folder, mode_t mode) {
  folder_ = folder;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg,hicpp-signed-bitwise)
  fd_ = openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
  if (fd_ >= 0) {
    // It gets its name by way of /proc, which not every container has.
    if (access(own_path(fd_).c_str(), F_OK) == 0) return 0;
    close(fd_);
    return create_named(folder, mode);
  }
  // What filesystems and kernels without O_TMPFILE answer.
  if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) return create_named(folder, mode);
  return errno;
}

int UnfinishedFile::create_named(int folder, mode_t mode) {
  folder_ = folder;
  // Another run may sweep it in the moment before it is locked.
  for (int i = 0; i < kTries; ++i) {
    const int problem = try_named(mode);
    if (problem != EAGAIN) return problem;
    give_up();
  }
  return EAGAIN;
}

int UnfinishedFile::try_named(mode_t mode) {
  std::string name = fresh_name();
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg)
  fd_ = openat(folder_, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd_ < 0) return errno;
  temporary_ = std::move(name);
  // Who has that lock is about to sweep it. Where locks are not to be had nothing is swept.
  if (flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return EAGAIN;
  return was_swept(fd_) ? EAGAIN : 0;
}

void UnfinishedFile::give_up() {
  if (!temporary_.empty()) unlinkat(folder_, temporary_.c_str(), 0);
  temporary_.clear();
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

int UnfinishedFile::become(const char* name) {
  if (!temporary_.empty()) {
    const int problem = linkat(folder_, temporary_.c_str(), folder_, name, 0) == 0 ? 0 : errno;
    unlinkat(folder_, temporary_.c_str(), 0);
    temporary_.clear();
    return problem;
  }
  return linkat(AT_FDCWD, own_path(fd_).c_str(), folder_, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

int UnfinishedFile::replace(const char* name) {
  struct stat status {};
  if (fstatat(folder_, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISLNK(status.st_mode)) return ELOOP;
    if (S_ISDIR(status.st_mode)) return EISDIR;
  }
  if (const int problem = take_name(); problem != 0) return problem;
  if (renameat(folder_, temporary_.c_str(), folder_, name) != 0) return errno;
  temporary_.clear();
  return 0;
}

/// Only something with a name can be renamed.
int UnfinishedFile::take_name() {
  if (!temporary_.empty()) return 0;
  // Locked first: a name without a lock is swept.
  (void)flock(fd_, LOCK_EX | LOCK_NB);
  std::string name = fresh_name();
  if (const int problem = become(name.c_str()); problem != 0) return problem;
  temporary_ = std::move(name);
  return 0;
}

void sweep_unfinished(int folder) {
  for (const std::string& name : unfinished_in(folder)) {
    // To write, since NFS grants an exclusive lock on nothing else.
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg)
    const int file = openat(folder, name.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) continue;
    struct stat status {};
    const bool is_left = fstat(file, &status) == 0 && S_ISREG(status.st_mode) &&
                         status.st_uid == geteuid() && flock(file, LOCK_EX | LOCK_NB) == 0;
    if (is_left) unlinkat(folder, name.c_str(), 0);
    close(file);
  }
}

}  // namespace meshtrust::base
