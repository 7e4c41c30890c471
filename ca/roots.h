#pragma once

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "ca/custody/key_protection.h"
#include "ca/store.h"
#include "pki/certificate.h"
#include "pki/key.h"
#include "pki/name.h"

#include <memory>
#include <string>

// The roots of a store, and how one follows another.

namespace meshtrust::ca {

struct RootRequest {
  pki::DistinguishedName subject;
  pki::KeyAlgorithm key = pki::KeyAlgorithm::kEcdsaP256;
  base::Seconds lifetime = base::days(3650);
};

/// A root together with its key, as it was read back from where that is kept.
struct MintedRoot {
  Root root;
  std::unique_ptr<pki::Signer> signer;
};

/// Mints the root of `store`: valid from an hour ago until `request.lifetime` from now, its subject
/// as requested plus an organizational unit that names the generation ("root 2026-11-21 7f3a9c01").
///
/// Order: certificate and encrypted key are made and judged in memory; the plan is recorded; the
/// key is kept, read back and opened; certificate and record follow in one transaction.
/// Killed before that last step there is no root, and the next call discards the planned key.
///
/// kConflict when there is a root already, kInvalidInput for a bad request or an empty passphrase,
/// kRefused when the certificate breaks a rule.
base::Result<MintedRoot> mint_root(TrustStore& store,
                                   const StoreLock& lock,
                                   const RootRequest& request,
                                   const KeyProtection& protection,
                                   const ledger::Who& who);

/// Mints the root that is to follow the current one, in the same order. It waits: until
/// `activate_root` nothing is minted below it unless that is asked for, and it is trusted nowhere.
/// Its key and its generation, and with that its name, are new.
///
/// `key_before` is the key of the current root, which signs the record beside the new root's own,
/// so that whoever reads the ledger believes in the new one for the sake of the old. Null where
/// that key is out of reach: then nothing in the store can vouch for the new root, and it has to be
/// named to `TrustStore::open` from then on (`ledger::Voucher::kOutside`).
///
/// kConflict when a next root waits already, which is to be taken up (`ledger::Hierarchy::next`);
/// kNotFound without a root; kRefused for another's key; else as `mint_root`.
base::Result<MintedRoot> mint_next_root(TrustStore& store,
                                        const StoreLock& lock,
                                        const RootRequest& request,
                                        const KeyProtection& protection,
                                        const pki::Signer* key_before,
                                        const ledger::Who& who);

/// A cross-certificate to be: of one root, by another. Fingerprints.
struct BridgeRequest {
  std::string of;  ///< whose name and key it has
  std::string by;  ///< who issues it, and is trusted
  base::Seconds lifetime = base::days(365);
};

/// Mints it, valid from an hour ago until `request.lifetime` from now. Forward, of the next root by
/// the old one, it lets those who trust the old root accept what is below the next; reverse, of the
/// old root by the next, the other way around. `issuer_key` is the key of `request.by`.
///
/// kNotFound for what is no root here; kRefused when one of them is retired, the bridge would
/// outlive one of them, the path lengths above leave no room for it and for a cluster's CA below
/// it, or the certificate breaks a rule.
base::Result<pki::Certificate> mint_bridge(TrustStore& store,
                                           const StoreLock& lock,
                                           const pki::Signer& issuer_key,
                                           const BridgeRequest& request,
                                           const ledger::Who& who);

/// From now on intermediates are minted below this root; also to go back to the one before.
/// `key` is its key. kConflict when it is the current one, or retired.
base::Status activate_root(TrustStore& store,
                           const StoreLock& lock,
                           const std::string& root,
                           const pki::Signer& key,
                           const ledger::Who& who);

/// Notes that nobody trusts this root any more, which is for the caller to know. It is kept as a
/// certificate and signs nothing again; its key stays where it is. `current_key` is the current
/// root's. kConflict when it is that one.
base::Status retire_root(TrustStore& store,
                         const StoreLock& lock,
                         const std::string& root,
                         const pki::Signer& current_key,
                         const ledger::Who& who);

/// Destroys the key of a retired root. That is recorded first, and finished by whoever takes the
/// store's lock next should this be killed: a key that is gone without a record would be a loss.
/// What a disk keeps of a removed file is not seen here. kConflict when the root is not retired.
base::Status destroy_root_key(TrustStore& store,
                              const StoreLock& lock,
                              const std::string& root,
                              const pki::Signer& current_key,
                              const ledger::Who& who);

/// The current root of `store`; kNotFound where there is none yet.
base::Result<Root> root_of(const TrustStore& store);
/// The root of this fingerprint; kNotFound where there is none.
base::Result<Root> root_of(const TrustStore& store, const std::string& fingerprint);

/// The key of `root`; `passphrase` is not looked at when the key is in clear text.
/// kInvalidInput for a wrong passphrase, kCorrupt when what is kept no longer is the key that
/// belongs to the certificate, kNotFound when it was destroyed.
base::Result<std::unique_ptr<pki::Signer>> unlock_root(const TrustStore& store,
                                                       const Root& root,
                                                       const base::Secret& passphrase);
/// That of the current root; kNotFound when there is none.
base::Result<std::unique_ptr<pki::Signer>> unlock_root(const TrustStore& store,
                                                       const base::Secret& passphrase);

}  // namespace meshtrust::ca
