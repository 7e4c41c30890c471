#pragma once

#include "base/result.h"
#include "base/secret.h"
#include "k8s/client_settings.h"

#include <cstddef>
#include <string_view>

namespace meshtrust::k8s {

/// How many certificates `pem` holds that can be parsed.
std::size_t count_certificates(std::string_view pem);

/// The two as what TLS needs, with the expiry of the first certificate. kInvalidInput when one of
/// them cannot be read, the key is encrypted, or they do not belong together.
base::Result<ClientIdentity> make_identity(std::string_view certificate_pem, base::Secret key_pem);

}  // namespace meshtrust::k8s
