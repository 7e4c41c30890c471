#include "base/encoding.h"
#include "cli/commands/ca.h"
#include "cli/commands/commands.h"
#include "cli/proof.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

using base::Json;
using base::Status;

/// How far it got, or that it may go nowhere any more.
std::string state_of(const ledger::Authority& entry) {
  if (!entry.revoked) return std::string(ledger::name_of(entry.state));
  const std::string why = entry.revoked->reason.empty() ? "" : ", " + entry.revoked->reason;
  return fmt::format("revoked {}{}", base::format_date(entry.revoked->at), why);
}

Json describe(const ledger::Authority& entry) {
  const auto& facts = entry.certificate.facts();
  Json json = {{"fingerprint", entry.fingerprint()},
               {"kind", ledger::name_of(entry.kind)},
               {"cluster", entry.cluster},
               {"subject", facts.subject},
               {"serial", facts.serial},
               {"issuer", entry.issuer},
               {"key", facts.key_type},
               {"notBefore", base::format_rfc3339(facts.not_before)},
               {"notAfter", base::format_rfc3339(facts.not_after)},
               {"mintedAt", base::format_rfc3339(entry.minted_at)},
               {"state", entry.revoked ? "revoked" : ledger::name_of(entry.state)}};
  if (entry.revoked) {
    json["delivery"] = ledger::name_of(entry.state);
    json["revokedAt"] = base::format_rfc3339(entry.revoked->at);
    json["reason"] = entry.revoked->reason;
  }
  return json;
}

Json describe(const ledger::PendingRequest& request) {
  return {{"cluster", request.cluster},
          {"key", request.key_name},
          {"since", base::format_rfc3339(request.since)}};
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
                 {"items", Json::array()},
                 {"requests", Json::array()},
                 {"ledger", to_json(store.coverage())}};
    std::string names;
    for (const ledger::Authority& entry : store.issued()) {
      const bool is_root = entry.kind == ledger::AuthorityKind::kRoot;
      const auto& facts = entry.certificate.facts();
      rows.push_back({std::string(ledger::name_of(entry.kind)), is_root ? "-" : entry.cluster,
                      base::group_hex(entry.fingerprint().substr(0, 16)), facts.key_type,
                      expiry_text(facts.not_after, session.now()),
                      is_root ? "-" : state_of(entry)});
      json["items"].push_back(describe(entry));
      names += entry.fingerprint() + "\n";
    }
    for (const ledger::PendingRequest& request : store.requests()) {
      rows.push_back({"request", request.cluster, "-", "-", "-",
                      "waits since " + base::format_date(request.since)});
      json["requests"].push_back(describe(request));
    }
    session.answer(json, session.output == Output::kName ? names : table(rows));
    const ca::Coverage coverage = store.coverage();
    if (coverage.signed_lines != coverage.lines) {
      session.console().say("the ledger: " + coverage_text(coverage));
    }
    return {};
  }

  std::string store_{kDefaultStore};
};

}  // namespace

CommandEntry ca_list_command() {
  return {
      .name = "ca list",
      .group = kCaGroup,
      .summary = "everything a trust store ever issued, and what waits",
      .details =
          "One row a certificate, oldest first, with how far it got: minted (made, never "
          "sent), pushing (a run ended during the push), pushed (read back from where it "
          "went), abandoned; or that it is revoked, and why. Keys that wait for a certificate from "
          "elsewhere ('ca request') come last. Needs no passphrase.",
      .examples = {{"All of it", "meshtrust ca list --store shop.trust"},
                   {"For scripts", "meshtrust ca list --store shop.trust -o json"},
                   {"Fingerprints alone", "meshtrust ca list --store shop.trust -o name"}},
      .files = {kStoreFile},
      .make = make_command<CaList>};
}

}  // namespace meshtrust::cli
