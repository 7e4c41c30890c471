#include "mesh/check/installation.h"

#include "istio/names.h"
#include "mesh/installed.h"
#include "mesh/known.h"
#include "profiles/environment.h"
#include "profiles/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

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
  answer.findings.push_back(
      {.code = "foreign-control-plane",
       .severity = subject.purpose == Purpose::kChange ? Severity::kCritical : Severity::kWarning,
       .cluster = cluster.name,
       .message = state.why + "; it is never taken over",
       .evidence = state.evidence,
       .hints = {fmt::format("take it away with 'istioctl --context {} uninstall --revision {}'",
                             cluster.context, revision),
                 "or leave it alone and write another 'istio.revision' in the mesh file"}});
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
      if (proving) add("installation-differs", Severity::kWarning, "run 'meshtrust apply'");
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
    std::optional<profiles::BaseFile> file;
    if (subject.files != nullptr) {
      const auto found = subject.files->find(cluster.name);
      if (found != subject.files->end()) file = found->second;
    }
    auto wanted = profiles::installations(subject.mesh, cluster, file);
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

/// A kind of webhook configuration, and what cannot be done while it has nobody to call.
struct WebhookKind {
  std::string_view resource;
  const char* word;
  const char* refused;
};

void report_orphans(const CheckSubject& subject,
                    const Cluster& cluster,
                    const Objects& objects,
                    const WebhookKind& kind,
                    Answer& answer) {
  const auto list = objects.list(kind.resource);
  const auto* found = list.found(Unknown::kTold);
  if (found == nullptr) return;
  const std::string& in = subject.mesh.istio.system_namespace;
  const auto is_orphan = [&](const Json& webhook) {
    const Json& service = base::at_path(webhook, {"clientConfig", "service"});
    return base::string_at(service, "namespace") == in &&
           base::string_at(webhook, "failurePolicy") == "Fail" &&
           objects.find(kServices, in, base::string_at(service, "name")).is_absent();
  };
  for (const Json& configuration : *found) {
    const Json& webhooks = list_at(configuration, {"webhooks"});
    const auto orphan = std::find_if(webhooks.begin(), webhooks.end(), is_orphan);
    if (orphan == webhooks.end()) continue;
    const std::string name = base::string_at(base::at_path(configuration, {"metadata"}), "name");
    const bool proving = subject.purpose == Purpose::kProve;
    answer.findings.push_back(
        {.code = "orphaned-webhook",
         .severity = proving ? Severity::kCritical : Severity::kWarning,
         .cluster = cluster.name,
         .message = fmt::format(
             "the webhook '{}' calls service '{}/{}', which does not exist: {}", name, in,
             base::string_at(base::at_path(*orphan, {"clientConfig", "service"}), "name"),
             kind.refused),
         .hints = {fmt::format("run 'meshtrust apply', or 'kubectl --context {} delete {} {}'",
                               cluster.context, kind.word, name)}});
  }
}

}  // namespace

void check_orphaned_webhooks(const CheckSubject& subject, Answer& answer) {
  constexpr std::array kWebhookKinds{
      WebhookKind{.resource = kMutatingWebhooks,
                  .word = "mutatingwebhookconfiguration",
                  .refused = "no pod that is to be injected can be created"},
      WebhookKind{.resource = kValidatingWebhooks,
                  .word = "validatingwebhookconfiguration",
                  .refused = "no configuration of Istio can be changed"}};
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr) continue;
    for (const WebhookKind& kind : kWebhookKinds) {
      report_orphans(subject, cluster, seen->live.objects, kind, answer);
    }
  }
}

}  // namespace meshtrust::mesh
