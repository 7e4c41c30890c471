#include "profiles/remote_secret.h"

#include "base/encoding.h"
#include "base/yaml.h"
#include "istio/names.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::profiles {
namespace {

using base::Secret;
using Kind = RemoteSecretIntent::Kind;

/// "  key: value" lines of a mapping.
void append_mapping(Secret& text,
                    std::string_view key,
                    const std::map<std::string, std::string>& entries) {
  if (entries.empty()) return;
  text.append(fmt::format("  {}:\n", key));
  for (const auto& [name, value] : entries) {
    text.append(fmt::format("    {}: {}\n", base::yaml_scalar(name), base::yaml_scalar(value)));
  }
}

/// `content` as a block scalar's lines, each behind `indent`.
void append_indented(Secret& text, std::string_view content, std::string_view indent) {
  while (!content.empty()) {
    const auto end = std::min(content.find('\n'), content.size());
    text.append(indent);
    text.append(content.substr(0, end));
    text.append("\n");
    content.remove_prefix(std::min(end + 1, content.size()));
  }
}

/// Letters, digits and -._~+/=, which need no escape within quotes.
bool is_bearer_token(std::string_view token) {
  return !token.empty() && std::all_of(token.begin(), token.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~+/=").find(c) != std::string_view::npos;
  });
}

/// What the user of a kubeconfig is known by.
void append_user(Secret& text, const Credentials& credentials) {
  if (!credentials.auth_provider) {
    text.append("    token: \"");
    text.append(credentials.token);
    text.append("\"\n");
    return;
  }
  text.append("    auth-provider:\n");
  const auto& config = credentials.auth_provider->config;
  text.append(config.empty() ? "      config: {}\n" : "      config:\n");
  for (const auto& [name, value] : config) {
    text.append(fmt::format("        {}: {}\n", base::yaml_scalar(name), base::yaml_scalar(value)));
  }
  text.append(fmt::format("      name: {}\n", base::yaml_scalar(credentials.auth_provider->name)));
}

}  // namespace

base::Result<Secret> kubeconfig_text(const Credentials& credentials) {
  if (!credentials.auth_provider &&
      !is_bearer_token(base::reveal(credentials.token, "whether it is a token"))) {
    return base::fail(
        base::Code::kInvalidInput,
        fmt::format("the token of cluster '{}' is no bearer token", credentials.cluster));
  }
  const std::string name = base::yaml_scalar(credentials.cluster);
  const std::string ca = base::to_base64(base::as_bytes(credentials.ca_pem));
  std::string tls_server_name;
  if (credentials.tls_server_name) {
    tls_server_name =
        fmt::format("    tls-server-name: {}\n", base::yaml_scalar(*credentials.tls_server_name));
  }
  Secret text(
      fmt::format("apiVersion: v1\n"
                  "clusters:\n"
                  "- cluster:\n"
                  "    certificate-authority-data: {ca}\n"
                  "    server: {server}\n"
                  "{tls_server_name}"
                  "  name: {name}\n"
                  "contexts:\n"
                  "- context:\n"
                  "    cluster: {name}\n"
                  "    user: {name}\n"
                  "  name: {name}\n"
                  "current-context: {name}\n"
                  "kind: Config\n"
                  "users:\n"
                  "- name: {name}\n"
                  "  user:\n",
                  fmt::arg("ca", ca), fmt::arg("server", base::yaml_scalar(credentials.server)),
                  fmt::arg("tls_server_name", tls_server_name), fmt::arg("name", name)));
  append_user(text, credentials);
  return text;
}

RemoteSecret remote_secret(const Mesh& mesh,
                           const RemoteSecretIntent& intent,
                           std::string_view root) {
  const Cluster* target = mesh.find(intent.target);
  MESHTRUST_CHECK(target != nullptr);
  RemoteSecret secret{.namespace_name = mesh.istio.system_namespace,
                      .name = std::string(istio::kConfigSecret),
                      .key = std::string(istio::kConfigSecretKey),
                      .labels = ownership_labels(mesh, *target, root),
                      .annotations = {}};
  secret.annotations.emplace(istio::kRemoteClusterAnnotation, intent.source);
  if (intent.kind == Kind::kConfig) return secret;
  secret.name = istio::remote_secret_name(intent.source);
  secret.key = intent.source;
  secret.labels.emplace(istio::kMultiClusterLabel, "true");
  return secret;
}

std::string service_account_of(const Mesh& mesh, const RemoteSecretIntent& intent) {
  return intent.kind == Kind::kConfig ? istio::istiod_name(mesh.istio.revision)
                                      : std::string(istio::kReaderServiceAccount);
}

Secret remote_secret_manifest(const RemoteSecret& secret, const Secret& kubeconfig) {
  Secret text("apiVersion: v1\nkind: Secret\nmetadata:\n");
  append_mapping(text, "annotations", secret.annotations);
  append_mapping(text, "labels", secret.labels);
  text.append(fmt::format("  name: {}\n", base::yaml_scalar(secret.name)));
  if (!secret.namespace_name.empty()) {
    text.append(fmt::format("  namespace: {}\n", base::yaml_scalar(secret.namespace_name)));
  }
  text.append(fmt::format("stringData:\n  {}: |\n", base::yaml_scalar(secret.key)));
  append_indented(text, base::reveal(kubeconfig, "the manifest of a remote secret"), "    ");
  return text;
}

}  // namespace meshtrust::profiles
