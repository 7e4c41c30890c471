#include "base/tail_file.h"

#include "base/text.h"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace meshtrust::base {

Result<TailFile> TailFile::create(const std::filesystem::path& path, std::size_t most) {
  const auto failed = [&path](int number) {
    const Code code = number == EACCES || number == EROFS ? Code::kPermission
                      : number == ENOENT                  ? Code::kNotFound
                      : number == ELOOP                   ? Code::kRefused
                                                          : Code::kInternal;
    return fail(code, fmt::format("cannot write '{}': {}", path.string(),
                                  std::generic_category().message(number)));
  };
  constexpr int kHow = O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): open has no other form
  const int file = open(path.c_str(), kHow, 0600);
  if (file < 0) return failed(errno);
  TailFile made(file, most);
  struct stat status {};
  if (fstat(file, &status) != 0) return failed(errno);
  if (!S_ISREG(status.st_mode)) {
    return fail(Code::kInvalidInput, fmt::format("'{}' is no file", path.string()));
  }
  return made;
}

TailFile::TailFile(TailFile&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      most_(other.most_),
      size_(other.size_),
      heading_(other.heading_),
      cut_(other.cut_) {}

TailFile::~TailFile() {
  if (file_ < 0) return;
  if (size_ > most_ + heading_) keep_end();
  close(file_);
}

void TailFile::add(std::string_view bytes) {
  write_at_end(bytes);
  if (size_ > 2 * most_) keep_end();
}

void TailFile::write_at_end(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    size_ += static_cast<std::size_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void TailFile::keep_end() {
  std::string end(most_, '\0');
  const ssize_t got = pread(file_, end.data(), end.size(), static_cast<off_t>(size_ - most_));
  if (got <= 0) return;
  end.resize(static_cast<std::size_t>(got));
  // From the beginning of a line, where there is one.
  if (const auto line = end.find('\n'); line + 1 < end.size()) end.erase(0, line + 1);
  cut_ += size_ - heading_ - end.size();
  const std::string heading =
      fmt::format("(the {} before this were cut)\n", count_of(cut_, "byte"));
  if (ftruncate(file_, 0) != 0) return;
  size_ = 0;
  heading_ = heading.size();
  write_at_end(heading + end);
}

}  // namespace meshtrust::base
