#include "base/encoding.h"
#include "base/text.h"
#include "ca/revocation.h"
#include "cli/commands/ca.h"
#include "cli/commands/commands.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <strings.h>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Status;

class CaRevoke final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("WHAT", what_, "a fingerprint, or a cluster: its newest intermediate")
        ->required()
        ->option_text("FINGERPRINT|CLUSTER");
    declare_store(app, store_);
    app.add_flag("--undo", undo_, "take it off the lists again");
    app.add_flag("--unused", unused_, "note that nothing uses it, so that it needs no list")
        ->excludes("--undo");
    app.add_flag("--force", force_, "do it to what a cluster lives on, and cut that off");
  }

  int run(Session& session) override { return report(session, act(session)); }

 private:
  Status act(const Session& session) {
    MESHTRUST_TRY(ca::TrustStore store, open_store(session, store_));
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, store));
    MESHTRUST_TRY(
        const ledger::Authority entry,
        ca::find_issued(store, what_, undo_ ? ledger::Wanted::kRevoked : ledger::Wanted::kInUse));
    if (entry.kind == ledger::AuthorityKind::kRoot) {
      return base::fail(Code::kRefused,
                        fmt::format("'{}' is a root, and nobody looks roots up on a list",
                                    entry.certificate.facts().subject),
                        "trust in a root ends by taking it out of root-cert.pem everywhere");
    }
    if (!undo_) MESHTRUST_TRY_DO(refuse_outage(store, entry));
    if (unused_) return abandon(session, store, lock, entry);
    return revoke(session, store, lock, entry);
  }

  Status revoke(const Session& session,
                ca::TrustStore& store,
                const ca::StoreLock& lock,
                const ledger::Authority& entry) const {
    const bool is_done = undo_ != entry.revoked.has_value();
    const std::string reason = undo_     ? ""
                               : is_done ? entry.revoked->reason
                                         : listed_reason(session);
    if (!is_done) {
      const std::string& fingerprint = entry.fingerprint();
      const ledger::Event event =
          undo_ ? ledger::Event(ledger::Unrevoked{fingerprint, entry.cluster})
                : ledger::Event(ledger::Revoked{fingerprint, entry.cluster, reason});
      MESHTRUST_TRY_DO(store.append(lock, session.who(), event));
    }
    tell(session, entry, reason, is_done);
    return {};
  }

  Status abandon(const Session& session,
                 ca::TrustStore& store,
                 const ca::StoreLock& lock,
                 const ledger::Authority& entry) const {
    MESHTRUST_TRY_DO(store.record(lock, ledger::Abandoned{entry.fingerprint()}, session.who()));
    const auto& facts = entry.certificate.facts();
    session.answer({{"apiVersion", "meshtrust/v1"},
                    {"kind", "Abandonment"},
                    {"subject", facts.subject},
                    {"cluster", entry.cluster},
                    {"serial", facts.serial},
                    {"fingerprint", facts.fingerprint}},
                   fmt::format("unused:  {}\nserial:  {}\nsha256:  {}\n", facts.subject,
                               facts.serial, base::group_hex(facts.fingerprint)));
    return {};
  }

  /// The global --reason goes into the ledger whatever it says; a word that lists know goes onto
  /// the list as well, in whatever letters it was typed.
  static std::string listed_reason(const Session& session) {
    const std::string& given = session.options.reason;
    const auto known = ca::revocation_reasons();
    const auto found = std::find_if(known.begin(), known.end(), [&given](const std::string& one) {
      return one.size() == given.size() && strcasecmp(one.c_str(), given.c_str()) == 0;
    });
    return found == known.end() ? std::string() : *found;
  }

  Status refuse_outage(const ca::TrustStore& store, const ledger::Authority& entry) const {
    if (force_ || entry.revoked || !ca::is_last_of_its_cluster(store, entry)) {
      return {};
    }
    return base::fail(
        Code::kRefused,
        fmt::format("'{}' is what cluster '{}' lives on: {}, it cuts every workload there off",
                    entry.certificate.facts().subject, entry.cluster,
                    unused_ ? "without a list" : "revoked"),
        fmt::format("give the cluster a successor first, or, where its key is stolen and being cut "
                    "off is what you want, say --force"));
  }

  void tell(const Session& session,
            const ledger::Authority& entry,
            const std::string& reason,
            bool was_done) const {
    const auto& facts = entry.certificate.facts();
    const std::string_view headline = undo_      ? "not revoked"
                                      : was_done ? "revoked before"
                                                 : "revoked";
    session.answer({{"apiVersion", "meshtrust/v1"},
                    {"kind", "Revocation"},
                    {"subject", facts.subject},
                    {"cluster", entry.cluster},
                    {"serial", facts.serial},
                    {"fingerprint", facts.fingerprint},
                    {"revoked", !undo_},
                    {"reason", reason}},
                   fmt::format("{}: {}\nserial:  {}\nsha256:  {}\n{}", headline, facts.subject,
                               facts.serial, base::group_hex(facts.fingerprint),
                               undo_ ? std::string()
                                     : fmt::format("reason on the list: {}\n",
                                                   reason.empty() ? "none" : reason)));
    if (!undo_ && reason.empty() && !session.options.reason.empty()) {
      session.console().say("lists know these reasons: " +
                            base::join(ca::revocation_reasons(), ", "));
    }
    session.console().say(fmt::format(
        "no peer knows yet; next: 'meshtrust apply' where the mesh file has 'trust.crl', else "
        "'meshtrust ca crl --store {} --out DIR', and into every cluster",
        store_));
  }

  std::string what_;
  std::string store_{kDefaultStore};
  bool undo_ = false;
  bool unused_ = false;
  bool force_ = false;
};

}  // namespace

CommandEntry ca_revoke_command() {
  return {
      .name = "ca revoke",
      .group = kCaGroup,
      .summary = "put an intermediate on the revocation list, or off it",
      .details =
          "Records in the ledger that an intermediate is revoked; the next 'ca crl' lists it. "
          "Needs no passphrase. What a cluster lives on is revoked only with --force, since "
          "every workload of that cluster is refused from then on. --undo takes it back: peers "
          "believe again what a newer list does not name. A --reason that is keyCompromise, "
          "affiliationChanged, superseded, cessationOfOperation or privilegeWithdrawn stands on "
          "the list too; any other only in the ledger.",
      .examples = {{"The one before the present one",
                    "meshtrust ca revoke 5f3a9c01d2e4b687 --reason superseded"},
                   {"A stolen key: cut the cluster off now",
                    "meshtrust ca revoke east --reason keyCompromise --force"},
                   {"It was a mistake", "meshtrust ca revoke east --undo"}},
      .files = {kStoreFile},
      .make = make_command<CaRevoke>};
}

}  // namespace meshtrust::cli
