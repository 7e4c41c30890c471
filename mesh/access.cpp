#include "mesh/access.h"

#include "base/check.h"
#include "istio/names.h"
#include "profiles/remote_secret.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

using Kind = AccessState::Kind;

AccessState unknown(const base::Error& why) {
  return {.kind = Kind::kUnknown, .why = why.message, .error = why};
}

/// Where nobody knows, whoever changes something has been told already.
bool may_be_ours(const OwnerJudge& owners, const Marks& marks, const ClusterObservation& in) {
  const Owner owner = owners.owner_of(marks, in);
  return owner == Owner::kThisMesh || owner == Owner::kUndecided;
}

/// The CA that the cluster gives, or, of the address in the kubeconfig, the one by which this
/// program verifies it: behind something that ends TLS before the API server the former verifies
/// nothing.
bool is_ca_of(const ClusterObservation& source,
              const profiles::Cluster& described,
              const TokenSecretFacts& token,
              const RemoteCluster& entry) {
  if (entry.ca == token.ca) return true;
  const AccessTrial* trial = entry.trial.found(Unknown::kNothingFollows);
  if (trial != nullptr && trial->result == AccessTrial::Result::kWorks) return true;
  const ServerFacts* server = source.server.found(Unknown::kNothingFollows);
  return server != nullptr && (!described.api_server || *described.api_server == server->url) &&
         server->ca == "sha256:" + entry.ca;
}

/// What of an entry is not as it should be; empty where nothing is.
std::string difference(const ClusterObservation& source,
                       const profiles::Cluster& described,
                       const Observation& observation,
                       const TokenSecretFacts* token,
                       const RemoteCluster& entry) {
  const auto server = server_for_peers(described, observation);
  if (server && entry.server != *server) {
    return fmt::format("it leads to {}, wanted {}", entry.server, *server);
  }
  if (token == nullptr) return "its token no longer exists";
  if (token->token != entry.token || !is_ca_of(source, described, *token, entry)) {
    return "its token or CA is not that of the cluster";
  }
  return {};
}

}  // namespace

bool is_unmarked(const OwnerJudge& owners, const Marks& marks, const ClusterObservation& in) {
  return owners.root() && marks.root != *owners.root() && may_be_ours(owners, marks, in);
}

const TokenSecretFacts* token_of(const ClusterObservation& source, const std::string& account) {
  const auto* tokens = source.live.tokens.found(Unknown::kTold);
  if (tokens == nullptr) return nullptr;
  const auto found = std::find_if(tokens->begin(), tokens->end(), [&account](const auto& one) {
    return one.service_account == account && !one.token.empty();
  });
  return found == tokens->end() ? nullptr : &*found;
}

std::optional<std::string> server_for_peers(const profiles::Cluster& cluster,
                                            const Observation& observation) {
  if (cluster.api_server) return cluster.api_server;
  const ClusterObservation* seen = observation.find(cluster.name);
  const ServerFacts* server = seen == nullptr ? nullptr : seen->server.found(Unknown::kTold);
  if (server == nullptr) return std::nullopt;
  return server->url;
}

AccessState state_of(const profiles::Mesh& mesh,
                     const Observation& observation,
                     const OwnerJudge& owners,
                     const profiles::RemoteSecretIntent& intent) {
  const ClusterObservation* target = observation.find(intent.target);
  const ClusterObservation* source = observation.find(intent.source);
  const profiles::Cluster* described = mesh.find(intent.source);
  MESHTRUST_CHECK(target != nullptr && source != nullptr && described != nullptr);
  if (const auto* why = target->live.remote_secrets.why_unknown()) return unknown(*why);
  for (const base::Error* why : {source->live.tokens.why_unknown(), source->server.why_unknown()}) {
    if (why != nullptr) return unknown(with_context(*why, intent.source));
  }
  const profiles::RemoteSecret wanted = profiles::remote_secret(mesh, intent);
  const auto* secrets = target->live.remote_secrets.found(Unknown::kTold);
  if (secrets == nullptr) return {.kind = Kind::kAbsent, .why = "it does not exist"};
  const auto live = std::find_if(secrets->begin(), secrets->end(), [&wanted](const auto& one) {
    return one.name == wanted.name && one.namespace_name == wanted.namespace_name;
  });
  if (live == secrets->end()) return {.kind = Kind::kAbsent, .why = "it does not exist"};
  if (!may_be_ours(owners, marks_of(*live), *target)) {
    return {.kind = Kind::kForeign,
            .why = fmt::format("secret {}/{} was not made by this mesh", live->namespace_name,
                               live->name)};
  }
  const auto entry = std::find_if(live->clusters.begin(), live->clusters.end(),
                                  [&wanted](const auto& one) { return one.cluster == wanted.key; });
  if (entry == live->clusters.end() ||
      live->is_watched != (intent.kind == profiles::RemoteSecretIntent::Kind::kRemote)) {
    return {.kind = Kind::kDiffers, .why = "it was changed by hand"};
  }
  const TokenSecretFacts* token = token_of(*source, profiles::service_account_of(mesh, intent));
  if (std::string differs = difference(*source, *described, observation, token, *entry);
      !differs.empty()) {
    if (entry->writer.empty()) return {.kind = Kind::kDiffers, .why = std::move(differs)};
    return {.kind = Kind::kForeign, .why = std::move(differs), .writer = entry->writer};
  }
  // A token secret that somebody else made is used, and stays theirs.
  if (is_unmarked(owners, marks_of(*live), *target) ||
      is_unmarked(owners, marks_of(*token), *source)) {
    return {.kind = Kind::kUnmarked, .why = "it does not bear the root of this mesh yet"};
  }
  return {.kind = Kind::kAsWanted, .why = "it is there"};
}

std::string_view name_of(AccessTrial::Result result) {
  switch (result) {
    case AccessTrial::Result::kWorks:
      return "works";
    case AccessTrial::Result::kUntrusted:
      return "untrusted";
    case AccessTrial::Result::kRefused:
      return "refused";
    case AccessTrial::Result::kElsewhere:
      return "elsewhere";
    case AccessTrial::Result::kUnusable:
      return "unusable";
    case AccessTrial::Result::kNotTried:
      break;
  }
  return "not tried";
}

std::string access_step(const profiles::RemoteSecretIntent& intent) {
  return intent.kind == profiles::RemoteSecretIntent::Kind::kConfig
             ? fmt::format("{}/config-access", intent.target)
             : fmt::format("{}/access-{}", intent.target, intent.source);
}

std::string take_up_step(const profiles::RemoteSecretIntent& intent) {
  return fmt::format("{}/reads-{}", intent.target, intent.source);
}

}  // namespace meshtrust::mesh
