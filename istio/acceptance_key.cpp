#include "base/secret.h"
#include "istio/acceptance.h"
#include "pki/chain.h"
#include "pki/key.h"
#include "pki/pem.h"

#include <fmt/format.h>

namespace meshtrust::istio {

KeyMatch match_key(const base::Secret& pem, const std::string& ca_cert) {
  const auto certificates = pki::certificates_from_pem(ca_cert);
  if (!certificates) return pki::public_key_of(pem) ? KeyMatch::kOther : KeyMatch::kUnreadable;
  const auto same = pki::is_for_key(certificates->front(), pem);
  if (!same) return KeyMatch::kUnreadable;
  return *same ? KeyMatch::kMatches : KeyMatch::kOther;
}

std::string objection_to_key(const base::Secret& pem) {
  // Labels and headers alone are looked at, which are no secret.
  const pki::PemText text = pki::scan_pem(base::reveal(pem, "what kind of PEM block comes first"));
  if (text.blocks.empty()) return {};
  const pki::PemBlock& first = text.blocks.front();
  if (first.label == "ENCRYPTED PRIVATE KEY" || first.has_headers) {
    return "is encrypted, and istiod has no password for it";
  }
  if (first.label.ends_with("PRIVATE KEY")) return {};
  return fmt::format("begins with a block '{}', and istiod reads the first block alone",
                     first.label);
}

}  // namespace meshtrust::istio
