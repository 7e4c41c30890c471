#include "run/observe_mesh.h"
#include "run/pool.h"
#include "run/secret_facts.h"

#include <utility>

namespace meshtrust::run {
namespace {

using mesh::Observed;
using mesh::TokenProbe;

/// As the istiod that has the token, in so far as a person's machine can stand in for it.
base::Result<TokenProbe> probe(k8s::ApiClient& holder, const RemoteKubeconfig& kubeconfig) {
  k8s::ClientSettings settings;
  settings.context = "remote secret";
  settings.cluster = kubeconfig.server;
  settings.user = "its token";
  settings.cluster_file = settings.user_file = "remote secret";
  MESHTRUST_TRY(settings.server, k8s::parse_server_url(kubeconfig.server));
  settings.tls_server_name = kubeconfig.tls_server_name;
  settings.certificate_authority = kubeconfig.ca_pem;
  settings.token = kubeconfig.token.clone();
  k8s::ApiClient client(std::move(settings), holder.effects(),
                        {.call_timeout = std::chrono::seconds(10)});
  MESHTRUST_TRY(const auto who, client.who_am_i());
  const k8s::ObjectRef slices{
      .api_version = "discovery.k8s.io/v1", .kind = "EndpointSlice", .resource = "endpointslices"};
  MESHTRUST_TRY(const bool endpoints, client.can_i({.verb = "list", .object = slices}));
  MESHTRUST_TRY(const bool secrets,
                client.can_i({.verb = "get", .object = k8s::secret_ref("", "")}));
  return TokenProbe{.username = who ? who->username : "somebody",
                    .reads_endpoints = endpoints,
                    .reads_secrets = secrets};
}

void probe_in(k8s::ApiClient& client, mesh::RemoteSecretFacts& facts) {
  const auto secret = client.get_secret(k8s::secret_ref(facts.namespace_name, facts.name));
  if (!secret || !*secret) return;
  for (mesh::RemoteCluster& one : facts.clusters) {
    const auto text = (*secret)->data.find(one.cluster);
    if (text == (*secret)->data.end()) continue;
    auto answer = probe(client, read_remote_kubeconfig(text->second));
    one.probe = answer ? Observed<TokenProbe>(*std::move(answer))
                       : Observed<TokenProbe>::unknown(std::move(answer).error());
  }
}

}  // namespace

void probe_tokens(const profiles::Mesh& /*mesh*/,
                  const World& world,
                  mesh::Observation& observation) {
  for_each_index(observation.clusters.size(), world.jobs, [&](std::size_t index) {
    mesh::ClusterObservation& seen = observation.clusters[index];
    const auto* found = seen.live.remote_secrets.found(mesh::Unknown::kTold);
    const auto client = world.clusters.client(seen.name);
    if (found == nullptr || !client) return;
    std::vector<mesh::RemoteSecretFacts> facts = *found;
    for (mesh::RemoteSecretFacts& one : facts) {
      probe_in(**client, one);
    }
    seen.live.remote_secrets = std::move(facts);
  });
}

}  // namespace meshtrust::run
