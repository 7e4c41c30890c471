#include "run/access_trial.h"

#include "mesh/objects.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <utility>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Error;
using base::Result;
using mesh::AccessTrial;

/// Of one call: there may be many secrets, and a server that is there answers sooner.
constexpr std::chrono::milliseconds kAtMost{10'000};

Result<k8s::ClientSettings> settings_for(const RemoteKubeconfig& kubeconfig) {
  k8s::ClientSettings settings;
  settings.context = "remote secret";
  settings.cluster = kubeconfig.server;
  settings.user = "its token";
  settings.cluster_file = settings.user_file = "remote secret";
  MESHTRUST_TRY(settings.server, k8s::parse_server_url(kubeconfig.server));
  settings.tls_server_name = kubeconfig.tls_server_name;
  settings.certificate_authority = kubeconfig.ca_pem;
  return settings;
}

/// Why a server that the token was shown to did not say whose it is.
Result<AccessTrial::Result> kind_of(const Error& why, k8s::ApiClient& client) {
  using Kind = AccessTrial::Result;
  if (why.code == Code::kPermission) return Kind::kRefused;
  if (why.code == Code::kInvalidInput) return Kind::kUnusable;
  MESHTRUST_TRY(const k8s::Reached reach, client.reach());
  return reach == k8s::Reached::kUntrusted ? Kind::kUntrusted : Kind::kNotTried;
}

/// UID of kube-system; empty for who may not read it.
Result<std::string> uid_of_cluster(k8s::ApiClient& client) {
  const auto system = client.get(k8s::namespace_ref("kube-system"));
  if (system) return *system ? mesh::uid_of(**system) : std::string();
  if (system.error().code == Code::kPermission) return std::string();
  return base::fail(system.error());
}

/// As one that could not be made, unless it was interrupted.
Result<AccessTrial> not_tried(const Error& why) {
  if (why.code == Code::kCancelled) return base::fail(why);
  return AccessTrial{.why = why.message};
}

Result<std::vector<std::string>> missing_of(const std::vector<profiles::ReaderRight>& rights,
                                            k8s::ApiClient& client) {
  std::vector<std::string> missing;
  for (const profiles::ReaderRight& right : rights) {
    const k8s::ObjectRef ref{
        .api_version = right.api_version, .kind = right.kind, .resource = right.resource};
    MESHTRUST_TRY(const bool has, client.can_i({.verb = right.verb, .object = ref}));
    if (!has) missing.push_back(right.verb + " " + right.resource);
  }
  return missing;
}

}  // namespace

AccessWish wish_for(const profiles::Mesh& mesh,
                    const mesh::Observation& observation,
                    const profiles::RemoteSecretIntent& intent) {
  AccessWish wish;
  const mesh::ClusterObservation* seen = observation.find(intent.source);
  const mesh::ServerFacts* server =
      seen == nullptr ? nullptr : seen->server.found(mesh::Unknown::kNothingFollows);
  if (server != nullptr) wish.cluster_uid = server->cluster_uid;
  if (intent.kind == profiles::RemoteSecretIntent::Kind::kRemote) {
    wish.rights =
        profiles::rights_to_read(mesh, *mesh.find(intent.target), *mesh.find(intent.source));
  }
  return wish;
}

Result<AccessTrial> try_access(const k8s::ClientEffects& effects,
                               const RemoteKubeconfig& kubeconfig,
                               const AccessWish& wish) {
  using Kind = AccessTrial::Result;
  if (kubeconfig.token.empty()) {
    return AccessTrial{.result = Kind::kNotTried, .why = "it holds no token"};
  }
  auto settings = settings_for(kubeconfig);
  if (!settings) return AccessTrial{.result = Kind::kUnusable, .why = settings.error().message};
  settings->token = kubeconfig.token.clone();
  k8s::ApiClient client(*std::move(settings), effects, {.call_timeout = kAtMost});

  const auto who = client.who_am_i();
  if (!who) {
    if (who.error().code == Code::kCancelled) return base::fail(who.error());
    MESHTRUST_TRY(const Kind kind, kind_of(who.error(), client));
    return AccessTrial{.result = kind, .why = who.error().message};
  }
  const auto uid = uid_of_cluster(client);
  if (!uid) return not_tried(uid.error());
  AccessTrial trial{.result = Kind::kWorks,
                    .cluster_uid = *uid,
                    .username = *who ? (**who).username : "somebody"};
  if (!uid->empty() && !wish.cluster_uid.empty() && *uid != wish.cluster_uid) {
    trial.result = Kind::kElsewhere;
    trial.why = fmt::format(
        "the server at {} is of the cluster whose kube-system has the UID {}, "
        "wanted {}",
        kubeconfig.server, *uid, wish.cluster_uid);
    return trial;
  }
  auto missing = missing_of(wish.rights, client);
  if (!missing) return not_tried(missing.error());
  const auto secrets = client.can_i({.verb = "get", .object = k8s::secret_ref("", "")});
  if (!secrets) return not_tried(secrets.error());
  trial.missing = *std::move(missing);
  trial.reads_secrets = *secrets;
  return trial;
}

}  // namespace meshtrust::run
