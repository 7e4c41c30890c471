#include "istio/proxy_secrets.h"

#include "base/bytes.h"
#include "base/encoding.h"
#include "base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <string>
#include <utility>

namespace meshtrust::istio {
namespace {

using base::Code;
using base::Json;
using base::Result;

/// As the agent calls them when Envoy asks it.
constexpr std::string_view kChainSecret = "default";
constexpr std::string_view kRootsSecret = "ROOTCA";

const Json& list_at(const Json& object, std::initializer_list<std::string_view> path) {
  static const Json kNone = Json::array();
  const Json& found = base::at_path(object, path);
  return found.is_array() ? found : kNone;
}

Result<std::vector<pki::Certificate>> certificates(std::string_view pem, std::string_view what) {
  auto parsed = pki::certificates_from_pem(pem);
  if (parsed) return parsed;
  return base::fail(Code::kUnavailable, fmt::format("{}: {}", what, parsed.error().message));
}

/// The text of a DataSource; empty where it is none that Envoy itself holds.
std::string text_of(const Json& source) {
  const std::string encoded = base::string_at(source, "inline_bytes");
  if (encoded.empty()) return base::string_at(source, "inline_string");
  const auto bytes = base::from_base64(encoded);
  return bytes ? std::string(base::as_text(*bytes)) : std::string();
}

const Json& secret_called(const Json& answer, std::string_view name) {
  static const Json kNone = Json::object();
  for (const Json& one : list_at(answer, {"configs"})) {
    if (base::string_at(one, "name") == name) return base::at_path(one, {"secret"});
  }
  return kNone;
}

Result<std::vector<Credential>> of_envoy(const Json& answer) {
  const std::string chain = text_of(
      base::at_path(secret_called(answer, kChainSecret), {"tls_certificate", "certificate_chain"}));
  const std::string roots = text_of(
      base::at_path(secret_called(answer, kRootsSecret), {"validation_context", "trusted_ca"}));
  if (chain.empty() || roots.empty()) {
    return base::fail(Code::kUnavailable,
                      fmt::format("its proxy has no {} ('{}')",
                                  chain.empty() ? "certificate of a workload" : "roots",
                                  chain.empty() ? kChainSecret : kRootsSecret));
  }
  Credential credential;
  MESHTRUST_TRY(credential.chain, certificates(chain, "its chain"));
  MESHTRUST_TRY(credential.roots, certificates(roots, "its roots"));
  return std::vector<Credential>{std::move(credential)};
}

/// Certificates as ztunnel lists them, each a PEM text in base64.
Result<std::vector<pki::Certificate>> listed(const Json& list, std::string_view what) {
  std::vector<pki::Certificate> all;
  for (const Json& one : list) {
    const auto pem = base::from_base64(base::string_at(one, "pem"));
    if (!pem) return base::fail(Code::kUnavailable, fmt::format("{}: no base64", what));
    MESHTRUST_TRY(const auto some, certificates(base::as_text(*pem), what));
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

Result<std::vector<Credential>> of_ztunnel(const Json& certificates) {
  std::vector<Credential> all;
  for (const Json& one : certificates) {
    const Json& chain = list_at(one, {"certChain"});
    if (chain.empty()) continue;  // it waits for a certificate, or no longer wants one
    const std::string identity = base::printable(base::string_at(one, "identity"), 200);
    Credential credential;
    MESHTRUST_TRY(credential.chain, listed(chain, "the chain of " + identity));
    MESHTRUST_TRY(credential.roots,
                  listed(list_at(one, {"rootCerts"}), "the roots of " + identity));
    // Before ztunnel listed the roots by themselves, the root was the last of the chain.
    if (credential.roots.empty()) credential.roots.push_back(credential.chain.back());
    all.push_back(std::move(credential));
  }
  return all;
}

}  // namespace

Result<std::vector<Credential>> credentials_in(const Json& answer) {
  const Json& certificates = base::at_path(answer, {"certificates"});
  return certificates.is_array() ? of_ztunnel(certificates) : of_envoy(answer);
}

}  // namespace meshtrust::istio
