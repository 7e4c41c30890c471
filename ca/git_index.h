#pragma once

#include "base/files.h"

#include <filesystem>
#include <string>

namespace meshtrust::ca {

struct GitAnswer {
  bool is_tracked = false;
  std::string unknown = {};  ///< why that is not certain; empty where it is
};

/// Whether a Git work tree around `path` (or at it) tracks it or anything below it, by what their
/// indexes say: versions 2 to 4, with SHA-1 or SHA-256, split or sparse, of linked work trees and
/// submodules. Git itself is not run: its configuration is the user's and could run anything.
///
/// What cannot be read is not known, and no "no". A work tree is found by its `.git`: one that is
/// named elsewhere (GIT_DIR, `core.worktree`, `git --work-tree`) is not, nor is the index that
/// GIT_INDEX_FILE names, which is that of one command and no place where anything stays.
GitAnswer ask_git(base::Files& files, const std::filesystem::path& path);

}  // namespace meshtrust::ca
