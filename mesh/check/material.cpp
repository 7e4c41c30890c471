#include "mesh/check/material.h"

#include "base/encoding.h"
#include "base/text.h"
#include "istio/names.h"
#include "mesh/trust.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

using base::Error;
using profiles::Cluster;

bool is_managed(const CheckSubject& subject) {
  return subject.mesh.trust.mode == profiles::TrustMode::kManaged;
}

/// The store's root, or nothing while there is none.
std::optional<pki::Certificate> store_root(const CheckSubject& subject) {
  const StoreFacts* store = subject.observation.store.found();
  if (store == nullptr || !store->root) return std::nullopt;
  auto root = pki::certificates_from_pem(*store->root);
  if (!root) return std::nullopt;
  return root->front();
}

/// Whether a change would push an intermediate.
bool is_any_cacerts_absent(const CheckSubject& subject) {
  return std::any_of(subject.mesh.clusters.begin(), subject.mesh.clusters.end(),
                     [&subject](const Cluster& cluster) {
                       const ClusterObservation* seen = subject.observed(cluster);
                       return cluster.runs_istiod() && seen != nullptr && seen->cacerts.is_absent();
                     });
}

std::string short_of(const pki::Certificate& certificate) {
  return base::group_hex(std::string_view(certificate.fingerprint()).substr(0, 16));
}

std::string describe(const pki::Certificate& certificate) {
  return fmt::format("'{}' (sha256 {} ...)", certificate.facts().subject, short_of(certificate));
}

/// A CA that this store did not issue: somebody else's, or ours from before the store was lost.
void describe_foreign(const CheckSubject& subject,
                      const Cluster& cluster,
                      const std::string& name,
                      Finding& finding) {
  const TwinFacts* twin = subject.observed(cluster)->twin.found();
  const bool looks_like_ours =
      twin != nullptr && twin->data.contains("mesh") && twin->data.at("mesh") == subject.mesh.name;
  if (subject.observation.store.is_absent() && looks_like_ours) {
    finding.message = fmt::format("{} exists, and there is no trust store '{}' to know it by", name,
                                  subject.mesh.trust.store);
    finding.evidence.emplace_back("its public twin says that it was written for this mesh");
    finding.hints.emplace_back("put the store back from a backup, or mend 'trust.store'");
    return;
  }
  finding.message = name + " was not issued by this store; it is never overwritten";
  finding.hints.emplace_back(
      "to prove and use trust that others manage, write 'trust: {mode: observed}' in the mesh "
      "file");
}

void report_foreign(const CheckSubject& subject,
                    const Cluster& cluster,
                    const CacertsFacts& cacerts,
                    Ownership ownership,
                    Answer& answer) {
  Finding finding{.code = "foreign-cacerts", .cluster = cluster.name, .message = {}};
  const auto live = pki::certificates_from_pem(cacerts.certificates.ca_cert);
  if (live) {
    finding.evidence.push_back("its certificate is " + describe(live->front()));
    finding.evidence.push_back("issued by '" + live->front().facts().issuer + "'");
  } else {
    finding.evidence.push_back("its ca-cert.pem is unreadable: " + live.error().message);
  }
  if (!cacerts.managers.empty()) {
    finding.evidence.push_back("written by " + base::join(cacerts.managers, ", "));
  }
  const std::string name =
      fmt::format("secret '{}/{}'", subject.mesh.istio.system_namespace, istio::kCaSecret);
  switch (ownership) {
    case Ownership::kOtherCluster:
      finding.code = "cacerts-of-another-cluster";
      finding.message = name + " holds a CA that this store issued for another cluster";
      finding.hints.emplace_back("check that the contexts in the mesh file are not swapped");
      break;
    case Ownership::kClaimsOurRoot:
      finding.code = "unknown-issue-of-our-root";
      finding.message =
          name +
          " is signed by this store's root and is not in its ledger: somebody else has the "
          "root's key, or this is an old copy of the store";
      finding.hints.emplace_back("find the store that issued it before anything else is done");
      break;
    case Ownership::kForeign:
    case Ownership::kOurs:
      describe_foreign(subject, cluster, name, finding);
      break;
  }
  answer.findings.push_back(std::move(finding));
}

Severity severity_of(const istio::BundleProblem& problem) {
  if (problem.severity == pki::Severity::kError) return Severity::kCritical;
  return problem.severity == pki::Severity::kWarning ? Severity::kWarning : Severity::kNote;
}

/// An intermediate that would outlive its root is not minted; that is told before anything is
/// begun.
void check_room_for_intermediates(const CheckSubject& subject,
                                  const std::optional<pki::Certificate>& root,
                                  Answer& answer) {
  if (subject.purpose != Purpose::kChange || !is_any_cacerts_absent(subject)) return;
  const auto& trust = subject.mesh.trust;
  const base::Instant end = root ? root->facts().not_after : subject.at + trust.root.lifetime;
  // A run takes a while: what is minted at its end has to fit as well.
  constexpr base::Seconds kRun = std::chrono::minutes(10);
  const base::Seconds margin = root ? kRun : base::Seconds{1};
  if (subject.at + trust.intermediate.lifetime + margin <= end) return;
  answer.findings.push_back(
      {.code = "root-ends-too-soon",
       .cluster = {},
       .message =
           fmt::format("the root ends on {}, too soon for an intermediate of {}",
                       base::format_date(end), base::format_duration(trust.intermediate.lifetime)),
       .hints = {"write a shorter 'intermediate.lifetime' in the mesh file"},
       .place = trust.intermediate.place});
}

}  // namespace

void check_root_agrees(const CheckSubject& subject, Answer& answer) {
  if (!is_managed(subject)) return;
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
         .evidence = {"the root is " + describe(*root)},
         .hints =
             {"write the old value into the mesh file: a live root is never replaced by apply"},
         .place = place});
  };
  const std::string& declared = subject.observation.store.found()->declared_subject;
  if (declared != wanted.subject.text()) {
    report("subject", declared, wanted.subject.text(), wanted.subject_place);
  }
  if (root->facts().key_type != pki::name_of(wanted.key)) {
    report("key", root->facts().key_type, pki::name_of(wanted.key), wanted.key_place);
  }
  if (root->facts().not_after <= subject.at) {
    answer.findings.push_back({.code = "root-expired",
                               .cluster = {},
                               .message = fmt::format("the store's root expired on {}",
                                                      base::format_date(root->facts().not_after))});
  }
}

void check_cacerts_ours(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr || !cluster.runs_istiod()) continue;
    const Error* why = subject.purpose == Purpose::kChange ? seen->cacerts.why_unknown()
                                                           : material_of(*seen).why_unknown();
    if (why != nullptr && !seen->server.is_unknown()) {
      answer.unknowns.push_back(with_context(*why, cluster.name));
    }
    const CacertsFacts* cacerts = seen->cacerts.found();
    if (cacerts == nullptr || !is_managed(subject)) continue;
    // Without the store nobody can tell whose it is. That is an error of its own where the store
    // cannot be read, and nothing at all to somebody who only looks.
    const auto& store = subject.observation.store;
    if (store.is_unknown() || (subject.purpose == Purpose::kProve && !store.is_found())) continue;
    const Ownership ownership = ownership_of(*cacerts, cluster.name, subject.observation.store);
    if (ownership != Ownership::kOurs) {
      report_foreign(subject, cluster, *cacerts, ownership, answer);
    }
  }
}

void check_cacerts_sound(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr || !cluster.runs_istiod()) continue;
    const Observed<Material> material = material_of(*seen);
    if (material.is_absent() && subject.purpose == Purpose::kProve) {
      answer.findings.push_back(
          {.code = "no-cacerts",
           .cluster = cluster.name,
           .message = fmt::format("there is no secret '{}/{}'", subject.mesh.istio.system_namespace,
                                  istio::kCaSecret),
           .hints = {is_managed(subject) ? "run 'meshtrust apply --only trust'"
                                         : "have it made by whoever manages this mesh's trust"}});
    }
    if (!material.is_found()) continue;
    const CacertsFacts* cacerts = seen->cacerts.found();
    istio::PublicBundle bundle = material.found()->certificates;
    // Whatever is wrong with lists that are about to be replaced must not stand in the way.
    if (subject.purpose == Purpose::kChange && subject.mesh.trust.crl) bundle.ca_crl.clear();
    const istio::BundleVerdict verdict = istio::judge_bundle(
        {.bundle = bundle,
         .key = cacerts == nullptr ? istio::KeyMatch::kNotLookedAt : cacerts->key,
         .at = subject.at});
    for (const istio::BundleProblem& problem : verdict.problems) {
      answer.findings.push_back({.code = problem.code,
                                 .severity = severity_of(problem),
                                 .cluster = cluster.name,
                                 .message = problem.message,
                                 .evidence = {fmt::format("istiod {} with this bundle",
                                                          istio::name_of(verdict.outcome))}});
    }
  }
}

namespace {

/// What to do about a root that workloads trust and the store does not have. What an istiod that is
/// gone left behind is nobody's.
std::vector<std::string> hints_for_live_root(const Cluster& cluster,
                                             const ClusterObservation& seen) {
  std::vector<std::string> hints{
      "a live root is never replaced by apply: workloads that still trust the old one would refuse "
      "every new certificate"};
  if (seen.istiod.is_absent() && seen.cacerts.is_absent()) {
    hints.push_back(fmt::format(
        "no istiod and no cacerts are there: if nothing else in the cluster is of that mesh, take "
        "away what it left with 'kubectl --context {} delete configmap -A -l istio.io/config=true'",
        cluster.context));
  }
  return hints;
}

}  // namespace

void check_live_roots_agree(const CheckSubject& subject, Answer& answer) {
  if (!is_managed(subject)) return;
  const auto& store = subject.observation.store;
  if (store.is_unknown() || (subject.purpose == Purpose::kProve && !store.is_found())) return;
  const auto root = store_root(subject);
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    // Where a control plane is hosted for others nobody has its roots: the one of the gateway
    // beside it, which has a CA of its own, publishes that in every namespace.
    if (seen == nullptr || cluster.role == profiles::Role::kExternal) continue;
    if (const Error* why = seen->workload_roots.why_unknown();
        why != nullptr && subject.purpose == Purpose::kChange && !seen->server.is_unknown()) {
      answer.unknowns.push_back(with_context(*why, cluster.name));
    }
    const std::string* pem = seen->workload_roots.found();
    if (pem == nullptr) continue;
    const auto live = pki::certificates_from_pem(*pem);
    if (!live) {
      answer.findings.push_back(
          {.code = "live-root-unreadable",
           .cluster = cluster.name,
           .message = fmt::format("the roots that its workloads trust (ConfigMap '{}/{}') cannot "
                                  "be read: {}",
                                  subject.mesh.istio.system_namespace, istio::kRootConfigMap,
                                  live.error().message)});
      continue;
    }
    if (root && std::find(live->begin(), live->end(), *root) != live->end()) continue;
    answer.findings.push_back(
        {.code = "live-root-differs",
         .cluster = cluster.name,
         .message = fmt::format("its workloads trust {}, {}", describe(live->front()),
                                root ? "the store's root is " + describe(*root)
                                     : std::string("the store has no root yet")),
         .evidence = {fmt::format("ConfigMap '{}/{}'", subject.mesh.istio.system_namespace,
                                  istio::kRootConfigMap)},
         .hints = hints_for_live_root(cluster, *seen)});
  }
}

void check_istiod_uses_cacerts(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr || !cluster.runs_istiod()) continue;
    if (const Error* why = seen->istiod.why_unknown();
        why != nullptr && subject.purpose == Purpose::kChange && !seen->server.is_unknown()) {
      answer.unknowns.push_back(with_context(*why, cluster.name));
    }
    const IstiodFacts* istiod = seen->istiod.found();
    if (istiod == nullptr || !seen->cacerts.is_absent()) continue;
    answer.findings.push_back(
        {.code = "istiod-without-cacerts",
         .severity = Severity::kWarning,
         .cluster = cluster.name,
         .message = "istiod already runs without cacerts: it signs with a CA of its own making, "
                    "does not pick the secret up before a restart, and until then its self-signed "
                    "root stays",
         .evidence = {fmt::format("deployment '{}' ({})", istiod->deployments.front(),
                                  istiod->image)},
         .hints = {"plan that restart: it changes the root under running workloads; meshtrust does "
                   "not restart istiod"}});
  }
}

void check_renewal_not_due(const CheckSubject& subject, Answer& answer) {
  if (!is_managed(subject)) return;
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr || !cluster.runs_istiod()) continue;
    const Observed<Material> material = material_of(*seen);
    if (!material.is_found()) continue;
    const auto live = pki::certificates_from_pem(material.found()->certificates.ca_cert);
    if (!live) continue;
    const base::Instant end = live->front().facts().not_after;
    // What is nearly over is reported as such by the bundle's own judgement.
    const bool nearly_over = end - subject.at < istio::kExpiryWarning;
    if (nearly_over || end - subject.at >= subject.mesh.trust.intermediate.renew_before) continue;
    answer.findings.push_back(
        {.code = "renewal-due",
         .severity = Severity::kWarning,
         .cluster = cluster.name,
         .message = fmt::format(
             "its intermediate expires {} ({}), inside the {} before expiry that the mesh file "
             "sets aside for renewal",
             base::format_relative(end, subject.at), base::format_date(end),
             base::format_duration(subject.mesh.trust.intermediate.renew_before))});
  }
}

void check_mutual_trust(const CheckSubject& subject, Answer& answer) {
  for (const PairVerdict& pair : judge_pairs(subject.mesh, subject.observation, subject.at)) {
    if (!pair.problem.empty() || pair.accepted()) continue;
    // Lists that are about to be replaced must not stand in the way of that.
    const bool by_lists_alone =
        std::all_of(pair.verdicts.begin(), pair.verdicts.end(), [](const pki::Verdict& verdict) {
          return verdict.accepted || verdict.judge == kListsJudge;
        });
    if (by_lists_alone && subject.purpose == Purpose::kChange && subject.mesh.trust.crl) continue;
    Finding finding{
        .code = "no-mutual-trust",
        .cluster = pair.to,
        .message = fmt::format("'{}' does not accept the workloads of '{}'", pair.to, pair.from)};
    for (const pki::Verdict& verdict : pair.verdicts) {
      if (!verdict.accepted) {
        finding.evidence.push_back(fmt::format("{}: {}", verdict.judge, verdict.reason));
      }
    }
    answer.findings.push_back(std::move(finding));
  }
}

}  // namespace meshtrust::mesh
