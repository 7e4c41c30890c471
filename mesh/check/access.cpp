#include "mesh/access.h"

#include "base/text.h"
#include "istio/names.h"
#include "mesh/check/installation.h"
#include "mesh/installed.h"
#include "mesh/known.h"
#include "profiles/environment.h"
#include "profiles/model.h"
#include "profiles/reader.h"
#include "profiles/remote_secret.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace meshtrust::mesh {

using profiles::Cluster;

namespace {

std::string removal_of(const std::string& context,
                       const std::string& space,
                       const std::string& name) {
  return fmt::format("'kubectl --context {} -n {} delete secret {}'", context, space, name);
}

/// A Secret of this mesh whose kubeconfig somebody else has written: nothing is taken over by
/// force, so no plan would come to its end.
void report_overwritten(const CheckSubject& subject,
                        const profiles::RemoteSecretIntent& intent,
                        const AccessState& state,
                        Answer& answer) {
  const profiles::RemoteSecret secret = profiles::remote_secret(subject.mesh, intent);
  answer.findings.push_back(
      {.code = "remote-secret-overwritten",
       .cluster = intent.target,
       .message = fmt::format("secret '{}/{}' holds what '{}' wrote, and {}", secret.namespace_name,
                              secret.name, state.writer, state.why),
       .hints = {fmt::format("find out what writes it, then {} and 'meshtrust apply', which makes "
                             "it anew",
                             removal_of(subject.mesh.find(intent.target)->context,
                                        secret.namespace_name, secret.name))}});
}

}  // namespace

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
        state.kind == AccessState::Kind::kForeign && state.writer.empty()) {
      answer.findings.push_back(
          {.code = "foreign-remote-secret",
           .severity = changing ? Severity::kCritical : Severity::kWarning,
           .cluster = intent.target,
           .message = state.why + "; its control plane would run on somebody else's kubeconfig",
           .hints = {"remove it once you know that nothing uses it"}});
    }
    if (!state.writer.empty()) report_overwritten(subject, intent, state, answer);
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
           .hints = {"remove it with " + removal_of(subject.mesh.find(intent.target)->context,
                                                    secret.namespace_name, secret.name)}});
    }
  }
}

namespace {

/// A cluster as an istiod is told of it, or its own.
struct Known {
  std::string name;   ///< what it calls it
  std::string where;  ///< "secret 'istio-system/istio-remote-secret-west'"
  std::string server = {};
  std::string ca = {};
  std::string uid = {};  ///< of kube-system; empty where nobody knows it
  bool is_ours = true;
  std::string removal = {};  ///< the command that takes it away
};

/// What a plan mends, or has nothing to do with, forbids no plan.
Severity severity_for(const CheckSubject& subject) {
  return subject.purpose == Purpose::kChange ? Severity::kWarning : Severity::kCritical;
}

/// `name` is "istio-system/istio-remote-secret-west"; empty where istiod names none.
bool is_by_secret_of_ours(const OwnerJudge& owners,
                          const ClusterObservation& seen,
                          const std::string& name) {
  const auto* secrets = seen.live.remote_secrets.found(Unknown::kTold);
  if (secrets == nullptr) return false;
  return std::any_of(secrets->begin(), secrets->end(), [&](const RemoteSecretFacts& secret) {
    return secret.namespace_name + "/" + secret.name == name &&
           owners.owner_of(marks_of(secret), seen) == Owner::kThisMesh;
  });
}

bool is_same_cluster(const Known& a, const Known& b) {
  if (!a.uid.empty() && !b.uid.empty()) return a.uid == b.uid;
  return !a.server.empty() && a.server == b.server && a.ca == b.ca;
}

/// Its own first, whose address for others and CA are nobody's business here.
std::vector<Known> known_to(const CheckSubject& subject,
                            const OwnerJudge& owners,
                            const Cluster& cluster,
                            const ClusterObservation& seen,
                            const std::vector<RemoteSecretFacts>& secrets) {
  std::vector<Known> known;
  const ServerFacts* server = seen.server.found(Unknown::kTold);
  if (cluster.role != profiles::Role::kExternal && server != nullptr) {
    known.push_back({.name = istiod_cluster_id(subject.mesh, cluster),
                     .where = "its own cluster",
                     .uid = server->cluster_uid});
  }
  for (const RemoteSecretFacts& secret : secrets) {
    if (!secret.is_watched) continue;
    for (const RemoteCluster& one : secret.clusters) {
      const AccessTrial* trial = one.trial.found(Unknown::kNothingFollows);
      known.push_back({.name = one.cluster,
                       .where = fmt::format("secret '{}/{}'", secret.namespace_name, secret.name),
                       .server = one.server,
                       .ca = one.ca,
                       .uid = trial == nullptr ? std::string() : trial->cluster_uid,
                       .is_ours = owners.owner_of(marks_of(secret), seen) == Owner::kThisMesh,
                       .removal = removal_of(cluster.context, secret.namespace_name, secret.name)});
    }
  }
  return known;
}

void report_twice(const Cluster& cluster, const Known& first, const Known& again, Answer& answer) {
  // What is not of this mesh is in the way of what is.
  const Known& extra = again.is_ours && !first.is_ours ? first : again;
  answer.findings.push_back(
      {.code = "cluster-known-twice",
       .cluster = cluster.name,
       .message =
           fmt::format("its istiod knows one cluster by two names, '{}' and '{}': each of its "
                       "endpoints counts twice",
                       first.name, again.name),
       .evidence = {first.where, again.where},
       .hints = {fmt::format("find out who made {}, then {}", extra.where, extra.removal)}});
}

/// `secret` is "istio-system/istio-remote-secret-west"; empty where istiod names none.
std::string how_to_forget(const Cluster& cluster, const std::string& secret) {
  const auto slash = secret.find('/');
  if (slash == std::string::npos) {
    return "add it to the mesh file, or find out who told istiod of it";
  }
  return fmt::format(
      "add it to the mesh file, or find out who made that secret, then {}",
      removal_of(cluster.context, secret.substr(0, slash), secret.substr(slash + 1)));
}

/// Clusters that an istiod lists itself, however it came to know them, but for those that it knows
/// by a Secret of this mesh: plans take that away.
void report_unnamed(const CheckSubject& subject,
                    const OwnerJudge& owners,
                    const Cluster& cluster,
                    const ClusterObservation& seen,
                    const std::vector<IstiodView>& views,
                    Answer& answer) {
  const std::string own = istiod_cluster_id(subject.mesh, cluster);
  std::map<std::string, std::string> unnamed;  // by name, where it comes from
  for (const IstiodView& view : views) {
    for (const IstiodView::Cluster& one : view.clusters) {
      if (one.id == own || subject.mesh.find(one.id) != nullptr) continue;
      if (is_by_secret_of_ours(owners, seen, one.secret)) continue;
      unnamed.emplace(one.id, one.secret);
    }
  }
  for (const auto& [name, secret] : unnamed) {
    answer.findings.push_back(
        {.code = "cluster-not-in-mesh-file",
         .severity = severity_for(subject),
         .cluster = cluster.name,
         .message = fmt::format(
             "its istiod serves a cluster '{}', which the mesh file does not name", name),
         .evidence = {secret.empty() ? "it names no secret for it"
                                     : fmt::format("it knows it by secret '{}'", secret)},
         .hints = {how_to_forget(cluster, secret)}});
  }
}

}  // namespace

void check_known_clusters(const CheckSubject& subject, Answer& answer) {
  const OwnerJudge owners(subject.mesh, subject.observation);
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr || !cluster.runs_istiod()) continue;
    if (const auto* secrets = seen->live.remote_secrets.found(Unknown::kTold)) {
      const std::vector<Known> known = known_to(subject, owners, cluster, *seen, *secrets);
      for (std::size_t i = 0; i < known.size(); ++i) {
        for (std::size_t j = i + 1; j < known.size(); ++j) {
          if (known[i].name == known[j].name || !is_same_cluster(known[i], known[j])) continue;
          report_twice(cluster, known[i], known[j], answer);
        }
      }
    }
    if (const auto* views = seen->live.istiods.found(Unknown::kNothingFollows)) {
      report_unnamed(subject, owners, cluster, *seen, *views, answer);
    }
  }
}

namespace {

/// One remote secret of this mesh, as it was tried.
struct Tried {
  const profiles::RemoteSecretIntent& intent;
  const RemoteSecretFacts& secret;
  const AccessTrial& trial;
  const AccessState& state;
};

std::string message_about(const Tried& tried) {
  using Result = AccessTrial::Result;
  const std::string secret =
      fmt::format("secret '{}/{}'", tried.secret.namespace_name, tried.secret.name);
  const std::string& source = tried.intent.source;
  switch (tried.trial.result) {
    case Result::kUntrusted:
      return fmt::format(
          "its istiod cannot use {}: the CA inside does not verify the API server of "
          "'{}'",
          secret, source);
    case Result::kRefused:
      return fmt::format("its istiod cannot use {}: the API server of '{}' does not take the token",
                         secret, source);
    case Result::kElsewhere:
      return fmt::format("{} leads to another cluster than '{}'", secret, source);
    case Result::kUnusable:
      return fmt::format("its istiod cannot use {}", secret);
    default:
      return fmt::format("{}, by which its istiod reads '{}', was not tried", secret, source);
  }
}

/// What brings a Secret back that is as it should be by all that plans look at: it is made anew,
/// with a CA that verifies the server, or a token that is taken.
std::string how_to_mend(const CheckSubject& subject, const Tried& tried) {
  if (tried.state.kind == AccessState::Kind::kDiffers) return "'meshtrust apply' writes it anew";
  const bool is_refused =
      tried.trial.result == AccessTrial::Result::kRefused && tried.state.writer.empty();
  const std::string command =
      is_refused
          ? removal_of(
                subject.mesh.find(tried.intent.source)->context,
                subject.mesh.istio.system_namespace,
                istio::token_secret_name(profiles::service_account_of(subject.mesh, tried.intent)))
          : removal_of(subject.mesh.find(tried.intent.target)->context, tried.secret.namespace_name,
                       tried.secret.name);
  return fmt::format("{}, then 'meshtrust apply', which makes it anew", command);
}

/// Whether every istiod of its cluster says that it has read the other one.
bool is_synced(const CheckSubject& subject, const Tried& tried) {
  const ClusterObservation* target = subject.observation.find(tried.intent.target);
  const auto* views = target->live.istiods.found(Unknown::kNothingFollows);
  if (views == nullptr || views->empty()) return false;
  return std::all_of(views->begin(), views->end(), [&tried](const IstiodView& view) {
    return std::any_of(view.clusters.begin(), view.clusters.end(), [&tried](const auto& one) {
      return one.id == tried.intent.source && one.status == "synced";
    });
  });
}

/// From here it cannot be told; its istiod can.
void report_untried(const CheckSubject& subject, const Tried& tried, Answer& answer) {
  const bool synced = is_synced(subject, tried);
  Finding finding{.code = "access-not-tried",
                  .severity = synced ? Severity::kNote : Severity::kWarning,
                  .cluster = tried.intent.target,
                  .message = message_about(tried),
                  .evidence = {tried.trial.why}};
  if (synced) {
    finding.evidence.push_back(
        fmt::format("its istiod says that it has read '{}'", tried.intent.source));
  } else {
    finding.hints = {"run 'meshtrust verify' from where istiods are, whose network may reach it"};
  }
  answer.findings.push_back(std::move(finding));
}

void report_trial(const CheckSubject& subject, const Tried& tried, Answer& answer) {
  if (tried.trial.result == AccessTrial::Result::kNotTried) {
    report_untried(subject, tried, answer);
    return;
  }
  answer.findings.push_back({.code = "access-broken",
                             .severity = severity_for(subject),
                             .cluster = tried.intent.target,
                             .message = message_about(tried),
                             .evidence = {tried.trial.why},
                             .hints = {how_to_mend(subject, tried)}});
}

void report_rights(const CheckSubject& subject, const Tried& tried, Answer& answer) {
  if (tried.trial.missing.empty()) return;
  const Cluster& source = *subject.mesh.find(tried.intent.source);
  answer.findings.push_back(
      {.code = "token-without-rights",
       .severity = severity_for(subject),
       .cluster = tried.intent.target,
       .message = fmt::format("its istiod lacks rights in '{}', without which it never finishes "
                              "reading it: {}",
                              source.name, base::join(tried.trial.missing, ", ")),
       .evidence = {fmt::format("the token in '{}' counts there as {}", tried.secret.name,
                                tried.trial.username),
                    fmt::format(
                        "they come from ClusterRole '{}' and the ClusterRoleBinding of that "
                        "name",
                        profiles::name_of_reader_role(subject.mesh, source))},
       .hints = {"'meshtrust apply' gives the reader its role back"}});
}

void report_secrets(const Tried& tried, Answer& answer) {
  if (!tried.trial.reads_secrets) return;
  answer.findings.push_back(
      {.code = "token-reads-secrets",
       .severity = Severity::kNote,
       .cluster = tried.intent.target,
       .message = fmt::format("whoever reads secret '{}' can read every secret of {}, its CA key "
                              "among them",
                              tried.secret.name, tried.intent.source),
       .hints = {
           "istiod of this version watches the secrets of every cluster that it knows and does "
           "not start to serve it without that right: guard remote secrets like CA keys"}});
}

/// What the Secret of an intent holds for its cluster, and the Secret; nothing where there is none.
std::optional<std::pair<const RemoteSecretFacts*, const RemoteCluster*>> entry_of(
    const profiles::Mesh& mesh,
    const profiles::RemoteSecretIntent& intent,
    const std::vector<RemoteSecretFacts>& secrets) {
  const profiles::RemoteSecret wanted = profiles::remote_secret(mesh, intent);
  for (const RemoteSecretFacts& secret : secrets) {
    for (const RemoteCluster& one : secret.clusters) {
      const bool is_it = secret.name == wanted.name && one.cluster == wanted.key;
      if (is_it) return std::pair(&secret, &one);
    }
  }
  return std::nullopt;
}

}  // namespace

void check_access(const CheckSubject& subject, Answer& answer) {
  if (subject.observation.level < Level::kDeep) return;
  const OwnerJudge owners(subject.mesh, subject.observation);
  for (const profiles::RemoteSecretIntent& intent : profiles::remote_secrets(subject.mesh)) {
    const ClusterObservation* target = subject.observation.find(intent.target);
    const auto* secrets =
        target == nullptr ? nullptr : target->live.remote_secrets.found(Unknown::kTold);
    if (secrets == nullptr || subject.observation.find(intent.source) == nullptr) continue;
    const auto entry = entry_of(subject.mesh, intent, *secrets);
    if (!entry) continue;
    const auto& [secret, cluster] = *entry;
    const AccessState state = state_of(subject.mesh, subject.observation, owners, intent);
    if (const base::Error* why = cluster->trial.why_unknown()) {
      const AccessTrial none{.why = why->message};
      report_trial(subject, {intent, *secret, none, state}, answer);
      continue;
    }
    const AccessTrial* trial = cluster->trial.found(Unknown::kTold);
    if (trial == nullptr) continue;  // it went away meanwhile
    const Tried tried{intent, *secret, *trial, state};
    if (trial->result != AccessTrial::Result::kWorks) {
      report_trial(subject, tried, answer);
      continue;
    }
    report_rights(subject, tried, answer);
    report_secrets(tried, answer);
  }
}

}  // namespace meshtrust::mesh
