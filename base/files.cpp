#include "base/files.h"

#include "base/text.h"
#include "base/unfinished_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace meshtrust::base {
namespace {

namespace fs = std::filesystem;

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// The system's words, beginning in lower case as all messages do.
std::string words_of(int number) {
  std::string words = std::generic_category().message(number);
  if (!words.empty() && words[0] >= 'A' && words[0] <= 'Z') {
    words[0] = static_cast<char>(words[0] - 'A' + 'a');
  }
  return words;
}

Code code_of(int number) {
  switch (number) {
    case ENOENT:
    case ENOTDIR:
      return Code::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::kPermission;
    case EEXIST:
      return Code::kConflict;
    case ELOOP:
      return Code::kRefused;
    case EISDIR:
      return Code::kInvalidInput;
    default:
      return Code::kInternal;
  }
}

Failure<Error> system_failure(std::string_view verb, const fs::path& path, int number) {
  const Code code = code_of(number);
  if (code == Code::kConflict) {
    return fail(code, fmt::format("'{}' already exists", path.string()));
  }
  if (code == Code::kRefused) {
    return fail(code,
                fmt::format("'{}' is a symbolic link, which is not followed here", path.string()));
  }
  return fail(code, fmt::format("cannot {} '{}': {}", verb, path.string(), words_of(number)));
}

fs::path folder_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

Descriptor open_folder(const fs::path& folder) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): open has no other form
  return Descriptor(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// The system reads a path up to its first NUL, and would take another file than was meant.
Status expect_no_nul(const fs::path& path) {
  if (path.native().find('\0') == std::string::npos) return {};
  return fail(Code::kInvalidInput, fmt::format("'{}' is no path: it holds a NUL", path.string()));
}

/// Whether `path` is the name of an open descriptor of this process.
bool names_descriptor(const fs::path& path) {
  const std::string& text = path.native();
  if (text == "/dev/stdin") return true;
  for (const std::string_view prefix : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!text.starts_with(prefix) || text.size() == prefix.size()) continue;
    return text.find_first_not_of("0123456789", prefix.size()) == std::string::npos;
  }
  return false;
}

/// Whether reading what `status` is about ends by itself, or is what the caller asked for.
bool is_readable(const struct stat& status, const fs::path& path) {
  if (S_ISREG(status.st_mode)) return true;
  const bool is_null = S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
  const bool is_stream = S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode);
  return is_null || (is_stream && names_descriptor(path));
}

Failure<Error> no_file(const struct stat& status, const fs::path& path, std::string_view verb) {
  if (S_ISDIR(status.st_mode)) return system_failure(verb, path, EISDIR);
  const std::string_view kind = S_ISFIFO(status.st_mode)   ? "a FIFO"
                                : S_ISSOCK(status.st_mode) ? "a socket"
                                                           : "a device";
  Error error{.code = Code::kInvalidInput,
              .message = fmt::format("'{}' is {}, wanted a file", path.string(), kind)};
  if (S_ISFIFO(status.st_mode)) {
    error.hints.emplace_back("what a program writes is read from '<(...)' or /dev/stdin");
  }
  return fail(std::move(error));
}

/// Opens for reading what may be read; nothing is opened that opening alone could set going.
Result<Descriptor> open_to_read(const fs::path& path) {
  MESHTRUST_TRY_DO(expect_no_nul(path));
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return system_failure("read", path, errno);
  if (!is_readable(status, path)) return no_file(status, path, "read");
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): open has no other form
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file || fstat(file.get(), &status) != 0) return system_failure("read", path, errno);
  // It may be another by now.
  if (!is_readable(status, path)) return no_file(status, path, "read");
  return file;
}

/// Until a stream has more to say; kCancelled when the run is over before.
Status wait_for_more(int file, const Cancellation* cancellation) {
  std::array<pollfd, 2> watched{
      {{.fd = file, .events = POLLIN, .revents = 0},
       {.fd = cancellation == nullptr ? -1 : cancellation->fd(), .events = POLLIN, .revents = 0}}};
  (void)poll(watched.data(), watched.size(), -1);
  if (cancellation != nullptr && cancellation->is_cancelled()) {
    return fail(Code::kCancelled, "interrupted");
  }
  return {};
}

/// Reads to the end through `keep(bytes)`, at most `limit` bytes.
template <class Keep>
Status read_all(const fs::path& path,
                std::size_t limit,
                const Cancellation* cancellation,
                Keep keep) {
  MESHTRUST_TRY(const Descriptor file, open_to_read(path));
  std::array<char, 16384> buffer{};
  std::size_t total = 0;
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      MESHTRUST_TRY_DO(wait_for_more(file.get(), cancellation));
      continue;
    }
    if (got < 0) return system_failure("read", path, errno);
    if (got == 0) break;
    total += static_cast<std::size_t>(got);
    if (total > limit) {
      explicit_bzero(buffer.data(), buffer.size());
      return fail(Code::kInvalidInput,
                  fmt::format("'{}' is larger than {} bytes", path.string(), limit));
    }
    keep(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
  }
  explicit_bzero(buffer.data(), buffer.size());
  return {};
}

/// Writes, syncs, and says what went wrong, if anything.
int write_and_sync(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(file, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return fsync(file) == 0 ? 0 : errno;
}

Status write_atomically(const fs::path& path,
                        std::string_view content,
                        Access access,
                        Overwrite overwrite) {
  MESHTRUST_TRY_DO(expect_no_nul(path));
  const Descriptor folder = open_folder(folder_of(path));
  if (!folder) return system_failure("open folder", folder_of(path), errno);
  sweep_unfinished(folder.get());
  const std::string name = path.filename().string();
  // Links and folders are told where they would be replaced.
  struct stat there {};
  const bool is_special = fstatat(folder.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
                          !S_ISREG(there.st_mode) && !S_ISLNK(there.st_mode) &&
                          !S_ISDIR(there.st_mode);
  if (overwrite == Overwrite::kReplace && is_special) return no_file(there, path, "write");
  const mode_t mode = access == Access::kPrivate ? 0600 : 0644;
  UnfinishedFile file;
  int problem = file.create(folder.get(), mode);
  // The program's umask keeps everything private; what is meant to be public says so here.
  if (problem == 0 && fchmod(file.descriptor(), mode) != 0) problem = errno;
  if (problem == 0) problem = write_and_sync(file.descriptor(), content);
  if (problem == 0) {
    problem =
        overwrite == Overwrite::kNever ? file.become(name.c_str()) : file.replace(name.c_str());
  }
  if (problem != 0) return system_failure("write", path, problem);
  if (fsync(folder.get()) != 0) return system_failure("write", path, errno);
  return {};
}

Result<FileFacts> facts_of(const fs::path& path, int how) {
  MESHTRUST_TRY_DO(expect_no_nul(path));
  struct stat status {};
  if (fstatat(AT_FDCWD, path.c_str(), &status, how) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return FileFacts{};
    return system_failure("look at", path, errno);
  }
  FileFacts facts;
  facts.kind = S_ISREG(status.st_mode)   ? FileKind::kFile
               : S_ISDIR(status.st_mode) ? FileKind::kFolder
               : S_ISLNK(status.st_mode) ? FileKind::kSymlink
                                         : FileKind::kOther;
  facts.mode = status.st_mode & 07777U;
  facts.owned_by_caller = status.st_uid == geteuid();
  facts.owner = status.st_uid;
  facts.size_bytes = static_cast<std::uintmax_t>(status.st_size);
  return facts;
}

class DiskLock final : public FileLock {
 public:
  DiskLock(Descriptor file, fs::path path) : file_(std::move(file)), path_(std::move(path)) {}
  // The words go with the holder; the file stays, so that its lock means the same to everyone.
  ~DiskLock() override { (void)ftruncate(file_.get(), 0); }
  DiskLock(const DiskLock&) = delete;
  DiskLock& operator=(const DiskLock&) = delete;

  Status describe(std::string_view holder) override {
    if (ftruncate(file_.get(), 0) != 0 || lseek(file_.get(), 0, SEEK_SET) != 0) {
      return system_failure("write", path_, errno);
    }
    const int problem = write_and_sync(file_.get(), holder);
    if (problem != 0) return system_failure("write", path_, problem);
    return {};
  }

 private:
  Descriptor file_;
  fs::path path_;
};

}  // namespace

Result<std::string> DiskFiles::read(const fs::path& path, std::size_t limit) {
  std::string content;
  MESHTRUST_TRY_DO(read_all(path, limit, cancellation_,
                            [&content](std::string_view bytes) { content += bytes; }));
  return content;
}

Result<Secret> DiskFiles::read_secret(const fs::path& path, std::size_t limit) {
  Secret content;
  MESHTRUST_TRY_DO(read_all(path, limit, cancellation_,
                            [&content](std::string_view bytes) { content.append(bytes); }));
  return content;
}

Status DiskFiles::write(const fs::path& path,
                        std::string_view content,
                        Access access,
                        Overwrite overwrite) {
  return write_atomically(path, content, access, overwrite);
}

Status DiskFiles::write_secret(const fs::path& path, const Secret& content, Overwrite overwrite) {
  return write_atomically(path, reveal(content, "written to a private file"), Access::kPrivate,
                          overwrite);
}

Status DiskFiles::make_folder(const fs::path& path, Access access) {
  MESHTRUST_TRY_DO(expect_no_nul(path));
  const mode_t mode = access == Access::kPrivate ? 0700 : 0755;
  if (mkdir(path.c_str(), mode) != 0) return system_failure("create folder", path, errno);
  if (access == Access::kPublic && chmod(path.c_str(), mode) != 0) {
    return system_failure("create folder", path, errno);
  }
  const Descriptor parent = open_folder(folder_of(path));
  if (!parent || fsync(parent.get()) != 0) return system_failure("create folder", path, errno);
  return {};
}

Status DiskFiles::remove(const fs::path& path) {
  MESHTRUST_TRY_DO(expect_no_nul(path));
  if (unlink(path.c_str()) != 0) return system_failure("remove", path, errno);
  const Descriptor parent = open_folder(folder_of(path));
  if (!parent || fsync(parent.get()) != 0) return system_failure("remove", path, errno);
  return {};
}

Result<FileFacts> DiskFiles::facts(const fs::path& path) {
  return facts_of(path, AT_SYMLINK_NOFOLLOW);
}

Result<FileFacts> DiskFiles::facts_behind_links(const fs::path& path) {
  return facts_of(path, 0);
}

Result<std::vector<std::string>> DiskFiles::list(const fs::path& folder) {
  MESHTRUST_TRY_DO(expect_no_nul(folder));
  DIR* handle = opendir(folder.c_str());
  if (handle == nullptr) return system_failure("list", folder, errno);
  std::vector<std::string> names;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's readdir is safe on a stream of one's own
  while (const dirent* entry = readdir(handle)) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-bounds-array-to-pointer-decay): a C array by POSIX
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  closedir(handle);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::unique_ptr<FileLock>> DiskFiles::lock(const fs::path& path, std::string_view holder) {
  MESHTRUST_TRY_DO(expect_no_nul(path));
  constexpr int kHow = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg)
  Descriptor file(open(path.c_str(), kHow, 0600));
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0) return system_failure("lock", path, errno);
  if (!S_ISREG(status.st_mode)) return no_file(status, path, "lock");
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_failure("lock", path, errno);
    const auto other = read(path, 4096);
    const std::string words = other ? printable(trim(*other)) : std::string();
    return fail(Code::kLocked,
                fmt::format("'{}' is held by {}", path.string(),
                            words.empty() ? "another run that has just begun" : words),
                "wait for it to end; the lock goes when that process does");
  }
  auto lock = std::make_unique<DiskLock>(std::move(file), path);
  MESHTRUST_TRY_DO(lock->describe(holder));
  return std::unique_ptr<FileLock>(std::move(lock));
}

}  // namespace meshtrust::base
