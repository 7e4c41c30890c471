#include "mesh/check/installation.h"

#include "istio/names.h"
#include "mesh/installed.h"
#include "mesh/known.h"
#include "mesh/trust.h"
#include "mesh/webhooks.h"
#include "profiles/environment.h"
#include "profiles/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace meshtrust::mesh {
namespace {

using base::Json;
using profiles::Cluster;
using profiles::Installation;

void report_foreign(const CheckSubject& subject,
                    const Cluster& cluster,
                    const Installation& installation,
                    const InstallState& state,
                    Answer& answer) {
  const std::string revision = installation.revision.empty() ? "default" : installation.revision;
  const ClusterObservation* seen = subject.observed(cluster);
  const bool has_no_cacerts = seen != nullptr && lacks_cacerts(*seen) && cluster.runs_istiod();
  answer.findings.push_back(
      {.code = "foreign-control-plane",
       .severity = subject.purpose == Purpose::kChange ? Severity::kCritical : Severity::kWarning,
       .cluster = cluster.name,
       .message = state.why + "; it is never taken over",
       .evidence = state.evidence,
       .hints = {fmt::format("take it away with 'istioctl --context {} uninstall --revision {}'",
                             cluster.context, revision),
                 has_no_cacerts
                     ? "does it sign below this mesh's root? It has no cacerts. Another "
                       "'istio.revision' beside it helps only then: both write the root that they "
                       "know into the ConfigMap istio-ca-root-cert"
                     : "or leave it alone and write another 'istio.revision' in the mesh file"}});
}

void report(const CheckSubject& subject,
            const Cluster& cluster,
            const Installation& installation,
            const InstallState& state,
            Answer& answer) {
  using Kind = InstallState::Kind;
  const bool proving = subject.purpose == Purpose::kProve;
  const auto add = [&](std::string code, Severity severity, std::string hint) {
    answer.findings.push_back({.code = std::move(code),
                               .severity = severity,
                               .cluster = cluster.name,
                               .message = state.why,
                               .evidence = state.evidence,
                               .hints = {std::move(hint)}});
  };
  switch (state.kind) {
    case Kind::kUnknown:
      answer.unknowns.push_back(with_context(*state.error, cluster.name));
      break;
    case Kind::kForeign:
      report_foreign(subject, cluster, installation, state, answer);
      break;
    case Kind::kOtherVersion:
      add("other-istio-version", Severity::kCritical,
          "an upgrade is not a side effect: write the live version into the mesh file, or upgrade "
          "with a revision of its own");
      answer.findings.back().place = subject.mesh.istio.version_place;
      break;
    case Kind::kAbsent:
      if (proving) add("not-installed", Severity::kCritical, "run 'meshtrust apply'");
      break;
    case Kind::kUnfinished:
    case Kind::kDiffers:
      if (proving && state.lacks_part) {
        add("missing", Severity::kCritical, "run 'meshtrust apply'");
      } else if (proving) {
        add("installation-differs", Severity::kWarning, "run 'meshtrust apply'");
      }
      break;
    case Kind::kAsWanted:
      break;
  }
}

/// The newest Gateway API that a release of Istio is built against.
std::string gateway_api_version(const istio::Version& version) {
  if (version.minor <= 27) return "v1.3.0";
  if (version.minor <= 29) return "v1.4.1";
  return version.minor == 30 ? "v1.5.1" : "v1.6.0";
}

}  // namespace

void check_installable(const CheckSubject& subject, Answer& answer) {
  for (base::Error& error : profiles::refuse_to_install(subject.mesh)) {
    answer.unknowns.push_back(std::move(error));
  }
}

void check_installations(const CheckSubject& subject, Answer& answer) {
  if (!profiles::refuse_to_install(subject.mesh).empty()) return;
  const profiles::Lookup known = known_values(subject.mesh, subject.observation);
  const OwnerJudge owners(subject.mesh, subject.observation);
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr || seen->server.is_unknown()) continue;
    auto wanted = wanted_installations(subject.mesh, cluster, subject.files);
    if (!wanted) {
      for (base::Error& error : wanted.error()) {
        answer.unknowns.push_back(std::move(error));
      }
      continue;
    }
    for (Installation& installation : *wanted) {
      const Installation resolved = profiles::resolve(std::move(installation), known);
      report(subject, cluster, resolved, state_of(owners, resolved, *seen), answer);
    }
  }
}

void check_gateway_api(const CheckSubject& subject, Answer& answer) {
  if (subject.mesh.istio.data_plane != profiles::DataPlane::kAmbient ||
      !subject.mesh.istio.version) {
    return;
  }
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr || !seen->live.objects.list(kApiGateways).is_absent()) continue;
    answer.findings.push_back(
        {.code = "no-gateway-api",
         .cluster = cluster.name,
         .message = "the Gateway API is not installed, and the east-west gateway of an ambient "
                    "mesh is one of its objects",
         .hints = {fmt::format("kubectl --context {} apply --server-side -f "
                               "https://github.com/kubernetes-sigs/gateway-api/releases/download/"
                               "{}/standard-install.yaml",
                               cluster.context,
                               gateway_api_version(*subject.mesh.istio.version))}});
  }
}

namespace {

/// "service 'old-mesh/istiod'", or "'https://istiod.example:15017'".
std::string describe(const WebhookTarget& target) {
  return target.service.empty()
             ? fmt::format("'{}'", target.server)
             : fmt::format("service '{}/{}'", target.namespace_name, target.service);
}

/// By what the webhooks of this mesh call its control planes in a cluster.
std::set<WebhookTarget> targets_of_this_mesh(const CheckSubject& subject, const Cluster& cluster) {
  const profiles::IstioProfile& istio = subject.mesh.istio;
  std::set<WebhookTarget> targets{
      {.namespace_name = istio.system_namespace, .service = istio::istiod_name(istio.revision)}};
  if (cluster.role == profiles::Role::kExternal) {
    targets.insert({.namespace_name = istio.ingress_namespace, .service = istio::istiod_name({})});
  }
  // What cannot be installed has no server that anybody could know.
  auto wanted = wanted_installations(subject.mesh, cluster, subject.files);
  if (!wanted) return targets;
  const profiles::Lookup known = known_values(subject.mesh, subject.observation);
  for (Installation& installation : *wanted) {
    targets.merge(servers_of(profiles::resolve(std::move(installation), known)));
  }
  return targets;
}

/// Looks for webhooks of Istio's kinds that refuse whatever they are asked, since nobody is there
/// to answer.
class OrphanSearch {
 public:
  OrphanSearch(const CheckSubject& subject,
               const Cluster& cluster,
               const Objects& objects,
               Answer& answer)
      : subject_(subject),
        cluster_(cluster),
        objects_(objects),
        answer_(answer),
        own_(targets_of_this_mesh(subject, cluster)) {}

  void run() {
    for (const WebhookKind& kind : kWebhookKinds) {
      const auto list = objects_.list(kind.resource);
      const auto* found = list.found(Unknown::kTold);
      for (const Json& configuration : found != nullptr ? *found : Objects::List()) {
        judge(kind, configuration);
      }
    }
  }

 private:
  struct Unjudged {
    WebhookTarget target;
    base::Error why;
  };

  /// One orphan in a configuration tells enough of it, whatever else is not known.
  void judge(const WebhookKind& kind, const Json& configuration) {
    std::optional<Unjudged> unjudged;
    for (const Json& webhook : list_at(configuration, {"webhooks"})) {
      if (!is_istio_webhook(webhook) || !fails_closed(webhook)) continue;
      const WebhookTarget target = target_of(webhook);
      const Observed<Objects::List> called = called_by(target);
      if (called.is_absent()) {
        report(kind, name_of(configuration), target);
        return;
      }
      const base::Error* why = called.why_unknown();
      if (why != nullptr && !unjudged) unjudged = {.target = target, .why = *why};
    }
    if (unjudged) tell_unknown(name_of(configuration), *unjudged);
  }

  /// Who is there to answer. In the namespaces of the mesh all Services were looked at, elsewhere
  /// those that are called; no server is asked.
  Observed<Objects::List> called_by(const WebhookTarget& target) const {
    if (target.service.empty()) return server_of(target);
    if (!is_in_namespace_of_mesh(target)) return objects_.list(key_of_called(target));
    const auto here = objects_.find(kServices, target.namespace_name, target.service);
    if (const base::Error* why = here.why_unknown()) return Observed<Objects::List>::unknown(*why);
    if (here.is_absent()) return Absent{};
    return Objects::List{};
  }

  /// A cluster that left has nobody to call at the server of this mesh; while it is of the mesh the
  /// conditions of its control plane tell. Of servers of others only an end says that nobody
  /// looked.
  Observed<Objects::List> server_of(const WebhookTarget& target) const {
    if (subject_.purpose != Purpose::kLeave) return Objects::List{};
    if (own_.contains(target)) return Absent{};
    return Observed<Objects::List>::unknown(
        {.code = base::Code::kUnavailable, .message = "it was not asked"});
  }

  bool is_in_namespace_of_mesh(const WebhookTarget& target) const {
    const profiles::IstioProfile& istio = subject_.mesh.istio;
    return target.namespace_name == istio.system_namespace ||
           (cluster_.role == profiles::Role::kExternal &&
            target.namespace_name == istio.ingress_namespace);
  }

  /// A change must not begin without knowing. What others have called is no part of a proof, and
  /// nothing of it is left behind by this mesh.
  void tell_unknown(const std::string& name, const Unjudged& unjudged) {
    const std::string what = fmt::format(
        "whether {} {}, which the webhook '{}' calls, is not known", describe(unjudged.target),
        unjudged.target.service.empty() ? "answers" : "exists", name);
    const bool is_told = subject_.purpose == Purpose::kProve ||
                         (subject_.purpose == Purpose::kLeave && !own_.contains(unjudged.target));
    if (!is_told) {
      answer_.unknowns.push_back(
          with_context(unjudged.why, fmt::format("{}: {}", cluster_.name, what)));
      return;
    }
    answer_.findings.push_back({.code = "webhook-not-judged",
                                .severity = Severity::kNote,
                                .cluster = cluster_.name,
                                .message = fmt::format("{}: {}", what, unjudged.why.message),
                                .hints = unjudged.why.hints});
  }

  /// Whether `apply` makes what is missing.
  bool is_mended_by_apply(const WebhookTarget& target) const {
    return subject_.purpose != Purpose::kLeave && own_.contains(target) &&
           profiles::refuse_to_install(subject_.mesh).empty();
  }

  /// What is mended by the change that is being planned does not stand in its way, and what has
  /// nothing to do with this mesh does not spoil its end.
  Severity severity_of(const WebhookTarget& target) const {
    const bool is_warning = (subject_.purpose == Purpose::kChange && is_mended_by_apply(target)) ||
                            (subject_.purpose == Purpose::kLeave && !own_.contains(target));
    return is_warning ? Severity::kWarning : Severity::kCritical;
  }

  void report(const WebhookKind& kind, const std::string& name, const WebhookTarget& target) {
    const std::string by_hand =
        fmt::format("kubectl --context {} delete {} {}", cluster_.context, kind.word, name);
    const std::string hint = is_mended_by_apply(target)
                                 ? fmt::format("run 'meshtrust apply', or '{}'", by_hand)
                                 : fmt::format("take it away with '{}'", by_hand);
    const std::string_view harm = kind.resource == kMutatingWebhooks
                                      ? "no pod that is to be injected can be created"
                                      : "no configuration of Istio can be changed";
    answer_.findings.push_back(
        {.code = "orphaned-webhook",
         .severity = severity_of(target),
         .cluster = cluster_.name,
         .message = fmt::format("the webhook '{}' calls {}, which {}", name, describe(target),
                                target.service.empty() ? "this cluster has left"
                                                       : fmt::format("does not exist: {}", harm)),
         .hints = {hint}});
  }

  const CheckSubject& subject_;
  const Cluster& cluster_;
  const Objects& objects_;
  Answer& answer_;
  const std::set<WebhookTarget> own_;
};

}  // namespace

void check_orphaned_webhooks(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen != nullptr) OrphanSearch(subject, cluster, seen->live.objects, answer).run();
  }
}

}  // namespace meshtrust::mesh
