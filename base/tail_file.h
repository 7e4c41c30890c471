#pragma once

#include "base/result.h"

#include <filesystem>
#include <string_view>

namespace meshtrust::base {

/// A file for the user alone (0600) that keeps the end of what is added to it, for output that has
/// no end of its own. While it is open it may be twice as large as what is kept.
class TailFile {
 public:
  /// Empties the file or makes it; follows no link. Errors as of `Files::write`.
  static Result<TailFile> create(const std::filesystem::path& path, std::size_t most);

  TailFile(TailFile&& other) noexcept;
  TailFile& operator=(TailFile&&) = delete;
  TailFile(const TailFile&) = delete;
  TailFile& operator=(const TailFile&) = delete;
  /// Cuts it down to what is kept: whole lines, and one before them that says how many bytes went.
  ~TailFile();

  /// What the disk does not take is lost: whoever wrote it shall not wait for us.
  void add(std::string_view bytes);

 private:
  TailFile(int file, std::size_t most) : file_(file), most_(most) {}
  void write_at_end(std::string_view bytes);
  void keep_end();

  int file_;
  std::size_t most_;
  std::size_t size_ = 0;     ///< of the file
  std::size_t heading_ = 0;  ///< of which the line about what was cut
  std::size_t cut_ = 0;      ///< bytes so far
};

}  // namespace meshtrust::base
