#include "base/encoding.h"
#include "base/text.h"
#include "ca/request.h"
#include "ca/revocation.h"
#include "ca/signed_path.h"
#include "ledger/chain.h"
#include "pki/make_request.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

// Putting the root below another organisation's CA.

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
using pki::Certificate;

/// The certificate of the root's key that somebody else signed; null when there is none.
const Certificate* find_of_root(const Root& root, std::span<const Certificate> papers) {
  const auto found = std::ranges::find_if(papers, [&root](const Certificate& paper) {
    return paper.facts().key_id == root.certificate.facts().key_id && !paper.is_self_signed();
  });
  return found == papers.end() ? nullptr : &*found;
}

/// Whether anything that may still be in use names the root's key by another identifier: what was
/// issued by it, and its newest list.
bool is_named_otherwise(const TrustStore& store,
                        const Root& root,
                        const std::string& identifier,
                        base::Instant at) {
  const auto issued = store.issued();
  const bool by_certificates = std::ranges::any_of(issued, [&](const ledger::Authority& entry) {
    return entry.issuer == root.fingerprint() && entry.may_be_in_use(at) &&
           entry.certificate.facts().authority_key_id != identifier;
  });
  if (by_certificates) return true;
  const auto newest = newest_crls(store);
  return newest && std::ranges::any_of(newest->crls, [&](const pki::RevocationList& list) {
           return list.is_signed_by(root.certificate) &&
                  list.facts().authority_key_id != identifier;
         });
}

/// What a CA above must have put into the root's certificate for clusters' CAs to live below it.
Status check_may_sign_authorities(const TrustStore& store,
                                  const Root& root,
                                  const Certificate& certified,
                                  base::Instant at) {
  const auto& facts = certified.facts();
  const auto refuse = [&facts](const std::string& why, std::string hint) {
    return fail(Code::kRefused,
                fmt::format("the certificate of the root by '{}' {}", facts.issuer, why),
                std::move(hint));
  };
  if (facts.subject_der != root.certificate.facts().subject_der) {
    return refuse(fmt::format("is for '{}', wanted '{}' as it stands in the request", facts.subject,
                              root.certificate.facts().subject),
                  "ask for the subject to be taken from the request unchanged");
  }
  MESHTRUST_TRY_DO(check_is_authority(
      certified, fmt::format("the certificate of the root by '{}'", facts.issuer)));
  const auto& constraints = facts.basic_constraints;
  if (constraints->path_length && *constraints->path_length < 1) {
    return refuse("leaves no room for the CAs of clusters",
                  "ask for CA:TRUE without a path length, or with at least 1");
  }
  const auto& identifier = root.certificate.facts().subject_key_id;
  const bool is_another = identifier && facts.subject_key_id != identifier;
  // Most CAs compute the identifier anew, by SHA-1. Nothing minds while nothing names another.
  if (is_another &&
      (!facts.subject_key_id || is_named_otherwise(store, root, *facts.subject_key_id, at))) {
    return refuse(
        facts.subject_key_id
            ? fmt::format(
                  "calls its key '{}', wanted '{}' as the root itself does: what was issued "
                  "or revoked before names it so, and OpenSSL and Envoy find lists and issuers by "
                  "it",
                  *facts.subject_key_id, *identifier)
            : fmt::format("has no subject key identifier, wanted '{}'", *identifier),
        fmt::format("ask for the subjectKeyIdentifier to be taken from the request (with openssl "
                    "'-copy_extensions copy', or 'subjectKeyIdentifier={}' among the extensions)",
                    *identifier));
  }
  return {};
}

/// Whether every CA above leaves room for the root, and for the CA of a cluster below that.
Status check_room_above(const SignedPath& path) {
  std::vector<Certificate> whole{path.chain.front()};  // in the place of a cluster's CA
  whole.insert(whole.end(), path.chain.begin(), path.chain.end());
  whole.push_back(path.roots.front());
  const Status status = ledger::check_path_lengths(whole);
  if (status) return status;
  return fail(with_hint(status.error(),
                        "have the root certified by a CA with a longer path length, or without "
                        "one"));
}

/// What was made for clusters has told their workloads what to trust, and nobody here can tell them
/// of something else.
Status refuse_another_anchor(const TrustStore& store,
                             const Root& root,
                             const Certificate& anchor,
                             base::Instant at) {
  std::set<std::string> clusters;
  for (const ledger::Authority& entry : store.issued()) {
    if (!entry.may_be_in_use(at) || entry.issuer != root.fingerprint()) continue;
    const Certificate& trusted = entry.above.empty() ? root.certificate : entry.above.back();
    if (trusted != anchor) clusters.insert(entry.cluster);
  }
  if (clusters.empty()) return {};
  return fail(base::Error{
      .code = Code::kRefused,
      .message =
          fmt::format("what was made for '{}' trusts '{}', and would refuse what is made "
                      "below '{}' (sha256 {})",
                      fmt::join(clusters, "', '"), root.anchor().facts().subject,
                      anchor.facts().subject, base::group_hex(anchor.fingerprint().substr(0, 16))),
      .hints = {"have the root of a new store certified, before the first cluster gets its CA",
                "where nothing uses them, 'meshtrust ca revoke FINGERPRINT --unused' notes that"}});
}

}  // namespace

Result<pki::CertificateRequest> request_for_root(const TrustStore& store,
                                                 const pki::Signer& root_key) {
  MESHTRUST_TRY(const Root root, root_of(store));
  const auto& facts = root.certificate.facts();
  MESHTRUST_TRY(const pki::DistinguishedName subject, pki::DistinguishedName::parse(facts.subject));
  return pki::make_request(subject, root_key, facts.subject_key_id);
}

bool is_about_root(const TrustStore& store, std::span<const Certificate> papers) {
  const auto root = store.root();
  // Beside an answer to a request, the root's certificate is but what is above.
  return root && find_of_root(*root, papers) != nullptr && !is_answer_to_request(store, papers);
}

Result<Subordination> find_subordination(const TrustStore& store,
                                         std::span<const Certificate> papers,
                                         base::Instant at) {
  const auto root = store.root();
  const Certificate* certified = root ? find_of_root(*root, papers) : nullptr;
  if (certified == nullptr) {
    return fail(Code::kNotFound, "none of these certificates is of the root's key",
                "'meshtrust ca request --root' makes the request that another CA signs");
  }
  MESHTRUST_TRY_DO(check_may_sign_authorities(store, *root, *certified, at));
  MESHTRUST_TRY(SignedPath path, path_of(*certified, papers));
  MESHTRUST_TRY_DO(refuse_unsound(path, at));
  MESHTRUST_TRY_DO(check_room_above(path));
  MESHTRUST_TRY_DO(refuse_another_anchor(store, *root, path.roots.front(), at));
  Subordination found{.above = std::move(path.chain)};
  found.above.insert(found.above.end(), path.roots.begin(), path.roots.end());
  found.is_recorded = found.above == root->above;
  found.changes_what_is_trusted = found.above.back() != root->anchor();
  return found;
}

Result<Root> subordinate_root(TrustStore& store,
                              const StoreLock& lock,
                              std::span<const Certificate> papers,
                              base::Instant at,
                              const pki::Signer& root_key,
                              const ledger::Who& who) {
  MESHTRUST_TRY(const Subordination found, find_subordination(store, papers, at));
  if (!found.is_recorded) {
    MESHTRUST_TRY_DO(store.append(
        lock, who, ledger::Subordinated{.root = store.root()->fingerprint(), .above = found.above},
        root_key));
  }
  return *store.root();
}

}  // namespace meshtrust::ca
