#pragma once

#include "pki/path/rules.h"

namespace meshtrust::pki {

/// `webpki_rules` with aws-lc-rs in place of ring, as ztunnel is built unless somebody asks for
/// another provider: it has P-521 too, and SHA-512 with every curve.
const Rules& ztunnel_rules();

}  // namespace meshtrust::pki
