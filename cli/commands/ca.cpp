#include "base/encoding.h"
#include "base/text.h"
#include "ca/authority.h"
#include "ca/store.h"
#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/passphrase.h"
#include "cli/proof.h"
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
using base::Json;
using base::Result;
using base::Status;

constexpr std::string_view kDefaultStore = "mesh.trust";

void declare_store(CLI::App& app, std::string& store) {
  app.add_option("--store", store, "folder of the trust store (default mesh.trust)")
      ->option_text("DIR");
}

Result<pki::KeyAlgorithm> parse_key(const std::string& name) {
  if (const auto algorithm = pki::key_algorithm_from_name(name)) return *algorithm;
  std::vector<std::string> known;
  for (const auto one : pki::all_key_algorithms())
    known.emplace_back(pki::name_of(one));
  return base::fail(Code::kUsage, fmt::format("unknown key algorithm '{}'", name),
                    "use " + base::join(known, ", "));
}

Result<base::Seconds> parse_lifetime(const std::string& text) {
  auto lifetime = base::parse_duration(text);
  if (!lifetime) return base::fail(Code::kUsage, "--lifetime: " + lifetime.error().message);
  return lifetime;
}

Json describe(const ca::LedgerEntry& entry) {
  const auto& facts = entry.certificate.facts();
  return {{"fingerprint", entry.fingerprint()},
          {"kind", ca::name_of(entry.kind)},
          {"cluster", entry.cluster},
          {"subject", facts.subject},
          {"serial", facts.serial},
          {"issuer", entry.issuer},
          {"key", facts.key_type},
          {"notBefore", base::format_rfc3339(facts.not_before)},
          {"notAfter", base::format_rfc3339(facts.not_after)},
          {"mintedAt", base::format_rfc3339(entry.minted_at)},
          {"state", ca::name_of(entry.state)}};
}

Result<ca::TrustStore> open_store(const Session& session, const std::string& path) {
  auto store = ca::TrustStore::open(session.environment(), path);
  if (!store && store.error().code == Code::kNotFound && store.error().hints.empty()) {
    return base::fail(
        with_hint(store.error(), "make one with 'meshtrust ca create --store " + path + "'"));
  }
  return store;
}

/// Runs `work` and says what went wrong.
template <class Work>
int report(const Session& session, Work work) {
  const Status done = work();
  if (done) return kDone;
  session.console().show(done.error());
  return exit_code_of(done.error().code);
}

class CaCreate final : public Command {
 public:
  void declare(CLI::App& app) override {
    declare_store(app, store_);
    app.add_option("--key", key_, "rsa-2048, rsa-3072, rsa-4096, ecdsa-p256 or ecdsa-p384")
        ->option_text("ALG");
    app.add_option("--lifetime", lifetime_, "of the root (default 3650d)")->option_text("TIME");
    app.add_option("--subject", subject_, "of the root (default O=mesh,CN=mesh Root CA)")
        ->option_text("DN");
    passphrase_.declare(app);
  }

  int run(Session& session) override {
    return report(session, [&] { return create(session); });
  }

 private:
  Status create(Session& session) {
    ca::RootRequest request;
    MESHTRUST_TRY(request.key, parse_key(key_));
    MESHTRUST_TRY(request.lifetime, parse_lifetime(lifetime_));
    auto subject = pki::DistinguishedName::parse(subject_);
    if (!subject) return base::fail(Code::kUsage, "--subject: " + subject.error().message);
    request.subject = std::move(*subject);
    MESHTRUST_TRY(ca::TrustStore store, open_or_create(session));
    MESHTRUST_TRY(const auto passphrase,
                  find_passphrase(session, passphrase_, PassphrasePurpose::kProtectNewKey));
    MESHTRUST_TRY(
        const ca::StoreLock lock,
        store.lock(ca::describe_holder(session.who(), session.around.process_id, session.now())));
    const auto protection =
        passphrase ? ca::KeyProtection::passphrase(*passphrase) : ca::KeyProtection::none();
    MESHTRUST_TRY(const ca::MintedRoot minted,
                  ca::mint_root(store, lock, request, protection, session.who()));
    tell(session, minted.root);
    return {};
  }

  /// A store without a root is one whose creation was interrupted: it is taken up again.
  Result<ca::TrustStore> open_or_create(const Session& session) const {
    auto store = ca::TrustStore::open(session.environment(), store_);
    if (!store && store.error().code == Code::kNotFound) {
      return ca::TrustStore::create(session.environment(), store_, session.who());
    }
    if (store && store->root()) {
      return base::fail(Code::kRefused,
                        fmt::format("the trust store '{}' already has a root: '{}'", store_,
                                    store->root()->certificate.facts().subject),
                        fmt::format("look at it with 'meshtrust ca show --store {}', or name "
                                    "another --store",
                                    store_));
    }
    return store;
  }

  void tell(const Session& session, const ca::Root& root) const {
    const auto& facts = root.certificate.facts();
    Json json = {{"apiVersion", "meshtrust/v1"},
                 {"kind", "CertificateAuthority"},
                 {"store", store_},
                 {"subject", facts.subject},
                 {"fingerprint", facts.fingerprint},
                 {"notAfter", base::format_rfc3339(facts.not_after)}};
    session.answer(json, fmt::format("root:     {}\nsha256:   {}\nexpires:  {}\nstore:    {}\n",
                                     facts.subject, base::group_hex(facts.fingerprint),
                                     expiry_text(facts.not_after, session.now()), store_));
    session.console().say(
        fmt::format("next: 'meshtrust ca issue east --store {} --out east'", store_));
  }

  std::string store_{kDefaultStore};
  std::string key_ = "ecdsa-p256";
  std::string lifetime_ = "3650d";
  std::string subject_ = "O=mesh,CN=mesh Root CA";
  PassphraseOptions passphrase_;
};

class CaIssue final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("CLUSTER", cluster_, "the cluster it is for")
        ->required()
        ->option_text("CLUSTER");
    declare_store(app, store_);
    app.add_option("--out", out_, "folder for the four files")->required()->option_text("DIR");
    app.add_option("--key", key_, "rsa-2048, rsa-3072, rsa-4096, ecdsa-p256 or ecdsa-p384")
        ->option_text("ALG");
    app.add_option("--lifetime", lifetime_, "of the intermediate (default 730d)")
        ->option_text("TIME");
    app.add_flag("--force", force_, "replace files that are there");
    passphrase_.declare(app);
  }

  int run(Session& session) override {
    return report(session, [&] { return issue(session); });
  }

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
    MESHTRUST_TRY(ca::TrustStore store, open_store(session, store_));
    MESHTRUST_TRY(const auto signer, open_root(session, store));
    MESHTRUST_TRY(
        const ca::StoreLock lock,
        store.lock(ca::describe_holder(session.who(), session.around.process_id, session.now())));
    MESHTRUST_TRY_DO(make_out_folder(session));
    MESHTRUST_TRY(ca::Intermediate minted,
                  ca::mint_intermediate(store, lock, *signer, request, session.who()));
    MESHTRUST_TRY(base::Secret key, minted.key.to_pem());
    const istio::Bundle bundle = istio::make_bundle(minted.chain, minted.roots, std::move(key));
    MESHTRUST_TRY_DO(write(session, bundle));
    MESHTRUST_TRY_DO(store.record(lock, minted.certificate.fingerprint(), ca::Event::kPushed,
                                  session.who(), "written to " + out_));
    tell(session, minted.certificate);
    return {};
  }

  Result<std::unique_ptr<pki::Signer>> open_root(Session& session, const ca::TrustStore& store) {
    const auto root = store.root();
    if (!root) {
      return base::fail(Code::kNotFound,
                        fmt::format("the trust store '{}' has no root yet", store_),
                        fmt::format("make one with 'meshtrust ca create --store {}'", store_));
    }
    if (!root->key_is_encrypted) return ca::unlock_root(store, {});
    MESHTRUST_TRY(const auto passphrase,
                  find_passphrase(session, passphrase_, PassphrasePurpose::kOpen));
    if (!passphrase) {
      return base::fail(Code::kUsage, "the root key is encrypted and needs its passphrase",
                        "leave out --no-password --insecure");
    }
    return ca::unlock_root(store, *passphrase);
  }

  /// Everything that stands in the way is found before the key is opened.
  Status check_out(const Session& session) const {
    base::Files& files = session.around.files;
    MESHTRUST_TRY(const base::FileFacts folder, files.facts(out_));
    if (folder.kind == base::FileKind::kAbsent) return {};
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

  Status make_out_folder(const Session& session) const {
    base::Files& files = session.around.files;
    MESHTRUST_TRY(const base::FileFacts folder, files.facts(out_));
    if (folder.kind == base::FileKind::kFolder) return {};
    return files.make_folder(out_, base::Access::kPrivate);
  }

  Status write(const Session& session, const istio::Bundle& bundle) const {
    base::Files& files = session.around.files;
    const fs::path folder(out_);
    const auto overwrite = force_ ? base::Overwrite::kReplace : base::Overwrite::kNever;
    // The key first: certificates without it are harmless, and a reader takes all four or none.
    MESHTRUST_TRY_DO(files.write_secret(folder / istio::kCaKeyFile, bundle.ca_key, overwrite));
    const auto write_public = [&](std::string_view name, const std::string& pem) {
      return files.write(folder / name, pem, base::Access::kPublic, overwrite);
    };
    MESHTRUST_TRY_DO(write_public(istio::kRootCertFile, bundle.certificates.root_cert));
    MESHTRUST_TRY_DO(write_public(istio::kCertChainFile, bundle.certificates.cert_chain));
    return write_public(istio::kCaCertFile, bundle.certificates.ca_cert);
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

class CaShow final : public Command {
 public:
  void declare(CLI::App& app) override {
    declare_store(app, store_);
    app.add_flag("--pem", pem_, "print the root certificate itself");
  }

  int run(Session& session) override {
    return report(session, [&]() -> Status {
      MESHTRUST_TRY(const ca::TrustStore store, open_store(session, store_));
      const auto root = store.root();
      if (!root) {
        return base::fail(Code::kNotFound,
                          fmt::format("the trust store '{}' has no root yet", store_),
                          fmt::format("make one with 'meshtrust ca create --store {}'", store_));
      }
      if (pem_) {
        session.console().print(root->certificate.pem());
      } else {
        show(session, store, *root);
      }
      return {};
    });
  }

 private:
  void show(const Session& session, const ca::TrustStore& store, const ca::Root& root) const {
    const auto& facts = root.certificate.facts();
    const std::size_t intermediates = store.issued().size() - store.roots().size();
    session.answer(
        {{"apiVersion", "meshtrust/v1"},
         {"kind", "CertificateAuthority"},
         {"store", store_},
         {"subject", facts.subject},
         {"fingerprint", facts.fingerprint},
         {"key", facts.key_type},
         {"keyFile", root.key_file.string()},
         {"keyIsEncrypted", root.key_is_encrypted},
         {"notBefore", base::format_rfc3339(facts.not_before)},
         {"notAfter", base::format_rfc3339(facts.not_after)},
         {"intermediates", intermediates},
         {"undelivered", store.undelivered().size()}},
        fmt::format("root:     {}\nsha256:   {}\nkey:      {}, {} in {}\nvalid:    {} to {}\n"
                    "issued:   {}, {} never known to have arrived\n",
                    facts.subject, base::group_hex(facts.fingerprint), facts.key_type,
                    root.key_is_encrypted ? "encrypted" : "in clear text", root.key_file.string(),
                    base::format_date(facts.not_before),
                    expiry_text(facts.not_after, session.now()),
                    base::count_of(intermediates, "intermediate"), store.undelivered().size()));
  }

  std::string store_{kDefaultStore};
  bool pem_ = false;
};

class CaList final : public Command {
 public:
  void declare(CLI::App& app) override { declare_store(app, store_); }

  int run(Session& session) override {
    return report(session, [&]() -> Status {
      MESHTRUST_TRY(const ca::TrustStore store, open_store(session, store_));
      std::vector<std::vector<std::string>> rows{
          {"KIND", "CLUSTER", "SHA256", "KEY", "EXPIRES", "STATE"}};
      Json json = {{"apiVersion", "meshtrust/v1"},
                   {"kind", "IssuedCertificateList"},
                   {"items", Json::array()}};
      std::string names;
      for (const ca::LedgerEntry& entry : store.issued()) {
        const bool is_root = entry.kind == ca::AuthorityKind::kRoot;
        const auto& facts = entry.certificate.facts();
        rows.push_back({std::string(ca::name_of(entry.kind)), is_root ? "-" : entry.cluster,
                        base::group_hex(entry.fingerprint().substr(0, 16)), facts.key_type,
                        expiry_text(facts.not_after, session.now()),
                        is_root ? "-" : std::string(ca::name_of(entry.state))});
        json["items"].push_back(describe(entry));
        names += entry.fingerprint() + "\n";
      }
      session.answer(json, session.output == Output::kName ? names : table(rows));
      return {};
    });
  }

 private:
  std::string store_{kDefaultStore};
};

constexpr std::string_view kGroup = "The CA by itself, without a cluster";
const std::vector<std::string_view> kFiles{
    "mesh.trust  the trust store: the root's encrypted key, the ledger, a lock"};

}  // namespace

CommandEntry ca_create_command() {
  return {.name = "ca create",
          .group = kGroup,
          .summary = "make a trust store and mint its root",
          .details =
              "Creates the folder, mints a root, and keeps its key there as encrypted PKCS#8, "
              "which 'openssl pkey' opens in an emergency. The passphrase comes from a prompt, "
              "MESHTRUST_PASSWORD, --password-file or --password-fd.",
          .examples = {{"With a prompt", "meshtrust ca create --store shop.trust"},
                       {"In a script",
                        "meshtrust ca create --store shop.trust --password-file pass.txt"},
                       {"An RSA root with a name",
                        "meshtrust ca create --key rsa-4096 --subject 'O=Shop,CN=Shop Mesh Root'"}},
          .files = kFiles,
          .make = make_command<CaCreate>};
}

CommandEntry ca_issue_command() {
  return {.name = "ca issue",
          .group = kGroup,
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

CommandEntry ca_show_command() {
  return {.name = "ca show",
          .group = kGroup,
          .summary = "the root of a trust store",
          .details = "Prints what the root is and how its key is kept. Needs no passphrase.",
          .examples = {{"Look at it", "meshtrust ca show --store shop.trust"},
                       {"The certificate", "meshtrust ca show --store shop.trust --pem > root.pem"},
                       {"For scripts", "meshtrust ca show --store shop.trust -o json"}},
          .files = kFiles,
          .make = make_command<CaShow>};
}

CommandEntry ca_list_command() {
  return {.name = "ca list",
          .group = kGroup,
          .summary = "everything a trust store ever issued",
          .details =
              "One row a certificate, oldest first, with how far it got: minted (made, never "
              "sent), pushing (a run ended during the push), pushed (read back from where it "
              "went), abandoned. Needs no passphrase.",
          .examples = {{"All of it", "meshtrust ca list --store shop.trust"},
                       {"For scripts", "meshtrust ca list --store shop.trust -o json"},
                       {"Fingerprints alone", "meshtrust ca list --store shop.trust -o name"}},
          .files = kFiles,
          .make = make_command<CaList>};
}

}  // namespace meshtrust::cli
