#pragma once

#include "base/clock.h"
#include "base/files.h"
#include "base/random.h"

namespace meshtrust::ca {

/// Every effect that this room has, but SQLite's own reads and writes of the store's database.
/// References: the caller keeps them alive longer than any `TrustStore` made with them.
struct Environment {
  base::Files& files;
  base::Clock& clock;
  base::Random& random;
};

}  // namespace meshtrust::ca
