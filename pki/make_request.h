#pragma once

#include "base/result.h"
#include "pki/key.h"
#include "pki/name.h"
#include "pki/request.h"

#include <optional>
#include <string>

namespace meshtrust::pki {

/// A PKCS#10 request (RFC 2986) of a CA for the key of `key`, which signs it. Its extensionRequest
/// (RFC 2985 5.4.2) asks for what such a certificate needs, since many signers make an ordinary
/// certificate of a request that asks for nothing: CA:TRUE without a path length, keyCertSign and
/// cRLSign, and the `subject_key_id` (hex) of a key that certificates name already, or the one that
/// we would give it. Whoever signs decides what the certificate says. kInvalidInput for a name that
/// cannot be encoded.
base::Result<CertificateRequest> make_request(
    const DistinguishedName& subject,
    const Signer& key,
    const std::optional<std::string>& subject_key_id = {});

}  // namespace meshtrust::pki
