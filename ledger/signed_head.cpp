#include "ledger/signed_head.h"

#include <fmt/format.h>

namespace meshtrust::ledger {

std::string head_message(std::int64_t sequence, std::string_view digest) {
  return fmt::format("meshtrust ledger head v1\nline {}\nsha256 {}\n", sequence, digest);
}

bool verifies(const SignedHead& head, const pki::Certificate& authority, std::string_view digest) {
  const std::string message = head_message(head.sequence, digest);
  return authority.has_signed(base::as_bytes(message), head.signature);
}

}  // namespace meshtrust::ledger
