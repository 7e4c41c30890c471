#include "base/encoding.h"
#include "base/text.h"
#include "cli/commands/ca.h"
#include "cli/commands/commands.h"
#include "cli/proof.h"
#include "pki/chain.h"
#include "pki/revocation_list.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace meshtrust::cli {
namespace {

using base::Status;

class CaShow final : public Command {
 public:
  void declare(CLI::App& app) override {
    declare_store(app, store_);
    app.add_flag("--pem", pem_, "print the root certificate itself");
  }

  int run(Session& session) override { return report(session, show_root(session)); }

 private:
  Status show_root(const Session& session) {
    MESHTRUST_TRY(const StoreWithRoot opened, open_store_with_root(session, store_));
    if (pem_) {
      session.console().print(opened.root.certificate.pem());
    } else {
      MESHTRUST_TRY_DO(show(session, opened.store, opened.root));
    }
    return {};
  }

  Status show(const Session& session, const ca::TrustStore& store, const ca::Root& root) const {
    MESHTRUST_TRY(const auto list, newest_list_of(store, root));
    const auto& facts = root.certificate.facts();
    const auto issued = store.issued();
    const auto intermediates = static_cast<std::size_t>(
        std::ranges::count(issued, ledger::AuthorityKind::kIntermediate, &ledger::Authority::kind));
    base::Json json = {{"apiVersion", "meshtrust/v1"},
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
                       {"below", root.above.empty() ? "" : facts_above(root).issuer},
                       {"trusts", root.anchor().fingerprint()},
                       {"undelivered", store.undelivered().size()},
                       {"ledger", to_json(store.coverage())}};
    std::string list_text;
    if (list) {
      const auto& made = list->facts();
      json["list"] = {{"number", *made.number},
                      {"nextUpdate", base::format_rfc3339(*made.next_update)},
                      {"revoked", made.revoked.size()}};
      list_text = fmt::format("list:     number {}, {} revoked, until {}\n", *made.number,
                              made.revoked.size(), expiry_text(*made.next_update, session.now()));
    }
    session.answer(
        json,
        fmt::format("root:     {}\nsha256:   {}\nkey:      {}, {} in {}\nvalid:    {} to {}\n"
                    "{}issued:   {}, {} never known to have arrived\nledger:   {}\n{}",
                    base::one_line(facts.subject), base::group_hex(facts.fingerprint),
                    facts.key_type, root.key_is_encrypted ? "encrypted" : "in clear text",
                    base::one_line(root.key_file.string()), base::format_date(facts.not_before),
                    expiry_text(facts.not_after, session.now()), below_text(session, root),
                    base::count_of(intermediates, "intermediate"), store.undelivered().size(),
                    coverage_text(store.coverage()), list_text));
    return {};
  }

  /// The last list that the root has made; nothing before the first.
  static base::Result<std::optional<pki::RevocationList>> newest_list_of(
      const ca::TrustStore& store, const ca::Root& root) {
    const auto entry = store.find(root.fingerprint());
    if (!entry || entry->newest_crl.empty()) return std::optional<pki::RevocationList>();
    MESHTRUST_TRY(pki::RevocationList list, pki::RevocationList::from_der(entry->newest_crl));
    return std::optional(std::move(list));
  }

  static const pki::CertificateFacts& facts_above(const ca::Root& root) {
    return root.issuer().facts();
  }

  static std::string below_text(const Session& session, const ca::Root& root) {
    if (root.above.empty()) return "";
    const auto& first = pki::first_to_end(root.issuer(), root.above).facts();
    const auto& anchor = root.anchor().facts();
    return fmt::format("below:    {}, until {}\ntrusts:   {} (sha256 {})\n",
                       base::printable(facts_above(root).issuer),
                       expiry_text(first.not_after, session.now()), base::printable(anchor.subject),
                       base::group_hex(anchor.fingerprint));
  }

  std::string store_{kDefaultStore};
  bool pem_ = false;
};

}  // namespace

CommandEntry ca_show_command() {
  return {.name = "ca show",
          .group = kCaGroup,
          .summary = "the root of a trust store",
          .details =
              "Prints what the root is, how its key is kept, until when its newest revocation "
              "list counts, and how much of the ledger is signed: what is recorded while the "
              "root's key is open is, and what stands behind that (deliveries, revocations) can "
              "be edited by whoever can write to the folder. Needs no passphrase.",
          .examples = {{"Look at it", "meshtrust ca show --store shop.trust"},
                       {"The certificate", "meshtrust ca show --store shop.trust --pem > root.pem"},
                       {"For scripts", "meshtrust ca show --store shop.trust -o json"}},
          .files = {kStoreFile},
          .make = make_command<CaShow>};
}

}  // namespace meshtrust::cli
