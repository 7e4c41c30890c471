#pragma once

#include "base/result.h"
#include "pki/key.h"
#include "pki/name.h"
#include "pki/request.h"

#include <optional>
#include <string>

namespace meshtrust::pki {

/// A PKCS#10 request (RFC 2986) for the key of `key`, which signs it. It asks for no extension but
/// the `subject_key_id` (hex) of a key that certificates name already: whoever signs decides what
/// else the certificate says. kInvalidInput for a name that cannot be encoded.
base::Result<CertificateRequest> make_request(
    const DistinguishedName& subject,
    const Signer& key,
    const std::optional<std::string>& subject_key_id = {});

}  // namespace meshtrust::pki
