#pragma once

#include "base/result.h"

#include <string>

namespace meshtrust::k8s {

/// The first address that the system's resolver has for `host`, IPv4 before IPv6. kUnavailable when
/// there is none.
base::Result<std::string> resolve_host(const std::string& host);

}  // namespace meshtrust::k8s
