#include "mesh/condition.h"

#include "base/check.h"
#include "base/encoding.h"
#include "base/text.h"
#include "istio/names.h"
#include "mesh/known.h"
#include "mesh/trust.h"
#include "profiles/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace meshtrust::mesh {
namespace {

using base::Json;

constexpr std::string_view kIngressGatewayName = "istio-ingressgateway";

Verdict yes(std::string why, std::string value = {}) {
  return {.state = Verdict::State::kYes, .why = std::move(why), .value = std::move(value)};
}
Verdict no(std::string why, std::vector<std::string> evidence = {}) {
  return {.state = Verdict::State::kNo, .why = std::move(why), .evidence = std::move(evidence)};
}
Verdict unknown(const base::Error& why) {
  return {.state = Verdict::State::kUnknown, .why = why.message};
}

const Json& none() {
  static const Json kNone = Json::array();
  return kNone;
}
const Json& list_at(const Json& object, std::initializer_list<std::string_view> path) {
  const Json& found = base::at_path(object, path);
  return found.is_array() ? found : none();
}
std::int64_t number_at(const Json& object, std::string_view key, std::int64_t fallback = 0) {
  const Json& value = base::at_path(object, {key});
  return value.is_number_integer() ? value.get<std::int64_t>() : fallback;
}
std::string name_of(const Json& object) {
  return base::string_at(base::at_path(object, {"metadata"}), "name");
}

/// Whether a Deployment has rolled out what it was last told.
Verdict judge_deployment(const Json& deployment) {
  const Json& status = base::at_path(deployment, {"status"});
  const std::int64_t wanted = number_at(base::at_path(deployment, {"spec"}), "replicas", 1);
  const std::int64_t ready = number_at(status, "readyReplicas");
  const std::int64_t updated = number_at(status, "updatedReplicas");
  const std::int64_t generation = number_at(base::at_path(deployment, {"metadata"}), "generation");
  std::vector<std::string> evidence;
  bool available = false;
  for (const Json& condition : list_at(status, {"conditions"})) {
    const std::string type = base::string_at(condition, "type");
    const bool holds = base::string_at(condition, "status") == "True";
    available |= type == "Available" && holds;
    // A condition that is as it should be explains nothing.
    if (type == "ReplicaFailure" ? holds : !holds) {
      evidence.push_back(fmt::format("{}: {}", type, base::string_at(condition, "message")));
    }
  }
  if (number_at(status, "observedGeneration") < generation) {
    return no("its last change has not been taken up yet", std::move(evidence));
  }
  if (!available || ready < wanted || updated < wanted) {
    return no(fmt::format("{} of {} are ready", ready,
                          base::count_of(static_cast<std::size_t>(wanted), "replica")),
              std::move(evidence));
  }
  return yes(fmt::format("{} ready", base::count_of(static_cast<std::size_t>(ready), "replica")));
}

Verdict deployment_ready(const Situation& situation, const std::string& name) {
  const auto found =
      situation.seen().live.objects.find(kDeployments, situation.namespace_name, name);
  if (const auto* why = found.why_unknown()) return unknown(*why);
  if (found.is_absent()) {
    return no(fmt::format("there is no deployment {}/{}", situation.namespace_name, name));
  }
  return judge_deployment(*found.found());
}

Verdict trust_proved(const Situation& situation) {
  const ClusterObservation& seen = situation.seen();
  const auto material = material_of(seen);
  if (const auto* why = material.why_unknown()) return unknown(*why);
  if (material.is_absent()) return no("it has no CA yet");
  const CacertsFacts* cacerts = seen.cacerts.found();
  const istio::BundleVerdict bundle =
      istio::judge_bundle({.bundle = material.found()->certificates,
                           .key = cacerts == nullptr ? istio::KeyMatch::kNotLookedAt : cacerts->key,
                           .at = situation.at});
  if (!bundle.is_good()) {
    std::vector<std::string> evidence;
    for (const istio::BundleProblem& problem : bundle.problems) {
      evidence.push_back(problem.message);
    }
    return no("istiod would not load its cacerts, or the mesh not work with it",
              std::move(evidence));
  }
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
  return yes(fmt::format("{} accepted", base::count_of(accepted, "pair")));
}

Verdict namespace_active(const Situation& situation) {
  const auto& facts = situation.seen().system_namespace;
  if (const auto* why = facts.why_unknown()) return unknown(*why);
  if (facts.is_absent()) return no("it does not exist");
  if (facts.found()->terminating) return no("it is being deleted");
  return yes("active");
}

Verdict control_plane_ready(const Situation& situation) {
  return deployment_ready(situation, istio::istiod_name(situation.revision));
}

/// The webhooks of a configuration that call the control plane of `situation`.
std::vector<Json> webhooks_of(const Json& configuration, const Situation& situation) {
  std::vector<Json> webhooks;
  for (const Json& webhook : list_at(configuration, {"webhooks"})) {
    const Json& service = base::at_path(webhook, {"clientConfig", "service"});
    if (base::string_at(service, "namespace") == situation.namespace_name) {
      webhooks.push_back(webhook);
    }
  }
  return webhooks;
}

bool is_of_revision(const Json& configuration, const Situation& situation) {
  const std::string revision =
      base::string_at(base::at_path(configuration, {"metadata", "labels"}), istio::kRevisionLabel);
  return revision.empty() || revision == istio::revision_label_value(situation.revision);
}

Verdict webhooks_answer(const Situation& situation) {
  const auto list = situation.seen().live.objects.list(kValidatingWebhooks);
  if (const auto* why = list.why_unknown()) return unknown(*why);
  const std::string service = istio::istiod_name(situation.revision);
  std::size_t answering = 0;
  for (const Json& configuration : *list.found()) {
    if (!is_of_revision(configuration, situation)) continue;
    for (const Json& webhook : webhooks_of(configuration, situation)) {
      const Json& client = base::at_path(webhook, {"clientConfig"});
      if (base::string_at(base::at_path(client, {"service"}), "name") != service) continue;
      if (base::string_at(client, "caBundle").empty()) {
        return no(fmt::format("{} has no CA bundle yet", name_of(configuration)));
      }
      if (base::string_at(webhook, "failurePolicy") != "Fail") {
        return no(fmt::format("istiod has not taken {} into service yet", name_of(configuration)),
                  {"its failurePolicy is still " + base::string_at(webhook, "failurePolicy")});
      }
      ++answering;
    }
  }
  if (answering == 0) return no("there is no validating webhook of this control plane");
  return yes("in service");
}

Verdict gateway_up(const Situation& situation) {
  return deployment_ready(situation, istio::east_west_gateway_name(situation.revision));
}

Verdict ingress_up(const Situation& situation) {
  return deployment_ready(situation, std::string(kIngressGatewayName));
}

Verdict address_known(const Observed<Address>& address, std::string_view what) {
  if (const auto* why = address.why_unknown()) return unknown(*why);
  if (address.is_absent()) return no(fmt::format("{} has no address yet", what));
  const std::string& text = address.found()->text;
  return yes(text, text);
}

Verdict gateway_address_known(const Situation& situation) {
  return address_known(
      east_west_address(situation.mesh, situation.cluster, situation.seen().live.objects),
      "its east-west gateway");
}

Verdict ingress_address_known(const Situation& situation) {
  return address_known(hosting_address(situation.mesh, situation.seen().live.objects),
                       "its ingress gateway");
}

Verdict token_filled(const Situation& situation) {
  const auto& tokens = situation.seen().live.tokens;
  if (const auto* why = tokens.why_unknown()) return unknown(*why);
  if (tokens.is_absent()) return no("there is no token secret");
  for (const TokenSecretFacts& token : *tokens.found()) {
    if (token.service_account != istio::kReaderServiceAccount) continue;
    if (token.token.empty() || token.ca.empty()) {
      return no(fmt::format("Kubernetes has not put a token into {} yet", token.name));
    }
    return yes("filled");
  }
  return no("there is no token secret for " + std::string(istio::kReaderServiceAccount));
}

/// What the istiods in this cluster have to know of.
std::set<std::string> expected_ids(const Situation& situation) {
  std::set<std::string> ids{profiles::istiod_cluster_id(situation.mesh, situation.cluster)};
  for (const profiles::RemoteSecretIntent& intent : profiles::remote_secrets(situation.mesh)) {
    if (intent.target == situation.cluster.name) ids.insert(intent.source);
  }
  return ids;
}

Verdict clusters_synced(const Situation& situation) {
  const auto& istiods = situation.seen().live.istiods;
  if (const auto* why = istiods.why_unknown()) return unknown(*why);
  if (istiods.is_absent()) return no("no istiod is running");
  std::size_t pods = 0;
  const std::set<std::string> expected = expected_ids(situation);
  for (const IstiodView& view : *istiods.found()) {
    if (view.namespace_name != situation.namespace_name) continue;
    ++pods;
    for (const std::string& id : expected) {
      const auto cluster = std::find_if(view.clusters.begin(), view.clusters.end(),
                                        [&id](const auto& one) { return one.id == id; });
      if (cluster == view.clusters.end()) {
        return no(fmt::format("{} does not know cluster {} yet", view.pod, id));
      }
      if (cluster->status != "synced") {
        return no(fmt::format("{} says that {} is {}", view.pod, id, cluster->status));
      }
    }
  }
  if (pods == 0) return no("no istiod is running");
  return yes(fmt::format("{} in {}", base::count_of(expected.size(), "cluster"),
                         base::count_of(pods, "istiod")));
}

/// The roots under which the control planes of the cluster sign.
std::set<std::string> roots_of_issuers(const Situation& situation) {
  std::set<std::string> roots;
  for (const std::string& issuer : issuers_of(situation.cluster)) {
    const ClusterObservation* seen = situation.observation.find(issuer);
    if (seen == nullptr) continue;
    const auto material = material_of(*seen);
    if (!material.is_found()) continue;
    const auto certificates = pki::certificates_from_pem(material.found()->certificates.root_cert);
    if (!certificates) continue;
    for (const auto& certificate : *certificates) {
      roots.insert(certificate.fingerprint());
    }
  }
  return roots;
}

/// Whether PEM text names only roots, and at least one, of `wanted`; with nothing wanted, any.
bool holds_roots(const std::string& pem, const std::set<std::string>& wanted) {
  const auto certificates = pki::certificates_from_pem(pem);
  if (!certificates || certificates->empty()) return false;
  return wanted.empty() ||
         std::any_of(certificates->begin(), certificates->end(),
                     [&wanted](const auto& one) { return wanted.contains(one.fingerprint()); });
}

bool is_injector(const Json& configuration) {
  const std::string name = name_of(configuration);
  return name.starts_with("istio-sidecar-injector") || name.starts_with("istio-revision-tag-");
}

Verdict adopted(const Situation& situation) {
  const auto list = situation.seen().live.objects.list(kMutatingWebhooks);
  if (const auto* why = list.why_unknown()) return unknown(*why);
  const std::set<std::string> roots = roots_of_issuers(situation);
  std::size_t patched = 0;
  for (const Json& configuration : *list.found()) {
    if (!is_injector(configuration) || !is_of_revision(configuration, situation)) continue;
    for (const Json& webhook : webhooks_of(configuration, situation)) {
      const auto bundle =
          base::from_base64(base::string_at(base::at_path(webhook, {"clientConfig"}), "caBundle"));
      const std::string pem = bundle ? std::string(bundle->begin(), bundle->end()) : std::string();
      if (pem.empty()) {
        return no(fmt::format("{} has no CA bundle yet", name_of(configuration)));
      }
      if (!holds_roots(pem, roots)) {
        return no(
            fmt::format("the CA bundle of {} is not the mesh's root", name_of(configuration)));
      }
      ++patched;
    }
  }
  // Webhooks that go by URL to a host with a public certificate have no bundle and no service.
  const bool by_url = std::any_of(
      list.found()->begin(), list.found()->end(), [&situation](const Json& configuration) {
        return is_injector(configuration) && is_of_revision(configuration, situation) &&
               std::any_of(list_at(configuration, {"webhooks"}).begin(),
                           list_at(configuration, {"webhooks"}).end(), [](const Json& webhook) {
                             return base::at_path(webhook, {"clientConfig"}).contains("url");
                           });
      });
  if (patched == 0 && !by_url) return no("it has no injection webhook");
  const auto& live_roots = situation.seen().workload_roots;
  if (const auto* why = live_roots.why_unknown()) return unknown(*why);
  if (live_roots.is_absent()) {
    return no(fmt::format("there is no configmap {}/{} yet", situation.namespace_name,
                          istio::kRootConfigMap));
  }
  if (!holds_roots(*live_roots.found(), roots)) {
    return no("its workloads are given another root than the mesh's");
  }
  return yes("webhooks and roots are the mesh's");
}

}  // namespace

const ClusterObservation& Situation::seen() const {
  const ClusterObservation* found = observation.find(cluster.name);
  MESHTRUST_CHECK(found != nullptr);
  return *found;
}

std::span<const Condition> conditions() {
  static const std::array kConditions{
      Condition{kTrustProved,
                "is its trust proved?",
                trust_proved,
                {.trust = true},
                "another run is changing it, or cacerts was changed by hand",
                "meshtrust verify"},
      Condition{kNamespaceActive,
                "is the system namespace there?",
                namespace_active,
                {.trust = true},
                "finalizers of its objects hold a namespace that is being deleted",
                "kubectl --context {context} get namespace {namespace} -o yaml"},
      Condition{
          kControlPlaneReady,
          "is the control plane ready?",
          control_plane_ready,
          {.resources = {kDeployments}, .watched = kDeployments},
          "its pod cannot be scheduled, its image cannot be pulled, or istiod does not accept "
          "cacerts",
          "kubectl --context {context} -n {namespace} describe pods -l app=istiod"},
      Condition{kWebhooksAnswer,
                "do its webhooks answer?",
                webhooks_answer,
                {.resources = {kValidatingWebhooks}, .watched = kValidatingWebhooks},
                "the API server cannot reach istiod on port 15017 (a firewall between control "
                "plane and nodes)",
                "kubectl --context {context} -n {namespace} logs deploy/istiod"},
      Condition{kGatewayUp,
                "is the east-west gateway up?",
                gateway_up,
                {.resources = {kDeployments}, .watched = kDeployments},
                "injection does not work, or its pod cannot be scheduled",
                "kubectl --context {context} -n {namespace} describe deployment "
                "istio-eastwestgateway"},
      Condition{kIngressUp,
                "is the ingress gateway up?",
                ingress_up,
                {.resources = {kDeployments}, .watched = kDeployments},
                "injection does not work, or its pod cannot be scheduled",
                "kubectl --context {context} -n {namespace} describe deployment "
                "istio-ingressgateway"},
      Condition{kGatewayAddressKnown,
                "does the east-west gateway have an address?",
                gateway_address_known,
                {.resources = {kServices, kApiGateways}, .watched = kServices},
                "nothing in the cluster gives load balancers an address: MetalLB, "
                "cloud-provider-kind or a cloud's controller",
                "kubectl --context {context} -n {namespace} describe service "
                "istio-eastwestgateway"},
      Condition{kIngressAddressKnown,
                "does the ingress gateway have an address?",
                ingress_address_known,
                {.resources = {kServices}, .watched = kServices},
                "nothing in the cluster gives load balancers an address: MetalLB, "
                "cloud-provider-kind or a cloud's controller",
                "kubectl --context {context} -n {namespace} describe service "
                "istio-ingressgateway"},
      Condition{kTokenFilled,
                "does its reader have a token?",
                token_filled,
                {.secrets = true},
                "the cluster's controller manager does not make service account tokens",
                "kubectl --context {context} -n {namespace} get secrets"},
      Condition{kClustersSynced,
                "does every istiod see its clusters?",
                clusters_synced,
                {.istiods = true},
                "istiod cannot reach the other API server at the address in the remote secret, or "
                "its token lacks rights",
                "kubectl --context {context} -n {namespace} logs deploy/istiod"},
      Condition{kAdopted,
                "is it adopted by its control plane?",
                adopted,
                {.trust = true, .resources = {kMutatingWebhooks}, .watched = kMutatingWebhooks},
                "its namespace was not annotated when istiod read the remote secret, or the reader "
                "may not patch webhooks",
                "kubectl --context {context} get mutatingwebhookconfigurations"},
  };
  return kConditions;
}

const Condition& condition(std::string_view id) {
  const auto all = conditions();
  const auto found =
      std::find_if(all.begin(), all.end(), [id](const Condition& one) { return one.id == id; });
  MESHTRUST_CHECK(found != all.end());
  return *found;
}

std::vector<std::string> advice(const Condition& condition, const Situation& situation) {
  std::string command(condition.next_command);
  const auto fill = [&command](std::string_view what, const std::string& value) {
    for (auto at = command.find(what); at != std::string::npos; at = command.find(what)) {
      command.replace(at, what.size(), value);
    }
  };
  fill("{context}", situation.cluster.context);
  fill("{namespace}", situation.namespace_name);
  return {fmt::format("likely cause: {}", condition.likely_cause),
          fmt::format("look with '{}', then run the same command again", command)};
}

}  // namespace meshtrust::mesh
