#pragma once

#include "base/files.h"

#include <filesystem>
#include <optional>
#include <string>

namespace meshtrust::k8s {

/// A warning when `path`, which holds keys or tokens, may be read by its group or by everybody.
/// Of a symbolic link the file behind it counts.
std::optional<std::string> warn_if_others_can_read(const std::filesystem::path& path,
                                                   base::Files& files);

}  // namespace meshtrust::k8s
