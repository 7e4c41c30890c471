#pragma once

#include "base/result.h"
#include "base/time.h"
#include "ca/store.h"
#include "pki/certificate.h"

#include <span>
#include <string_view>

// How long what is minted may live. Internal to this room.

namespace meshtrust::ca {

/// kInvalidInput for one that is not positive.
base::Status check_lifetime(base::Seconds lifetime);

/// Whether something minted below `root` at `now` is nested in its validity and in that of all
/// above; never shortened to fit. kRefused, saying what is possible.
base::Status check_fits(const Root& root, base::Seconds lifetime, base::Instant now);

}  // namespace meshtrust::ca
