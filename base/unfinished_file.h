#pragma once

#include <string>
#include <sys/types.h>

namespace meshtrust::base {

/// A file that is being written to a folder and gets its name when it is whole. Until then it has
/// none (O_TMPFILE), so that of a run that is killed, or meets a full disk, nothing stays. Where
/// the filesystem cannot do that it is called `.meshtrust-*` and locked, which tells it from what a
/// killed run left: `sweep` removes that. Internal to `DiskFiles`.
///
/// Functions return 0 or an errno.
class UnfinishedFile {
 public:
  UnfinishedFile() = default;
  UnfinishedFile(const UnfinishedFile&) = delete;
  UnfinishedFile& operator=(const UnfinishedFile&) = delete;
  ~UnfinishedFile();

  /// In `folder`, an open descriptor that is borrowed.
  int create(int folder, mode_t mode);
  /// What `create` does where there are no files without names.
  int create_named(int folder, mode_t mode);
  int descriptor() const { return fd_; }

  /// Gives it the name `name`: EEXIST when that is taken.
  int become(const char* name);
  /// The same, in place of what has the name; ELOOP and EISDIR where that is a link or a folder.
  /// For a moment it has two names.
  int replace(const char* name);

 private:
  int take_name();
  /// EAGAIN when somebody has swept it.
  int try_named(mode_t mode);
  void give_up();

  int folder_ = -1;
  int fd_ = -1;
  std::string temporary_;  ///< its name now, if it has one
};

/// Removes what killed runs left in `folder`: files of ours that are called `.meshtrust-*` and that
/// nobody is writing. What cannot be removed stays.
void sweep_unfinished(int folder);

}  // namespace meshtrust::base
