#include "run/cluster_check.h"

#include "mesh/plan.h"
#include "run/preflight.h"

#include <fmt/format.h>

namespace meshtrust::run {
namespace {

using base::Error;
using mesh::Finding;
using mesh::Severity;

constexpr base::Seconds kEndsSoon = base::days(14);
/// Tokens and certificates begin to fail when clocks differ by minutes; say it before.
constexpr base::Seconds kClocksDiffer{30};

std::vector<pki::Certificate> certificates_of(std::string_view pem) {
  auto found = pki::certificates_from_pem(pem);
  return found ? *std::move(found) : std::vector<pki::Certificate>();
}

void add_finding(ClusterCheck& check, std::string code, std::string message, std::string hint) {
  Finding finding{.code = std::move(code),
                  .severity = Severity::kWarning,
                  .cluster = check.name,
                  .message = std::move(message)};
  if (!hint.empty()) finding.hints.push_back(std::move(hint));
  check.findings.push_back(std::move(finding));
}

void judge_end(ClusterCheck& check,
               const std::vector<pki::Certificate>& chain,
               const std::string& whose,
               const std::string& hint,
               base::Instant now) {
  if (chain.empty()) return;
  const base::Instant end = chain.front().facts().not_after;
  if (end - now >= kEndsSoon) return;
  add_finding(check, "certificate-ends-soon",
              fmt::format("{} {} on {} ({})", whose, end < now ? "ended" : "ends",
                          base::format_date(end), base::format_relative(end, now)),
              hint);
}

void judge_clock(ClusterCheck& check) {
  const auto& ahead = check.server->clock_ahead;
  if (!ahead || std::chrono::abs(*ahead) < kClocksDiffer) return;
  add_finding(check, "clocks-differ",
              fmt::format("the server's clock is {} {} ours",
                          base::format_duration(std::chrono::abs(*ahead)),
                          ahead->count() > 0 ? "ahead of" : "behind"),
              "certificates and tokens are judged by both: have both clocks set by NTP");
}

/// Whether the check goes on.
template <class T>
bool keep(ClusterCheck& check, base::Result<T> found, T& into) {
  if (found) {
    into = *std::move(found);
    return true;
  }
  check.problem = std::move(found).error();
  return false;
}

}  // namespace

void check_settings(ClusterCheck& check, const k8s::ApiClient& client, base::Instant now) {
  const k8s::ClientSettings& settings = client.settings();
  check.settings = &settings;
  check.proxy = client.proxy();
  for (const std::string& text : settings.warnings) {
    add_finding(check, "kubeconfig", text, "");
  }
  if (!settings.identity) return;
  check.client_chain = certificates_of(settings.identity->certificate);
  judge_end(check, check.client_chain, "the client certificate of " + settings.describe_user(),
            "ask for new credentials of context '" + settings.context + "'", now);
}

void check_cluster(ClusterCheck& check, k8s::ApiClient& client, const base::Clock& clock) {
  std::vector<std::string> chain;
  if (!keep(check, client.serving_chain(), chain)) return;
  for (const std::string& pem : chain) {
    for (pki::Certificate& certificate : certificates_of(pem)) {
      check.serving_chain.push_back(std::move(certificate));
    }
  }
  k8s::ServerGreeting greeting;
  if (!keep(check, client.greet(), greeting)) return;
  check.server = std::move(greeting);
  judge_clock(check);
  judge_end(check, check.serving_chain, "the server's certificate",
            "have the cluster's certificates renewed", clock.now());
  if (check.client_chain.empty()) check.client_chain = certificates_of(client.client_certificate());

  std::optional<k8s::WhoAmI> who;
  if (!keep(check, client.who_am_i(), who)) return;
  check.identity = std::move(who);
  const auto rights = mesh::rights_of_trust(check.name, check.system_namespace);
  base::Errors missing;
  if (!keep(check, missing_rights(rights, client), missing)) return;
  check.rights_asked = rights.size();
  check.missing_rights = std::move(missing);
}

}  // namespace meshtrust::run
