#include "ca/authority.h"

#include "base/encoding.h"
#include "base/text.h"
#include "ca/custody.h"
#include "ca/folder.h"
#include "ca/subject.h"
#include "pki/chain.h"
#include "pki/issue.h"
#include "pki/issue_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Instant;
using base::Result;
using base::Seconds;
using base::Status;

/// What stands before the digest of the key file in the record of a root.
constexpr std::string_view kDigestPrefix = "key file sha256 ";

Status check_lifetime(Seconds lifetime) {
  if (lifetime > Seconds{0}) return {};
  return fail(Code::kInvalidInput,
              fmt::format("lifetime '{}' is not positive", base::format_duration(lifetime)));
}

Status check_root_request(const TrustStore& store,
                          const RootRequest& request,
                          const KeyProtection& protection) {
  if (const auto root = store.root()) {
    return fail(Code::kConflict,
                fmt::format("trust store '{}' has a root already: '{}'", store.path().string(),
                            root->certificate.facts().subject));
  }
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
                   const Who& who) {
  const Status removed = store.environment().files.remove(Layout{store.path()}.key(name));
  if (!removed && removed.error().code != Code::kNotFound) return removed;
  return store.append(lock, Action{.who = who, .event = Event::kKeyDiscarded, .detail = name});
}

std::string file_digest_of(const TrustStore& store, const Root& root) {
  for (const Action& action : store.log()) {
    const bool is_its_minting =
        action.event == Event::kRootMinted && action.fingerprint == root.fingerprint();
    if (is_its_minting && action.detail.starts_with(kDigestPrefix)) {
      return action.detail.substr(kDigestPrefix.size());
    }
  }
  return {};
}

/// The validity of an intermediate, nested in its root's and all above; never shortened to fit.
Status check_fits(const Root& root, Seconds lifetime, Instant now) {
  const pki::CertificateFacts& first = pki::first_to_end(root.issuer(), root.above).facts();
  const std::string name = root.above.empty() ? "the root" : fmt::format("'{}'", first.subject);
  if (now < root.issuer().facts().not_before || now >= first.not_after) {
    return fail(Code::kRefused,
                fmt::format("{} is valid from {} to {}, and it is {}", name,
                            base::format_rfc3339(root.issuer().facts().not_before),
                            base::format_rfc3339(first.not_after), base::format_rfc3339(now)));
  }
  if (now + lifetime <= first.not_after) return {};
  const Seconds possible = first.not_after - now;
  // Somebody who reads this types the duration some minutes later: whole days, or whole minutes.
  const Seconds unit = possible > base::days(1) ? base::days(1) : Seconds(60);
  return fail(
      Code::kRefused,
      fmt::format("lifetime '{}' would outlive {}, which ends on {}",
                  base::format_duration(lifetime), name, base::format_rfc3339(first.not_after)),
      fmt::format("at most {} is possible", base::format_duration(possible - possible % unit)));
}

/// The one list that this CA can ever make: its key is about to be forgotten, and a mesh that looks
/// up revocations wants a list of every CA, empty ones too. It ends with the CA. DER in base64.
Result<std::string> empty_list(const pki::Certificate& authority, const pki::Signer& key) {
  MESHTRUST_TRY(const pki::RevocationList list,
                pki::issue_list({.this_update = authority.facts().not_before,
                                 .next_update = authority.facts().not_after,
                                 .number = "01",
                                 .revoked = {}},
                                authority, key));
  return base::to_base64(list.der());
}

/// What is the same for a key made here and one that only sent a request.
struct Child {
  const std::string& cluster;
  Seconds lifetime;
  base::Bytes public_key;
};

Status check_cluster(const std::string& cluster) {
  if (base::is_dns_label(cluster)) return {};
  return fail(Code::kInvalidInput,
              fmt::format("'{}' is not a cluster name, expected at most 63 of a-z, 0-9 and '-', "
                          "beginning and ending with a letter or digit",
                          base::printable(cluster)));
}

Result<pki::Certificate> issue_below(const TrustStore& store,
                                     const Root& root,
                                     const pki::Signer& root_key,
                                     const Child& child) {
  const Environment& environment = store.environment();
  const pki::CertificateFacts& issuer = root.issuer().facts();
  const Instant now = environment.clock.now();
  MESHTRUST_TRY_DO(check_fits(root, child.lifetime, now));
  MESHTRUST_TRY(
      const pki::DistinguishedName subject,
      intermediate_subject(issuer.subject, child.cluster,
                           generation(AuthorityKind::kIntermediate, now, environment.random)));
  const pki::CaTemplate wanted{.subject = subject,
                               .not_before = std::max(now - pki::kBackdate, issuer.not_before),
                               .not_after = now + child.lifetime};
  return pki::issue_intermediate(wanted, child.public_key, root.issuer(), root_key,
                                 environment.random);
}

std::vector<pki::Certificate> chain_below(const Root& root, const pki::Certificate& child) {
  std::vector<pki::Certificate> chain = root.between();
  chain.insert(chain.begin(), child);
  return chain;
}

/// What was signed for this key before, where that can be handed out once more.
const LedgerEntry* find_signed_before(const std::vector<LedgerEntry>& entries,
                                      const Root& root,
                                      const std::string& cluster,
                                      const std::string& key_id,
                                      Instant now) {
  const auto found = std::ranges::find_if(entries, [&](const LedgerEntry& entry) {
    const auto& facts = entry.certificate.facts();
    return facts.key_id == key_id && entry.kind == AuthorityKind::kIntermediate &&
           entry.cluster == cluster && entry.issuer == root.fingerprint() && !entry.revoked &&
           entry.state != Delivery::kAbandoned && facts.not_before <= now &&
           now < facts.not_after && facts.authority_key_id == root.issuer().facts().subject_key_id;
  });
  return found == entries.end() ? nullptr : &*found;
}

SignedRequest signed_below(const Root& root, const pki::Certificate& certificate) {
  return {.certificate = certificate,
          .chain = chain_below(root, certificate),
          .roots = {root.anchor()},
          .ignored = {},
          .signed_before = {}};
}

/// What the request asks for beyond a signature. A subject that only repeats the cluster says
/// nothing that the certificate does not say.
std::vector<std::string> ignored_of(const pki::CertificateRequestFacts& facts,
                                    const pki::Certificate& certificate,
                                    const std::string& cluster) {
  std::vector<std::string> ignored = facts.extensions;
  // Every certificate of a CA has these, by our profile and not by the request's word.
  std::erase_if(ignored, [](const std::string& name) {
    return name == "basicConstraints" || name == "keyUsage" || name == "subjectKeyIdentifier";
  });
  if (facts.subject != certificate.facts().subject && facts.subject != "CN=" + cluster) {
    ignored.insert(ignored.begin(), fmt::format("the subject '{}'", facts.subject));
  }
  return ignored;
}

}  // namespace

Result<Root> root_of(const TrustStore& store) {
  if (auto root = store.root()) return *std::move(root);
  return fail(Code::kNotFound,
              fmt::format("trust store '{}' has no root yet", store.path().string()));
}

Result<MintedRoot> mint_root(TrustStore& store,
                             const StoreLock& lock,
                             const RootRequest& request,
                             const KeyProtection& protection,
                             const Who& who) {
  MESHTRUST_TRY_DO(check_root_request(store, request, protection));
  const Environment& environment = store.environment();
  for (const std::string& name : store.planned_keys()) {
    MESHTRUST_TRY_DO(discard_key(store, lock, name, who));
  }
  const Instant now = environment.clock.now();
  MESHTRUST_TRY(const pki::PrivateKey key, pki::PrivateKey::generate(request.key));
  const pki::CaTemplate wanted{
      .subject =
          with_unit(request.subject, generation(AuthorityKind::kRoot, now, environment.random)),
      .not_before = now - pki::kBackdate,
      .not_after = now + request.lifetime};
  MESHTRUST_TRY(const pki::Certificate certificate,
                pki::issue_root(wanted, key, environment.random));

  const std::string name = key_name(certificate);
  MESHTRUST_TRY(const SealedKey sealed, seal_key(environment, key, protection));
  MESHTRUST_TRY_DO(
      store.append(lock, Action{.who = who, .event = Event::kKeyPlanned, .detail = name}));
  auto kept = put_into_custody(environment, Layout{store.path()}.key(name), sealed, protection,
                               certificate.facts().key_id);
  if (!kept) {
    // The failure is what matters; should this fail too, the next run discards the key.
    (void)discard_key(store, lock, name, who);
    return fail(std::move(kept).error());
  }
  MESHTRUST_TRY_DO(store.append(lock,
                                Action{.who = who,
                                       .event = Event::kRootMinted,
                                       .fingerprint = certificate.fingerprint(),
                                       .detail = fmt::format("{}{}", kDigestPrefix, sealed.digest)},
                                &certificate, &*kept));
  return MintedRoot{.root = *store.root(),
                    .signer = std::make_unique<pki::PrivateKey>(*std::move(kept))};
}

Result<std::unique_ptr<pki::Signer>> unlock_root(const TrustStore& store,
                                                 const base::Secret& passphrase) {
  MESHTRUST_TRY(const Root root, root_of(store));
  const ExpectedKey expected{.key_id = root.certificate.facts().key_id,
                             .file_digest = file_digest_of(store, root)};
  MESHTRUST_TRY(pki::PrivateKey key,
                open_key(store.environment(), root.key_file, passphrase, expected));
  return std::unique_ptr<pki::Signer>(std::make_unique<pki::PrivateKey>(std::move(key)));
}

Result<Intermediate> mint_intermediate(TrustStore& store,
                                       const StoreLock& lock,
                                       const pki::Signer& root_key,
                                       const IntermediateRequest& request,
                                       const Who& who) {
  MESHTRUST_TRY_DO(check_cluster(request.cluster));
  MESHTRUST_TRY_DO(check_lifetime(request.lifetime));
  MESHTRUST_TRY(const Root root, root_of(store));
  MESHTRUST_TRY_DO(check_fits(root, request.lifetime, store.environment().clock.now()));
  MESHTRUST_TRY(pki::PrivateKey key, pki::PrivateKey::generate(request.key));
  MESHTRUST_TRY(const pki::Certificate certificate, issue_below(store, root, root_key,
                                                                {.cluster = request.cluster,
                                                                 .lifetime = request.lifetime,
                                                                 .public_key = key.public_key()}));
  MESHTRUST_TRY(const std::string list, empty_list(certificate, key));
  MESHTRUST_TRY_DO(store.append(lock,
                                Action{.who = who,
                                       .event = Event::kIntermediateMinted,
                                       .fingerprint = certificate.fingerprint(),
                                       .cluster = request.cluster,
                                       .detail = list},
                                &certificate, &root_key));
  return Intermediate{.certificate = certificate,
                      .key = std::move(key),
                      .chain = chain_below(root, certificate),
                      .roots = {root.anchor()}};
}

Result<SignedRequest> sign_request(TrustStore& store,
                                   const StoreLock& lock,
                                   const pki::Signer& root_key,
                                   const SigningRequest& wanted,
                                   const Who& who) {
  MESHTRUST_TRY_DO(check_cluster(wanted.cluster));
  MESHTRUST_TRY_DO(check_lifetime(wanted.lifetime));
  MESHTRUST_TRY(const Root root, root_of(store));
  const pki::CertificateRequestFacts& facts = wanted.request.facts();
  if (!facts.signature_valid) {
    return fail(Code::kRefused,
                "the request is not signed by the key that it names: its sender may not have it");
  }
  const std::vector<LedgerEntry> entries = store.issued();
  if (const LedgerEntry* entry = find_signed_before(entries, root, wanted.cluster, facts.key_id,
                                                    store.environment().clock.now())) {
    SignedRequest again = signed_below(root, entry->certificate);
    again.ignored = ignored_of(facts, entry->certificate, wanted.cluster);
    again.signed_before = entry->minted_at;
    return again;
  }
  for (const LedgerEntry& entry : entries) {
    if (entry.certificate.facts().key_id != facts.key_id) continue;
    return fail(Code::kRefused,
                fmt::format("the key of the request is that of '{}' already",
                            entry.certificate.facts().subject),
                "every CA gets a key of its own: ask for a request with a new one");
  }
  MESHTRUST_TRY_DO(pki::check_key_of_authority(wanted.request.public_key()));
  MESHTRUST_TRY(const pki::Certificate certificate,
                issue_below(store, root, root_key,
                            {.cluster = wanted.cluster,
                             .lifetime = wanted.lifetime,
                             .public_key = wanted.request.public_key()}));
  MESHTRUST_TRY_DO(store.append(lock,
                                Action{.who = who,
                                       .event = Event::kIntermediateMinted,
                                       .fingerprint = certificate.fingerprint(),
                                       .cluster = wanted.cluster,
                                       .detail = {}},
                                &certificate, &root_key));
  SignedRequest done = signed_below(root, certificate);
  done.ignored = ignored_of(facts, certificate, wanted.cluster);
  return done;
}

}  // namespace meshtrust::ca
