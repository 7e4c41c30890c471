#include "base/encoding.h"
#include "base/text.h"
#include "ca/request.h"
#include "cli/commands/ca.h"
#include "cli/commands/commands.h"
#include "cli/import_folder.h"
#include "cli/passphrase.h"
#include "cli/proof.h"
#include "istio/acceptance.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

using base::Status;

class CaImport final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("FILE", files_, "the signed certificate and what leads to the root (PEM)")
        ->required()
        ->option_text("FILE...");
    declare_store(app, store_);
    app.add_option("--out", out_, "folder for the four files")->option_text("DIR");
    app.add_flag("--force", force_, "replace files of the same cluster that are there");
    passphrase_.declare_source(app, "the waiting key, or the root's");
  }

  int run(Session& session) override {
    passphrase_.keep_from_children();
    return report(session, import_all(session));
  }

 private:
  Status import_all(Session& session) {
    base::Files& files = session.around.files;
    std::vector<pki::Certificate> papers;
    for (const std::string& file : files_) {
      MESHTRUST_TRY(const std::string pem, files.read(file, 1U << 20U));
      auto found = pki::certificates_from_pem(pem);
      if (!found) return base::fail(with_context(std::move(found).error(), file));
      papers.insert(papers.end(), found->begin(), found->end());
    }
    MESHTRUST_TRY(ca::TrustStore store, open_store(session, store_));
    if (ca::is_about_root(store, papers)) return import_for_root(session, papers);
    if (out_.empty()) {
      return base::fail(base::Code::kUsage, "--out is needed: a folder for the four files");
    }
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, store));
    MESHTRUST_TRY(const ca::Signed found, ca::find_signed(store, papers, session.now()));
    istio::Bundle bundle = istio::make_bundle(found.chain, found.roots, {});
    ImportFolder out(out_, force_ ? base::Overwrite::kReplace : base::Overwrite::kNever);
    MESHTRUST_TRY_DO(
        out.check(files, bundle.certificates, found.certificate, [&](const std::string& key_id) {
          return ca::was_key_of(store, found.request.cluster, key_id);
        }));
    const auto ask = [&] { return find_passphrase_of(session, passphrase_, "the waiting key"); };
    MESHTRUST_TRY(const ca::Imported imported, ca::import_signed(store, found, ask));
    MESHTRUST_TRY(bundle.ca_key, imported.key.to_pem());
    MESHTRUST_TRY_DO(istio::refuse_unless_good(bundle, session.now()));
    MESHTRUST_TRY_DO(out.write(files, bundle, imported.list));
    MESHTRUST_TRY_DO(ca::close_request(store, lock, found.request, session.who()));
    tell(session, found);
    return {};
  }

  Status import_for_root(Session& session, const std::vector<pki::Certificate>& papers) const {
    MESHTRUST_TRY(StoreWithRoot opened, open_store_with_root(session, store_));
    ca::TrustStore& store = opened.store;
    MESHTRUST_TRY(const auto signer, open_root_key(session, opened, passphrase_));
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, store));
    const std::size_t lines = store.log().size();
    MESHTRUST_TRY(const ca::Root before, ca::root_of(store));
    MESHTRUST_TRY(const ca::Root root,
                  ca::subordinate_root(store, lock, papers, session.now(), *signer, session.who()));
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
    if (store.log().size() == lines) {
      session.console().say("that was recorded already: nothing has changed");
      return {};
    }
    session.console().say(
        before.above.empty()
            ? "what is made for clusters from now on reaches up to that root and trusts it"
            : "what is made for clusters from now on has the new certificates in its chain; what "
              "was made before keeps the old ones until it is replaced");
    return {};
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
          "needs one.\n"
          "Where the certificate is of the store's own root ('ca request --root'), the root stands "
          "below the CA that signed it from then on: chains reach up to the root of that CA, "
          "which has to be among the files, and bundles trust it. That takes the root's key, which "
          "signs the record, and no --out.",
      .examples = {{"What came back", "meshtrust ca import east.pem --store east.trust --out east"},
                   {"The root, signed by the company's CA",
                    "meshtrust ca import root.pem corporate-chain.pem --store shop.trust"},
                   {"Would istiod take it?", "meshtrust verify --bundle east"}},
      .files = {kStoreFile,
                "DIR  ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem, own-crl.pem"},
      .make = make_command<CaImport>};
}

}  // namespace meshtrust::cli
