#include "ledger/event.h"

namespace meshtrust::ledger {

const pki::Certificate* minted_by(const Event& event) {
  return std::visit(
      [](const auto& one) -> const pki::Certificate* {
        if constexpr (requires { one.certificate; }) {
          return &one.certificate;
        } else {
          return nullptr;
        }
      },
      event);
}

std::string key_name(std::string_view key_id) {
  return std::string(key_id.substr(0, 16));
}

std::string key_name(const pki::Certificate& certificate) {
  return key_name(certificate.facts().key_id);
}

}  // namespace meshtrust::ledger
