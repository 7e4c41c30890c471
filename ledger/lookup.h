#pragma once

#include "base/result.h"
#include "base/time.h"
#include "ledger/hierarchy.h"

#include <cstdint>
#include <string_view>

// Which certificate a person means.

namespace meshtrust::ledger {

/// Whether the certificate is the one that its cluster lives on: in force, and nothing pushed later
/// that is in force and not revoked. Files that a person got are no successor of what was read back
/// from a cluster.
bool is_last_of_its_cluster(const Hierarchy& hierarchy,
                            const Authority& authority,
                            base::Instant at);

/// Which of a cluster's certificates its name stands for.
enum class Wanted : std::uint8_t { kInUse, kRevoked };

/// The certificate that `name` means: a fingerprint (16 digits at least, blanks and colons
/// forgiven), or a cluster, of which the one that was pushed, is in force and not revoked (or is
/// revoked); where none was pushed, the newest. kNotFound when there is none, kUsage when it may be
/// several.
base::Result<Authority> find_issued(const Hierarchy& hierarchy,
                                    std::string_view name,
                                    Wanted wanted,
                                    base::Instant at);

}  // namespace meshtrust::ledger
