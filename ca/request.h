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
                                                   const ledger::Who& who);

/// Gives the passphrase of a waiting key; called only for one that is encrypted.
using AskPassphrase = std::function<base::Result<base::Secret>()>;

/// The request for a key that waits already, as `open_request` made it but for its signature. Its
/// errors are those of `import_signed`.
base::Result<pki::CertificateRequest> repeat_request(const TrustStore& store,
                                                     const ledger::PendingRequest& request,
                                                     const AskPassphrase& ask);

/// Whether the key of an open request is where it waits. A run that was killed between planning the
/// request and writing the key leaves none.
base::Result<bool> key_is_there(const TrustStore& store, const ledger::PendingRequest& request);

/// Forgets an open request and its key.
base::Status close_request(TrustStore& store,
                           const StoreLock& lock,
                           const ledger::PendingRequest& request,
                           const ledger::Who& who);

/// A request for the root's own key and name, for another organisation's CA to certify: the key
/// stays where it is. It asks for CA:TRUE, keyCertSign and cRLSign, and for the identifier that the
/// root's certificate gives to the key.
/// kNotFound without a root.
base::Result<pki::CertificateRequest> request_for_root(const TrustStore& store,
                                                       const pki::Signer& root_key);

/// Whether one of `papers` belongs to a key that waits here.
bool is_answer_to_request(const TrustStore& store, std::span<const pki::Certificate> papers);

/// Whether `papers` are about the root: one is its key certified by somebody else, and none belongs
/// to a key that waits.
bool is_about_root(const TrustStore& store, std::span<const pki::Certificate> papers);

/// What puts the store's root below the CA that certified it.
struct Subordination {
  std::vector<pki::Certificate> above;  ///< the root's own certificate by that CA first, the
                                        ///< self-signed root that is trusted from then on last
  bool is_recorded = false;             ///< already: nothing would change
  bool changes_what_is_trusted = false;
};

/// Finds that among `papers`, with the errors of `subordinate_root`, and records nothing.
base::Result<Subordination> find_subordination(const TrustStore& store,
                                               std::span<const pki::Certificate> papers,
                                               base::Instant at);

/// Puts the store's root below the CA that certified it. `papers` holds that certificate, what is
/// above it and their self-signed root, in any order. From then on intermediates are minted below
/// it, their chains reach up to that root, and that is what bundles trust; what was minted before
/// stays as it is. A renewed certificate replaces the last one; what is recorded already is nothing
/// new. `root_key` signs the record: it changes what a whole mesh trusts, and who can only write to
/// the store must not be able to. kNotFound when no paper is of the root's key, kRefused when its
/// subject is not the root's byte for byte, its key identifier is another than what was issued or
/// revoked so far names (most CAs compute one anew, which is taken while nothing does), it is no CA
/// or may not sign CAs, or its chain does not lead to a self-signed root among `papers`.
base::Result<Root> subordinate_root(TrustStore& store,
                                    const StoreLock& lock,
                                    std::span<const pki::Certificate> papers,
                                    base::Instant at,
                                    const pki::Signer& root_key,
                                    const ledger::Who& who);

/// What somebody elsewhere has signed for a key that waits here.
struct Signed {
  pki::Certificate certificate;
  std::vector<pki::Certificate> chain;  ///< `certificate`, then what lies between it and the root
  std::vector<pki::Certificate> roots;
  ledger::PendingRequest request;
};

/// Finds the paper whose key waits. `papers` holds the certificate, what is between it and the
/// root, and the root, in any order. kNotFound when no open request has such a key, kRefused when
/// the certificate is no sound CA for this mesh (lint) or its chain does not reach a self-signed
/// root among `papers`.
base::Result<Signed> find_signed(const TrustStore& store,
                                 std::span<const pki::Certificate> papers,
                                 base::Instant at);

/// What an import leaves with the caller: the only copy of the key, once `close_request` is done.
struct Imported {
  pki::PrivateKey key;
  pki::RevocationList list;  ///< empty, lasting as long as the certificate: for `ca crl --with`
};

/// Opens the key that belongs to `signed_one`, which stays in the store. kInvalidInput for a wrong
/// passphrase, kCorrupt for a key file that is damaged or missing.
base::Result<Imported> import_signed(const TrustStore& store,
                                     const Signed& signed_one,
                                     const AskPassphrase& ask);

/// Whether a request, open or closed, was made here for this key.
bool is_key_of_request(const TrustStore& store, const std::string& key_id);

/// Whether this ledger knows the key as one of `cluster`: of a certificate that it issued, or of a
/// request, open or closed.
bool was_key_of(const TrustStore& store, const std::string& cluster, const std::string& key_id);

}  // namespace meshtrust::ca
