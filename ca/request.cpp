#include "ca/request.h"

#include "base/encoding.h"
#include "base/text.h"
#include "ca/custody.h"
#include "ca/folder.h"
#include "ca/revocation.h"
#include "pki/chain.h"
#include "pki/issue_list.h"
#include "pki/lint.h"
#include "pki/make_request.h"
#include "pki/verify.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
using pki::Certificate;

constexpr std::size_t kMostTiers = 8;

/// The certificate whose key waits here, with its request.
struct Match {
  Certificate certificate;
  PendingRequest request;
};

std::optional<Match> find_match(const TrustStore& store, std::span<const Certificate> papers) {
  for (const PendingRequest& request : store.requests()) {
    for (const Certificate& paper : papers) {
      if (key_name(paper) == request.key_name) return Match{paper, request};
    }
  }
  return std::nullopt;
}

Result<pki::CertificateRequest> request_for(const std::string& cluster, const pki::Signer& key) {
  return pki::make_request({.attributes = {{.type = "CN", .value = cluster}}}, key);
}

/// The waiting key, its passphrase asked for where it has one.
Result<pki::PrivateKey> open_waiting_key(const TrustStore& store,
                                         const PendingRequest& request,
                                         const AskPassphrase& ask) {
  base::Files& files = store.environment().files;
  const auto file = Layout{store.path()}.request_key(request.key_name);
  const auto form = look_at_key(files, file);
  if (!form) {
    return fail(with_hint(form.error(),
                          fmt::format("or give the request up: 'meshtrust ca request {} --store {} "
                                      "--give-up'",
                                      request.cluster, store.path().string())));
  }
  base::Secret passphrase;
  if (*form == KeyForm::kEncrypted) {
    MESHTRUST_TRY(passphrase, ask());
  }
  return open_key(store.environment(), file, passphrase,
                  {.key_id = request.key_name, .file_digest = request.file_digest});
}

/// `certificate` and what is above it, without the root, which comes second.
struct Path {
  std::vector<Certificate> chain;
  std::vector<Certificate> roots;
};

Result<Path> path_of(const Certificate& certificate, std::span<const Certificate> papers) {
  Path path{.chain = {certificate}, .roots = {}};
  while (path.chain.size() <= kMostTiers) {
    const Certificate* issuer = pki::find_issuer(path.chain.back(), papers);
    if (issuer == nullptr) {
      return fail(Code::kRefused,
                  fmt::format("the issuer of '{}', '{}', is not among the certificates given",
                              path.chain.back().facts().subject, path.chain.back().facts().issuer),
                  "give the certificates up to the root in one file");
    }
    if (issuer->is_self_signed()) {
      path.roots.push_back(*issuer);
      return path;
    }
    path.chain.push_back(*issuer);
  }
  return fail(Code::kRefused, "the chain to the root is too long");
}

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
  const bool by_certificates = std::ranges::any_of(issued, [&](const LedgerEntry& entry) {
    return entry.issuer == root.fingerprint() && entry.may_be_in_use(at) &&
           entry.certificate.facts().authority_key_id != identifier;
  });
  if (by_certificates) return true;
  const auto newest = newest_lists(store);
  return newest && std::ranges::any_of(newest->lists, [&](const pki::RevocationList& list) {
           return list.is_signed_by(root.certificate) &&
                  list.facts().authority_key_id != identifier;
         });
}

/// Said first, because it is what a signer makes of a request whose extensions it does not read.
Status check_is_authority(const Certificate& certificate, std::string_view what) {
  if (certificate.is_ca()) return {};
  const bool is_silent = !certificate.facts().basic_constraints;
  return fail(base::Error{
      .code = Code::kRefused,
      .message = fmt::format("{} is no CA ({}), signed as an ordinary certificate", what,
                             is_silent ? "no basicConstraints" : "basicConstraints CA:FALSE"),
      .hints = {"have it signed again by the signer's profile for a subordinate CA: CA:TRUE, "
                "keyCertSign and cRLSign, as the request asks for"}});
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
Status check_room_above(const Path& path) {
  std::vector<Certificate> above = path.chain;
  above.push_back(path.roots.front());
  for (std::size_t i = 1; i < above.size(); ++i) {
    const auto& constraints = above[i].facts().basic_constraints;
    const std::size_t wanted = i + 1;
    if (!constraints || !constraints->path_length) continue;
    if (static_cast<std::size_t>(*constraints->path_length) >= wanted) continue;
    return fail(
        Code::kRefused,
        fmt::format(
            "'{}' allows {} below it, wanted {} for the CAs of clusters", above[i].facts().subject,
            base::count_of(static_cast<std::size_t>(*constraints->path_length), "CA"), wanted),
        "have the root certified by a CA with a longer path length, or without one");
  }
  return {};
}

/// What was made for clusters has told their workloads what to trust, and nobody here can tell them
/// of something else.
Status refuse_another_anchor(const TrustStore& store,
                             const Root& root,
                             const Certificate& anchor,
                             base::Instant at) {
  std::set<std::string> clusters;
  for (const LedgerEntry& entry : store.issued()) {
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

Status refuse_unsound(const Path& path, base::Instant at) {
  const Certificate& own = path.chain.front();
  for (std::size_t i = 0; i < path.chain.size(); ++i) {
    const Certificate& one = path.chain[i];
    const Certificate& issuer = i + 1 < path.chain.size() ? path.chain[i + 1] : path.roots.front();
    for (const pki::LintFinding& finding : pki::lint({.certificate = one,
                                           .role = pki::LintRole::kIntermediate,
                                           .issuer = &issuer,
                                           .at = at})) {
      if (finding.severity != pki::Severity::kError) continue;
      return fail(Code::kRefused,
                  fmt::format("'{}' is no CA for a mesh: {} ({}, {})", one.facts().subject,
                              finding.message, finding.rule, finding.source));
    }
  }
  for (const pki::Verdict& verdict :
       pki::judge({.chain = path.chain, .roots = path.roots, .at = at})) {
    if (verdict.accepted) continue;
    return fail(Code::kRefused, fmt::format("{} does not accept '{}': {}", verdict.judge,
                                            own.facts().subject, verdict.reason));
  }
  return {};
}

}  // namespace

Result<pki::CertificateRequest> open_request(TrustStore& store,
                                             const StoreLock& lock,
                                             const IntermediateRequest& wanted,
                                             const KeyProtection& protection,
                                             const Who& who) {
  if (!base::is_dns_label(wanted.cluster)) {
    return fail(Code::kInvalidInput,
                fmt::format("'{}' is not a cluster name", base::printable(wanted.cluster)));
  }
  for (const PendingRequest& open : store.requests()) {
    if (open.cluster != wanted.cluster) continue;
    return fail(Code::kConflict,
                fmt::format("a request of cluster '{}' is open since {}", open.cluster,
                            base::format_date(open.since)),
                "import what was signed, or give it up with 'meshtrust ca request --give-up'");
  }
  MESHTRUST_TRY(const pki::PrivateKey key, pki::PrivateKey::generate(wanted.key));
  MESHTRUST_TRY(pki::CertificateRequest request, request_for(wanted.cluster, key));
  const std::string& key_id = request.facts().key_id;
  const std::string name = key_name(key_id);
  MESHTRUST_TRY(const SealedKey sealed, seal_key(store.environment(), key, protection));
  MESHTRUST_TRY_DO(store.append(lock, Action{.who = who,
                                             .event = Event::kRequested,
                                             .cluster = wanted.cluster,
                                             .detail = fmt::format("{} {}", name, sealed.digest)}));
  const auto kept = put_into_custody(store.environment(), Layout{store.path()}.request_key(name),
                                     sealed, protection, key_id);
  if (!kept) {
    // The failure is what matters; should this fail too, the request can be given up later.
    (void)close_request(store, lock, store.requests().back(), who);
    return fail(kept.error());
  }
  return request;
}

Result<pki::CertificateRequest> repeat_request(const TrustStore& store,
                                               const PendingRequest& request,
                                               const AskPassphrase& ask) {
  MESHTRUST_TRY(const pki::PrivateKey key, open_waiting_key(store, request, ask));
  return request_for(request.cluster, key);
}

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
  return root && find_of_root(*root, papers) != nullptr && !find_match(store, papers);
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
  MESHTRUST_TRY(Path path, path_of(*certified, papers));
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
                              const Who& who) {
  MESHTRUST_TRY(const Subordination found, find_subordination(store, papers, at));
  if (!found.is_recorded) {
    MESHTRUST_TRY_DO(store.append(lock,
                                  Action{.who = who,
                                         .event = Event::kSubordinated,
                                         .fingerprint = store.root()->fingerprint(),
                                         .detail = above_text(found.above)},
                                  nullptr, &root_key));
  }
  return *store.root();
}

Result<bool> key_is_there(const TrustStore& store, const PendingRequest& request) {
  MESHTRUST_TRY(
      const base::FileFacts facts,
      store.environment().files.facts(Layout{store.path()}.request_key(request.key_name)));
  return facts.kind != base::FileKind::kAbsent;
}

Status close_request(TrustStore& store,
                     const StoreLock& lock,
                     const PendingRequest& request,
                     const Who& who) {
  const Status removed =
      store.environment().files.remove(Layout{store.path()}.request_key(request.key_name));
  if (!removed && removed.error().code != Code::kNotFound) return removed;
  return store.append(lock, Action{.who = who,
                                   .event = Event::kRequestClosed,
                                   .cluster = request.cluster,
                                   .detail = request.key_name});
}

Result<Signed> find_signed(const TrustStore& store,
                           std::span<const Certificate> papers,
                           base::Instant at) {
  const auto match = find_match(store, papers);
  if (!match) {
    return fail(Code::kNotFound,
                "none of these certificates belongs to a key that waits in this store",
                "'meshtrust inspect' shows the files; 'meshtrust ca request' makes a request");
  }
  MESHTRUST_TRY_DO(check_is_authority(match->certificate,
                                      fmt::format("'{}'", match->certificate.facts().subject)));
  MESHTRUST_TRY(Path path, path_of(match->certificate, papers));
  MESHTRUST_TRY_DO(refuse_unsound(path, at));
  return Signed{.certificate = match->certificate,
                .chain = std::move(path.chain),
                .roots = std::move(path.roots),
                .request = match->request};
}

Result<Imported> import_signed(const TrustStore& store,
                               const Signed& signed_one,
                               const AskPassphrase& ask) {
  const Certificate& certificate = signed_one.certificate;
  MESHTRUST_TRY(pki::PrivateKey key, open_waiting_key(store, signed_one.request, ask));
  MESHTRUST_TRY(pki::RevocationList list,
                pki::issue_list({.this_update = certificate.facts().not_before,
                                 .next_update = certificate.facts().not_after,
                                 .number = "01",
                                 .revoked = {}},
                                certificate, key));
  return Imported{.key = std::move(key), .list = std::move(list)};
}

bool is_key_of_request(const TrustStore& store, const std::string& key_id) {
  const auto log = store.log();
  return std::ranges::any_of(log, [&](const Action& action) {
    return action.event == Event::kRequested && action.detail.starts_with(key_name(key_id));
  });
}

bool was_key_of(const TrustStore& store, const std::string& cluster, const std::string& key_id) {
  const auto issued = store.issued();
  const auto log = store.log();
  return std::ranges::any_of(issued,
                             [&](const LedgerEntry& entry) {
                               return entry.cluster == cluster &&
                                      entry.certificate.facts().key_id == key_id;
                             }) ||
         std::ranges::any_of(log, [&](const Action& action) {
           return action.event == Event::kRequested && action.cluster == cluster &&
                  action.detail.starts_with(key_name(key_id));
         });
}

}  // namespace meshtrust::ca
