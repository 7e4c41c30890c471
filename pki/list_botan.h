#pragma once

#include "pki/certificate.h"
#include "pki/revocation_list.h"

namespace meshtrust::pki {

/// Botan's independent word on a new list: it parses, names `issuer`, and is signed by its key.
bool is_accepted_by_botan(const RevocationList& list, const Certificate& issuer);

}  // namespace meshtrust::pki
