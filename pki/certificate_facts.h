#pragma once

#include "base/result.h"
#include "pki/certificate.h"
#include "pki/handle.h"

namespace meshtrust::pki {

/// Everything in `certificate`, but for the fingerprint. kInvalidInput when an extension or a time
/// does not parse. Of an extension that stands there twice the first counts; `lint` tells.
base::Result<CertificateFacts> read_facts(const X509& certificate);

}  // namespace meshtrust::pki
