#include "mesh/check/material.h"

#include "base/encoding.h"
#include "base/text.h"
#include "istio/names.h"
#include "mesh/trust.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace meshtrust::mesh {
namespace {

using base::Error;
using profiles::Cluster;

/// A CA that this store did not issue: somebody else's, or ours from before the store was lost.
void describe_foreign(const CheckSubject& subject,
                      const Cluster& cluster,
                      const std::string& name,
                      Finding& finding) {
  const TwinFacts* twin = subject.observed(cluster)->twin.found(Unknown::kTold);
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

}  // namespace

Finding finding_about(const istio::BundleProblem& problem, const std::string& cluster) {
  return {.code = problem.code,
          .severity = problem.severity == pki::Severity::kError     ? Severity::kCritical
                      : problem.severity == pki::Severity::kWarning ? Severity::kWarning
                                                                    : Severity::kNote,
          .cluster = cluster,
          .message = problem.message,
          .hints = problem.hints};
}

std::string describe(const pki::Certificate& certificate) {
  const std::string digits = certificate.fingerprint().substr(0, 16);
  return fmt::format("'{}' (sha256 {} ...)", certificate.facts().subject, base::group_hex(digits));
}

std::vector<std::string> how_to_replace_cacerts(const CheckSubject& subject,
                                                const Cluster& cluster) {
  return {fmt::format("'kubectl --context {} -n {} delete secret {}', then 'meshtrust apply --only "
                      "trust', gives it a new CA",
                      cluster.context, subject.mesh.istio.system_namespace, istio::kCaSecret),
          "meanwhile its istiod goes on with the CA that it has in memory; one that starts before "
          "the new one is there makes a CA of its own, which no other cluster trusts"};
}

namespace {

/// Of an intermediate of ours that is over, or nearly; nothing where it is not, or nobody knows.
std::vector<std::string> how_to_renew(const CheckSubject& subject, const Cluster& cluster) {
  const CacertsFacts* cacerts = subject.observed(cluster)->cacerts.found(Unknown::kTold);
  if (!subject.is_managed() || cacerts == nullptr ||
      ownership_of(*cacerts, cluster.name, subject.observation.store) != Ownership::kOurs) {
    return {};
  }
  const auto live = pki::certificates_from_pem(cacerts->certificates.ca_cert);
  if (!live || live->front().facts().not_after - subject.at >= istio::kExpiryWarning) return {};
  return how_to_replace_cacerts(subject, cluster);
}

}  // namespace

void check_cacerts_ours(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr || !cluster.runs_istiod()) continue;
    if (seen->other_ca.found(Unknown::kTold) != nullptr) continue;  // it is not read
    const Error* why = subject.purpose == Purpose::kChange ? seen->cacerts.why_unknown()
                                                           : material_of(*seen).why_unknown();
    if (why != nullptr && !seen->server.is_unknown()) {
      answer.unknowns.push_back(with_context(*why, cluster.name));
    }
    const CacertsFacts* cacerts = seen->cacerts.found(Unknown::kTold);
    if (cacerts == nullptr || !subject.is_managed()) continue;
    // Without the store nobody can tell whose it is. That is an error of its own where the store
    // cannot be read, and nothing at all to somebody who only looks.
    const auto& store = subject.observation.store;
    if (store.is_unknown() || (subject.purpose == Purpose::kProve && store.is_absent())) continue;
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
    // Where an istiod runs without it, what that does is told of it.
    const bool is_running = seen->istiod.found(Unknown::kTold) != nullptr;
    if (material.is_absent() && subject.purpose == Purpose::kProve && !is_running) {
      answer.findings.push_back(
          {.code = "no-cacerts",
           .cluster = cluster.name,
           .message = fmt::format("there is no secret '{}/{}'", subject.mesh.istio.system_namespace,
                                  istio::kCaSecret),
           .hints = {subject.is_managed() ? "run 'meshtrust apply --only trust'"
                                          : "have it made by whoever manages this mesh's trust"}});
    }
    const Material* found = material.found(Unknown::kTold);
    if (found == nullptr) continue;
    const CacertsFacts* cacerts = seen->cacerts.found(Unknown::kTold);
    istio::PublicBundle bundle = found->certificates;
    // Whatever is wrong with lists that are about to be replaced must not stand in the way.
    if (subject.purpose == Purpose::kChange && subject.mesh.trust.crl) bundle.ca_crl.clear();
    const istio::BundleVerdict verdict = istio::judge_bundle(
        {.bundle = bundle,
         .key = cacerts == nullptr ? istio::KeyMatch::kNotLookedAt : cacerts->key,
         .at = subject.at});
    std::vector<std::string> way_out = how_to_renew(subject, cluster);
    for (const istio::BundleProblem& problem : verdict.problems) {
      Finding finding = finding_about(problem, cluster.name);
      finding.evidence.push_back(fmt::format("istiod {}", istio::sentence_of(verdict.outcome)));
      if (problem.code == "expired" || problem.code == "expires-soon") {
        std::ranges::move(std::exchange(way_out, {}), std::back_inserter(finding.hints));
      }
      answer.findings.push_back(std::move(finding));
    }
  }
}

void check_renewal_not_due(const CheckSubject& subject, Answer& answer) {
  if (!subject.is_managed()) return;
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr || !cluster.runs_istiod()) continue;
    const Observed<Material> material = material_of(*seen);
    const Material* found = material.found(Unknown::kTold);
    if (found == nullptr) continue;
    const auto live = pki::certificates_from_pem(found->certificates.ca_cert);
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
             base::format_duration(subject.mesh.trust.intermediate.renew_before)),
         .hints = how_to_replace_cacerts(subject, cluster)});
  }
}

void check_mutual_trust(const CheckSubject& subject, Answer& answer) {
  for (const PairVerdict& pair : judge_pairs(subject.mesh, subject.observation, subject.at)) {
    auto finding = finding_about(pair);
    if (!finding) continue;
    // Lists that are about to be replaced must not stand in the way of that.
    const bool by_lists_alone =
        std::all_of(pair.verdicts.begin(), pair.verdicts.end(), [](const pki::Verdict& verdict) {
          return verdict.accepted || verdict.judge == istio::kListsJudge;
        });
    if (by_lists_alone && subject.purpose == Purpose::kChange && subject.mesh.trust.crl) continue;
    answer.findings.push_back(*std::move(finding));
  }
}

}  // namespace meshtrust::mesh
