#include "base/text.h"
#include "ca/request.h"
#include "cli/commands/ca.h"
#include "cli/commands/commands.h"
#include "cli/passphrase.h"
#include "cli/passphrase_strength.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <optional>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Result;
using base::Status;
using ledger::key_name;

constexpr std::size_t kLargestRequest = 1U << 20U;

class CaRequest final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("CLUSTER", cluster_, "the cluster it is for")->option_text("[CLUSTER]");
    app.add_flag("--root", root_, "for the root of the store, to stand below another CA");
    declare_store(app, store_);
    app.add_option("--out", out_, "file for the request (PEM)")->option_text("FILE");
    declare_key(app, key_);
    app.add_flag("--give-up", give_up_, "forget the open request of the cluster and its key");
    passphrase_.declare(app, "the waiting key");
  }

  int run(Session& session) override {
    passphrase_.keep_from_children();
    if (root_) return report(session, request_for_root(session));
    return give_up_ ? give_up(session) : report(session, request(session));
  }

 private:
  /// The root's key stays where it is; that it asked leaves no line until an answer is imported.
  Status request_for_root(Session& session) {
    if (!cluster_.empty() || give_up_) {
      return base::fail(Code::kUsage,
                        "--root is about the root: it goes with neither a cluster "
                        "nor --give-up");
    }
    MESHTRUST_TRY_DO(check_named());
    MESHTRUST_TRY(StoreWithRoot opened, open_store_with_root(session, store_));
    if (const auto written = find_written(session, key_name(opened.root.certificate))) {
      session.console().say(fmt::format("'{}' is that request already: nothing to do", out_));
      return {};
    }
    MESHTRUST_TRY_DO(check_new_file(session, out_));
    MESHTRUST_TRY(const auto signer, open_root_key(session, opened, passphrase_));
    MESHTRUST_TRY(const pki::CertificateRequest made, ca::request_for_root(opened.store, *signer));
    MESHTRUST_TRY_DO(sign_ledger(session, opened.store, *signer));
    MESHTRUST_TRY_DO(session.around.files.write(out_, made.pem(), base::Access::kPublic,
                                                base::Overwrite::kNever));
    session.answer({{"apiVersion", "meshtrust/v1"},
                    {"kind", "CertificateRequest"},
                    {"subject", made.facts().subject},
                    {"file", out_},
                    {"keyId", made.facts().key_id},
                    {"key", made.facts().key_type}},
                   fmt::format("root:     {}\nkey:      {}\nrequest:  {}\n",
                               base::printable(made.facts().subject), made.facts().key_type, out_));
    session.console().say(
        "next: have it signed as a CA (CA:TRUE, path length none or at least 1, keyCertSign and "
        "cRLSign, the subject as the request has it; all of that the request asks for), then "
        "'meshtrust ca import' with the chain up to their root");
    return {};
  }

  /// Nothing of a store that is signed needs to be written, so that it may be read-only.
  static Status sign_ledger(const Session& session,
                            ca::TrustStore& store,
                            const pki::Signer& root_key) {
    const ca::Coverage coverage = store.coverage();
    if (coverage.signed_lines == coverage.lines) return {};
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, store));
    return store.sign(lock, root_key);
  }

  Status check_named() const {
    if (!out_.empty()) return {};
    return base::fail(Code::kUsage, "--out is needed: a file for the request");
  }

  /// The request for the key called `key_name`, if that is what lies in --out: a run that was
  /// killed after writing it is done when it is run again.
  std::optional<pki::CertificateRequest> find_written(const Session& session,
                                                      std::string_view key_name) const {
    const auto content = session.around.files.read(out_, kLargestRequest);
    if (!content) return std::nullopt;
    auto request = pki::CertificateRequest::from_pem(*content);
    if (!request || ledger::key_name(request->facts().key_id) != key_name) return std::nullopt;
    return *std::move(request);
  }

  Status request(Session& session) {
    ca::IntermediateRequest wanted{.cluster = cluster_};
    if (!base::is_dns_label(cluster_)) {
      return base::fail(
          Code::kUsage,
          fmt::format("'{}' is not a cluster name, wanted a DNS label such as 'east'", cluster_));
    }
    if (!key_.empty()) {
      MESHTRUST_TRY(wanted.key, parse_key(key_));
    }
    MESHTRUST_TRY_DO(check_named());
    MESHTRUST_TRY(const auto waiting, find_open(session));
    if (waiting) {
      if (const auto written = find_written(session, waiting->key_name)) {
        tell(session, *written);
        session.console().say(fmt::format("'{}' is that request already: nothing to do", out_));
        return {};
      }
    }
    MESHTRUST_TRY_DO(check_new_file(session, out_));
    auto made = waiting ? ask_again(session, *waiting) : make(session, wanted);
    if (!made) return base::fail(std::move(made).error());
    MESHTRUST_TRY_DO(session.around.files.write(out_, made->pem(), base::Access::kPublic,
                                                base::Overwrite::kNever));
    tell(session, *made);
    if (waiting) {
      session.console().say(fmt::format(
          "the request of '{}' is open since {}: it was written again, for the key that waits",
          cluster_, base::format_date(waiting->since)));
    }
    session.console().say(fmt::format(
        "next: 'meshtrust ca sign {} --cluster {}' where the root is, then 'meshtrust ca import' "
        "here",
        out_, cluster_));
    return {};
  }

  /// The open request of the cluster whose key waits, if there is one, or even a store. A request
  /// without its key is one that nobody can use: it is closed when the next is made.
  Result<std::optional<ledger::PendingRequest>> find_open(const Session& session) const {
    const auto store = ca::TrustStore::open(session.environment(), store_);
    if (!store && store.error().code != Code::kNotFound) return base::fail(store.error());
    auto found = store ? find_open_in(*store) : std::nullopt;
    if (!found) return found;
    MESHTRUST_TRY(const bool waits, ca::key_is_there(*store, *found));
    return waits ? found : std::nullopt;
  }

  std::optional<ledger::PendingRequest> find_open_in(const ca::TrustStore& store) const {
    for (const ledger::PendingRequest& each : store.requests()) {
      if (each.cluster == cluster_) return each;
    }
    return std::nullopt;
  }

  Result<pki::CertificateRequest> make(Session& session, const ca::IntermediateRequest& wanted) {
    MESHTRUST_TRY(const auto passphrase,
                  find_passphrase(session, passphrase_, PassphrasePurpose::kProtectNewKey,
                                  "waiting key", names_in("CN=" + cluster_, store_)));
    MESHTRUST_TRY(ca::TrustStore store, open_or_create(session));
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, store));
    const auto protection = passphrase
                                ? ca::KeyProtection::passphrase(*passphrase, passphrase_.scrypt_p)
                                : ca::KeyProtection::none();
    MESHTRUST_TRY_DO(close_one_without_key(session, store, lock));
    return ca::open_request(store, lock, wanted, protection, session.who());
  }

  /// Under the lock: nobody is about to write that key.
  Status close_one_without_key(const Session& session,
                               ca::TrustStore& store,
                               const ca::StoreLock& lock) const {
    const auto open = find_open_in(store);
    if (!open) return {};
    MESHTRUST_TRY(const bool waits, ca::key_is_there(store, *open));
    if (waits) return {};
    session.console().warn(fmt::format(
        "the key of the request of '{}' since {} is not in the store (a run that made it was "
        "interrupted, or somebody removed it): that request is given up, and what is signed for it "
        "fits no key",
        cluster_, base::format_date(open->since)));
    return ca::close_request(store, lock, *open, session.who());
  }

  Result<pki::CertificateRequest> ask_again(Session& session,
                                            const ledger::PendingRequest& waiting) const {
    MESHTRUST_TRY(const ca::TrustStore store, open_store(session, store_));
    const auto ask = [&] { return find_passphrase_of(session, passphrase_, "the waiting key"); };
    MESHTRUST_TRY(pki::CertificateRequest made, ca::repeat_request(store, waiting, ask));
    const std::string& type = made.facts().key_type;
    if (key_.empty() || key_ == type) return made;
    return base::fail(Code::kRefused,
                      fmt::format("the request of '{}' is open since {}, and its key is {}, not {}",
                                  cluster_, base::format_date(waiting.since), type, key_),
                      "leave out --key, or give the request up with --give-up");
  }

  void tell(const Session& session, const pki::CertificateRequest& made) const {
    session.answer({{"apiVersion", "meshtrust/v1"},
                    {"kind", "CertificateRequest"},
                    {"cluster", cluster_},
                    {"file", out_},
                    {"keyId", made.facts().key_id},
                    {"key", made.facts().key_type}},
                   fmt::format("cluster:  {}\nkey:      {}, waits in {}\nrequest:  {}\n", cluster_,
                               made.facts().key_type, store_, out_));
  }

  int give_up(Session& session) const {
    const auto done = forget(session);
    if (!done) return report(session, base::fail(done.error()));
    session.console().say(done->told);
    return done->is_gone ? kDone : kUsage;
  }

  struct GivenUp {
    std::string told;
    bool is_gone;  ///< somebody may have said no
  };

  Result<GivenUp> forget(Session& session) const {
    MESHTRUST_TRY(ca::TrustStore store, open_store(session, store_));
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, store));
    const auto found = find_open_in(store);
    if (!found) return none_is_open(store);
    const std::string waits = fmt::format("the only key of '{}', which waits since {}", cluster_,
                                          base::format_date(found->since));
    MESHTRUST_TRY(const bool is_meant,
                  confirm(session, "this removes " + waits, fmt::format("remove {}?", waits)));
    if (!is_meant) return GivenUp{.told = "nothing was removed", .is_gone = false};
    MESHTRUST_TRY_DO(ca::close_request(store, lock, *found, session.who()));
    return GivenUp{.told = fmt::format("the request of '{}' and its key are gone", cluster_),
                   .is_gone = true};
  }

  /// A run that was killed behind its last write is done when it is run again.
  Result<GivenUp> none_is_open(const ca::TrustStore& store) const {
    std::optional<base::Instant> closed;
    for (const ledger::Record& record : store.log()) {
      const auto* request = std::get_if<ledger::RequestClosed>(&record.event);
      if (request != nullptr && request->cluster == cluster_) closed = record.at;
    }
    if (closed) {
      return GivenUp{.told = fmt::format("no key of '{}' waits here: its request was closed on {}",
                                         cluster_, base::format_date(*closed)),
                     .is_gone = true};
    }
    return base::fail(Code::kNotFound,
                      fmt::format("no request of cluster '{}' is open here", cluster_));
  }

  /// A site that only asks others to sign has a store without a root.
  Result<ca::TrustStore> open_or_create(const Session& session) const {
    auto store = ca::TrustStore::open(session.environment(), store_);
    if (store || store.error().code != Code::kNotFound) return store;
    return ca::TrustStore::create(session.environment(), store_, session.who());
  }

  std::string cluster_;
  std::string store_{kDefaultStore};
  std::string out_;
  std::string key_;
  bool root_ = false;
  bool give_up_ = false;
  PassphraseOptions passphrase_;
};

}  // namespace

CommandEntry ca_request_command() {
  return {
      .name = "ca request",
      .group = kCaGroup,
      .summary = "make a key that stays here and a request for it",
      .details =
          "For a site whose CA key must not travel: the key is made here and waits in the "
          "trust store, encrypted under a passphrase of its own, until 'ca import' joins it "
          "with its certificate. Only the request leaves. It asks for what a CA needs (CA:TRUE, "
          "keyCertSign, cRLSign and a subjectKeyIdentifier); whoever signs decides. Makes the "
          "store where there is none. "
          "While a request is open, the same command writes it again, for the same key; a run that "
          "was interrupted is continued by the same command.\n"
          "With --root it asks for the root of the store instead, whose key exists: signed by a "
          "CA of the organisation, the root becomes subordinate to that.",
      .examples = {{"At the site", "meshtrust ca request east --store east.trust --out east.csr"},
                   {"To put the root below the company's CA",
                    "meshtrust ca request --root --store shop.trust --out root.csr"},
                   {"Nobody will sign it",
                    "meshtrust ca request east --store east.trust --give-up --yes"}},
      .files = {kStoreFile, "FILE  the request, never replaced"},
      .make = make_command<CaRequest>};
}

}  // namespace meshtrust::cli
