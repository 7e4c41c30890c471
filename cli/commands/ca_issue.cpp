#include "base/encoding.h"
#include "base/text.h"
#include "ca/authority.h"
#include "cli/bundle_folder.h"
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
#include <optional>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Status;

constexpr std::size_t kLargest = 1U << 20U;

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
    passphrase_.declare_source(app, "the root key");
  }

  int run(Session& session) override {
    passphrase_.keep_from_children();
    return report(session, issue(session));
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
    BundleFolder out(out_, force_ ? base::Overwrite::kReplace : base::Overwrite::kNever);
    const Status in_the_way = out.check(session.around.files);
    if (!in_the_way && (force_ || in_the_way.error().code != Code::kRefused)) return in_the_way;
    MESHTRUST_TRY(StoreWithRoot opened, open_store_with_root(session, store_));
    ca::TrustStore& store = opened.store;
    if (!in_the_way) {
      const auto left = find_left(session.around.files, opened);
      if (!left) return in_the_way;
      if (left->is_whole) return finish(session, store, *left->certificate);
      out = BundleFolder(out_, base::Overwrite::kReplace);
    }
    MESHTRUST_TRY(const auto signer, open_root_key(session, opened, passphrase_));
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, store));
    MESHTRUST_TRY(ca::Intermediate minted,
                  ca::mint_intermediate(store, lock, *signer, request, session.who()));
    MESHTRUST_TRY(base::Secret key, minted.key.to_pem());
    const istio::Bundle bundle = istio::make_bundle(minted.chain, minted.roots, std::move(key));
    MESHTRUST_TRY_DO(istio::refuse_unless_good(bundle, session.now()));
    MESHTRUST_TRY_DO(out.write(session.around.files, bundle));
    MESHTRUST_TRY_DO(store.record(lock, minted.certificate.fingerprint(), ca::Event::kPushed,
                                  session.who(), std::string(ca::kWrittenTo) + out_, signer.get()));
    tell(session, minted.certificate);
    return {};
  }

  /// What a run that was killed left in the folder.
  struct Left {
    std::optional<pki::Certificate> certificate;  ///< none when that was not written yet
    bool is_whole = false;                        ///< the key, which comes last, is there too
  };

  /// Nothing when anything there is not of this store, root and cluster, or was handed out before.
  std::optional<Left> find_left(base::Files& files, const StoreWithRoot& opened) const {
    const auto content = [&](std::string_view name) {
      return files.read(std::filesystem::path(out_) / name, kLargest);
    };
    const auto root = content(istio::kRootCertFile);
    if (!root || *root != opened.root.anchor().pem()) return std::nullopt;
    Left left;
    std::size_t written = 0;
    for (const std::string_view name : {istio::kCertChainFile, istio::kCaCertFile}) {
      const auto pem = content(name);
      if (!pem && pem.error().code == Code::kNotFound) continue;
      const auto found = pki::certificates_from_pem(pem ? *pem : std::string());
      if (!found) return std::nullopt;
      const auto entry = opened.store.find(found->front().fingerprint());
      if (!entry || entry->cluster != cluster_ || entry->state != ca::Delivery::kMinted) {
        return std::nullopt;
      }
      left.certificate = found->front();
      ++written;
    }
    const auto key = files.read_secret(std::filesystem::path(out_) / istio::kCaKeyFile, kLargest);
    if (!key && key.error().code == Code::kNotFound) return left;
    if (!key) return std::nullopt;
    const auto public_key = pki::public_key_of(*key);
    left.is_whole =
        public_key && written == 2 && pki::key_id(*public_key) == left.certificate->facts().key_id;
    if (!left.is_whole) return std::nullopt;
    return left;
  }

  /// What is left to do where all files were written: the ledger did not hear of it.
  Status finish(const Session& session,
                ca::TrustStore& store,
                const pki::Certificate& certificate) const {
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, store));
    MESHTRUST_TRY_DO(store.record(lock, certificate.fingerprint(), ca::Event::kPushed,
                                  session.who(), std::string(ca::kWrittenTo) + out_));
    tell(session, certificate);
    session.console().say("a run that was interrupted had written it: nothing was signed now");
    return {};
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
              "istiod wants them. Never replaces a file without --force, but for what a run that "
              "was interrupted left there: the same command goes on.",
          .examples = {{"For one cluster", "meshtrust ca issue east --store shop.trust --out east"},
                       {"A shorter life",
                        "meshtrust ca issue east --store shop.trust --out east --lifetime 90d"},
                       {"Into the cluster by hand",
                        "kubectl create secret generic cacerts -n istio-system --from-file=east"}},
          .files = {"DIR  ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem"},
          .make = make_command<CaIssue>};
}

}  // namespace meshtrust::cli
