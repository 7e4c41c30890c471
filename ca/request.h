#pragma once

#include "base/result.h"
#include "ca/authority.h"
#include "ca/store.h"
#include "pki/request.h"
#include "pki/revocation_list.h"

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace meshtrust::ca {

/// Makes a key that waits in `store` (encrypted as `protection` says) for a certificate that
/// somebody elsewhere signs, and the request for it, which is all that travels. Planned in the
/// ledger before the key is written, like a root's. kConflict when a request of this cluster is
/// open already: it can be given up with `close_request`.
base::Result<pki::CertificateRequest> open_request(TrustStore& store,
                                                   const StoreLock& lock,
                                                   const IntermediateRequest& wanted,
                                                   const KeyProtection& protection,
                                                   const Who& who);

/// Forgets an open request and its key.
base::Status close_request(TrustStore& store,
                           const StoreLock& lock,
                           const PendingRequest& request,
                           const Who& who);

/// What an import leaves with the caller: the only copy of the key, once `close_request` is done.
struct Imported {
  Intermediate intermediate;
  PendingRequest request;
  pki::RevocationList list;  ///< empty, lasting as long as the certificate: for `ca crl --with`
};

/// Gives the passphrase of a waiting key; called only for one that is encrypted.
using AskPassphrase = std::function<base::Result<base::Secret>()>;

/// Joins a signed certificate with the key that waits for it. `papers` holds the certificate, what
/// is between it and the root, and the root, in any order. kNotFound when no open request has that
/// key, kInvalidInput for a wrong passphrase, kRefused when the certificate is no sound CA for this
/// mesh (lint) or its chain does not reach a self-signed root among `papers`.
base::Result<Imported> import_signed(TrustStore& store,
                                     std::span<const pki::Certificate> papers,
                                     const AskPassphrase& ask,
                                     base::Instant at);

}  // namespace meshtrust::ca
