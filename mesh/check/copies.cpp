#include "mesh/check/copies.h"

#include "base/encoding.h"
#include "base/text.h"
#include "istio/names.h"
#include "mesh/check/material.h"
#include "mesh/trust.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace meshtrust::mesh {
namespace {

using profiles::Cluster;

constexpr std::size_t kShownDigits = 16;  // as many as commands want of a fingerprint
constexpr std::string_view kFile = "live-crl.pem";

/// A text of lists, and where it stands: in a mesh at rest the same one everywhere.
struct SeenText {
  std::string pem;
  std::vector<TrustPlace> places;

  std::vector<pki::RevocationList> lists() const {
    auto lists = pki::revocation_lists_from_pem(pem);
    return lists ? *std::move(lists) : std::vector<pki::RevocationList>();
  }
};

/// What is not the store's own set of lists.
std::vector<SeenText> other_texts(const CheckSubject& subject, const StoreFacts& store) {
  std::vector<SeenText> all;
  const auto add = [&](const std::string& pem, TrustPlace place) {
    if (pem.empty() || pem == store.lists) return;
    auto told = std::find_if(all.begin(), all.end(),
                             [&pem](const SeenText& one) { return one.pem == pem; });
    if (told == all.end()) told = all.insert(all.end(), {.pem = pem, .places = {}});
    told->places.push_back(std::move(place));
  };
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr) continue;
    if (const CacertsFacts* cacerts = seen->cacerts.found(Unknown::kTold)) {
      add(cacerts->certificates.ca_crl, {.cluster = cluster.name});
    }
    if (const TwinFacts* twin = seen->twin.found(Unknown::kTold)) {
      add(profiles::twin_certificates(twin->data).ca_crl,
          {.cluster = cluster.name, .is_twin = true});
    }
  }
  return all;
}

std::string describe_all(const std::vector<TrustPlace>& places, const profiles::Mesh& mesh) {
  std::vector<std::string> texts;
  std::transform(places.begin(), places.end(), std::back_inserter(texts),
                 [&mesh](const TrustPlace& place) { return describe(place, mesh); });
  return fmt::format("in {} of {}", istio::kCaCrlFile, base::join(texts, ", "));
}

/// The CAs whose lists the store may keep: above its root, and those that it issued, as far as they
/// are live.
std::vector<pki::Certificate> other_authorities(const CheckSubject& subject,
                                                const StoreFacts& store) {
  std::vector<pki::Certificate> authorities = authorities_above(store);
  std::set<std::string> issued;
  for (const IssuedFacts& one : store.issued) {
    if (!one.is_root) issued.insert(one.fingerprint);
  }
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    const CacertsFacts* cacerts = seen == nullptr ? nullptr : seen->cacerts.found(Unknown::kTold);
    if (cacerts == nullptr) continue;
    const auto live = pki::certificates_from_pem(cacerts->certificates.ca_cert);
    if (live && issued.contains(live->front().fingerprint())) authorities.push_back(live->front());
  }
  return authorities;
}

/// "number 5, of 2026-11-22T10:00:00Z".
std::string newest_text(const NewerList& newer) {
  if (!newer.newest) return "this store made none";
  return fmt::format("the newest that this store {}: {}", newer.is_of_root ? "made" : "has",
                     edition_of(*newer.newest));
}

/// How a person gets the lists into a file that can be given to a command.
std::string how_to_take_lists(const profiles::Mesh& mesh, const TrustPlace& place) {
  return fmt::format("'kubectl --context {} -n {} get {} -o jsonpath={}{} > {}'",
                     mesh.find(place.cluster)->context, mesh.istio.system_namespace,
                     place.is_twin ? fmt::format("configmap {}", istio::kPublicTwin)
                                   : fmt::format("secret {}", istio::kCaSecret),
                     R"("{.data.ca-crl\.pem}")", place.is_twin ? "" : " | base64 -d", kFile);
}

std::string how_to_give_lists(const profiles::Mesh& mesh) {
  return fmt::format("'meshtrust ca crl --with {} --store {}'", kFile, mesh.trust.store);
}

void report_newer(const CheckSubject& subject,
                  const StoreFacts& store,
                  const SeenList& seen,
                  Answer& answer) {
  const NewerList& newer = seen.newer;
  Finding finding{
      .code = newer.is_of_root ? "unknown-list-of-our-root" : "newer-list-live",
      .cluster = {},
      .message = {},
      .evidence = {edition_of(newer.list) + ", " + describe_all(seen.places, subject.mesh),
                   newest_text(newer)}};
  if (!newer.is_of_root) {
    finding.message = fmt::format(
        "a revocation list of '{}' is newer in a cluster than in this store; it is "
        "never overwritten by an older one",
        newer.list.facts().issuer);
    finding.hints = {how_to_take_lists(subject.mesh, seen.places.front()),
                     how_to_give_lists(subject.mesh) + " takes it over"};
    answer.findings.push_back(std::move(finding));
    return;
  }
  finding.message = fmt::format(
      "a revocation list of '{}' is signed by this store's root, and this store did not make it: "
      "this is an older copy of the store, or somebody else has the root's key",
      newer.list.facts().issuer);
  finding.hints.emplace_back(
      "put the newest copy of the store back: this one may undo what was revoked since, and "
      "nothing is changed with it");
  bool is_known = true;
  std::vector<std::string> revoke;
  for (const std::string& serial : newer.unknown) {
    const auto issued = std::find_if(store.issued.begin(), store.issued.end(),
                                     [&serial](const auto& one) { return one.serial == serial; });
    if (issued == store.issued.end()) {
      is_known = false;
      finding.evidence.push_back(
          fmt::format("it revokes serial {}, which this store did not issue", serial));
      continue;
    }
    const std::string digits = issued->fingerprint.substr(0, kShownDigits);
    finding.evidence.push_back(fmt::format("it revokes {} of {}, which this store does not know",
                                           base::group_hex(digits), issued->cluster));
    revoke.push_back(
        fmt::format("'meshtrust ca revoke {} --store {}', with --force where a cluster lives on it",
                    digits, subject.mesh.trust.store));
  }
  if (is_known) {
    finding.hints.emplace_back(
        "where there is no newer copy, this one can be brought up to what the list says:");
    finding.hints.insert(finding.hints.end(), revoke.begin(), revoke.end());
    finding.hints.push_back(how_to_take_lists(subject.mesh, seen.places.front()));
    finding.hints.push_back(how_to_give_lists(subject.mesh) +
                            " makes the next one, with a number above it");
  }
  answer.findings.push_back(std::move(finding));
}

/// A run that writes lists replaces it.
void report_forged(const CheckSubject& subject,
                   const SeenText& seen,
                   const StoreFacts& store,
                   Answer& answer) {
  for (const pki::RevocationList& list : forged_lists(seen.lists(), store)) {
    const bool is_replaced = subject.purpose == Purpose::kChange;
    answer.findings.push_back(
        {.code = "forged-list",
         .severity = is_replaced ? Severity::kWarning : Severity::kCritical,
         .cluster = {},
         .message =
             fmt::format("a revocation list bears the name of '{}', and its key did not sign "
                         "it",
                         list.facts().issuer),
         .evidence = {edition_of(list) + ", " + describe_all(seen.places, subject.mesh)},
         .hints = {
             "find out who put it there",
             fmt::format("{}'meshtrust apply --only trust' puts the right lists in its place",
                         subject.mesh.trust.crl ? "" : "with 'trust.crl' in the mesh file ")}});
  }
}

/// The twin of a cacerts that is gone, or may not be read, shows a CA that this ledger should know.
/// What stands in cacerts itself is asked about with it.
void report_unknown_issue(const CheckSubject& subject,
                          const Cluster& cluster,
                          const ClusterObservation& seen,
                          Answer& answer) {
  const TwinFacts* twin = seen.twin.found(Unknown::kTold);
  if (twin == nullptr || seen.cacerts.found(Unknown::kTold) != nullptr) return;
  const CacertsFacts shown{.resource_version = {},
                           .files = {},
                           .certificates = profiles::twin_certificates(twin->data),
                           .managers = {}};
  if (ownership_of(shown, cluster.name, subject.observation.store) != Ownership::kClaimsOurRoot) {
    return;
  }
  const auto live = pki::certificates_from_pem(shown.certificates.ca_cert);
  answer.findings.push_back(
      {.code = "unknown-issue-of-our-root",
       .cluster = cluster.name,
       .message = fmt::format("its public twin shows {}, which is signed by this store's root and "
                              "is not in its ledger: this is an older copy of the store, or "
                              "somebody else has the root's key",
                              describe(live->front())),
       .evidence = {fmt::format("{} in configmap '{}/{}'", istio::kCaCertFile,
                                subject.mesh.istio.system_namespace, istio::kPublicTwin)},
       .hints = {"find the store that issued it before anything else is done"}});
}

}  // namespace

std::string describe(const TrustPlace& place, const profiles::Mesh& mesh) {
  return fmt::format("{} '{}/{}' of {}", place.is_twin ? "configmap" : "secret",
                     mesh.istio.system_namespace,
                     place.is_twin ? istio::kPublicTwin : istio::kCaSecret, place.cluster);
}

std::vector<SeenList> newer_lists_seen(const CheckSubject& subject) {
  std::vector<SeenList> all;
  const StoreFacts* store = subject.observation.store.found(Unknown::kTold);
  if (store == nullptr || !subject.is_managed()) return all;
  const auto authorities = other_authorities(subject, *store);
  for (const SeenText& seen : other_texts(subject, *store)) {
    for (NewerList& newer : newer_lists(seen.lists(), *store, authorities, subject.at)) {
      auto told = std::find_if(all.begin(), all.end(), [&newer](const SeenList& one) {
        return one.newer.list == newer.list;
      });
      if (told == all.end()) {
        told = all.insert(all.end(), {.newer = std::move(newer), .places = {}});
      }
      told->places.insert(told->places.end(), seen.places.begin(), seen.places.end());
    }
  }
  return all;
}

void check_store_newest(const CheckSubject& subject, Answer& answer) {
  const StoreFacts* store = subject.observation.store.found(Unknown::kTold);
  if (store == nullptr || !subject.is_managed()) return;
  for (const SeenList& seen : newer_lists_seen(subject)) {
    report_newer(subject, *store, seen, answer);
  }
  for (const SeenText& seen : other_texts(subject, *store)) {
    report_forged(subject, seen, *store, answer);
  }
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen != nullptr) report_unknown_issue(subject, cluster, *seen, answer);
  }
}

}  // namespace meshtrust::mesh
