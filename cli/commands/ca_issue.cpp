#include "base/encoding.h"
#include "base/text.h"
#include "ca/authority.h"
#include "cli/commands/ca.h"
#include "cli/commands/commands.h"
#include "cli/passphrase.h"
#include "cli/proof.h"
#include "istio/acceptance.h"
#include "istio/bundle.h"
#include "istio/names.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace meshtrust::cli {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Result;
using base::Status;

class CaIssue final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("CLUSTER", cluster_, "the cluster it is for")
        ->required()
        ->option_text("CLUSTER");
    declare_store(app, store_);
    app.add_option("--out", out_, "folder for the four files")->required()->option_text("DIR");
    declare_key(app, key_);
    app.add_option("--lifetime", lifetime_, "of the intermediate (default 730d)")
        ->option_text("TIME");
    app.add_flag("--force", force_, "replace files that are there");
    passphrase_.declare(app);
  }

  int run(Session& session) override { return report(session, issue(session)); }

 private:
  Status issue(Session& session) {
    ca::IntermediateRequest request{.cluster = cluster_};
    if (!base::is_dns_label(cluster_)) {
      return base::fail(
          Code::kUsage,
          fmt::format("'{}' is not a cluster name, wanted a DNS label such as 'east'", cluster_));
    }
    MESHTRUST_TRY(request.key, parse_key(key_));
    MESHTRUST_TRY(request.lifetime, parse_lifetime(lifetime_));
    MESHTRUST_TRY_DO(check_out(session));
    MESHTRUST_TRY(StoreWithRoot opened, open_store_with_root(session, store_));
    ca::TrustStore& store = opened.store;
    MESHTRUST_TRY(const auto signer, open_root_key(session, opened));
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, store));
    MESHTRUST_TRY(ca::Intermediate minted,
                  ca::mint_intermediate(store, lock, *signer, request, session.who()));
    MESHTRUST_TRY_DO(make_out_folder(session));
    MESHTRUST_TRY(base::Secret key, minted.key.to_pem());
    const istio::Bundle bundle = istio::make_bundle(minted.chain, minted.roots, std::move(key));
    MESHTRUST_TRY_DO(istio::refuse_unless_good(bundle, session.now()));
    MESHTRUST_TRY_DO(write(session, bundle));
    MESHTRUST_TRY_DO(store.record(lock, minted.certificate.fingerprint(), ca::Event::kPushed,
                                  session.who(), "written to " + out_));
    tell(session, minted.certificate);
    return {};
  }

  Result<std::unique_ptr<pki::Signer>> open_root_key(Session& session,
                                                     const StoreWithRoot& opened) {
    if (!opened.root.key_is_encrypted) return ca::unlock_root(opened.store, {});
    MESHTRUST_TRY(const auto passphrase,
                  find_passphrase(session, passphrase_, PassphrasePurpose::kOpen));
    if (!passphrase) {
      return base::fail(Code::kUsage, "the root key is encrypted and needs its passphrase",
                        "leave out --no-password --insecure");
    }
    return ca::unlock_root(opened.store, *passphrase);
  }

  /// Everything that stands in the way is found before the key is opened.
  Status check_out(const Session& session) const {
    base::Files& files = session.around.files;
    MESHTRUST_TRY(const base::FileFacts folder, files.facts(out_));
    if (folder.kind == base::FileKind::kAbsent) return check_parent(files);
    if (folder.kind != base::FileKind::kFolder) {
      return base::fail(Code::kRefused, fmt::format("'{}' is not a folder", out_),
                        "name another with --out");
    }
    for (const std::string_view name : istio::kCaFiles) {
      MESHTRUST_TRY(const base::FileFacts file, files.facts(fs::path(out_) / name));
      if (file.kind == base::FileKind::kAbsent) continue;
      if (file.kind != base::FileKind::kFile) {
        return base::fail(Code::kRefused, fmt::format("'{}' is no ordinary file",
                                                      (fs::path(out_) / name).string()));
      }
      if (!force_) {
        return base::fail(Code::kRefused,
                          fmt::format("'{}' already exists", (fs::path(out_) / name).string()),
                          "name another folder with --out, or replace it with --force");
      }
    }
    return {};
  }

  Status check_parent(base::Files& files) const {
    const fs::path parent = fs::path(out_).parent_path();
    MESHTRUST_TRY(const base::FileFacts facts, files.facts(parent.empty() ? "." : parent));
    if (facts.kind == base::FileKind::kFolder || facts.kind == base::FileKind::kSymlink) return {};
    return base::fail(Code::kInvalidInput,
                      fmt::format("there is no folder '{}' to make '{}' in", parent.string(), out_),
                      "create it, or name another with --out");
  }

  Status make_out_folder(const Session& session) const {
    base::Files& files = session.around.files;
    MESHTRUST_TRY(const base::FileFacts folder, files.facts(out_));
    if (folder.kind == base::FileKind::kFolder) return {};
    return files.make_folder(out_, base::Access::kPrivate);
  }

  /// All four or, where none was there before, none. The key comes last: whoever finds it finds the
  /// certificates that belong to it.
  Status write(const Session& session, const istio::Bundle& bundle) const {
    base::Files& files = session.around.files;
    const fs::path folder(out_);
    Status written = write_files(files, folder, bundle);
    if (!written && !force_) {
      for (const std::string_view name : istio::kCaFiles) {
        // What is not there need not be removed, and the first failure is the one to tell.
        (void)files.remove(folder / name).has_value();
      }
    }
    return written;
  }

  Status write_files(base::Files& files,
                     const fs::path& folder,
                     const istio::Bundle& bundle) const {
    const auto overwrite = force_ ? base::Overwrite::kReplace : base::Overwrite::kNever;
    const auto write_public = [&](std::string_view name, const std::string& pem) {
      return files.write(folder / name, pem, base::Access::kPublic, overwrite);
    };
    MESHTRUST_TRY_DO(write_public(istio::kRootCertFile, bundle.certificates.root_cert));
    MESHTRUST_TRY_DO(write_public(istio::kCertChainFile, bundle.certificates.cert_chain));
    MESHTRUST_TRY_DO(write_public(istio::kCaCertFile, bundle.certificates.ca_cert));
    return files.write_secret(folder / istio::kCaKeyFile, bundle.ca_key, overwrite);
  }

  void tell(const Session& session, const pki::Certificate& certificate) const {
    const auto& facts = certificate.facts();
    session.answer({{"apiVersion", "meshtrust/v1"},
                    {"kind", "IssuedIntermediate"},
                    {"cluster", cluster_},
                    {"folder", out_},
                    {"subject", facts.subject},
                    {"fingerprint", facts.fingerprint},
                    {"notAfter", base::format_rfc3339(facts.not_after)}},
                   fmt::format("cluster:  {}\nsubject:  {}\nsha256:   {}\nexpires:  {}\n"
                               "files:    {}/{{ca-cert,ca-key,cert-chain,root-cert}}.pem\n",
                               cluster_, facts.subject, base::group_hex(facts.fingerprint),
                               expiry_text(facts.not_after, session.now()), out_));
    session.console().say(fmt::format(
        "next: 'meshtrust verify --bundle {0}'; ca-key.pem is in clear text, as istiod wants it",
        out_));
  }

  std::string cluster_;
  std::string store_{kDefaultStore};
  std::string out_;
  std::string key_ = "ecdsa-p256";
  std::string lifetime_ = "730d";
  bool force_ = false;
  PassphraseOptions passphrase_;
};

}  // namespace

CommandEntry ca_issue_command() {
  return {.name = "ca issue",
          .group = kCaGroup,
          .summary = "write the four files istiod reads for one cluster",
          .details =
              "Mints an intermediate for the cluster under the store's root and writes "
              "ca-cert.pem, ca-key.pem (0600), cert-chain.pem and root-cert.pem exactly as "
              "istiod wants them. Never replaces a file without --force.",
          .examples = {{"For one cluster", "meshtrust ca issue east --store shop.trust --out east"},
                       {"A shorter life",
                        "meshtrust ca issue east --store shop.trust --out east --lifetime 90d"},
                       {"Into the cluster by hand",
                        "kubectl create secret generic cacerts -n istio-system --from-file=east"}},
          .files = {"DIR  ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem"},
          .make = make_command<CaIssue>};
}

}  // namespace meshtrust::cli
