#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace meshtrust::k8s {

/// Puts lines together from pieces that end anywhere. Memory is bounded by the longest line.
class LineSplitter {
 public:
  /// `receive` gets each line that is not empty, without its newline, until it says false.
  LineSplitter(std::size_t longest, std::function<bool(std::string_view line)> receive)
      : longest_(longest), receive_(std::move(receive)) {}

  /// False when the receiver has had enough, or a line is longer than the bound. What follows the
  /// last newline waits for the next piece, and is dropped when none comes: it is half a line.
  bool take(std::string_view part);
  bool overflowed() const { return overflowed_; }

 private:
  const std::size_t longest_;
  const std::function<bool(std::string_view line)> receive_;
  std::string begun_;
  bool overflowed_ = false;
};

}  // namespace meshtrust::k8s
