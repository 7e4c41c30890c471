#pragma once

#include "base/bytes.h"
#include "base/cancellation.h"
#include "base/result.h"
#include "base/secret.h"
#include "pki/inspect.h"

#include <functional>
#include <string_view>
#include <vector>

namespace meshtrust::pki {

/// Whether `der` has the shape of a PKCS#12 file (RFC 7292).
bool is_pkcs12(base::ByteView der);

/// Certificates, keys (their facts alone) and revocation lists of a PKCS#12 file, in its order.
/// `ask` is called once, unless the file opens with an empty passphrase or needs none.
///
/// kInvalidInput "wrong passphrase" when its checksum does not hold under the one that was given;
/// kInvalidInput with what is damaged or unknown when the checksum holds and the content does not
/// open. A file made without a checksum cannot tell the two apart, and the message says so. A file
/// whose key derivations ask together for more than some seconds of work is refused before they are
/// done. kCancelled within a moment of `cancellation`.
base::Result<std::vector<InspectedObject>> open_pkcs12(
    std::string_view label,
    base::ByteView der,
    const AskPassphrase& ask,
    const base::Cancellation* cancellation = nullptr);

}  // namespace meshtrust::pki
