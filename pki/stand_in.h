#pragma once

#include "base/result.h"
#include "pki/certificate.h"
#include "pki/key.h"

namespace meshtrust::pki {

/// A CA that looks like another one and whose key is at hand, to try out what the other's key would
/// sign.
struct StandIn {
  Certificate certificate;
  PrivateKey key;
};

/// A certificate with everything that `original` says (names, dates, serial number, extensions with
/// their key identifiers) for a new key of the same kind, signed by `issuer`; by its own key where
/// that is null, as for a root. Verifiers treat it as they would the original, but for the digest
/// in its signature, which is the one that meshtrust signs with. It is worth nothing: nobody trusts
/// it. kInvalidInput for a kind of key that is no `KeyAlgorithm`.
base::Result<StandIn> stand_in_for(const Certificate& original, const StandIn* issuer);

}  // namespace meshtrust::pki
