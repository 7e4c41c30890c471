#include "ca/request.h"

#include "base/text.h"
#include "ca/custody/key_file.h"
#include "ca/folder.h"
#include "ca/signed_path.h"
#include "pki/issue_list.h"
#include "pki/make_request.h"

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

/// The certificate whose key waits here, with its request.
struct Match {
  Certificate certificate;
  ledger::PendingRequest request;
};

std::optional<Match> find_match(const TrustStore& store, std::span<const Certificate> papers) {
  for (const ledger::PendingRequest& request : store.requests()) {
    for (const Certificate& paper : papers) {
      if (ledger::key_name(paper) == request.key_name) return Match{paper, request};
    }
  }
  return std::nullopt;
}

Result<pki::CertificateRequest> request_for(const std::string& cluster, const pki::Signer& key) {
  return pki::make_request({.attributes = {{.type = "CN", .value = cluster}}}, key);
}

/// The waiting key, its passphrase asked for where it has one.
Result<pki::PrivateKey> open_waiting_key(const TrustStore& store,
                                         const ledger::PendingRequest& request,
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

}  // namespace

Result<pki::CertificateRequest> open_request(TrustStore& store,
                                             const StoreLock& lock,
                                             const IntermediateRequest& wanted,
                                             const KeyProtection& protection,
                                             const ledger::Who& who) {
  if (!base::is_dns_label(wanted.cluster)) {
    return fail(Code::kInvalidInput,
                fmt::format("'{}' is not a cluster name", base::printable(wanted.cluster)));
  }
  for (const ledger::PendingRequest& open : store.requests()) {
    if (open.cluster != wanted.cluster) continue;
    return fail(Code::kConflict,
                fmt::format("a request of cluster '{}' is open since {}", open.cluster,
                            base::format_date(open.since)),
                "import what was signed, or give it up with 'meshtrust ca request --give-up'");
  }
  MESHTRUST_TRY(const pki::PrivateKey key, pki::PrivateKey::generate(wanted.key));
  MESHTRUST_TRY(pki::CertificateRequest request, request_for(wanted.cluster, key));
  const std::string& key_id = request.facts().key_id;
  const std::string name = ledger::key_name(key_id);
  MESHTRUST_TRY(const SealedKey sealed, seal_key(store.environment(), key, protection));
  MESHTRUST_TRY_DO(store.append(
      lock, who,
      ledger::Requested{.cluster = wanted.cluster, .key = name, .key_digest = sealed.digest}));
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
                                               const ledger::PendingRequest& request,
                                               const AskPassphrase& ask) {
  MESHTRUST_TRY(const pki::PrivateKey key, open_waiting_key(store, request, ask));
  return request_for(request.cluster, key);
}

bool is_answer_to_request(const TrustStore& store, std::span<const Certificate> papers) {
  return find_match(store, papers).has_value();
}

Result<bool> key_is_there(const TrustStore& store, const ledger::PendingRequest& request) {
  MESHTRUST_TRY(
      const base::FileFacts facts,
      store.environment().files.facts(Layout{store.path()}.request_key(request.key_name)));
  return facts.kind != base::FileKind::kAbsent;
}

Status close_request(TrustStore& store,
                     const StoreLock& lock,
                     const ledger::PendingRequest& request,
                     const ledger::Who& who) {
  const Status removed =
      store.environment().files.remove(Layout{store.path()}.request_key(request.key_name));
  if (!removed && removed.error().code != Code::kNotFound) return removed;
  return store.append(lock, who,
                      ledger::RequestClosed{.cluster = request.cluster, .key = request.key_name});
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
  MESHTRUST_TRY(SignedPath path, path_of(match->certificate, papers));
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
  const std::string name = ledger::key_name(key_id);
  return store.ask([&name](const ledger::Ledger& ledger) {
    return std::ranges::any_of(ledger.records(), [&name](const ledger::Record& record) {
      const auto* requested = std::get_if<ledger::Requested>(&record.event);
      return requested != nullptr && requested->key == name;
    });
  });
}

bool was_key_of(const TrustStore& store, const std::string& cluster, const std::string& key_id) {
  const std::string name = ledger::key_name(key_id);
  return store.ask([&](const ledger::Ledger& ledger) {
    const auto& issued = ledger.hierarchy().authorities();
    return std::ranges::any_of(issued,
                               [&](const ledger::Authority& one) {
                                 return one.cluster == cluster &&
                                        one.certificate.facts().key_id == key_id;
                               }) ||
           std::ranges::any_of(ledger.records(), [&](const ledger::Record& record) {
             const auto* requested = std::get_if<ledger::Requested>(&record.event);
             return requested != nullptr && requested->cluster == cluster && requested->key == name;
           });
  });
}

}  // namespace meshtrust::ca
