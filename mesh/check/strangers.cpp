#include "mesh/strangers.h"

#include "base/text.h"
#include "istio/names.h"
#include "mesh/check/material.h"
#include "mesh/check/roots.h"
#include "mesh/trust.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

namespace meshtrust::mesh {
namespace {

using profiles::Cluster;

/// Everything of one name that a cluster has in places where it should not be.
struct Sightings {
  std::vector<std::string> places;
  bool is_anchor = false;
  bool is_in_cacerts = false;
  bool is_with_workloads = false;
};

/// By name, which holds the fingerprint.
using Strangers = std::map<std::string, Sightings>;

void add(const std::vector<Stranger>& found, const std::string& where, Strangers& strangers) {
  for (const Stranger& one : found) {
    Sightings& seen = strangers[one.name];
    seen.is_anchor |= one.file == istio::kRootCertFile;
    seen.places.push_back(fmt::format("{} in {}", one.file, where));
  }
}

/// Whether `roots` hold what workloads of this mesh have to trust. Where they do not, that is told
/// as such, and what they hold instead with it.
bool holds_our_anchor(std::string_view roots, const StoreRoot& root) {
  const auto trusted = pki::certificates_from_pem(roots);
  return trusted && std::ranges::find(*trusted, root.anchor()) != trusted->end();
}

Strangers strangers_of(const CheckSubject& subject,
                       const Cluster& cluster,
                       const ClusterObservation& seen,
                       const StoreFacts& store,
                       const StoreRoot& root) {
  const std::string& in = subject.mesh.istio.system_namespace;
  Strangers strangers;
  const CacertsFacts* cacerts = seen.cacerts.found(Unknown::kTold);
  const bool is_foreign =
      cacerts != nullptr &&
      ownership_of(*cacerts, cluster.name, subject.observation.store) != Ownership::kOurs;
  if (cacerts != nullptr && !is_foreign &&
      holds_our_anchor(cacerts->certificates.root_cert, root)) {
    add(strangers_in(cacerts->certificates, store),
        fmt::format("secret '{}/{}'", in, istio::kCaSecret), strangers);
    for (auto& [name, sightings] : strangers) {
      sightings.is_in_cacerts = true;
    }
  }
  const TwinFacts* twin = seen.twin.found(Unknown::kTold);
  if (twin != nullptr && !is_foreign) {
    const istio::PublicBundle shown = profiles::twin_certificates(twin->data);
    if (holds_our_anchor(shown.root_cert, root)) {
      add(strangers_in(shown, store), fmt::format("configmap '{}/{}'", in, istio::kPublicTwin),
          strangers);
    }
  }
  const std::string* workloads = seen.workload_roots.found(Unknown::kTold);
  // Beside a control plane for others stands a gateway with a CA of its own.
  if (workloads == nullptr || cluster.role == profiles::Role::kExternal ||
      !holds_our_anchor(*workloads, root)) {
    return strangers;
  }
  const auto published = strangers_among(*workloads, istio::kRootCertFile, store);
  add(published, fmt::format("configmap '{}/{}'", in, istio::kRootConfigMap), strangers);
  for (const Stranger& one : published) {
    strangers[one.name].is_with_workloads = true;
  }
  return strangers;
}

std::string message_about(const std::string& name, const Sightings& seen) {
  if (!seen.is_anchor) {
    return fmt::format("beside its CA it has {}, which does not belong there", name);
  }
  const bool is_shown_alone = !seen.is_in_cacerts && !seen.is_with_workloads;
  return fmt::format("{} {}, which is neither a root of this store nor above one",
                     is_shown_alone ? "viewers are told that its workloads trust"
                                    : "its workloads are told to trust",
                     name);
}

void report(const CheckSubject& subject,
            const Cluster& cluster,
            const std::string& name,
            const Sightings& seen,
            Answer& answer) {
  Finding finding{
      .code = "unknown-authority",
      .cluster = cluster.name,
      .message = message_about(name, seen),
      .evidence = seen.places,
      .hints = {seen.is_anchor
                    ? "find out who put it there: whoever has its key can be any workload of the "
                      "mesh to those who trust it"
                    : "find out who put it there"}};
  if (seen.is_in_cacerts) {
    const auto hints = how_to_replace_cacerts(subject, cluster);
    finding.hints.insert(finding.hints.end(), hints.begin(), hints.end());
  } else if (!seen.is_with_workloads) {
    // Only viewers go by the twin, and a change writes it anew.
    if (subject.purpose == Purpose::kChange) finding.severity = Severity::kWarning;
    finding.hints.emplace_back("'meshtrust apply --only trust' writes the public twin anew");
  }
  if (seen.is_with_workloads && !cluster.runs_istiod()) {
    finding.hints.push_back(fmt::format("see what {} is told to trust, whose istiod publishes it",
                                        base::join(cluster.control_plane, ", ")));
  } else if (seen.is_with_workloads) {
    finding.hints.push_back(
        fmt::format("its istiod has it in memory as long as it publishes it: once cacerts is as it "
                    "should be, 'kubectl --context {} -n {} rollout restart deployment -l {}'",
                    cluster.context, subject.mesh.istio.system_namespace, istio::kIstiodSelector));
  }
  answer.findings.push_back(std::move(finding));
}

/// istiod takes another form of the Secret before the one that is written here.
void report_other_form(const CheckSubject& subject,
                       const Cluster& cluster,
                       const ClusterObservation& seen,
                       Answer& answer) {
  const CacertsFacts* cacerts = seen.cacerts.found(Unknown::kTold);
  if (cacerts == nullptr ||
      std::ranges::find(cacerts->files, istio::kTlsCertFile) == cacerts->files.end() ||
      ownership_of(*cacerts, cluster.name, subject.observation.store) != Ownership::kOurs) {
    return;
  }
  Finding finding{
      .code = "cacerts-overridden",
      .cluster = cluster.name,
      .message = fmt::format("its cacerts holds '{}' too, which istiod takes in place of what this "
                             "store put there",
                             istio::kTlsCertFile),
      .evidence = {fmt::format("secret '{}/{}' holds {}", subject.mesh.istio.system_namespace,
                               istio::kCaSecret, base::join(cacerts->files, ", "))},
      .hints = how_to_replace_cacerts(subject, cluster)};
  finding.hints.insert(finding.hints.begin(), "find out who put it there");
  answer.findings.push_back(std::move(finding));
}

/// What others manage may trust more than one CA, but everywhere the same: an anchor that some
/// clusters lack is a mistake on its way to an outage.
void check_common_anchors(const CheckSubject& subject, Answer& answer) {
  std::map<std::string, std::vector<std::string>> holders;  // by certificate
  std::vector<std::string> asked;
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr || !cluster.runs_istiod()) continue;
    const Observed<std::string> pem = roots_of_istiod(subject.mesh, subject.observation, cluster);
    const std::string* found = pem.found(Unknown::kTold);
    const auto roots =
        found == nullptr
            ? base::Result<std::vector<pki::Certificate>>(base::fail(base::Code::kNotFound, "none"))
            : pki::certificates_from_pem(*found);
    if (!roots) continue;
    asked.push_back(cluster.name);
    for (const pki::Certificate& root : *roots) {
      auto& names = holders[describe(root)];
      if (names.empty() || names.back() != cluster.name) names.push_back(cluster.name);
    }
  }
  const bool is_any_common = std::any_of(holders.begin(), holders.end(), [&asked](const auto& one) {
    return one.second.size() == asked.size();
  });
  if (!is_any_common) return;  // nobody accepts anybody, and that is told
  for (const auto& [anchor, names] : holders) {
    if (names.size() == asked.size()) continue;
    std::vector<std::string> lacking;
    std::copy_if(asked.begin(), asked.end(), std::back_inserter(lacking),
                 [&having = names](const std::string& name) {
                   return std::find(having.begin(), having.end(), name) == having.end();
                 });
    answer.findings.push_back(
        {.code = "anchor-not-everywhere",
         .severity = Severity::kWarning,
         .cluster = {},
         .message = fmt::format("{} is trusted by {}, and not by {}", anchor,
                                base::join(names, ", "), base::join(lacking, ", ")),
         .evidence = {},
         .hints = {"have it put into, or taken out of, the roots of all, by whoever manages this "
                   "mesh's trust"}});
  }
}

}  // namespace

void check_anchors_known(const CheckSubject& subject, Answer& answer) {
  if (!subject.is_managed()) {
    check_common_anchors(subject, answer);
    return;
  }
  const StoreFacts* store = subject.observation.store.found(Unknown::kTold);
  const auto root = store == nullptr ? std::nullopt : root_of(*store);
  if (!root) return;
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr) continue;
    for (const auto& [name, sightings] : strangers_of(subject, cluster, *seen, *store, *root)) {
      report(subject, cluster, name, sightings, answer);
    }
    report_other_form(subject, cluster, *seen, answer);
  }
}

}  // namespace meshtrust::mesh
