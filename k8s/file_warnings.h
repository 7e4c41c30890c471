#pragma once

#include "base/files.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace meshtrust::k8s {

/// A warning when `path`, which holds keys or tokens, may be read by its group or by everybody.
/// Of a symbolic link the file behind it counts.
std::optional<std::string> warn_if_others_can_read(const std::filesystem::path& path,
                                                   base::Files& files);

/// What people mean by a path that leads nowhere here: one of Windows, or one with "~", which only
/// a shell expands. Empty for any other.
std::string hint_for_path(std::string_view path);

}  // namespace meshtrust::k8s
