#pragma once

#include "base/bytes.h"
#include "base/time.h"
#include "ledger/event.h"
#include "pki/certificate.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::ledger {

enum class AuthorityKind : std::uint8_t { kRoot, kBridge, kIssuing, kIntermediate };
/// "root", "bridge", "issuing", "intermediate".
std::string_view name_of(AuthorityKind kind);

/// How far a certificate got on its way to its cluster. Minted and pushing ones may never have
/// arrived: whoever observes the cluster decides.
enum class Delivery : std::uint8_t { kMinted, kPushing, kPushed, kAbandoned };
/// "minted", "pushing", "pushed", "abandoned".
std::string_view name_of(Delivery delivery);

/// That a certificate is to be on the CRLs of its issuer.
struct Revocation {
  base::Instant at;
  std::string reason;  ///< "keyCompromise", ... (RFC 5280 5.3.1); empty for none
};

/// One certificate that this ledger issued. Everything else about it stands in
/// `certificate.facts()`.
struct Authority {
  pki::Certificate certificate;
  AuthorityKind kind;
  std::string cluster;  ///< of an intermediate; else empty
  std::string issuer;   ///< fingerprint of the issuing certificate; its own for a root
  base::Instant minted_at;
  Delivery state = Delivery::kMinted;
  base::Instant state_since;
  bool was_written = false;  ///< pushed, as files to a person: see `Pushed`
  std::optional<Revocation> revoked = {};
  base::Bytes newest_crl = {};  ///< DER of the last CRL made of this CA; or empty
  /// Of a root below another organisation's CA: its own certificate by that CA, then what is above
  /// it, the self-signed one last. Empty for a root that stands by itself. Of anything below a root
  /// what stood above that when it was minted, which is what its cluster presents and trusts.
  std::vector<pki::Certificate> above = {};
  /// Of a root: the last CRL that was given of CAs that stand above it or did, by fingerprint of
  /// the CA, like `newest_crl`.
  std::map<std::string, base::Bytes, std::less<>> crls_above = {};

  const std::string& fingerprint() const { return certificate.fingerprint(); }
  /// Whether it is a CA below a root that some chain may still hold.
  bool may_be_in_use(base::Instant at) const;
};

/// Where a root stands in the row of generations.
enum class RootState : std::uint8_t {
  kNext,     ///< minted; nothing was ever issued below it
  kCurrent,  ///< what is minted is minted below it
  kFormer,   ///< was current; trusted until it is retired, and may be current again
  kRetired,  ///< nobody's any more; kept as a certificate, signs nothing
};
/// "next", "current", "former", "retired".
std::string_view name_of(RootState state);

/// A root of the ledger.
struct Root {
  pki::Certificate certificate;
  base::Instant minted_at;
  /// See `Authority::above`.
  std::vector<pki::Certificate> above = {};
  RootState state = RootState::kCurrent;
  std::string after = {};                   ///< fingerprint of the root before; empty for the first
  Voucher voucher = Voucher::kPredecessor;  ///< who says that it follows that one
  std::string key_digest = {};              ///< SHA-256 of its key's file as it was written
  bool key_is_destroyed = false;

  /// The certificate that intermediates name as their issuer.
  const pki::Certificate& issuer() const { return above.empty() ? certificate : above.front(); }
  /// What a chain holds between an intermediate and the anchor.
  std::vector<pki::Certificate> between() const {
    return above.empty() ? above : std::vector(above.begin(), above.end() - 1);
  }
  /// What to trust.
  const pki::Certificate& anchor() const { return above.empty() ? certificate : above.back(); }
  const std::string& fingerprint() const { return certificate.fingerprint(); }
};

/// A key that waits in the store until somebody elsewhere has signed its request.
struct PendingRequest {
  std::string key_name;  ///< see the function of that name
  std::string cluster;
  base::Instant since;
  std::string file_digest = {};  ///< SHA-256 of the key file as it was written
};

}  // namespace meshtrust::ledger
