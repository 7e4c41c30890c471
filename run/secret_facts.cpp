#include "run/secret_facts.h"

#include "base/bytes.h"
#include "base/encoding.h"
#include "base/text.h"
#include "istio/names.h"
#include "pki/pem.h"

#include <fmt/format.h>

namespace meshtrust::run {
namespace {

std::string fingerprint(base::ByteView bytes) {
  return bytes.empty() ? std::string() : base::to_hex(base::sha256(bytes));
}

std::string value_of(const std::map<std::string, std::string>& map, std::string_view key) {
  const auto found = map.find(std::string(key));
  return found == map.end() ? std::string() : found->second;
}

/// The scalar behind `key:` on a line of its own. The text is a secret, so that no library sees it.
std::string_view scalar_at(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = base::trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.starts_with("- ")) line = base::trim(line.substr(2));
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ':') continue;
    std::string_view value = base::trim(line.substr(key.size() + 1));
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
        value.back() == value.front()) {
      value = value.substr(1, value.size() - 2);
    }
    return value;
  }
  return {};
}

/// The public blocks in a file of the Secret. Anything else in it (people do put a key and its
/// certificate into one file) stays where it is, but that it is there can be told.
std::string public_file(const k8s::SecretObject& secret, std::string_view name) {
  const auto file = secret.data.find(std::string(name));
  if (file == secret.data.end()) return {};
  return pki::public_part(reveal(file->second, "a public file of cacerts: only its public blocks"));
}

}  // namespace

istio::PublicBundle public_bundle_in(const k8s::SecretObject& cacerts) {
  return {.ca_cert = public_file(cacerts, istio::kCaCertFile),
          .cert_chain = public_file(cacerts, istio::kCertChainFile),
          .root_cert = public_file(cacerts, istio::kRootCertFile),
          .ca_crl = public_file(cacerts, istio::kCaCrlFile)};
}

RemoteKubeconfig read_remote_kubeconfig(const base::Secret& text) {
  const std::string_view view = reveal(text, "a kubeconfig: server, CA, and its token as a secret");
  RemoteKubeconfig read{.server = std::string(scalar_at(view, "server")),
                        .tls_server_name = std::string(scalar_at(view, "tls-server-name")),
                        .ca_pem = {},
                        .token = base::Secret(scalar_at(view, "token"))};
  if (const auto ca = base::from_base64(scalar_at(view, "certificate-authority-data"))) {
    read.ca_pem = std::string(base::as_text(*ca));
  }
  return read;
}

mesh::RemoteSecretFacts remote_secret_facts(const k8s::SecretObject& secret) {
  mesh::RemoteSecretFacts facts{
      .namespace_name = secret.facts.namespace_name,
      .name = secret.facts.name,
      .is_watched = value_of(secret.facts.labels, istio::kMultiClusterLabel) == "true",
      .mesh = value_of(secret.facts.labels, istio::kMeshLabel),
      .root = value_of(secret.facts.labels, istio::kRootLabel),
      .clusters = {},
      .uid = secret.facts.uid};
  for (const auto& [key, value] : secret.data) {
    const RemoteKubeconfig kubeconfig = read_remote_kubeconfig(value);
    facts.clusters.push_back(
        {.cluster = key,
         .server = kubeconfig.server,
         .ca = fingerprint(base::as_bytes(kubeconfig.ca_pem)),
         .token = fingerprint(reveal_bytes(kubeconfig.token, "the fingerprint of a token")),
         .writer = value_of(secret.facts.writers, key)});
  }
  return facts;
}

mesh::TokenSecretFacts token_secret_facts(const k8s::SecretObject& secret) {
  mesh::TokenSecretFacts facts{
      .namespace_name = secret.facts.namespace_name,
      .name = secret.facts.name,
      .service_account = value_of(secret.facts.annotations, istio::kServiceAccountAnnotation),
      .mesh = value_of(secret.facts.labels, istio::kMeshLabel),
      .root = value_of(secret.facts.labels, istio::kRootLabel),
      .ca = {},
      .token = {},
      .uid = secret.facts.uid};
  if (const auto ca = secret.data.find("ca.crt"); ca != secret.data.end()) {
    facts.ca = fingerprint(reveal_bytes(ca->second, "the fingerprint of a public CA"));
  }
  if (const auto token = secret.data.find("token"); token != secret.data.end()) {
    facts.token = fingerprint(reveal_bytes(token->second, "the fingerprint of a token"));
  }
  return facts;
}

}  // namespace meshtrust::run
