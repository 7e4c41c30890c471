#pragma once

#include "base/result.h"
#include "ledger/signed_head.h"
#include "pki/certificate.h"
#include "pki/key.h"

#include <cstdint>
#include <string_view>

namespace meshtrust::ca {

/// Signs the ledger up to line `sequence`, and looks whether `authority` accepts that. kRefused
/// when `key` is not its key.
base::Result<ledger::SignedHead> sign_head(const pki::Certificate& authority,
                                           const pki::Signer& key,
                                           std::int64_t sequence,
                                           std::string_view digest);

}  // namespace meshtrust::ca
