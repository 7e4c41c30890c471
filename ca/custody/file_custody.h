#pragma once

#include "ca/custody/custody.h"

#include <filesystem>
#include <memory>

namespace meshtrust::ca {

/// Root keys as files of the store itself (`Layout::key`), in PKCS#8. `environment` is copied; what
/// it refers to is not.
std::unique_ptr<Custody> file_custody(const Environment& environment,
                                      const std::filesystem::path& folder);

}  // namespace meshtrust::ca
