#pragma once

#include "base/time.h"
#include "mesh/observation.h"
#include "pki/certificate.h"
#include "pki/verify.h"
#include "profiles/mesh.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {

/// Whether Envoy, which looks up every CA of a chain and its root (check-whole-chain), accepts the
/// CAs `chain` under one of `roots` by the lists in `pem`; nothing where there are no lists.
std::optional<pki::Verdict> judge_by_lists(const std::vector<pki::Certificate>& chain,
                                           const std::vector<pki::Certificate>& roots,
                                           std::string_view pem,
                                           base::Instant at);

/// Serial numbers of the intermediates below the root that signs which its list has to name:
/// revoked, and at `at` not over yet.
std::vector<std::string> revoked_at(const StoreFacts& store, base::Instant at);

/// Why the root needs its next list, in words that end a step's line; empty when the one it has
/// will do. `store` is null where the root is yet to be minted.
///
/// A list is replaced in the second half of its time: whoever runs apply on schedule has that half
/// to notice that it no longer runs (an expired list is an outage).
std::string why_next_list(const StoreFacts* store,
                          const profiles::CrlProfile& crl,
                          base::Instant at);

}  // namespace meshtrust::mesh
