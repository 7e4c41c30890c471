#include "mesh/access.h"

#include "istio/names.h"
#include "mesh/check/installation.h"
#include "mesh/installed.h"
#include "mesh/known.h"
#include "profiles/environment.h"
#include "profiles/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace meshtrust::mesh {

using profiles::Cluster;

void check_managers(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    const NamespaceFacts* facts =
        seen == nullptr ? nullptr : seen->system_namespace.found(Unknown::kTold);
    if (facts == nullptr || !facts->control_planes || facts->control_planes->empty()) continue;
    const std::string wanted = profiles::control_plane_annotation(subject.mesh, cluster);
    if (*facts->control_planes == wanted) continue;
    answer.findings.push_back(
        {.code = "managed-by-others",
         .cluster = cluster.name,
         .message = wanted.empty()
                        ? fmt::format("'{}' manages it, in the mesh file it has its own control "
                                      "plane",
                                      *facts->control_planes)
                        : fmt::format("'{}' manages it, the mesh file says '{}'",
                                      *facts->control_planes, wanted),
         .evidence = {fmt::format("namespace '{}' has the annotation {}={}",
                                  subject.mesh.istio.system_namespace,
                                  istio::kControlPlaneAnnotation, *facts->control_planes)},
         .hints = {"an istiod reads the annotation once: take the remote out of the other mesh "
                   "first, then remove the annotation"},
         .place = cluster.control_plane_place});
  }
}

void check_remote_secrets(const CheckSubject& subject, Answer& answer) {
  const bool changing = subject.purpose == Purpose::kChange;
  const OwnerJudge owners(subject.mesh, subject.observation);
  for (const profiles::RemoteSecretIntent& intent : profiles::remote_secrets(subject.mesh)) {
    const ClusterObservation* target = subject.observation.find(intent.target);
    const auto* secrets =
        target == nullptr ? nullptr : target->live.remote_secrets.found(Unknown::kTold);
    if (secrets == nullptr || subject.observation.find(intent.source) == nullptr) continue;
    const AccessState state = state_of(subject.mesh, subject.observation, owners, intent);
    if (intent.kind == profiles::RemoteSecretIntent::Kind::kConfig &&
        state.kind == AccessState::Kind::kForeign) {
      answer.findings.push_back(
          {.code = "foreign-remote-secret",
           .severity = changing ? Severity::kCritical : Severity::kWarning,
           .cluster = intent.target,
           .message = state.why + "; its control plane would run on somebody else's kubeconfig",
           .hints = {"remove it once you know that nothing uses it"}});
    }
    for (const RemoteSecretFacts& secret : *secrets) {
      const bool describes =
          secret.is_watched &&
          std::any_of(secret.clusters.begin(), secret.clusters.end(),
                      [&intent](const auto& one) { return one.cluster == intent.source; });
      const Owner owner = owners.owner_of(marks_of(secret), *target);
      const bool is_ours = owner == Owner::kThisMesh || owner == Owner::kUndecided;
      if (!describes || is_ours) continue;
      answer.findings.push_back(
          {.code = "foreign-remote-secret",
           .severity = changing ? Severity::kCritical : Severity::kWarning,
           .cluster = intent.target,
           .message = fmt::format("secret '{}/{}' makes '{}' known to its istiod already and was "
                                  "not made by this mesh; istiod ignores a second one",
                                  secret.namespace_name, secret.name, intent.source),
           .hints = {fmt::format("remove it with 'kubectl --context {} -n {} delete secret {}'",
                                 subject.mesh.find(intent.target)->context, secret.namespace_name,
                                 secret.name)}});
    }
  }
}

void check_readers(const CheckSubject& subject, Answer& answer) {
  for (const profiles::RemoteSecretIntent& intent : profiles::remote_secrets(subject.mesh)) {
    const ClusterObservation* target = subject.observation.find(intent.target);
    const auto* secrets =
        target == nullptr ? nullptr : target->live.remote_secrets.found(Unknown::kTold);
    if (secrets == nullptr || intent.kind != profiles::RemoteSecretIntent::Kind::kRemote) continue;
    for (const RemoteSecretFacts& secret : *secrets) {
      for (const RemoteCluster& one : secret.clusters) {
        const TokenProbe* probe = one.probe.found(Unknown::kTold);
        if (one.cluster != intent.source || probe == nullptr) continue;
        if (!probe->reads_endpoints) {
          answer.findings.push_back(
              {.code = "token-without-rights",
               .cluster = intent.target,
               .message = fmt::format("the token in '{}' may not list endpoints in {}", secret.name,
                                      intent.source),
               .evidence = {"its API server takes it as " + probe->username},
               .hints = {"run 'meshtrust apply', which gives the reader its role back"}});
        }
        if (probe->reads_secrets) {
          answer.findings.push_back(
              {.code = "token-reads-secrets",
               .severity = Severity::kNote,
               .cluster = intent.target,
               .message = fmt::format("whoever reads secret '{}' can read every secret of {}, its "
                                      "CA key among them",
                                      secret.name, intent.source),
               .hints = {
                   "istiod of this version watches the secrets of every cluster that it knows and "
                   "does "
                   "not start to serve it without that right: guard remote secrets like CA keys"}});
        }
      }
    }
  }
}

}  // namespace meshtrust::mesh
