#include "mesh/check/istiod.h"

#include "istio/names.h"
#include "mesh/check/material.h"
#include "mesh/check/roots.h"
#include "mesh/trust.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

namespace meshtrust::mesh {
namespace {

using base::Error;
using profiles::Cluster;

/// Where an istiod got the CA with which it signs while there is no `cacerts`.
enum class Origin {
  kCacerts,  ///< from one that was there when it started
  kItsOwn,   ///< it made one itself
  kUnknown,
};

/// By the roots that it has published.
struct CaInUse {
  Origin origin = Origin::kUnknown;
  std::string evidence;   ///< what tells it, or why nothing does
  bool is_other = false;  ///< a root that no `cacerts` of the mesh brought
};

std::string name_of_secret(const CheckSubject& subject) {
  return fmt::format("secret '{}/{}'", subject.mesh.istio.system_namespace, istio::kCaSecret);
}

/// The roots that `cacerts` of this mesh bring or brought, as far as anybody can see.
std::vector<pki::Certificate> roots_of_cacerts(const CheckSubject& subject) {
  std::set<std::string> texts;
  if (const StoreFacts* store = subject.observation.store.found(Unknown::kTold)) {
    texts.insert(store->roots.begin(), store->roots.end());
    texts.insert(store->above);
  }
  for (const ClusterObservation& seen : subject.observation.clusters) {
    if (const CacertsFacts* cacerts = seen.cacerts.found(Unknown::kTold)) {
      texts.insert(cacerts->certificates.root_cert);
    }
    if (const TwinFacts* twin = seen.twin.found(Unknown::kTold)) {
      texts.insert(profiles::twin_certificates(twin->data).root_cert);
    }
  }
  std::vector<pki::Certificate> roots;
  for (const std::string& text : texts) {
    // What cannot be read is told where it stands.
    if (const auto found = pki::certificates_from_pem(text)) {
      roots.insert(roots.end(), found->begin(), found->end());
    }
  }
  return roots;
}

/// Whether it looks like the CA that an istiod without `cacerts` makes: named after nothing but its
/// trust domain.
bool is_made_by_istiod(const CheckSubject& subject, const pki::Certificate& root) {
  return root.is_self_signed() && root.facts().subject == "O=" + subject.mesh.trust_domain;
}

/// `brought` as from `roots_of_cacerts`.
CaInUse ca_in_use(const CheckSubject& subject,
                  const Cluster& cluster,
                  const std::vector<pki::Certificate>& brought) {
  const std::string place =
      fmt::format("ConfigMap '{}/{}'", subject.mesh.istio.system_namespace, istio::kRootConfigMap);
  const Observed<std::string> published =
      roots_published_by(subject.mesh, subject.observation, cluster);
  if (const Error* why = published.why_unknown()) {
    return {.evidence = fmt::format("the roots in {} are not known: {}", place, why->message)};
  }
  const std::string* pem = published.found(Unknown::kTold);
  if (pem == nullptr) return {.evidence = fmt::format("it has published no root in {}", place)};
  const auto roots = pki::certificates_from_pem(*pem);
  if (!roots) return {.evidence = fmt::format("the roots in {} cannot be read", place)};
  const std::string holds = fmt::format("{} holds {}", place, describe(roots->front()));
  const bool is_brought = std::ranges::any_of(*roots, [&brought](const pki::Certificate& root) {
    return std::ranges::find(brought, root) != brought.end();
  });
  if (is_brought) {
    return {.origin = Origin::kCacerts, .evidence = holds + ", which a cacerts brought"};
  }
  if (is_made_by_istiod(subject, roots->front())) {
    return {.origin = Origin::kItsOwn, .evidence = holds + ", as istiod makes one for itself"};
  }
  if (brought.empty()) {
    return {.evidence = holds + ", and there is no other cacerts to compare it with"};
  }
  return {.evidence = holds + ", which no cacerts of the mesh brought", .is_other = true};
}

/// As kubectl takes it.
std::string deployment_of(const CheckSubject& subject, const Cluster& cluster) {
  const IstiodFacts* istiod = subject.observed(cluster)->istiod.found(Unknown::kTold);
  return "deployment/" + (istiod == nullptr ? istio::istiod_name(subject.mesh.istio.revision)
                                            : istiod->deployments.front());
}

std::string how_to_restart(const CheckSubject& subject, const Cluster& cluster) {
  return fmt::format("'kubectl --context {} -n {} rollout restart {}'", cluster.context,
                     subject.mesh.istio.system_namespace, deployment_of(subject, cluster));
}

/// What is left of the CA that the istiod of `cluster` made for itself, once it has another.
std::string how_to_delete_its_own(const CheckSubject& subject, const Cluster& cluster) {
  const Cluster* target = target_of_istiod(subject.mesh, subject.observation, cluster);
  return fmt::format(
      "then 'kubectl --context {} -n {} delete secret {}': it holds the key of istiod's own CA, "
      "which the next istiod that starts without cacerts would take up again",
      (target == nullptr ? cluster : *target).context, subject.mesh.istio.system_namespace,
      istio::kSelfSignedCaSecret);
}

/// Workloads learn of another root only with their next certificate.
constexpr const char* kPriceOfAnotherRoot =
    "the price: among the workloads for which it signs, those with a certificate below its old "
    "root and those with one below the new refuse each other until the former have renewed it "
    "(half-way through its life, within 12 hours of Istio's 24) or are restarted; other clusters "
    "refuse the former already";

/// The flags by which `ca issue` makes what the mesh file says.
std::string flags_of(const profiles::IntermediateProfile& wanted) {
  const profiles::IntermediateProfile usual;
  std::string flags;
  if (wanted.key != usual.key) flags += fmt::format(" --key {}", pki::name_of(wanted.key));
  if (wanted.lifetime != usual.lifetime) {
    flags += " --lifetime " + base::format_duration(wanted.lifetime);
  }
  return flags;
}

/// Where the root is below which a new CA is to stand.
enum class RootPlace { kInStore, kNotMadeYet, kElsewhere };

RootPlace place_of_root(const CheckSubject& subject) {
  const auto& store = subject.observation.store;
  const StoreFacts* facts = store.found(Unknown::kTold);
  if (facts != nullptr && facts->root) return RootPlace::kInStore;
  // Who only looks need not have the store, and a second root would part the mesh.
  const bool is_without_root =
      facts != nullptr || (store.is_absent() && subject.purpose == Purpose::kChange);
  return is_without_root && roots_of_cacerts(subject).empty() ? RootPlace::kNotMadeYet
                                                              : RootPlace::kElsewhere;
}

constexpr std::string_view kWhereTheRootIs = " on the machine whose trust store holds that root";

/// How a `cacerts` below the mesh's root comes into a cluster by hand: `what` that does, where, and
/// then a command a hint.
std::vector<std::string> how_to_make_cacerts(const CheckSubject& subject,
                                             const Cluster& cluster,
                                             std::string_view what) {
  const auto& trust = subject.mesh.trust;
  const RootPlace root = place_of_root(subject);
  std::vector<std::string> hints{fmt::format("{} by hand, in the folder of '{}'{}:", what,
                                             trust.store_place.file,
                                             root == RootPlace::kElsewhere ? kWhereTheRootIs : "")};
  if (root == RootPlace::kNotMadeYet) {
    hints.push_back(fmt::format("'meshtrust ca create --store {} --subject \"{}\" --key {}'",
                                trust.store, trust.root.subject.text(),
                                pki::name_of(trust.root.key)));
  }
  hints.push_back(fmt::format("'meshtrust ca issue {0} --store {1} --out {0}{2}'", cluster.name,
                              trust.store, flags_of(trust.intermediate)));
  hints.push_back(fmt::format(
      "'kubectl --context {0} -n {1} create secret generic {2} --from-file={3}', then "
      "'rm -r {3}', for it holds the key",
      cluster.context, subject.mesh.istio.system_namespace, istio::kCaSecret, cluster.name));
  return hints;
}

std::vector<std::string> hints_where_deleted(const CheckSubject& subject) {
  if (subject.is_managed()) {
    const bool is_elsewhere = place_of_root(subject) == RootPlace::kElsewhere;
    return {fmt::format(
        "run 'meshtrust apply --only trust'{} before anything restarts istiod: it puts a new CA "
        "below the same root there, which istiod takes up without a restart",
        is_elsewhere ? kWhereTheRootIs : "")};
  }
  return {
      "have it put back by whoever manages this mesh's trust, before anything restarts istiod: "
      "below the same root istiod takes it up without a restart"};
}

std::vector<std::string> hints_where_self_signed(const CheckSubject& subject,
                                                 const Cluster& cluster) {
  if (subject.is_managed()) return how_to_change_its_root(subject, cluster);
  return {"have it made by whoever manages this mesh's trust",
          "once it is there, istiod takes it up when it is restarted: " +
              how_to_restart(subject, cluster),
          how_to_delete_its_own(subject, cluster), kPriceOfAnotherRoot};
}

std::vector<std::string> hints_where_untold(const CheckSubject& subject,
                                            const Cluster& cluster,
                                            const CaInUse& ca) {
  std::vector<std::string> hints;
  if (subject.purpose == Purpose::kProve) {
    hints.emplace_back(subject.is_managed() ? "run 'meshtrust apply --only trust'"
                                            : "have it made by whoever manages this mesh's trust");
  }
  hints.push_back(
      "once it is there, an istiod that started without it takes it up when it is restarted: " +
      how_to_restart(subject, cluster));
  if (ca.is_other) hints.emplace_back(kPriceOfAnotherRoot);
  return hints;
}

/// `istiod` runs in `cluster`, which has no `cacerts`.
Finding finding_about(const CheckSubject& subject,
                      const Cluster& cluster,
                      const IstiodFacts& istiod,
                      const CaInUse& ca) {
  Finding finding{
      .code = "istiod-without-cacerts",
      .severity = subject.purpose == Purpose::kProve ? Severity::kCritical : Severity::kWarning,
      .cluster = cluster.name,
      .message = {},
      .evidence = {fmt::format("deployment '{}' ({})", istiod.deployments.front(), istiod.image),
                   ca.evidence}};
  const std::string secret = name_of_secret(subject);
  switch (ca.origin) {
    case Origin::kCacerts:
      finding.code = "cacerts-deleted";
      finding.message = fmt::format(
          "{} was deleted: a running istiod goes on with the CA that it has in memory, and one "
          "that starts makes a CA of its own, which no other cluster trusts",
          secret);
      finding.hints = hints_where_deleted(subject);
      break;
    case Origin::kItsOwn:
      finding.message = fmt::format(
          "istiod runs without {} and signs with a CA of its own making, which no other cluster "
          "trusts",
          secret);
      finding.hints = hints_where_self_signed(subject, cluster);
      break;
    case Origin::kUnknown:
      finding.message =
          fmt::format("istiod is there without {}, and nothing tells by which CA it signs", secret);
      finding.hints = hints_where_untold(subject, cluster, ca);
      break;
  }
  return finding;
}

/// How an istiod that reads another CA comes to read the Secret again: which has to be there first,
/// or else it makes a CA of its own.
std::vector<std::string> how_to_mount_cacerts(const CheckSubject& subject,
                                              const Cluster& cluster,
                                              const CaVolume& other) {
  constexpr std::string_view kGoal = "for a CA of this mesh's making, ";
  std::vector<std::string> hints;
  if (subject.observed(cluster)->cacerts.is_absent()) {
    hints = how_to_make_cacerts(subject, cluster, fmt::format("{}first that Secret", kGoal));
  }
  if (other.is_of_pod) {
    hints.push_back(fmt::format(
        "its Deployment says otherwise: either the pod is from before that was changed, which {} "
        "mends, or a webhook changes pods when they are made",
        how_to_restart(subject, cluster)));
  } else {
    hints.push_back(fmt::format(
        "{}have it mounted there again, as Istio's charts do ('secret: {{secretName: {}, "
        "optional: true}}'), with 'kubectl --context {} -n {} edit {}' or where that comes from",
        hints.empty() ? kGoal : "then ", istio::kCaSecret, cluster.context,
        subject.mesh.istio.system_namespace, deployment_of(subject, cluster)));
  }
  if (workloads_trust_another_root(subject, cluster)) hints.emplace_back(kPriceOfAnotherRoot);
  hints.emplace_back(
      "or leave it to what mounts it: with 'trust: {mode: observed}' in the mesh file the trust of "
      "the mesh is proved, and no CA of it is made here");
  return hints;
}

/// `other` is read in place of `cacerts`.
Finding finding_about(const CheckSubject& subject, const Cluster& cluster, const CaVolume& other) {
  const bool is_change = subject.purpose == Purpose::kChange;
  Finding finding{
      .code = "ca-from-elsewhere",
      .severity = is_change ? Severity::kCritical : Severity::kWarning,
      .cluster = cluster.name,
      .message = fmt::format(
          "its istiod does not read {}: {}", name_of_secret(subject),
          is_change ? "what is written there would not count"
                    : "its CA was not seen, and is judged by the roots that it publishes"),
      .evidence = {"it reads its CA from " + describe(other)}};
  if (subject.is_managed()) finding.hints = how_to_mount_cacerts(subject, cluster, other);
  return finding;
}

}  // namespace

std::vector<std::string> how_to_change_its_root(const CheckSubject& subject,
                                                const Cluster& signer) {
  const ClusterObservation* seen = subject.observed(signer);
  if (seen == nullptr || seen->istiod.found(Unknown::kTold) == nullptr) return {};
  const CacertsFacts* cacerts = seen->cacerts.found(Unknown::kTold);
  const bool is_ours =
      cacerts != nullptr &&
      ownership_of(*cacerts, signer.name, subject.observation.store) == Ownership::kOurs;
  const bool is_read = seen->other_ca.found(Unknown::kTold) == nullptr;
  if (!is_read || (!is_ours && !seen->cacerts.is_absent())) return {};
  std::vector<std::string> hints;
  if (is_ours) {
    hints.push_back(
        "an istiod that started before its cacerts was there takes it up when it is "
        "restarted: " +
        how_to_restart(subject, signer));
  } else {
    hints = how_to_make_cacerts(
        subject, signer, "an istiod that started without cacerts is brought below the mesh's root");
    hints.push_back(how_to_restart(subject, signer));
  }
  hints.emplace_back("once it has published the mesh's root, 'meshtrust apply --only trust'");
  if (ca_in_use(subject, signer, {}).origin == Origin::kItsOwn) {
    hints.push_back(how_to_delete_its_own(subject, signer));
  }
  hints.emplace_back(kPriceOfAnotherRoot);
  return hints;
}

void check_cacerts_read(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr || !cluster.runs_istiod()) continue;
    const CaVolume* other = seen->other_ca.found(Unknown::kTold);
    if (other != nullptr) answer.findings.push_back(finding_about(subject, cluster, *other));
    // Where istiods themselves are unknown, that is told.
    const Error* why = seen->other_ca.why_unknown();
    if (why == nullptr || seen->server.is_unknown() || seen->istiod.is_unknown()) continue;
    const Error unseen =
        with_context(*why, fmt::format("whether its istiods read secret '{}/{}' is not known",
                                       subject.mesh.istio.system_namespace, istio::kCaSecret));
    if (subject.purpose == Purpose::kChange) {
      answer.unknowns.push_back(with_context(unseen, cluster.name));
      continue;
    }
    answer.findings.push_back({.code = "ca-place-unseen",
                               .severity = Severity::kNote,
                               .cluster = cluster.name,
                               .message = unseen.message,
                               .hints = unseen.hints});
  }
}

void check_istiod_uses_cacerts(const CheckSubject& subject, Answer& answer) {
  std::optional<std::vector<pki::Certificate>> brought;
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr || !cluster.runs_istiod()) continue;
    if (const Error* why = seen->istiod.why_unknown();
        why != nullptr && subject.purpose == Purpose::kChange && !seen->server.is_unknown()) {
      answer.unknowns.push_back(with_context(*why, cluster.name));
    }
    const IstiodFacts* istiod = seen->istiod.found(Unknown::kTold);
    if (istiod == nullptr || !lacks_cacerts(*seen)) continue;
    // Then that is told, with the way out.
    if (workloads_trust_another_root(subject, cluster)) continue;
    if (!brought) brought = roots_of_cacerts(subject);
    answer.findings.push_back(
        finding_about(subject, cluster, *istiod, ca_in_use(subject, cluster, *brought)));
  }
}

}  // namespace meshtrust::mesh
