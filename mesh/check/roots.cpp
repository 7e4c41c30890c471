#include "mesh/check/roots.h"

#include "base/text.h"
#include "istio/names.h"
#include "mesh/check/istiod.h"
#include "mesh/check/material.h"
#include "mesh/trust.h"
#include "pki/chain.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

using base::Error;
using profiles::Cluster;

/// The store's root, or nothing while there is none.
std::optional<StoreRoot> store_root(const CheckSubject& subject) {
  const StoreFacts* store = subject.observation.store.found(Unknown::kTold);
  return store == nullptr ? std::nullopt : root_of(*store);
}

/// Whether a change would push an intermediate.
bool is_any_cacerts_absent(const CheckSubject& subject) {
  return std::any_of(subject.mesh.clusters.begin(), subject.mesh.clusters.end(),
                     [&subject](const Cluster& cluster) {
                       const ClusterObservation* seen = subject.observed(cluster);
                       return cluster.runs_istiod() && seen != nullptr && lacks_cacerts(*seen);
                     });
}

/// The root, or what stands above it, that ends first; and what to call it.
struct FirstEnd {
  base::Instant at;
  std::string name = "the store's root";
};

FirstEnd first_end_of(const StoreRoot& root) {
  const pki::CertificateFacts& first = pki::first_to_end(root.issuer(), root.above).facts();
  if (root.above.empty()) return {.at = first.not_after};
  return {.at = first.not_after,
          .name = fmt::format("'{}' (by '{}')", first.subject, first.issuer)};
}

constexpr const char* kHowToRenew =
    "have it renewed ('meshtrust ca request --root' for the root), then 'meshtrust ca import'";

std::string describe_anchor(const StoreRoot& root) {
  return fmt::format("the store's root {} {}", root.above.empty() ? "is" : "stands below",
                     describe(root.anchor()));
}

/// An intermediate that would outlive its root is not minted; that is told before anything is
/// begun.
void check_room_for_intermediates(const CheckSubject& subject,
                                  const std::optional<StoreRoot>& root,
                                  Answer& answer) {
  if (subject.purpose != Purpose::kChange || !is_any_cacerts_absent(subject)) return;
  const auto& trust = subject.mesh.trust;
  const FirstEnd end = root ? first_end_of(*root)
                            : FirstEnd{.at = subject.at + trust.root.lifetime, .name = "the root"};
  // A run takes a while: what is minted at its end has to fit as well.
  constexpr base::Seconds kRun = std::chrono::minutes(10);
  const base::Seconds margin = root ? kRun : base::Seconds{1};
  if (subject.at + trust.intermediate.lifetime + margin <= end.at) return;
  answer.findings.push_back(
      {.code = "root-ends-too-soon",
       .cluster = {},
       .message = fmt::format("{} ends on {}, too soon for an intermediate of {}", end.name,
                              base::format_date(end.at),
                              base::format_duration(trust.intermediate.lifetime)),
       .hints = {"write a shorter 'intermediate.lifetime' in the mesh file"},
       .place = trust.intermediate.place});
}

/// The roots of a live cluster, and where they were seen.
struct LiveRoots {
  std::string what;  ///< "its workloads trust"
  std::string evidence;
  std::vector<pki::Certificate> roots = {};
  /// What kubectl is to delete where an installation that is gone left it behind.
  std::string left_behind = "configmap -A -l istio.io/config=true";
  bool is_of_istiod = false;  ///< it is what an istiod goes by, whatever its cacerts says
};

/// What an istiod has published; what stands in the way of knowing that is told.
std::optional<LiveRoots> roots_of_workloads(const CheckSubject& subject,
                                            const Cluster& cluster,
                                            const ClusterObservation& seen,
                                            Answer& answer) {
  // Where a control plane is hosted for others nobody has its roots: the one of the gateway
  // beside it, which has a CA of its own, publishes that in every namespace.
  if (cluster.role == profiles::Role::kExternal) return std::nullopt;
  if (const Error* why = seen.workload_roots.why_unknown();
      why != nullptr && subject.purpose == Purpose::kChange && !seen.server.is_unknown()) {
    answer.unknowns.push_back(with_context(*why, cluster.name));
  }
  const std::string* pem = seen.workload_roots.found(Unknown::kTold);
  if (pem == nullptr) return std::nullopt;
  const std::string place =
      fmt::format("ConfigMap '{}/{}'", subject.mesh.istio.system_namespace, istio::kRootConfigMap);
  auto roots = pki::certificates_from_pem(*pem);
  if (!roots) {
    answer.findings.push_back(
        {.code = "live-root-unreadable",
         .cluster = cluster.name,
         .message = fmt::format("the roots that its workloads trust ({}) cannot be read: {}", place,
                                roots.error().message),
         .hints = {fmt::format("is its istiod running? It writes the roots anew after 'kubectl "
                               "--context {} -n {} delete configmap {}'",
                               cluster.context, subject.mesh.istio.system_namespace,
                               istio::kRootConfigMap)}});
    return std::nullopt;
  }
  return LiveRoots{.what = "its workloads trust",
                   .evidence = place,
                   .roots = *std::move(roots),
                   .is_of_istiod = true};
}

/// Of a `cacerts` that this store issued.
std::optional<LiveRoots> roots_in_cacerts(const CheckSubject& subject,
                                          const Cluster& cluster,
                                          const ClusterObservation& seen) {
  const CacertsFacts* cacerts = seen.cacerts.found(Unknown::kTold);
  if (cacerts == nullptr ||
      ownership_of(*cacerts, cluster.name, subject.observation.store) != Ownership::kOurs) {
    return std::nullopt;
  }
  // One that cannot be read is told of as such.
  auto roots = pki::certificates_from_pem(cacerts->certificates.root_cert);
  if (!roots || roots->empty()) return std::nullopt;
  return LiveRoots{.what = "its cacerts trusts",
                   .evidence = fmt::format("{} in secret '{}/{}'", istio::kRootCertFile,
                                           subject.mesh.istio.system_namespace, istio::kCaSecret),
                   .roots = *std::move(roots)};
}

/// Of a `cacerts` where none is to be used, before there is a root: so that none is minted beside
/// it.
std::optional<LiveRoots> roots_in_unused_cacerts(const CheckSubject& subject,
                                                 const Cluster& cluster,
                                                 const ClusterObservation& seen,
                                                 Answer& answer) {
  if (cluster.runs_istiod()) return std::nullopt;  // the question is asked about every such cacerts
  if (const Error* why = seen.cacerts.why_unknown();
      why != nullptr && subject.purpose == Purpose::kChange && !seen.server.is_unknown()) {
    answer.unknowns.push_back(with_context(*why, cluster.name));
  }
  const CacertsFacts* cacerts = seen.cacerts.found(Unknown::kTold);
  if (cacerts == nullptr) return std::nullopt;
  auto roots = pki::certificates_from_pem(cacerts->certificates.root_cert);
  if (!roots) return std::nullopt;
  return LiveRoots{.what = "it is a remote, and has a cacerts that trusts",
                   .evidence = fmt::format("{} in secret '{}/{}'", istio::kRootCertFile,
                                           subject.mesh.istio.system_namespace, istio::kCaSecret),
                   .roots = *std::move(roots)};
}

/// Of a twin whose cacerts is gone or may not be read; else that is asked.
std::optional<LiveRoots> roots_in_twin(const CheckSubject& subject,
                                       const ClusterObservation& seen) {
  const TwinFacts* twin = seen.twin.found(Unknown::kTold);
  if (twin == nullptr || seen.cacerts.found(Unknown::kTold) != nullptr) return std::nullopt;
  auto roots = pki::certificates_from_pem(profiles::twin_certificates(twin->data).root_cert);
  if (!roots) return std::nullopt;
  return LiveRoots{
      .what = "its public twin shows",
      .evidence = fmt::format("{} in configmap '{}/{}'", istio::kRootCertFile,
                              subject.mesh.istio.system_namespace, istio::kPublicTwin),
      .roots = *std::move(roots),
      .left_behind = fmt::format("configmap -n {} {}", subject.mesh.istio.system_namespace,
                                 istio::kPublicTwin)};
}

/// Somebody without the store cannot tell which root is the mesh's.
bool is_root_known(const CheckSubject& subject) {
  const auto& store = subject.observation.store;
  return subject.is_managed() && !store.is_unknown() &&
         (subject.purpose == Purpose::kChange || !store.is_absent());
}

bool trusts(const LiveRoots& live, const std::optional<StoreRoot>& root) {
  return root && std::ranges::find(live.roots, root->anchor()) != live.roots.end();
}

/// How the istiod that made `cluster`'s workloads trust another root comes to sign below the
/// store's.
std::vector<std::string> hints_for_istiod(const CheckSubject& subject, const Cluster& cluster) {
  if (cluster.runs_istiod()) return how_to_change_its_root(subject, cluster);
  const Cluster* signer = subject.mesh.find(cluster.control_plane.front());
  if (signer == nullptr || subject.observed(*signer) == nullptr) return {};
  if (signer->role == profiles::Role::kExternal) return how_to_change_its_root(subject, *signer);
  if (!workloads_trust_another_root(subject, *signer)) return {};
  return {
      fmt::format("the istiod of '{}' signs for its workloads: what mends it there mends it "
                  "here",
                  signer->name)};
}

/// What to do about a root that workloads trust and the store does not have. What an istiod that is
/// gone left behind is nobody's.
std::vector<std::string> hints_for_live_root(const CheckSubject& subject,
                                             const Cluster& cluster,
                                             const ClusterObservation& seen,
                                             const LiveRoots& live) {
  std::vector<std::string> hints{
      "a live root is never replaced by apply: workloads that still trust the old one would refuse "
      "every new certificate"};
  const auto of_istiod =
      live.is_of_istiod ? hints_for_istiod(subject, cluster) : std::vector<std::string>();
  hints.insert(hints.end(), of_istiod.begin(), of_istiod.end());
  if (of_istiod.empty() && seen.istiod.is_absent() && seen.cacerts.is_absent()) {
    hints.push_back(fmt::format(
        "no istiod and no cacerts are there: if nothing else in the cluster is of that mesh, take "
        "away what it left with 'kubectl --context {} delete {}'",
        cluster.context, live.left_behind));
  }
  return hints;
}

}  // namespace

bool workloads_trust_another_root(const CheckSubject& subject, const Cluster& cluster) {
  if (!is_root_known(subject)) return false;
  Answer told_elsewhere;
  const auto live =
      roots_of_workloads(subject, cluster, *subject.observed(cluster), told_elsewhere);
  return live && !trusts(*live, store_root(subject));
}

void check_root_agrees(const CheckSubject& subject, Answer& answer) {
  if (!subject.is_managed()) return;
  if (const Error* why = subject.observation.store.why_unknown()) {
    answer.unknowns.push_back(*why);
    return;
  }
  const auto root = store_root(subject);
  check_room_for_intermediates(subject, root, answer);
  if (!root) return;
  const auto& wanted = subject.mesh.trust.root;
  const auto report = [&](std::string_view what, std::string_view live, std::string_view file,
                          const base::Place& place) {
    answer.findings.push_back(
        {.code = "root-differs",
         .cluster = {},
         .message = fmt::format("the {} of the store's root is '{}', the mesh file says '{}'", what,
                                live, file),
         .evidence = {"the root is " + describe(root->certificate)},
         .hints =
             {"write the old value into the mesh file: a live root is never replaced by apply"},
         .place = place});
  };
  const std::string& declared = subject.observation.store.found(Unknown::kTold)->declared_subject;
  if (declared != wanted.subject.text()) {
    report("subject", declared, wanted.subject.text(), wanted.subject_place);
  }
  const std::string& key = root->certificate.facts().key_type;
  if (key != pki::name_of(wanted.key)) {
    report("key", key, pki::name_of(wanted.key), wanted.key_place);
  }
  if (const FirstEnd end = first_end_of(*root); end.at <= subject.at) {
    Finding finding{
        .code = "root-expired",
        .cluster = {},
        .message = fmt::format("{} expired on {}", end.name, base::format_date(end.at))};
    if (!root->above.empty()) finding.hints.emplace_back(kHowToRenew);
    answer.findings.push_back(std::move(finding));
  }
}

void check_root_mintable(const CheckSubject& subject, Answer& answer) {
  if (!subject.is_managed() || subject.left_out.empty() || store_root(subject) ||
      subject.observation.store.is_unknown() || !is_any_cacerts_absent(subject)) {
    return;
  }
  const std::vector<std::string> names(subject.left_out.begin(), subject.left_out.end());
  answer.findings.push_back(
      {.code = "root-without-all",
       .cluster = {},
       .message = fmt::format("the store has no root yet, and none is minted while {} cannot be "
                              "looked at: whoever has a root there has that of the mesh",
                              base::join(names, ", ")),
       .evidence = {},
       .hints = {"make them reachable for the first run, or take them out of the mesh file until "
                 "they are"}});
}

void check_live_roots_agree(const CheckSubject& subject, Answer& answer) {
  if (!is_root_known(subject)) return;
  const auto root = store_root(subject);
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr) continue;
    for (const auto& live :
         {roots_of_workloads(subject, cluster, *seen, answer),
          roots_in_cacerts(subject, cluster, *seen),
          root ? std::nullopt : roots_in_unused_cacerts(subject, cluster, *seen, answer),
          roots_in_twin(subject, *seen)}) {
      if (!live || trusts(*live, root)) continue;
      answer.findings.push_back(
          {.code = "live-root-differs",
           .cluster = cluster.name,
           .message = fmt::format("{} {}, {}", live->what, describe(live->roots.front()),
                                  root ? describe_anchor(*root) : "the store has no root yet"),
           .evidence = {live->evidence},
           .hints = hints_for_live_root(subject, cluster, *seen, *live)});
      break;
    }
  }
}

}  // namespace meshtrust::mesh
