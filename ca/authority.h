#pragma once

#include "base/result.h"
#include "base/time.h"
#include "ca/roots.h"
#include "ca/store.h"
#include "ledger/chain.h"
#include "pki/certificate.h"
#include "pki/key.h"
#include "pki/request.h"

#include <optional>
#include <string>
#include <vector>

namespace meshtrust::ca {

struct IntermediateRequest {
  std::string cluster;  ///< DNS-1123 label
  pki::KeyAlgorithm key = pki::KeyAlgorithm::kEcdsaP256;
  base::Seconds lifetime = base::days(730);
  /// Fingerprint of the root to mint it below; empty for the current one.
  std::string root = {};
  /// Fingerprint of the root that its cluster's peers trust, where that is another: its chain then
  /// leads there, over a bridge. Empty for the root itself.
  std::string anchor = {};
};

/// An intermediate and everything that its cluster needs beside it. Owns the only copy of the key.
struct Intermediate {
  pki::Certificate certificate;
  pki::PrivateKey key;
  std::vector<pki::Certificate> chain;  ///< `certificate`, then what lies between it and the root
  std::vector<pki::Certificate> roots;  ///< what to trust
};

/// Mints the intermediate of `request.cluster` under a root of the store, whose key `root_key` is,
/// valid from an hour ago (but not from before its root) until `request.lifetime` from now. Its
/// subject is the root's, with the generation ("intermediate 2026-11-21 7f3a9c01") as
/// organizational unit and the cluster as common name. That it was minted is on disk for good
/// before this returns; the key never is. Several threads may mint at once.
///
/// kRefused when it would outlive the root (saying what is possible; nothing is ever shortened),
/// the root is not valid now or retired, the certificate breaks a rule, or the chain to
/// `request.anchor` would not hold; kInvalidInput for a bad request; kNotFound without a root, or
/// without any chain to that anchor.
base::Result<Intermediate> mint_intermediate(TrustStore& store,
                                             const StoreLock& lock,
                                             const pki::Signer& root_key,
                                             const IntermediateRequest& request,
                                             const ledger::Who& who);

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
                                         const ledger::Who& who);

/// What leads from `authority`, a CA that `store` issued, to what those trust who trust `root`, at
/// this moment. Errors as `ledger::find_chain`.
base::Result<ledger::Chain> chain_to(const TrustStore& store,
                                     const pki::Certificate& authority,
                                     const Root& root);

}  // namespace meshtrust::ca
