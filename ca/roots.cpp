#include "ca/roots.h"

#include "ca/subject.h"
#include "ca/validity.h"
#include "ledger/chain.h"
#include "pki/issue.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Instant;
using base::Result;
using base::Status;

Status check_request(const RootRequest& request, const KeyProtection& protection) {
  if (request.subject.attributes.empty()) {
    return fail(Code::kInvalidInput, "the subject of a root may not be empty",
                "for example 'O=Shop,CN=Shop Mesh Root'");
  }
  if (protection.words() != nullptr && protection.words()->empty()) {
    return fail(Code::kInvalidInput, "the passphrase of a root key may not be empty");
  }
  return check_lifetime(request.lifetime);
}

/// Removes a planned key that never became a root. It signed nothing that left the process: a root
/// is recorded before anyone is given its key. The record of its end follows its removal, so that
/// a kill in between repeats both.
Status discard_key(TrustStore& store,
                   const StoreLock& lock,
                   const std::string& name,
                   const ledger::Who& who) {
  MESHTRUST_TRY_DO(store.custody().remove(name));
  return store.append(lock, who, ledger::KeyDiscarded{.key = name});
}

/// What is recorded of a new root, given its certificate and the digest of its key.
using RecordOf = std::function<ledger::Event(const pki::Certificate&, const std::string& digest)>;

/// Makes a root and records it; see `mint_root` for the order and why.
Result<MintedRoot> make_root(TrustStore& store,
                             const StoreLock& lock,
                             const RootRequest& request,
                             const KeyProtection& protection,
                             const pki::Signer* key_before,
                             const ledger::Who& who,
                             const RecordOf& record_of) {
  const Environment& environment = store.environment();
  for (const std::string& name : store.planned_keys()) {
    MESHTRUST_TRY_DO(discard_key(store, lock, name, who));
  }
  const Instant now = environment.clock.now();
  MESHTRUST_TRY(const std::unique_ptr<NewKey> key, store.custody().make(request.key));
  const pki::CaTemplate wanted{
      .subject = with_unit(request.subject,
                           generation(ledger::AuthorityKind::kRoot, now, environment.random)),
      .not_before = now - pki::kBackdate,
      .not_after = now + request.lifetime};
  MESHTRUST_TRY(const pki::Certificate certificate,
                pki::issue_root(wanted, key->signer(), environment.random));

  const std::string name = ledger::key_name(certificate);
  MESHTRUST_TRY(const std::string digest, key->seal(protection));
  MESHTRUST_TRY_DO(store.append(lock, who, ledger::KeyPlanned{.key = name}));
  auto kept = key->keep(name, protection);
  if (!kept) {
    // The failure is what matters; should this fail too, the next run discards the key.
    (void)discard_key(store, lock, name, who);
    return fail(std::move(kept).error());
  }
  const RootKeys keys =
      key_before == nullptr ? RootKeys(**kept) : RootKeys{kept->get(), key_before};
  MESHTRUST_TRY_DO(store.append(lock, who, record_of(certificate, digest), keys));
  return MintedRoot{.root = *store.root(certificate.fingerprint()), .signer = *std::move(kept)};
}

Status check_is_key_of(const Root& root, const pki::Signer& key) {
  if (pki::key_id(key.public_key()) == root.certificate.facts().key_id) return {};
  return fail(Code::kRefused,
              fmt::format("this is not the key of '{}'", root.certificate.facts().subject));
}

Status check_not_retired(const Root& root) {
  if (root.state != ledger::RootState::kRetired) return {};
  return fail(Code::kRefused,
              fmt::format("root '{}' is retired", root.certificate.facts().subject));
}

/// Whether the bridge and the CA of a cluster fit below every CA from the issuer up.
Status check_room(const Root& of, const Root& by) {
  // In the places of those two stands a certificate that limits nothing by itself.
  std::vector<pki::Certificate> path{of.certificate, of.certificate};
  if (by.above.empty()) {
    path.push_back(by.certificate);
  } else {
    path.insert(path.end(), by.above.begin(), by.above.end());
  }
  return ledger::check_path_lengths(path);
}

}  // namespace

Result<Root> root_of(const TrustStore& store) {
  if (auto root = store.root()) return *std::move(root);
  return fail(Code::kNotFound,
              fmt::format("trust store '{}' has no root yet", store.path().string()));
}

Result<Root> root_of(const TrustStore& store, const std::string& fingerprint) {
  if (auto root = store.root(fingerprint)) return *std::move(root);
  return fail(Code::kNotFound, fmt::format("'{}' is no root of trust store '{}'", fingerprint,
                                           store.path().string()));
}

Result<MintedRoot> mint_root(TrustStore& store,
                             const StoreLock& lock,
                             const RootRequest& request,
                             const KeyProtection& protection,
                             const ledger::Who& who) {
  if (const auto root = store.root()) {
    return fail(Code::kConflict,
                fmt::format("trust store '{}' has a root already: '{}'", store.path().string(),
                            root->certificate.facts().subject));
  }
  MESHTRUST_TRY_DO(check_request(request, protection));
  return make_root(store, lock, request, protection, nullptr, who,
                   [](const pki::Certificate& certificate, const std::string& digest) {
                     return ledger::RootMinted{.certificate = certificate, .key_digest = digest};
                   });
}

Result<MintedRoot> mint_next_root(TrustStore& store,
                                  const StoreLock& lock,
                                  const RootRequest& request,
                                  const KeyProtection& protection,
                                  const pki::Signer* key_before,
                                  const ledger::Who& who) {
  MESHTRUST_TRY(const Root before, root_of(store));
  const auto next =
      store.ask([](const ledger::Ledger& ledger) { return ledger.hierarchy().next(); });
  if (next) {
    return fail(Code::kConflict,
                fmt::format("trust store '{}' has a next root already: '{}'", store.path().string(),
                            next->certificate.facts().subject));
  }
  MESHTRUST_TRY_DO(check_request(request, protection));
  if (key_before != nullptr) MESHTRUST_TRY_DO(check_is_key_of(before, *key_before));
  return make_root(store, lock, request, protection, key_before, who,
                   [&](const pki::Certificate& certificate, const std::string& digest) {
                     return ledger::NextRootMinted{.certificate = certificate,
                                                   .after = before.fingerprint(),
                                                   .voucher = key_before != nullptr
                                                                  ? ledger::Voucher::kPredecessor
                                                                  : ledger::Voucher::kOutside,
                                                   .key_digest = digest};
                   });
}

Result<pki::Certificate> mint_bridge(TrustStore& store,
                                     const StoreLock& lock,
                                     const pki::Signer& issuer_key,
                                     const BridgeRequest& request,
                                     const ledger::Who& who) {
  MESHTRUST_TRY(const Root of, root_of(store, request.of));
  MESHTRUST_TRY(const Root by, root_of(store, request.by));
  if (request.of == request.by) {
    return fail(Code::kInvalidInput, "a bridge leads from one root to another");
  }
  const Environment& environment = store.environment();
  const Instant now = environment.clock.now();
  MESHTRUST_TRY_DO(check_lifetime(request.lifetime));
  for (const Root* root : {&of, &by}) {
    MESHTRUST_TRY_DO(check_not_retired(*root));
    MESHTRUST_TRY_DO(check_fits(*root, request.lifetime, now));
  }
  MESHTRUST_TRY_DO(check_room(of, by));
  const Instant from = std::max(
      {now - pki::kBackdate, of.issuer().facts().not_before, by.issuer().facts().not_before});
  // The identifier of its key is the one that CAs below name their issuer by.
  MESHTRUST_TRY(pki::Certificate bridge,
                pki::issue_bridge({.not_before = from, .not_after = now + request.lifetime},
                                  of.issuer(), by.issuer(), issuer_key, environment.random));
  MESHTRUST_TRY_DO(
      store.append(lock, who, ledger::BridgeMinted{.certificate = bridge}, issuer_key));
  return bridge;
}

Status activate_root(TrustStore& store,
                     const StoreLock& lock,
                     const std::string& root,
                     const pki::Signer& key,
                     const ledger::Who& who) {
  return store.append(lock, who, ledger::RootActivated{.root = root}, key);
}

Status retire_root(TrustStore& store,
                   const StoreLock& lock,
                   const std::string& root,
                   const pki::Signer& current_key,
                   const ledger::Who& who) {
  return store.append(lock, who, ledger::RootRetired{.root = root}, current_key);
}

Status destroy_root_key(TrustStore& store,
                        const StoreLock& lock,
                        const std::string& root,
                        const pki::Signer& current_key,
                        const ledger::Who& who) {
  MESHTRUST_TRY(const Root found, root_of(store, root));
  if (!found.key_is_destroyed) {
    MESHTRUST_TRY_DO(store.append(lock, who, ledger::KeyDestroyed{.root = root}, current_key));
  }
  return store.custody().remove(found.id);
}

Result<std::unique_ptr<pki::Signer>> unlock_root(const TrustStore& store,
                                                 const Root& root,
                                                 const base::Secret& passphrase) {
  if (root.key_is_destroyed) {
    return fail(Code::kNotFound,
                fmt::format("the key of '{}' was destroyed", root.certificate.facts().subject));
  }
  return store.custody().open(
      root.id, passphrase,
      {.key_id = root.certificate.facts().key_id, .file_digest = root.key_digest});
}

Result<std::unique_ptr<pki::Signer>> unlock_root(const TrustStore& store,
                                                 const base::Secret& passphrase) {
  MESHTRUST_TRY(const Root root, root_of(store));
  return unlock_root(store, root, passphrase);
}

}  // namespace meshtrust::ca
