#include "base/encoding.h"
#include "ca/authority.h"
#include "cli/commands/ca.h"
#include "cli/commands/commands.h"
#include "cli/passphrase.h"
#include "cli/passphrase_strength.h"
#include "cli/proof.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;

class CaCreate final : public Command {
 public:
  void declare(CLI::App& app) override {
    declare_store(app, store_);
    declare_key(app, key_);
    app.add_option("--lifetime", lifetime_, "of the root (default 3650d)")->option_text("TIME");
    app.add_option("--subject", subject_, "of the root (default O=mesh,CN=mesh Root CA)")
        ->option_text("DN");
    passphrase_.declare(app);
  }

  int run(Session& session) override { return report(session, create(session)); }

 private:
  Status create(Session& session) {
    ca::RootRequest request;
    MESHTRUST_TRY(request.key, parse_key(key_));
    MESHTRUST_TRY(request.lifetime, parse_lifetime(lifetime_));
    auto subject = pki::DistinguishedName::parse(subject_);
    if (!subject) return base::fail(Code::kUsage, "--subject: " + subject.error().message);
    request.subject = std::move(*subject);
    MESHTRUST_TRY_DO(refuse_second_root(session));
    MESHTRUST_TRY(const auto passphrase,
                  find_passphrase(session, passphrase_, PassphrasePurpose::kProtectNewKey,
                                  "root key", names_in(subject_, store_)));
    MESHTRUST_TRY(ca::TrustStore store, open_or_create(session));
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, store));
    const auto protection = passphrase
                                ? ca::KeyProtection::passphrase(*passphrase, passphrase_.scrypt_p)
                                : ca::KeyProtection::none();
    MESHTRUST_TRY(const ca::MintedRoot minted,
                  ca::mint_root(store, lock, request, protection, session.who()));
    tell(session, minted.root);
    return {};
  }

  /// Found out before a passphrase is asked for and before anything is made.
  Status refuse_second_root(const Session& session) const {
    const auto store = ca::TrustStore::open(session.environment(), store_);
    if (!store) return store.error().code == Code::kNotFound ? Status() : base::fail(store.error());
    const auto root = store->root();
    if (!root) return {};
    return base::fail(
        Code::kRefused,
        fmt::format("the trust store '{}' already has a root: '{}'", store_,
                    root->certificate.facts().subject),
        fmt::format("look at it with 'meshtrust ca show --store {}', or name another --store",
                    store_));
  }

  /// A store without a root is one whose creation was interrupted: it is taken up again.
  Result<ca::TrustStore> open_or_create(const Session& session) const {
    auto store = ca::TrustStore::open(session.environment(), store_);
    if (store || store.error().code != Code::kNotFound) return store;
    return ca::TrustStore::create(session.environment(), store_, session.who());
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

}  // namespace

CommandEntry ca_create_command() {
  return {.name = "ca create",
          .group = kCaGroup,
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
          .files = {kStoreFile},
          .make = make_command<CaCreate>};
}

}  // namespace meshtrust::cli
