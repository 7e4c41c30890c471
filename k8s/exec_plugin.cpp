#include "k8s/exec_plugin.h"

#include "base/encoding.h"
#include "base/json.h"
#include "base/text.h"
#include "k8s/request_headers.h"
#include "k8s/tls_material.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <unistd.h>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using base::fail;
using base::Json;
using base::Result;
using base::Secret;

/// Nobody has to find a second factor.
constexpr std::chrono::milliseconds kWithoutAPerson{60'000};

/// What a shell says of a program that Ctrl-C ended.
constexpr int kInterrupted = 130;

/// What the plugin is told about the run and, when it wants to know, about the cluster.
Json exec_info(const ClientSettings& settings, bool interactive) {
  const ExecPlugin& plugin = *settings.exec;
  Json spec{{"interactive", interactive}};
  if (plugin.wants_cluster) {
    Json& cluster = spec["cluster"];
    cluster = {{"server", settings.server_as_written}};
    if (!settings.tls_server_name.empty()) cluster["tls-server-name"] = settings.tls_server_name;
    if (!settings.verify_server) cluster["insecure-skip-tls-verify"] = true;
    if (!settings.proxy_url.empty()) cluster["proxy-url"] = settings.proxy_url;
    if (!settings.compress) cluster["disable-compression"] = true;
    if (!settings.certificate_authority.empty()) {
      cluster["certificate-authority-data"] =
          base::to_base64(base::as_bytes(settings.certificate_authority));
    }
    const auto config = base::parse_json(plugin.cluster_config, "extension");
    cluster["config"] = config ? *config : Json();
  }
  return {{"kind", "ExecCredential"}, {"apiVersion", plugin.api_version}, {"spec", spec}};
}

base::Failure<Error> bad_answer(const std::string& what, std::string_view why) {
  return fail(Code::kInvalidInput, what + " " + std::string(why));
}

Result<PluginAnswer> read_answer(const Secret& output,
                                 const ClientSettings& settings,
                                 const std::string& what) {
  const auto answer = base::parse_json(reveal(output, "answer of an exec plugin"), "answer");
  if (!answer || !answer->is_object() || base::string_at(*answer, "kind") != "ExecCredential") {
    return bad_answer(what, "did not answer with an ExecCredential");
  }
  const std::string version = base::string_at(*answer, "apiVersion");
  if (version != settings.exec->api_version) {
    return bad_answer(what, "answered in version '" + base::printable(version, 80) + "', wanted '" +
                                settings.exec->api_version + "'");
  }
  const Json& status = base::at_path(*answer, {"status"});
  PluginAnswer out;
  out.token = Secret(base::trim(base::string_at(status, "token")));
  if (!is_header_value(reveal(out.token, "bearer token of a plugin"))) {
    return bad_answer(what, "answered with a token that holds control characters");
  }
  const std::string certificate = base::string_at(status, "clientCertificateData");
  const std::string key = base::string_at(status, "clientKeyData");
  if (certificate.empty() != key.empty()) {
    return bad_answer(what, "answered with one of certificate and key, wanted both");
  }
  if (certificate.empty() && out.token.empty()) {
    return bad_answer(what, "answered without a token and without a certificate");
  }
  if (!certificate.empty()) {
    auto identity = make_identity(certificate, Secret(key));
    if (!identity) return bad_answer(what, "answered with an unusable certificate or key");
    out.identity = *std::move(identity);
  }
  const Json& expires = base::at_path(status, {"expirationTimestamp"});
  if (!expires.is_null()) {
    const auto time = base::parse_rfc3339(expires.is_string() ? expires.get<std::string>() : "");
    if (!time) return bad_answer(what, "answered with an expirationTimestamp that is no time");
    out.expires = *time;
  }
  return out;
}

/// The failure of a program that gave no answer: not started, too slow, cancelled.
Error no_answer(Error error, const ExecPlugin& plugin, const std::string& what) {
  if (error.code == Code::kCancelled) return error;
  if (error.code == Code::kUnavailable) {
    return {.code = Code::kUnavailable, .message = what + " took too long: " + error.message};
  }
  const bool cannot_start = error.code == Code::kNotFound || error.code == Code::kPermission;
  if (cannot_start && !plugin.install_hint.empty()) {
    error.hints.push_back(base::printable(plugin.install_hint));
  }
  error.code = Code::kInvalidInput;
  error.message = base::printable(error.message);
  return with_context(std::move(error), what);
}

}  // namespace

bool is_interactive(const ExecPlugin& plugin) {
  return plugin.interactive_mode != "Never" && isatty(STDIN_FILENO) == 1;
}

Result<PluginAnswer> run_exec_plugin(const ClientSettings& settings, const PluginWorld& world) {
  const ExecPlugin& plugin = *settings.exec;
  const std::string what = "exec plugin '" + base::printable(plugin.command.front()) + "' of " +
                           settings.describe_user();
  const bool interactive = is_interactive(plugin);
  if (plugin.interactive_mode == "Always" && !interactive) {
    return bad_answer(what, "wants a terminal, and standard input is none");
  }

  base::Command command{.argv = plugin.command,
                        .environment = {},
                        .give_terminal = interactive,
                        .timeout = world.at_most};
  if (!interactive) command.timeout = std::min(command.timeout, kWithoutAPerson);
  for (const auto& [name, value] : plugin.environment) {
    command.environment[name] = value;
  }
  command.environment["KUBERNETES_EXEC_INFO"] = base::compact(exec_info(settings, interactive));
  auto finished = world.processes.run(command);
  if (!finished) return fail(no_answer(std::move(finished).error(), plugin, what));
  if (finished->exit_code == kInterrupted) return fail(Code::kCancelled, what + " was interrupted");
  if (finished->exit_code != 0) {
    return bad_answer(what, "failed with exit code " + std::to_string(finished->exit_code));
  }
  return read_answer(finished->standard_output, settings, what);
}

}  // namespace meshtrust::k8s
