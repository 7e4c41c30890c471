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
#include "pki/chain.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Result;
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
    if (!key_.empty()) {
      MESHTRUST_TRY(request.key, parse_key(key_));
    }
    if (!lifetime_.empty()) {
      MESHTRUST_TRY(request.lifetime, parse_lifetime(lifetime_));
    }
    MESHTRUST_TRY(StoreWithRoot opened, open_store_with_root(session, store_));
    ca::TrustStore& store = opened.store;
    MESHTRUST_TRY(Place place, look_at_folder(session.around.files, store));
    std::unique_ptr<pki::Signer> signer;
    if (!place.written) {
      MESHTRUST_TRY(signer, open_root_key(session, opened, passphrase_));
    }
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, store));
    // Once more under the lock: while somebody was asked, another run may have come to an end.
    MESHTRUST_TRY(place, look_at_folder(session.around.files, store));
    if (place.written) return finish(session, store, lock, *place.written, signer.get());
    if (!signer) {
      return base::fail(Code::kRefused, fmt::format("'{}' has changed meanwhile", out_),
                        "run the same command again");
    }
    MESHTRUST_TRY(ca::Intermediate minted,
                  ca::mint_intermediate(store, lock, *signer, request, session.who()));
    MESHTRUST_TRY(base::Secret key, minted.key.to_pem());
    const istio::Bundle bundle = istio::make_bundle(minted.chain, minted.roots, std::move(key));
    MESHTRUST_TRY_DO(istio::refuse_unless_good(bundle, session.now()));
    MESHTRUST_TRY_DO(place.out.write(session.around.files, bundle));
    return record(session, store, lock, minted.certificate, signer.get());
  }

  /// The folder as it is found.
  struct Place {
    BundleFolder out;
    std::optional<pki::Certificate> written;  ///< all four files of it, by a run that was killed
  };

  /// What is to be done to the folder; what stands in the way, unless a killed run left it there.
  Result<Place> look_at_folder(base::Files& files, const ca::TrustStore& store) const {
    Place place{
        .out = BundleFolder(out_, force_ ? base::Overwrite::kReplace : base::Overwrite::kNever),
        .written = {}};
    const Status in_the_way = place.out.check(files);
    if (in_the_way) return place;
    if (force_ || in_the_way.error().code != Code::kRefused) return base::fail(in_the_way.error());
    const auto left = find_left(files, store);
    if (!left) return base::fail(in_the_way.error());
    if (left->is_whole) {
      MESHTRUST_TRY_DO(check_is_wanted(*store.find(left->certificate->fingerprint())));
      place.written = left->certificate;
    }
    for (const std::string_view name : left->names) {
      place.out.replace(name);
    }
    return place;
  }

  /// What a killed run has minted is what this one was told to mint, and still good.
  Status check_is_wanted(const ledger::Authority& entry) const {
    const auto& facts = entry.certificate.facts();
    const auto other = [this](const std::string& what) {
      return base::fail(
          Code::kRefused,
          fmt::format("'{}' holds what a run that was interrupted has written, and {}", out_, what),
          "replace it by another with --force");
    };
    if (entry.revoked) {
      return other(fmt::format("that was revoked on {}", base::format_date(entry.revoked->at)));
    }
    if (!key_.empty() && key_ != facts.key_type) {
      return other(fmt::format("its key is {}, not {}", facts.key_type, key_));
    }
    if (lifetime_.empty()) return {};
    MESHTRUST_TRY(const base::Seconds wanted, parse_lifetime(lifetime_));
    const base::Seconds found = facts.not_after - entry.minted_at;
    // Between the certificate and its record a moment passes.
    if (found <= wanted && wanted - found <= std::chrono::minutes(1)) return {};
    return other(fmt::format("that ends on {}: not {} after it was minted",
                             base::format_date(facts.not_after), lifetime_));
  }

  /// What a run that was killed left in the folder.
  struct Left {
    std::vector<std::string_view> names = {istio::kRootCertFile};
    std::optional<pki::Certificate> certificate = {};  ///< none when that was not written yet
    bool is_whole = false;                             ///< the key, which comes last, is there too
  };

  /// Nothing when anything there is not of this store, root and cluster, or was handed out before.
  std::optional<Left> find_left(base::Files& files, const ca::TrustStore& store) const {
    const auto content = [&](std::string_view name) {
      return files.read(std::filesystem::path(out_) / name, kLargest);
    };
    const auto anchor = store.root()->anchor().pem();
    const auto root = content(istio::kRootCertFile);
    if (!root || *root != anchor) return std::nullopt;
    Left left;
    for (const std::string_view name : {istio::kCertChainFile, istio::kCaCertFile}) {
      const auto pem = content(name);
      if (!pem && pem.error().code == Code::kNotFound) continue;
      const auto found = pki::certificates_from_pem(pem ? *pem : std::string());
      if (!found) return std::nullopt;
      const auto entry = store.find(found->front().fingerprint());
      if (!entry || entry->cluster != cluster_ || entry->state != ledger::Delivery::kMinted) {
        return std::nullopt;
      }
      left.certificate = found->front();
      left.names.push_back(name);
    }
    const auto key = files.read_secret(std::filesystem::path(out_) / istio::kCaKeyFile, kLargest);
    if (!key && key.error().code == Code::kNotFound) return left;
    if (!key) return std::nullopt;
    left.is_whole = left.names.size() == 3 && pki::signs_for(*left.certificate, *key);
    if (!left.is_whole) return std::nullopt;
    return left;
  }

  /// What is left to do where all files were written: the ledger did not hear of it.
  Status finish(const Session& session,
                ca::TrustStore& store,
                const ca::StoreLock& lock,
                const pki::Certificate& certificate,
                const pki::Signer* signer) const {
    MESHTRUST_TRY_DO(record(session, store, lock, certificate, signer));
    session.console().say("a run that was interrupted had written it: nothing was signed now");
    return {};
  }

  Status record(const Session& session,
                ca::TrustStore& store,
                const ca::StoreLock& lock,
                const pki::Certificate& certificate,
                const pki::Signer* signer) const {
    MESHTRUST_TRY_DO(store.record(
        lock, ledger::Pushed{.fingerprint = certificate.fingerprint(), .written_to = out_},
        session.who(), signer));
    tell(session, certificate);
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
  std::string key_;
  std::string lifetime_;
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
