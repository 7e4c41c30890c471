#include "base/encoding.h"
#include "base/text.h"
#include "ca/request.h"
#include "cli/commands/ca.h"
#include "cli/commands/commands.h"
#include "cli/import_folder.h"
#include "cli/import_text.h"
#include "cli/passphrase.h"
#include "cli/proof.h"
#include "istio/acceptance.h"
#include "istio/names.h"
#include "pki/chain.h"
#include "pki/container.h"
#include "pki/inspect.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <span>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::size_t kLargest = 1U << 20U;

class CaImport final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("FILE", files_,
                   "the signed certificate and what leads to the root (PEM, DER, PKCS#7)")
        ->required()
        ->option_text("FILE...");
    declare_store(app, store_);
    app.add_option("--out", out_, "folder for the four files")->option_text("DIR");
    app.add_flag("--force", force_, "replace files of the same cluster that are there");
    passphrase_.declare_source(app, "the waiting key or the root key");
  }

  int run(Session& session) override {
    passphrase_.keep_from_children();
    const auto done = import_all(session);
    if (!done) return report(session, base::fail(done.error()));
    if (*done) return kDone;
    session.console().say("nothing was taken");
    return kUsage;
  }

 private:
  using Papers = std::vector<pki::Certificate>;

  /// False when somebody was asked and said no.
  Result<bool> import_all(Session& session) {
    MESHTRUST_TRY(const Papers papers, read_papers(session));
    MESHTRUST_TRY(ca::TrustStore store, open_store(session, store_));
    if (ca::is_about_root(store, papers)) return import_for_root(session, store, papers);
    if (out_.empty()) {
      return base::fail(Code::kUsage, "--out is needed: a folder for the four files");
    }
    const auto found = ca::find_signed(store, papers, session.now());
    if (!found && found.error().code == Code::kNotFound && was_imported(session, store, papers)) {
      session.console().say(
          fmt::format("that was imported already, into '{}': nothing to do", out_));
      return true;
    }
    if (!found) return base::fail(found.error());
    MESHTRUST_TRY(const bool is_meant, show_and_ask(session, store, *found, papers));
    if (is_meant) MESHTRUST_TRY_DO(join(session, store, papers));
    return is_meant;
  }

  Result<Papers> read_papers(const Session& session) const {
    const auto ask = [](std::string_view label) -> Result<base::Secret> {
      return base::fail(base::Error{
          .code = Code::kInvalidInput,
          .message = fmt::format(
              "{} is PKCS#12 under a passphrase: only its certificates are needed", label),
          .hints = {"take them out: openssl pkcs12 -in FILE -nokeys -out NEW"}});
    };
    Papers papers;
    for (const std::string& file : files_) {
      MESHTRUST_TRY(const base::Secret content, session.around.files.read_secret(file, kLargest));
      auto found = pki::find_all_objects(file, content, ask);
      if (!found.errors.empty()) return base::fail(std::move(found.errors.front()));
      const std::size_t before = papers.size();
      for (const pki::InspectedObject& object : found.objects) {
        if (const auto* one = std::get_if<pki::Certificate>(&object.what)) papers.push_back(*one);
      }
      if (papers.size() > before) continue;
      return base::fail(with_context(
          pki::no_certificate_in(base::reveal(content, "what a file without a certificate is")),
          file));
    }
    return papers;
  }

  /// Whether the folder holds what an import of one of `papers` leaves there.
  bool was_imported(const Session& session,
                    const ca::TrustStore& store,
                    const Papers& papers) const {
    base::Files& files = session.around.files;
    const std::filesystem::path folder = out_;
    const auto pem = files.read(folder / istio::kCaCertFile, kLargest);
    const auto there = pki::certificates_from_pem(pem ? *pem : std::string());
    if (!there || std::ranges::find(papers, there->front()) == papers.end()) return false;
    const auto key = files.read_secret(folder / istio::kCaKeyFile, kLargest);
    return key && pki::signs_for(there->front(), *key) &&
           ca::is_key_of_request(store, there->front().facts().key_id);
  }

  /// Everything that stands in the way, what is about to be taken, and, where that changes what a
  /// cluster trusts or is not what was asked for, the question whether it is meant.
  Result<bool> show_and_ask(Session& session,
                            const ca::TrustStore& store,
                            const ca::Signed& found,
                            const Papers& papers) const {
    const istio::Bundle bundle = istio::make_bundle(found.chain, found.roots, {});
    MESHTRUST_TRY(const ImportFolder out, look_at_folder(session, store, found));
    const std::string& cluster = found.request.cluster;
    const std::string role = fmt::format("the CA of '{}', for the key that waits since {}", cluster,
                                         base::format_date(found.request.since));
    const SubjectComparison subject =
        compare_subjects("CN=" + cluster, found.certificate.facts().subject);
    session.console().narrate(
        render_taken(taken_papers(found.chain, found.roots.front(), role, "'" + cluster + "'"),
                     papers, session.now()) +
        "  key:     the waiting one\n" + subject.text);
    std::vector<std::string> reasons;
    if (!subject.difference.empty()) reasons.push_back(subject.difference);
    const auto root = store.root();
    if (root && root->anchor() != found.roots.front()) {
      reasons.push_back(fmt::format("'{}' would trust another root than the store's own", cluster));
    }
    if (ImportFolder::trusts_something_else(session.around.files, out_, bundle.certificates)) {
      reasons.push_back(fmt::format("'{}' tells '{}' to trust another root today", out_, cluster));
    }
    if (reasons.empty()) return true;
    return confirm(session, base::join(reasons, "; "),
                   fmt::format("{}. Take it?", base::join(reasons, "; ")));
  }

  Result<ImportFolder> look_at_folder(const Session& session,
                                      const ca::TrustStore& store,
                                      const ca::Signed& found) const {
    ImportFolder out(out_, force_ ? base::Overwrite::kReplace : base::Overwrite::kNever);
    MESHTRUST_TRY_DO(out.check(session.around.files,
                               istio::make_bundle(found.chain, found.roots, {}).certificates,
                               found.certificate, [&](const std::string& key_id) {
                                 return ca::was_key_of(store, found.request.cluster, key_id);
                               }));
    return out;
  }

  /// Under the lock everything is looked at again: somebody may have been asked in between.
  Status join(Session& session, ca::TrustStore& store, const Papers& papers) {
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, store));
    MESHTRUST_TRY(const ca::Signed found, ca::find_signed(store, papers, session.now()));
    MESHTRUST_TRY(const ImportFolder out, look_at_folder(session, store, found));
    if (!out.is_complete()) MESHTRUST_TRY_DO(write(session, store, found, out));
    MESHTRUST_TRY_DO(ca::close_request(store, lock, found.request, session.who()));
    tell(session, found);
    return {};
  }

  Status write(Session& session,
               const ca::TrustStore& store,
               const ca::Signed& found,
               const ImportFolder& out) {
    const auto ask = [&] { return find_passphrase_of(session, passphrase_, "the waiting key"); };
    MESHTRUST_TRY(const ca::Imported imported, ca::import_signed(store, found, ask));
    istio::Bundle bundle = istio::make_bundle(found.chain, found.roots, {});
    MESHTRUST_TRY(bundle.ca_key, imported.key.to_pem());
    MESHTRUST_TRY_DO(istio::refuse_unless_good(bundle, session.now()));
    return out.write(session.around.files, bundle, imported.list);
  }

  Result<bool> import_for_root(Session& session,
                               const ca::TrustStore& store,
                               const Papers& papers) const {
    MESHTRUST_TRY(const ca::Root before, ca::root_of(store));
    MESHTRUST_TRY(const ca::Subordination found,
                  ca::find_subordination(store, papers, session.now()));
    if (found.is_recorded) {
      tell_of_root(session, before, before, found.is_recorded);
      return true;
    }
    MESHTRUST_TRY(const bool is_meant, show_and_ask(session, before, found, papers));
    if (!is_meant) return false;
    MESHTRUST_TRY(StoreWithRoot opened, open_store_with_root(session, store_));
    MESHTRUST_TRY(const auto signer, open_root_key(session, opened, passphrase_));
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, opened.store));
    MESHTRUST_TRY(const ca::Root root, ca::subordinate_root(opened.store, lock, papers,
                                                            session.now(), *signer, session.who()));
    tell_of_root(session, before, root, found.is_recorded);
    return true;
  }

  /// Subject and key identifier were compared byte for byte: what differs is refused.
  static Result<bool> show_and_ask(Session& session,
                                   const ca::Root& root,
                                   const ca::Subordination& found,
                                   const Papers& papers) {
    const pki::Certificate& anchor = found.above.back();
    const auto chain = std::span(found.above).first(found.above.size() - 1);
    session.console().narrate(
        render_taken(taken_papers(chain, anchor, "this store's root, certified by another CA",
                                  "whatever is made for clusters from now on"),
                     papers, session.now()) +
        "  key:     the root's own\n" +
        compare_subjects(root.certificate.facts().subject, chain.front().facts().subject).text);
    if (!found.changes_what_is_trusted) return true;
    const std::string what = fmt::format("clusters would trust '{}' instead of '{}'",
                                         base::printable(anchor.facts().subject),
                                         base::printable(root.anchor().facts().subject));
    return confirm(session, what, what + ". Take it?");
  }

  static void tell_of_root(const Session& session,
                           const ca::Root& before,
                           const ca::Root& root,
                           bool was_recorded) {
    const auto& facts = root.issuer().facts();
    const auto& anchor = root.anchor().facts();
    session.answer(
        {{"apiVersion", "meshtrust/v1"},
         {"kind", "SubordinateRoot"},
         {"subject", facts.subject},
         {"issuer", facts.issuer},
         {"fingerprint", facts.fingerprint},
         {"notAfter", base::format_rfc3339(facts.not_after)},
         {"trusts", anchor.subject}},
        fmt::format("root:     {}\nissuer:   {}\nsha256:   {}\nexpires:  {}\n"
                    "trusts:   {}\n",
                    base::printable(facts.subject), base::printable(facts.issuer),
                    base::group_hex(facts.fingerprint), expiry_text(facts.not_after, session.now()),
                    base::printable(anchor.subject)));
    if (was_recorded) {
      session.console().say("that was recorded already: nothing has changed");
      return;
    }
    session.console().say(
        before.above.empty()
            ? "what is made for clusters from now on reaches up to that root and trusts it"
            : "what is made for clusters from now on has the new certificates in its chain; what "
              "was made before keeps the old ones until it is replaced");
  }

  void tell(const Session& session, const ca::Signed& found) const {
    const auto& facts = found.certificate.facts();
    session.answer(
        {{"apiVersion", "meshtrust/v1"},
         {"kind", "ImportedIntermediate"},
         {"cluster", found.request.cluster},
         {"folder", out_},
         {"subject", facts.subject},
         {"fingerprint", facts.fingerprint},
         {"notAfter", base::format_rfc3339(facts.not_after)}},
        fmt::format("cluster:  {}\nsubject:  {}\nsha256:   {}\nexpires:  {}\n"
                    "files:    {}/{{ca-cert,ca-key,cert-chain,root-cert}}.pem\n",
                    found.request.cluster, facts.subject, base::group_hex(facts.fingerprint),
                    expiry_text(facts.not_after, session.now()), out_));
    session.console().say(fmt::format(
        "the key waits no more: the copy in {} is the only one; {} is its empty revocation list, "
        "for 'meshtrust ca crl --with' where the root is",
        out_, kOwnListFile));
  }

  std::vector<std::string> files_;
  std::string store_{kDefaultStore};
  std::string out_;
  bool force_ = false;
  PassphraseOptions passphrase_;
};

}  // namespace

CommandEntry ca_import_command() {
  return {
      .name = "ca import",
      .group = kCaGroup,
      .summary = "join a signed certificate with the key that waits for it",
      .details =
          "Finds the waiting key by the certificate, checks that the chain reaches a "
          "self-signed root among the files and that istiod would load all of it, writes the "
          "four files as 'ca issue' does, and forgets the key in the store. It also writes an "
          "empty revocation list, own-crl.pem: only this key can make it, and a mesh with CRLs "
          "needs one. It first shows every certificate that it is about to take, and how subject "
          "and key compare with what was asked for; it asks where the subject differs or another "
          "root would be trusted than before. An import that was interrupted is continued by the "
          "same command.\n"
          "Where the certificate is of the store's own root ('ca request --root'), the root stands "
          "below the CA that signed it from then on: chains reach up to the root of that CA, "
          "which has to be among the files, and bundles trust it, which is asked about. That takes "
          "the root's key, which signs the record, and no --out.",
      .examples = {{"What came back", "meshtrust ca import east.pem --store east.trust --out east"},
                   {"The root, signed by the company's CA",
                    "meshtrust ca import root.pem corporate-chain.pem --store shop.trust --yes"},
                   {"Would istiod take it?", "meshtrust verify --bundle east"}},
      .files = {kStoreFile,
                "DIR  ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem, own-crl.pem"},
      .make = make_command<CaImport>};
}

}  // namespace meshtrust::cli
