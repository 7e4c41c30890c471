#pragma once

#include "base/files.h"

#include <filesystem>
#include <string_view>

namespace meshtrust::ca {

/// Whether `index`, the content of a Git index file (versions 2 to 4), lists `path` itself or
/// anything below it. `path` is relative to the work tree, with slashes. Of an index that is not
/// understood, no path is tracked.
bool index_lists(std::string_view index, std::string_view path);

/// Whether the Git work tree around `path`, if there is one, tracks it or anything below it. Git
/// itself is not run: its configuration is the user's and could run anything. What cannot be read
/// tracks nothing: the store's own `.gitignore` is the first line, this the second.
bool is_tracked_by_git(base::Files& files, const std::filesystem::path& path);

}  // namespace meshtrust::ca
