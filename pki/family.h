#pragma once

#include "pki/certificate.h"

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace meshtrust::pki {

/// Certificates and who among them issued whom.
struct Family {
  std::vector<Certificate> members;                ///< each once, in the order first met
  std::vector<std::optional<std::size_t>> issuer;  ///< of each member; nothing at the top
  std::vector<std::size_t> place;                  ///< of each certificate given, in `members`

  const Certificate* issuer_of(std::size_t member) const {
    return issuer[member] ? &members[*issuer[member]] : nullptr;
  }
};

/// Finds issuers by name, key identifier and signature. Roots that certified each other would be
/// above one another: such a ring is cut at its first member. Of many CAs of one name at most 32
/// are tried, so the work is bounded.
Family find_family(std::span<const Certificate> certificates);

}  // namespace meshtrust::pki
