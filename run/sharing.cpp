#include "base/encoding.h"
#include "istio/names.h"
#include "profiles/reader.h"
#include "profiles/remote_secret.h"
#include "run/mesh_steps.h"
#include "run/secret_facts.h"
#include "run/writing.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

// The step of `MeshSteps` that gives one cluster access to another. A token goes from the answer of
// one API server into a request to another and is in nothing but Secrets meanwhile.

namespace meshtrust::run {
namespace {

using base::Code;
using base::Error;
using base::Result;
using std::chrono::milliseconds;

/// A token and the CA that goes with it, as Kubernetes put them into a Secret.
struct Token {
  base::Secret token;
  std::string ca_pem;
};

/// The Secret into which Kubernetes is to put a token, made if need be.
base::Status ask_for_token(const profiles::Mesh& mesh,
                           const profiles::Cluster& source,
                           const std::string& account,
                           k8s::ApiClient& client) {
  const profiles::Object wanted = profiles::token_secret(mesh, source, account);
  const auto& metadata = wanted.body.at("metadata");
  const k8s::SecretContent content{
      .labels = metadata.at("labels").get<std::map<std::string, std::string>>(),
      .annotations = metadata.at("annotations").get<std::map<std::string, std::string>>(),
      .type = std::string(istio::kServiceAccountTokenType),
      .data = {}};
  const auto applied =
      client.apply_secret(k8s::secret_ref(wanted.namespace_name, wanted.name), content);
  if (!applied) return base::fail(applied.error());
  return {};
}

/// The token, or nothing while Kubernetes has not filled it in yet.
Result<std::optional<Token>> read_token(k8s::ApiClient& client, const k8s::ObjectRef& ref) {
  MESHTRUST_TRY(auto secret, client.get_secret(ref));
  if (!secret) return std::optional<Token>();
  const auto token = secret->data.find("token");
  const auto ca = secret->data.find("ca.crt");
  if (token == secret->data.end() || ca == secret->data.end() || token->second.empty() ||
      ca->second.empty()) {
    return std::optional<Token>();
  }
  return std::optional(Token{.token = std::move(token->second),
                             .ca_pem = std::string(reveal(ca->second, "a public CA"))});
}

}  // namespace

Outcome MeshSteps::share(const mesh::Step& step, const mesh::ShareAccess& wanted) {
  const profiles::RemoteSecretIntent& intent = wanted.intent;
  const auto target = world_.clusters.client(intent.target);
  const auto source = world_.clusters.client(intent.source);
  if (!target) return Failed{target.error()};
  if (!source) return Failed{source.error()};

  const std::string account = profiles::service_account_of(mesh_, intent);
  const k8s::ObjectRef account_ref{.api_version = "v1",
                                   .kind = "ServiceAccount",
                                   .resource = "serviceaccounts",
                                   .namespace_name = wanted.namespace_name,
                                   .name = account};
  const auto exists = (*source)->get(account_ref);
  if (!exists) return Failed{with_context(exists.error(), intent.source)};
  if (!*exists) {
    return NotYet{.why = fmt::format("{} has no {}", intent.source, account_ref.describe())};
  }
  const k8s::ObjectRef token_ref =
      k8s::secret_ref(wanted.namespace_name, istio::token_secret_name(account));
  auto token = read_token(**source, token_ref);
  if (!token) return Failed{with_context(std::move(token).error(), intent.source)};
  if (!*token) {
    if (auto asked = ask_for_token(mesh_, cluster_of(intent.source), account, **source); !asked) {
      return Failed{with_context(std::move(asked).error(), intent.source)};
    }
    token = read_token(**source, token_ref);
    if (!token) return Failed{with_context(std::move(token).error(), intent.source)};
    if (!*token) {
      return NotYet{.why = fmt::format("{} has not put a token into {} yet", intent.source,
                                       token_ref.describe()),
                    .wake = milliseconds{200}};
    }
  }

  const std::string& tls_server_name = (*source)->settings().tls_server_name;
  const bool own_address = wanted.server == (*source)->settings().server.text();
  const auto kubeconfig = profiles::kubeconfig_text(
      {.cluster = intent.source,
       .server = wanted.server,
       .ca_pem = (**token).ca_pem,
       .token = std::move((**token).token),
       .tls_server_name = own_address && !tls_server_name.empty() ? std::optional(tls_server_name)
                                                                  : std::nullopt});
  if (!kubeconfig) return Failed{kubeconfig.error()};
  const profiles::RemoteSecret secret = profiles::remote_secret(mesh_, intent);
  const k8s::ObjectRef ref = k8s::secret_ref(secret.namespace_name, secret.name);
  const auto applied = (*target)->apply_secret(ref, {.labels = secret.labels,
                                                     .annotations = secret.annotations,
                                                     .data = {{secret.key, &*kubeconfig}}});
  if (!applied) return Failed{.why = with_context(applied.error(), step.cluster), .changed = true};
  const auto live = (*target)->get_secret(ref);
  if (!live) return Failed{.why = with_context(live.error(), step.cluster), .changed = true};
  const bool holds = *live && (**live).data.contains(secret.key) &&
                     constant_time_equal((**live).data.at(secret.key), *kubeconfig);
  if (!holds) return Failed{.why = differs_from_what_was_written(ref), .changed = true};
  return Done{.changed = true, .detail = applied->created ? "created" : "changed"};
}

}  // namespace meshtrust::run
