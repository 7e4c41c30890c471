#include "base/text.h"
#include "istio/names.h"
#include "mesh/check/copies.h"
#include "mesh/check/material.h"
#include "mesh/trust.h"
#include "pki/lint.h"
#include "pki/revocation_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace meshtrust::mesh {
namespace {

using pki::Certificate;
using profiles::Cluster;

/// As many as commands want of a fingerprint.
constexpr std::size_t kShownDigits = 16;

/// The CAs that a cluster's workloads present or are trusted by.
std::vector<Certificate> authorities_of(const istio::PublicBundle& bundle) {
  std::vector<Certificate> found;
  for (const std::string* pem : {&bundle.cert_chain, &bundle.root_cert}) {
    const auto certificates = pki::certificates_from_pem(*pem);
    if (certificates) found.insert(found.end(), certificates->begin(), certificates->end());
  }
  return found;
}

/// Whether it is the list of a CA that this store neither is nor issued, so that it is made
/// elsewhere.
bool is_from_above(const CheckSubject& subject, const Certificate& authority) {
  const StoreFacts* store = subject.observation.store.found(Unknown::kTold);
  const auto root = store == nullptr ? std::nullopt : root_of(*store);
  if (!root || root->above.empty()) return false;
  const auto& own = root->certificate.facts();
  const bool is_root = authority.facts().subject_der == own.subject_der;
  return !is_root && authority.facts().issuer_der != own.subject_der;
}

/// The refresh that the mesh file promises did not come.
void report_late_refresh(const CheckSubject& subject,
                         const std::string& cluster,
                         const istio::PublicBundle& bundle,
                         Answer& answer) {
  const auto lists = pki::revocation_lists_from_pem(bundle.ca_crl);
  if (!lists || lists->empty()) return;
  constexpr int kLate = 4;  // apply makes the next list at a half
  const profiles::CrlProfile& crl = *subject.mesh.trust.crl;
  const auto authorities = authorities_of(bundle);
  for (const pki::RevocationList& list : *lists) {
    const auto issuer = std::find_if(authorities.begin(), authorities.end(),
                                     [&list](const auto& one) { return list.is_of(one); });
    const auto end = list.facts().next_update;
    // A list that ends with its CA cannot be refreshed: that the CA ends is told elsewhere.
    if (!end || issuer == authorities.end() || *end >= issuer->facts().not_after) continue;
    const base::Seconds left = *end - subject.at;
    // What is nearly over is reported as such by the bundle's own judgement.
    if (left < pki::kListExpiryWarning || left >= crl.lifetime / kLate) continue;
    const bool is_given = is_from_above(subject, *issuer);
    // Those that are made here are about to be.
    if (subject.purpose == Purpose::kChange && !is_given) continue;
    Finding finding{
        .code = "crl-refresh-late",
        .severity = Severity::kWarning,
        .cluster = cluster,
        .message = fmt::format("the list of '{}' ends {} ({}), and then every connection fails",
                               list.facts().issuer, base::format_relative(*end, subject.at),
                               base::format_date(*end)),
        .evidence = {},
        .hints = {}};
    if (is_given) {
      finding.hints.emplace_back(
          "give the next one, which that CA makes, to 'meshtrust ca crl --with FILE', then run "
          "'meshtrust apply'");
    } else {
      finding.evidence.push_back(
          fmt::format("the mesh file says that it is refreshed by: {}", crl.refresh));
      finding.hints.emplace_back("run 'meshtrust apply', and see why nobody did");
    }
    answer.findings.push_back(std::move(finding));
  }
}

/// A CA that its issuer has revoked, by the ledger or by a list that another copy of the store
/// made, and that goes on signing.
void report_revoked(const CheckSubject& subject,
                    const Cluster& cluster,
                    const istio::PublicBundle& bundle,
                    const std::vector<SeenList>& newer,
                    Answer& answer) {
  const StoreFacts* store = subject.observation.store.found(Unknown::kTold);
  const auto live = pki::certificates_from_pem(bundle.ca_cert);
  if (store == nullptr || !live) return;
  const std::string& fingerprint = live->front().fingerprint();
  const auto issued = std::find_if(
      store->issued.begin(), store->issued.end(),
      [&fingerprint](const IssuedFacts& one) { return one.fingerprint == fingerprint; });
  if (issued == store->issued.end()) return;
  std::vector<std::string> evidence;
  if (issued->revoked) evidence.emplace_back("the ledger says that it is revoked");
  for (const SeenList& seen : newer) {
    const auto& unknown = seen.newer.unknown;
    if (std::find(unknown.begin(), unknown.end(), issued->serial) == unknown.end()) continue;
    evidence.push_back(fmt::format("the root's list ({}) in {} names it",
                                   edition_of(seen.newer.list),
                                   describe(seen.places.front(), subject.mesh)));
  }
  if (evidence.empty()) return;
  evidence.emplace_back(subject.mesh.trust.crl
                            ? "with the lists in place every peer refuses every workload of it"
                            : "no peer looks that up: the mesh file has no 'trust.crl'");
  Finding finding{
      .code = "live-ca-revoked",
      .cluster = cluster.name,
      .message = fmt::format("its intermediate {} is revoked and goes on signing its workloads",
                             describe(live->front())),
      .evidence = std::move(evidence),
      .hints = how_to_replace_cacerts(subject, cluster),
      .is_mended_by_change = true};
  if (issued->revoked) {
    finding.hints.push_back(
        fmt::format("if it was revoked by mistake: 'meshtrust ca revoke {} --undo --store {}'",
                    fingerprint.substr(0, kShownDigits), subject.mesh.trust.store));
  } else {
    finding.hints.insert(finding.hints.begin(), "first the store: it does not know that list");
  }
  answer.findings.push_back(std::move(finding));
}

/// Lists in a cluster that the mesh file does not ask for, or no longer.
void report_unattended(const std::string& cluster,
                       const istio::PublicBundle& bundle,
                       Answer& answer) {
  if (base::trim(bundle.ca_crl).empty()) return;
  answer.findings.push_back(
      {.code = "crl-unattended",
       .severity = Severity::kWarning,
       .cluster = cluster,
       .message = fmt::format("it has a {}, and the mesh file has no 'trust.crl': nobody makes the "
                              "next lists, and when the first of them ends every connection fails",
                              istio::kCaCrlFile),
       .hints = {"write 'trust.crl' again; lists without an entry are how revocation is given up, "
                 "because taking the file away changes nothing before every istiod restarts"}});
}

/// What a cluster has is not what the store would give it.
void report_difference(const CheckSubject& subject,
                       const std::string& cluster,
                       const istio::PublicBundle& bundle,
                       Answer& answer) {
  const StoreFacts* store = subject.observation.store.found(Unknown::kTold);
  const bool is_absent = base::trim(bundle.ca_crl).empty();
  if (!is_absent && (store == nullptr || store->lists == bundle.ca_crl)) return;
  answer.findings.push_back(
      {.code = is_absent ? "crl-absent" : "crl-differs",
       .severity = Severity::kWarning,
       .cluster = cluster,
       .message =
           is_absent
               ? fmt::format("it has no {}, so that it takes what is revoked", istio::kCaCrlFile)
               : fmt::format("its {} is not what the store would give it", istio::kCaCrlFile),
       .hints = {"run 'meshtrust apply'"}});
}

/// Nothing can be pushed while a CA is without a list.
void report_lacking(const CheckSubject& subject, Answer& answer) {
  const StoreFacts* store = subject.observation.store.found(Unknown::kTold);
  if (store == nullptr || store->without_list.empty()) return;
  answer.findings.push_back(
      {.code = "crl-lacking",
       .cluster = {},
       .message = fmt::format("the store knows no revocation list in force of '{}': lists without "
                              "it would cut every workload below off",
                              base::join(store->without_list, "', '")),
       .hints = {"'meshtrust ca crl --with FILE' takes the list that whoever has the key has made",
                 "of a CA that the store issued and nothing uses any more, 'meshtrust ca revoke "
                 "FINGERPRINT --unused' notes that"}});
}

}  // namespace

void check_revocation_lists(const CheckSubject& subject, Answer& answer) {
  const std::vector<SeenList> newer = newer_lists_seen(subject);
  if (subject.mesh.trust.crl) report_lacking(subject, answer);
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr || !cluster.runs_istiod()) continue;
    const Observed<Material> material = material_of(*seen);
    const Material* found = material.found(Unknown::kTold);
    if (found == nullptr) continue;
    const istio::PublicBundle& bundle = found->certificates;
    if (subject.is_managed()) report_revoked(subject, cluster, bundle, newer, answer);
    if (!subject.mesh.trust.crl) {
      report_unattended(cluster.name, bundle, answer);
      continue;
    }
    report_late_refresh(subject, cluster.name, bundle, answer);
    if (subject.purpose == Purpose::kChange) continue;  // which replaces the lists
    report_difference(subject, cluster.name, bundle, answer);
  }
}

}  // namespace meshtrust::mesh
