#pragma once

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "ca/key_protection.h"
#include "ca/store.h"
#include "pki/certificate.h"
#include "pki/key.h"
#include "pki/name.h"
#include "pki/request.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace meshtrust::ca {

struct RootRequest {
  pki::DistinguishedName subject;
  pki::KeyAlgorithm key = pki::KeyAlgorithm::kEcdsaP256;
  base::Seconds lifetime = base::days(3650);
};

/// A root together with its key, as it was read back from disk.
struct MintedRoot {
  Root root;
  std::unique_ptr<pki::Signer> signer;
};

/// Mints the root of `store`: valid from an hour ago until `request.lifetime` from now, its subject
/// as requested plus an organizational unit that names the generation ("root 2026-11-21 7f3a9c01").
///
/// Order: certificate and encrypted key are made and judged in memory; the plan is recorded; the
/// key file is written, read back and opened; certificate and record follow in one transaction.
/// Killed before that last step there is no root, and the next call discards the planned key.
///
/// kConflict when there is a root already, kInvalidInput for a bad request or an empty passphrase,
/// kRefused when the certificate breaks a rule.
base::Result<MintedRoot> mint_root(TrustStore& store,
                                   const StoreLock& lock,
                                   const RootRequest& request,
                                   const KeyProtection& protection,
                                   const Who& who);

/// The root of `store`; kNotFound where there is none yet.
base::Result<Root> root_of(const TrustStore& store);

/// The key of the store's root; `passphrase` is not looked at when the key is in clear text.
/// kInvalidInput for a wrong passphrase, kCorrupt when the key file no longer holds the key that
/// belongs to the certificate, kNotFound when there is no root.
base::Result<std::unique_ptr<pki::Signer>> unlock_root(const TrustStore& store,
                                                       const base::Secret& passphrase);

struct IntermediateRequest {
  std::string cluster;  ///< DNS-1123 label
  pki::KeyAlgorithm key = pki::KeyAlgorithm::kEcdsaP256;
  base::Seconds lifetime = base::days(730);
};

/// An intermediate and everything that its cluster needs beside it. Owns the only copy of the key.
struct Intermediate {
  pki::Certificate certificate;
  pki::PrivateKey key;
  std::vector<pki::Certificate> chain;  ///< `certificate`, then what lies between it and the root
  std::vector<pki::Certificate> roots;  ///< what to trust
};

/// Mints the intermediate of `request.cluster` under the store's root, valid from an hour ago (but
/// not from before its root) until `request.lifetime` from now. Its subject is the root's, with the
/// generation ("intermediate 2026-11-21 7f3a9c01") as organizational unit and the cluster as
/// common name. That it was minted is on disk for good before this returns; the key never is.
/// Several threads may mint at once.
///
/// kRefused when it would outlive the root (saying what is possible; nothing is ever shortened),
/// the root is not valid now, or the certificate breaks a rule; kInvalidInput for a bad request;
/// kNotFound without a root.
base::Result<Intermediate> mint_intermediate(TrustStore& store,
                                             const StoreLock& lock,
                                             const pki::Signer& root_key,
                                             const IntermediateRequest& request,
                                             const Who& who);

/// What somebody who has a key of his own wants signed.
struct SigningRequest {
  pki::CertificateRequest request;
  std::string cluster;  ///< DNS-1123 label; the request's own subject is not looked at
  base::Seconds lifetime = base::days(730);
};

struct SignedRequest {
  pki::Certificate certificate;
  std::vector<pki::Certificate> chain;
  std::vector<pki::Certificate> roots;
  std::vector<std::string> ignored;                 ///< what the request asked for and did not get
  std::optional<base::Instant> signed_before = {};  ///< when, for one that was not signed now
};

/// An intermediate for a key that stays where it is: nothing of the request but its public key gets
/// into the certificate, which is the one that `mint_intermediate` would make. No revocation list
/// is made of it here, as only its key can. What was signed for this key, cluster and root before
/// and is in force still is returned once more, whatever lifetime is wanted now: the caller may
/// have been unable to hand it out.
///
/// kRefused when the request's own signature is wrong, its key is already that of another CA, it
/// would outlive the root or break a rule; kInvalidInput for a key that a CA may not have.
base::Result<SignedRequest> sign_request(TrustStore& store,
                                         const StoreLock& lock,
                                         const pki::Signer& root_key,
                                         const SigningRequest& wanted,
                                         const Who& who);

}  // namespace meshtrust::ca
