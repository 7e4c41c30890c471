#include "mesh/trust.h"

#include "base/encoding.h"
#include "base/text.h"
#include "istio/names.h"
#include "mesh/adoption.h"
#include "mesh/condition/asking.h"
#include "profiles/installation.h"
#include "profiles/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

namespace meshtrust::mesh {
namespace {

using base::Json;

/// The roots under which the control planes of the cluster sign; unknown where one of them is.
Observed<std::set<std::string>> roots_of_issuers(const Situation& situation) {
  std::set<std::string> roots;
  for (const std::string& issuer : issuers_of(situation.cluster)) {
    const ClusterObservation* seen = situation.observation.find(issuer);
    if (seen == nullptr) continue;
    const profiles::Cluster* cluster = situation.mesh.find(issuer);
    if (cluster == nullptr) continue;
    const auto pem = roots_of_istiod(situation.mesh, situation.observation, *cluster);
    if (const auto* why = pem.why_unknown()) {
      return Observed<std::set<std::string>>::unknown(with_context(*why, issuer));
    }
    const std::string* found = pem.found(Unknown::kTold);
    if (found == nullptr) continue;
    const auto certificates = pki::certificates_from_pem(*found);
    if (!certificates) continue;
    for (const auto& certificate : *certificates) {
      roots.insert(certificate.fingerprint());
    }
  }
  return roots;
}

/// Whether PEM text holds at least one of the roots `wanted`; with nothing wanted, any root.
bool holds_roots(const std::string& pem, const std::set<std::string>& wanted) {
  const auto certificates = pki::certificates_from_pem(pem);
  if (!certificates || certificates->empty()) return false;
  return wanted.empty() ||
         std::any_of(certificates->begin(), certificates->end(),
                     [&wanted](const auto& one) { return wanted.contains(one.fingerprint()); });
}

/// The first of the three answers that is no.
std::string why_not(const istio::BundleVerdict& bundle) {
  if (bundle.outcome != istio::LoadOutcome::kLoads) return "istiod would not load its cacerts";
  if (!bundle.works()) return "workloads of its cacerts would be refused";
  return "its cacerts is not safe";
}

bool is_injector(const Json& configuration) {
  const std::string name = name_of(configuration);
  return name.starts_with("istio-sidecar-injector") || name.starts_with("istio-revision-tag-");
}

/// No where istiod would not load its CA, or it is not safe; nothing where all is well with it.
std::optional<Verdict> judge_own_ca(const Situation& situation) {
  const ClusterObservation& seen = situation.seen();
  const auto material = material_of(seen);
  if (const auto* why = material.why_unknown()) return unknown(*why);
  const Material* found = material.found(Unknown::kTold);
  if (found == nullptr) return no("it has no CA yet");
  const CacertsFacts* cacerts = seen.cacerts.found(Unknown::kTold);
  const istio::BundleVerdict bundle =
      istio::judge_bundle({.bundle = found->certificates,
                           .key = cacerts == nullptr ? istio::KeyMatch::kNotLookedAt : cacerts->key,
                           .at = situation.at});
  if (!bundle.is_good()) {
    std::vector<std::string> evidence;
    for (const istio::BundleProblem& problem : bundle.problems) {
      if (!problem.is_advice()) evidence.push_back(problem.message);
    }
    return no(why_not(bundle), std::move(evidence));
  }
  return std::nullopt;
}

}  // namespace

Verdict ask_trust_proved(const Situation& situation) {
  const bool is_unseen = situation.seen().other_ca.found(Unknown::kTold) != nullptr;
  if (auto verdict = is_unseen ? std::nullopt : judge_own_ca(situation)) return *std::move(verdict);
  std::size_t accepted = 0;
  for (const PairVerdict& pair : judge_pairs(situation.mesh, situation.observation, situation.at)) {
    const bool ours = pair.from == situation.cluster.name || pair.to == situation.cluster.name;
    // Whether the other side has a CA yet is its own question.
    if (!ours || !pair.problem.empty()) continue;
    if (!pair.accepted()) {
      return no(fmt::format("a workload of {} would refuse one of {}", pair.to, pair.from));
    }
    ++accepted;
  }
  if (accepted == 0 && is_unseen) return unknown(*material_of(situation.seen()).why_unknown());
  if (accepted == 0) return yes("istiod loads it, and it chains to the root");
  return yes(fmt::format("{} accepted", base::count_of(accepted, "pair")));
}

namespace {

/// A webhook that injects, and the CA by which its server is verified: PEM, empty without one.
struct Injector {
  std::string configuration;
  std::string ca;
};

/// Those of the control plane that call it by its Service.
std::vector<Injector> injectors_of(const Situation& situation) {
  std::vector<Injector> injectors;
  const auto list = situation.seen().live.objects.list(kMutatingWebhooks);
  const auto* found = list.found(Unknown::kNothingFollows);
  for (const Json& configuration : found != nullptr ? *found : Objects::List()) {
    if (!is_injector(configuration) || !is_of_revision(configuration, situation)) continue;
    for (const Json& webhook : webhooks_of(configuration, situation)) {
      const auto ca =
          base::from_base64(base::string_at(base::at_path(webhook, {"clientConfig"}), "caBundle"));
      injectors.push_back({.configuration = name_of(configuration),
                           .ca = ca ? std::string(ca->begin(), ca->end()) : std::string()});
    }
  }
  return injectors;
}

}  // namespace

std::string injector_without_ca(const Situation& situation) {
  const std::vector<Injector> injectors = injectors_of(situation);
  const auto bare = std::find_if(injectors.begin(), injectors.end(),
                                 [](const Injector& one) { return one.ca.empty(); });
  return bare == injectors.end() ? std::string() : bare->configuration;
}

Verdict ask_injection(const Situation& situation) {
  const auto list = situation.seen().live.objects.list(kMutatingWebhooks);
  if (const auto* why = list.why_unknown()) return unknown(*why);
  const auto* found = list.found(Unknown::kTold);
  if (found == nullptr) return no("its API server has no webhooks");
  // The control plane of a gateway beside a hosted one has a CA of its own.
  std::set<std::string> roots;
  if (situation.namespace_name == situation.mesh.istio.system_namespace) {
    const auto wanted = roots_of_issuers(situation);
    if (const auto* why = wanted.why_unknown()) return unknown(*why);
    roots = *wanted.found(Unknown::kTold);
  }
  const std::vector<Injector> injectors = injectors_of(situation);
  for (const Injector& one : injectors) {
    if (one.ca.empty()) return no(fmt::format("{} has no CA bundle yet", one.configuration));
    if (!holds_roots(one.ca, roots)) {
      return no(fmt::format("the CA bundle of {} is not the mesh's root", one.configuration));
    }
  }
  // Webhooks that go by URL to a host with a public certificate have no bundle and no service.
  const bool by_url =
      std::any_of(found->begin(), found->end(), [&situation](const Json& configuration) {
        return is_injector(configuration) && is_of_revision(configuration, situation) &&
               std::any_of(list_at(configuration, {"webhooks"}).begin(),
                           list_at(configuration, {"webhooks"}).end(), [](const Json& webhook) {
                             return base::at_path(webhook, {"clientConfig"}).contains("url");
                           });
      });
  if (injectors.empty() && !by_url) return no("it has no injection webhook");
  return yes("in service");
}

namespace {

/// As it is told to the remotes, where the mesh file states it.
std::optional<std::string> stated_address_of(const Situation& situation,
                                             const profiles::Cluster& manager) {
  const bool is_external = manager.role == profiles::Role::kExternal;
  return profiles::stated_addresses(situation.mesh)(is_external
                                                        ? profiles::ingress_address(manager.name)
                                                        : profiles::gateway_address(manager.name));
}

Verdict judge_adoption(const Situation& situation) {
  if (Verdict injection = ask_injection(situation); injection.state != Verdict::State::kYes) {
    return injection;
  }
  const auto roots = roots_of_issuers(situation);
  if (const auto* why = roots.why_unknown()) return unknown(*why);
  const auto& workload_roots = situation.seen().workload_roots;
  if (const auto* why = workload_roots.why_unknown()) return unknown(*why);
  const std::string* live = workload_roots.found(Unknown::kTold);
  if (live == nullptr) {
    return no(fmt::format("there is no configmap {}/{} yet", situation.namespace_name,
                          istio::kRootConfigMap));
  }
  if (!holds_roots(*live, *roots.found(Unknown::kTold))) {
    return no("its workloads are given another root than the mesh's");
  }
  return yes("webhooks and roots are the mesh's");
}

}  // namespace

Verdict ask_adopted(const Situation& situation) {
  Verdict verdict = judge_adoption(situation);
  for (const Unmanaged& one : unmanaged(situation.mesh, situation.observation, situation.cluster)) {
    verdict.evidence.push_back(
        fmt::format("the istiod of {} says that it has read {}", one.manager, one.remote));
    verdict.hints = {
        fmt::format("'meshtrust apply' restarts the istiod of {}: whether it manages "
                    "a cluster it asks once, when it begins to read it",
                    one.manager)};
    return verdict;
  }
  const profiles::Cluster& manager = home_of_istiod(situation);
  const auto stated = stated_address_of(situation, manager);
  if (verdict.state != Verdict::State::kNo || !stated) return verdict;
  const Condition& asked = condition(kAdopted);
  verdict.hints = cause_and_look(situation, asked.likely_cause, asked.next_command);
  verdict.hints.push_back(fmt::format(
      "does {}, which the mesh file states, lead to the gateway of {}? Look with 'kubectl "
      "--context {} get services -A -l istio'",
      *stated, manager.name, manager.context));
  return verdict;
}

}  // namespace meshtrust::mesh
