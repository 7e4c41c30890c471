#pragma once

#include "base/result.h"
#include "pki/key.h"
#include "pki/name.h"
#include "pki/request.h"

namespace meshtrust::pki {

/// A PKCS#10 request (RFC 2986) for the key of `key`, which signs it. It asks for no extension:
/// whoever signs decides what the certificate says. kInvalidInput for a name that cannot be
/// encoded.
base::Result<CertificateRequest> make_request(const DistinguishedName& subject, const Signer& key);

}  // namespace meshtrust::pki
