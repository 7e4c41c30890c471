#include "ca/authority.h"

#include "base/text.h"
#include "ca/subject.h"
#include "ca/validity.h"
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

/// The one CRL that this CA can ever make: its key is about to be forgotten, and a mesh that looks
/// up revocations wants a CRL of every CA, empty ones too. It ends with the CA. DER.
Result<base::Bytes> empty_crl(const pki::Certificate& authority, const pki::Signer& key) {
  MESHTRUST_TRY(const pki::RevocationList crl,
                pki::issue_list({.this_update = authority.facts().not_before,
                                 .next_update = authority.facts().not_after,
                                 .number = "01",
                                 .revoked = {}},
                                authority, key));
  return crl.der();
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
  MESHTRUST_TRY(const pki::DistinguishedName subject,
                intermediate_subject(
                    issuer.subject, child.cluster,
                    generation(ledger::AuthorityKind::kIntermediate, now, environment.random)));
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

/// What a cluster presents, and what its peers trust.
struct Presented {
  std::vector<pki::Certificate> chain;
  pki::Certificate anchor;
};

/// Of an intermediate below `root`, for peers that trust the root `anchor` (a fingerprint).
Result<Presented> present(const TrustStore& store,
                          const Root& root,
                          const pki::Certificate& intermediate,
                          const std::string& anchor) {
  if (anchor.empty() || anchor == root.fingerprint()) {
    return Presented{.chain = chain_below(root, intermediate), .anchor = root.anchor()};
  }
  MESHTRUST_TRY(const Root trusted, root_of(store, anchor));
  MESHTRUST_TRY(ledger::Chain chain, chain_to(store, intermediate, trusted));
  return Presented{.chain = std::move(chain.certificates), .anchor = trusted.anchor()};
}

/// What was signed for this key before, where that can be handed out once more.
const ledger::Authority* find_signed_before(const std::vector<ledger::Authority>& entries,
                                            const Root& root,
                                            const std::string& cluster,
                                            const std::string& key_id,
                                            Instant now) {
  const auto found = std::ranges::find_if(entries, [&](const ledger::Authority& entry) {
    const auto& facts = entry.certificate.facts();
    return facts.key_id == key_id && entry.kind == ledger::AuthorityKind::kIntermediate &&
           entry.cluster == cluster && entry.issuer == root.fingerprint() && !entry.revoked &&
           entry.state != ledger::Delivery::kAbandoned && facts.not_before <= now &&
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

Result<Intermediate> mint_intermediate(TrustStore& store,
                                       const StoreLock& lock,
                                       const pki::Signer& root_key,
                                       const IntermediateRequest& request,
                                       const ledger::Who& who) {
  MESHTRUST_TRY_DO(check_cluster(request.cluster));
  MESHTRUST_TRY_DO(check_lifetime(request.lifetime));
  MESHTRUST_TRY(const Root root,
                request.root.empty() ? root_of(store) : root_of(store, request.root));
  MESHTRUST_TRY_DO(check_fits(root, request.lifetime, store.environment().clock.now()));
  MESHTRUST_TRY(pki::PrivateKey key, pki::PrivateKey::generate(request.key));
  MESHTRUST_TRY(const pki::Certificate certificate, issue_below(store, root, root_key,
                                                                {.cluster = request.cluster,
                                                                 .lifetime = request.lifetime,
                                                                 .public_key = key.public_key()}));
  MESHTRUST_TRY(base::Bytes crl, empty_crl(certificate, key));
  // Before anything is recorded: without a chain that holds, the cluster could not use it.
  MESHTRUST_TRY(Presented presented, present(store, root, certificate, request.anchor));
  MESHTRUST_TRY_DO(store.append(
      lock, who,
      ledger::IntermediateMinted{
          .certificate = certificate, .cluster = request.cluster, .crl = std::move(crl)},
      root_key));
  return Intermediate{.certificate = certificate,
                      .key = std::move(key),
                      .chain = std::move(presented.chain),
                      .roots = {std::move(presented.anchor)}};
}

Result<SignedRequest> sign_request(TrustStore& store,
                                   const StoreLock& lock,
                                   const pki::Signer& root_key,
                                   const SigningRequest& wanted,
                                   const ledger::Who& who) {
  MESHTRUST_TRY_DO(check_cluster(wanted.cluster));
  MESHTRUST_TRY_DO(check_lifetime(wanted.lifetime));
  MESHTRUST_TRY(const Root root, root_of(store));
  const pki::CertificateRequestFacts& facts = wanted.request.facts();
  if (!facts.signature_valid) {
    return fail(Code::kRefused,
                "the request is not signed by the key that it names: its sender may not have it");
  }
  const std::vector<ledger::Authority> entries = store.issued();
  if (const ledger::Authority* entry = find_signed_before(
          entries, root, wanted.cluster, facts.key_id, store.environment().clock.now())) {
    SignedRequest again = signed_below(root, entry->certificate);
    again.ignored = ignored_of(facts, entry->certificate, wanted.cluster);
    again.signed_before = entry->minted_at;
    return again;
  }
  for (const ledger::Authority& entry : entries) {
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
  MESHTRUST_TRY_DO(store.append(
      lock, who, ledger::IntermediateMinted{.certificate = certificate, .cluster = wanted.cluster},
      root_key));
  SignedRequest done = signed_below(root, certificate);
  done.ignored = ignored_of(facts, certificate, wanted.cluster);
  return done;
}

Result<ledger::Chain> chain_to(const TrustStore& store,
                               const pki::Certificate& authority,
                               const Root& root) {
  const Instant now = store.environment().clock.now();
  if (root.state == ledger::RootState::kRetired) {
    return fail(Code::kRefused, fmt::format("root '{}' is retired, nobody trusts it",
                                            root.certificate.facts().subject));
  }
  return store.ask([&](const ledger::Ledger& ledger) {
    return ledger::find_chain(ledger.hierarchy(), authority, root.anchor(), now);
  });
}

}  // namespace meshtrust::ca
