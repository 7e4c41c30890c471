#include "ca/request.h"

#include "base/text.h"
#include "ca/custody.h"
#include "ca/folder.h"
#include "pki/chain.h"
#include "pki/issue_list.h"
#include "pki/lint.h"
#include "pki/make_request.h"
#include "pki/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
using pki::Certificate;

constexpr std::size_t kNameDigits = 16;
constexpr std::size_t kMostTiers = 8;

std::string name_of_key(const std::string& key_id) {
  return key_id.substr(0, kNameDigits);
}

/// The certificate whose key waits here, with its request.
struct Match {
  Certificate certificate;
  PendingRequest request;
};

std::optional<Match> find_match(const TrustStore& store, std::span<const Certificate> papers) {
  for (const PendingRequest& request : store.requests()) {
    for (const Certificate& paper : papers) {
      if (name_of_key(paper.facts().key_id) == request.key_name) return Match{paper, request};
    }
  }
  return std::nullopt;
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
                  fmt::format("the issuer of '{}', '{}', is not among the papers",
                              path.chain.back().facts().subject, path.chain.back().facts().issuer),
                  "give the certificates up to the root in one file");
    }
    if (issuer->is_self_issued()) {
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
    return paper.facts().key_id == root.certificate.facts().key_id && !paper.is_self_issued();
  });
  return found == papers.end() ? nullptr : &*found;
}

/// What a CA above must have put into the root's certificate for clusters' CAs to live below it.
Status check_may_sign_authorities(const Root& root, const Certificate& certified) {
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
  const auto& constraints = facts.basic_constraints;
  if (!certified.is_ca() || (constraints->path_length && *constraints->path_length < 1)) {
    return refuse("leaves no room for the CAs of clusters",
                  "ask for CA:TRUE without a path length, or with at least 1");
  }
  if (!facts.subject_key_id) {
    return refuse("has no subject key identifier", "ask for subjectKeyIdentifier=hash");
  }
  return {};
}

Status refuse_unsound(const Path& path, base::Instant at) {
  const Certificate& own = path.chain.front();
  const Certificate& issuer = path.chain.size() > 1 ? path.chain[1] : path.roots.front();
  for (const pki::LintFinding& finding : pki::lint({.certificate = own,
                                         .role = pki::LintRole::kIntermediate,
                                         .issuer = &issuer,
                                         .at = at})) {
    if (finding.severity != pki::Severity::kError) continue;
    return fail(Code::kRefused,
                fmt::format("'{}' is no CA for a mesh: {} ({}, {})", own.facts().subject,
                            finding.message, finding.rule, finding.source));
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
  const pki::DistinguishedName subject{.attributes = {{.type = "CN", .value = wanted.cluster}}};
  MESHTRUST_TRY(pki::CertificateRequest request, pki::make_request(subject, key));
  const std::string name = name_of_key(request.facts().key_id);
  MESHTRUST_TRY_DO(store.append(
      lock,
      Action{.who = who, .event = Event::kRequested, .cluster = wanted.cluster, .detail = name}));
  const auto written = write_key(store.environment().files, Layout{store.path()}.request_key(name),
                                 key, protection.words());
  if (!written) {
    // The failure is what matters; should this fail too, the request can be given up later.
    (void)close_request(store, lock, store.requests().back(), who);
    return fail(written.error());
  }
  return request;
}

Result<pki::CertificateRequest> request_for_root(const TrustStore& store,
                                                 const pki::Signer& root_key) {
  const auto root = store.root();
  MESHTRUST_CHECK(root.has_value());
  MESHTRUST_TRY(const pki::DistinguishedName subject,
                pki::DistinguishedName::parse(root->certificate.facts().subject));
  return pki::make_request(subject, root_key);
}

bool is_about_root(const TrustStore& store, std::span<const Certificate> papers) {
  const auto root = store.root();
  return root && find_of_root(*root, papers) != nullptr;
}

Result<Root> subordinate_root(TrustStore& store,
                              const StoreLock& lock,
                              std::span<const Certificate> papers,
                              base::Instant at,
                              const Who& who) {
  const auto root = store.root();
  const Certificate* certified = root ? find_of_root(*root, papers) : nullptr;
  if (certified == nullptr) {
    return fail(Code::kNotFound, "none of these certificates is of the root's key",
                "'meshtrust ca request --root' makes the request that another CA signs");
  }
  MESHTRUST_TRY_DO(check_may_sign_authorities(*root, *certified));
  MESHTRUST_TRY(Path path, path_of(*certified, papers));
  MESHTRUST_TRY_DO(refuse_unsound(path, at));
  std::vector<Certificate> above = std::move(path.chain);
  above.insert(above.end(), path.roots.begin(), path.roots.end());
  MESHTRUST_TRY_DO(store.append(lock, Action{.who = who,
                                             .event = Event::kSubordinated,
                                             .fingerprint = root->fingerprint(),
                                             .detail = above_text(above)}));
  return *store.root();
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

Result<Imported> import_signed(TrustStore& store,
                               std::span<const Certificate> papers,
                               const AskPassphrase& ask,
                               base::Instant at) {
  const auto match = find_match(store, papers);
  if (!match) {
    return fail(Code::kNotFound,
                "none of these certificates belongs to a key that waits in this store",
                "'meshtrust inspect' shows the files; 'meshtrust ca request' makes a request");
  }
  MESHTRUST_TRY(Path path, path_of(match->certificate, papers));
  MESHTRUST_TRY_DO(refuse_unsound(path, at));
  base::Files& files = store.environment().files;
  const auto file = Layout{store.path()}.request_key(match->request.key_name);
  MESHTRUST_TRY(const KeyForm form, look_at_key(files, file));
  base::Secret passphrase;
  if (form == KeyForm::kEncrypted) {
    MESHTRUST_TRY(passphrase, ask());
  }
  const ExpectedKey expected{.key_id = match->certificate.facts().key_id, .file_digest = {}};
  MESHTRUST_TRY(pki::PrivateKey key, open_key(files, file, passphrase, expected));
  MESHTRUST_TRY(pki::RevocationList list,
                pki::issue_list({.this_update = match->certificate.facts().not_before,
                                 .next_update = match->certificate.facts().not_after,
                                 .number = 1,
                                 .revoked = {}},
                                match->certificate, key));
  return Imported{.intermediate = {.certificate = match->certificate,
                                   .key = std::move(key),
                                   .chain = std::move(path.chain),
                                   .roots = std::move(path.roots)},
                  .request = match->request,
                  .list = std::move(list)};
}

}  // namespace meshtrust::ca
