#include "cli/cluster_text.h"

#include "base/text.h"
#include "cli/console.h"
#include "cli/proof.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <map>

namespace meshtrust::cli {
namespace {

using base::Json;
using run::ClusterCheck;

std::string_view verdict_of(const ClusterCheck& check) {
  switch (exit_code_of(check)) {
    case kDone:
      return check.server ? "usable" : "the kubeconfig is in order (nothing was asked)";
    case kBadInput:
      return "the kubeconfig is wrong";
    case kUnreachable:
      return "unreachable";
    case kNotPermitted:
      return "not permitted";
    default:
      return "failed";
  }
}

/// By which means we say who we are.
std::string credential_of(const k8s::ClientSettings& settings) {
  std::vector<std::string> kinds;
  if (settings.identity) kinds.emplace_back("client certificate");
  if (!settings.token_file.empty()) {
    kinds.push_back("token in " + base::printable(settings.token_file.string()));
  } else if (!settings.token.empty()) {
    kinds.emplace_back("token");
  } else if (!settings.username.empty()) {
    kinds.push_back("password of '" + base::printable(settings.username, 80) + "'");
  }
  if (kinds.empty() && settings.exec) {
    kinds.push_back("plugin '" + base::printable(settings.exec->command.front(), 200) + "'");
  }
  if (kinds.empty()) kinds.emplace_back("no credential");
  return base::join(kinds, " and ");
}

std::string certificate_text(const pki::Certificate& certificate, base::Instant now) {
  const auto& facts = certificate.facts();
  return fmt::format("{}, until {}", base::printable(facts.subject, 200),
                     expiry_text(facts.not_after, now));
}

std::string clock_text(const k8s::ServerGreeting& server) {
  if (!server.clock_ahead) return "its clock is not known";
  if (server.clock_ahead->count() == 0) return "same time as here";
  return fmt::format("clock {} {}", base::format_duration(std::chrono::abs(*server.clock_ahead)),
                     server.clock_ahead->count() > 0 ? "ahead" : "behind");
}

class Block {
 public:
  void add(const std::string& name, const std::string& value) { rows_.push_back({name, value}); }
  std::string text() const { return table(rows_, "  "); }

 private:
  std::vector<std::vector<std::string>> rows_;
};

void add_settings(Block& block, const ClusterCheck& check) {
  const k8s::ClientSettings& settings = *check.settings;
  block.add("server", settings.server.text());
  if (!check.proxy.empty()) {
    block.add("proxy", check.proxy + (settings.proxy_url.empty() ? " (of the environment)" : ""));
  }
  if (!settings.tls_server_name.empty()) block.add("known as", settings.tls_server_name);
  block.add("found in", fmt::format("{}, cluster '{}'", base::printable(settings.cluster_file),
                                    base::printable(settings.cluster)));
  const std::string trust = !settings.verify_server                  ? "nothing: not verified"
                            : settings.certificate_authority.empty() ? "the system's roots"
                                                                     : "the kubeconfig's CA";
  block.add("trusted by", trust);
  if (settings.user.empty()) {
    block.add("credential", "none");
  } else {
    block.add("credential",
              fmt::format("{}, {}", credential_of(settings), settings.describe_user()));
  }
  if (settings.impersonation) {
    block.add("acting as", base::printable(settings.impersonation->user, 200));
  }
}

void add_identity(Block& block, const ClusterCheck& check) {
  if (!check.identity) return;
  if (!*check.identity) {
    block.add("as", "the server is too old to say (it takes Kubernetes 1.28)");
    return;
  }
  const k8s::WhoAmI& who = **check.identity;
  const std::string groups =
      who.groups.empty() ? "" : fmt::format(" (groups {})", base::join(who.groups, ", "));
  block.add("as", who.username + groups);
}

void add_rights(Block& block, const ClusterCheck& check) {
  if (check.rights_asked == 0) return;
  if (check.missing_rights.empty()) {
    block.add("rights", fmt::format("all {} that apply needs", check.rights_asked));
    return;
  }
  block.add("rights", fmt::format("{} of {} that apply needs are missing",
                                  check.missing_rights.size(), check.rights_asked));
  for (const base::Error& missing : check.missing_rights) {
    block.add("", missing.message);
  }
}

Json to_json(const std::vector<pki::Certificate>& chain) {
  Json list = Json::array();
  for (const pki::Certificate& certificate : chain) {
    const auto& facts = certificate.facts();
    list.push_back({{"subject", facts.subject},
                    {"issuer", facts.issuer},
                    {"fingerprint", certificate.fingerprint()},
                    {"notBefore", base::format_rfc3339(facts.not_before)},
                    {"notAfter", base::format_rfc3339(facts.not_after)}});
  }
  return list;
}

Json settings_to_json(const ClusterCheck& check) {
  const k8s::ClientSettings& settings = *check.settings;
  Json out{{"server", settings.server.text()},     {"cluster", settings.cluster},
           {"clusterFile", settings.cluster_file}, {"user", settings.user},
           {"userFile", settings.user_file},       {"credential", credential_of(settings)},
           {"namespace", settings.namespace_name}, {"serverVerified", settings.verify_server}};
  if (!check.proxy.empty()) out["proxy"] = check.proxy;
  if (!settings.tls_server_name.empty()) out["tlsServerName"] = settings.tls_server_name;
  if (settings.impersonation) out["actingAs"] = settings.impersonation->user;
  return out;
}

}  // namespace

ExitCode exit_code_of(const ClusterCheck& check) {
  if (check.problem) return exit_code_of(check.problem->code);
  return check.missing_rights.empty() ? kDone : kNotPermitted;
}

std::string render_check(const ClusterCheck& check, base::Instant now) {
  Block block;
  if (check.name != check.context) block.add("context", base::printable(check.context, 200));
  if (check.settings != nullptr) add_settings(block, check);
  if (check.server) {
    const double milliseconds = static_cast<double>(check.server->round_trip.count()) / 1000;
    block.add("answers",
              fmt::format("{} over {}, {:.1f} ms away, {}", check.server->version.git_version,
                          check.server->used_http2 ? "HTTP/2" : "HTTP/1.1", milliseconds,
                          clock_text(*check.server)));
  }
  for (std::size_t i = 0; i < check.serving_chain.size(); ++i) {
    block.add(i == 0 ? "it shows" : "", certificate_text(check.serving_chain[i], now));
  }
  if (!check.serving_chain.empty()) {
    block.add("", "issued by " + base::printable(check.serving_chain.back().facts().issuer, 200));
  }
  for (std::size_t i = 0; i < check.client_chain.size(); ++i) {
    block.add(i == 0 ? "we show" : "", certificate_text(check.client_chain[i], now));
  }
  add_identity(block, check);
  add_rights(block, check);
  return fmt::format("{}: {}\n{}", base::printable(check.name, 200), verdict_of(check),
                     block.text());
}

Json to_json(const ClusterCheck& check) {
  Json out{{"name", check.name},
           {"context", check.context},
           {"usable", exit_code_of(check) == kDone},
           {"exitCode", static_cast<int>(exit_code_of(check))},
           {"findings", Json::array()}};
  if (check.settings != nullptr) out["kubeconfig"] = settings_to_json(check);
  if (check.server) {
    out["server"] = {{"version", check.server->version.git_version},
                     {"http2", check.server->used_http2},
                     {"roundTripMicroseconds", check.server->round_trip.count()}};
    if (check.server->clock_ahead) {
      out["server"]["clockAheadSeconds"] = check.server->clock_ahead->count();
    }
  }
  if (!check.serving_chain.empty()) out["servingChain"] = to_json(check.serving_chain);
  if (!check.client_chain.empty()) out["clientChain"] = to_json(check.client_chain);
  if (check.identity && *check.identity) {
    out["identity"] = {{"username", (*check.identity)->username},
                       {"uid", (*check.identity)->uid},
                       {"groups", (*check.identity)->groups}};
  }
  if (check.rights_asked > 0) {
    Json missing = Json::array();
    for (const base::Error& error : check.missing_rights) {
      missing.push_back(error.message);
    }
    out["rights"] = {{"asked", check.rights_asked}, {"missing", std::move(missing)}};
  }
  if (check.problem) {
    out["problem"] = {{"code", name_of(check.problem->code)},
                      {"message", check.problem->message},
                      {"hints", check.problem->hints}};
  }
  for (const mesh::Finding& finding : check.findings) {
    out["findings"].push_back(mesh::to_json(finding));
  }
  return out;
}

std::vector<std::string> contexts_of_one_server(std::span<const ContextServer> contexts) {
  std::map<std::string, std::vector<std::string>> by_server;
  std::map<std::string, std::string> shown;
  for (const ContextServer& one : contexts) {
    std::string server = one.server;
    while (server.ends_with('/')) {
      server.pop_back();
    }
    const std::string key = server + "\n" + one.proxy_url + "\n" + one.tls_server_name;
    by_server[key].push_back("'" + base::printable(one.context, 80) + "'");
    shown[key] = server;
  }
  std::vector<std::string> sentences;
  for (const auto& [key, names] : by_server) {
    if (names.size() < 2) continue;
    sentences.push_back(fmt::format("contexts {} lead to one server, {}: it is one cluster",
                                    base::join(names, " and "), base::printable(shown[key], 200)));
  }
  return sentences;
}

}  // namespace meshtrust::cli
