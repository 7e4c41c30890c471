#include "base/secret.h"
#include "istio/acceptance.h"
#include "pki/chain.h"
#include "pki/key.h"
#include "pki/pem.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::istio {

KeyMatch match_key(const base::Secret& pem, const PublicBundle& certificates) {
  const auto own = pki::certificates_from_pem(certificates.ca_cert);
  if (!own) return pki::public_key_of(pem) ? KeyMatch::kOther : KeyMatch::kUnreadable;
  const auto same = pki::is_for_key(own->front(), pem);
  if (!same) return KeyMatch::kUnreadable;
  if (*same) return KeyMatch::kMatches;
  const auto roots = pki::certificates_from_pem(certificates.root_cert);
  const bool is_of_root = roots && std::ranges::any_of(*roots, [&pem](const auto& root) {
                            const auto fits = pki::is_for_key(root, pem);
                            return fits && *fits;
                          });
  return is_of_root ? KeyMatch::kOfRoot : KeyMatch::kOther;
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
