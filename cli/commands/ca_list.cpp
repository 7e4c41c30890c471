#include "base/encoding.h"
#include "cli/commands/ca.h"
#include "cli/commands/commands.h"
#include "cli/proof.h"

#include <CLI/App.hpp>
#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

using base::Json;
using base::Status;

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

class CaList final : public Command {
 public:
  void declare(CLI::App& app) override { declare_store(app, store_); }

  int run(Session& session) override { return report(session, list(session)); }

 private:
  Status list(const Session& session) {
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
  }

  std::string store_{kDefaultStore};
};

}  // namespace

CommandEntry ca_list_command() {
  return {.name = "ca list",
          .group = kCaGroup,
          .summary = "everything a trust store ever issued",
          .details =
              "One row a certificate, oldest first, with how far it got: minted (made, never "
              "sent), pushing (a run ended during the push), pushed (read back from where it "
              "went), abandoned. Needs no passphrase.",
          .examples = {{"All of it", "meshtrust ca list --store shop.trust"},
                       {"For scripts", "meshtrust ca list --store shop.trust -o json"},
                       {"Fingerprints alone", "meshtrust ca list --store shop.trust -o name"}},
          .files = {kStoreFile},
          .make = make_command<CaList>};
}

}  // namespace meshtrust::cli
