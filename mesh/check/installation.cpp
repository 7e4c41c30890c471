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

const Json& none() {
  static const Json kNone = Json::array();
  return kNone;
}
const Json& list_at(const Json& object, std::initializer_list<std::string_view> path) {
  const Json& found = base::at_path(object, path);
  return found.is_array() ? found : none();
}

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

/// Whether the other clusters' istiods are given a way into this one.
bool is_read_by_others(const CheckSubject& subject, const Cluster& cluster) {
  const auto intents = profiles::remote_secrets(subject.mesh);
  return std::any_of(intents.begin(), intents.end(),
                     [&cluster](const auto& intent) { return intent.source == cluster.name; });
}

/// The address of the only control-plane node, at which kind clusters reach each other.
std::optional<std::string> address_of_only_node(const ClusterObservation& seen) {
  const auto nodes = seen.live.objects.list(kNodes);
  if (!nodes.is_found()) return std::nullopt;
  std::vector<std::string> addresses;
  for (const Json& node : *nodes.found()) {
    const Json& labels = base::at_path(node, {"metadata", "labels"});
    if (!labels.contains("node-role.kubernetes.io/control-plane")) continue;
    for (const Json& address : list_at(node, {"status", "addresses"})) {
      const std::string text = base::string_at(address, "address");
      if (base::string_at(address, "type") == "InternalIP" && text.find(':') == std::string::npos) {
        addresses.push_back(text);
      }
    }
  }
  if (addresses.size() != 1) return std::nullopt;
  return addresses.front();
}

/// An IPv4 network; others are left to people.
struct Network {
  std::uint32_t address = 0;
  std::uint32_t mask = 0;
  std::string text;
};

std::optional<Network> parse_network(const std::string& text) {
  std::array<unsigned, 5> parts{};
  std::size_t part = 0;
  bool digit = false;
  for (const char one : text) {
    if (one >= '0' && one <= '9') {
      parts[part] = (parts[part] * 10) + static_cast<unsigned>(one - '0');
      digit = true;
      if (parts[part] > 255) return std::nullopt;
    } else if ((one == '.' || one == '/') && digit && ++part < parts.size()) {
      digit = false;
    } else {
      return std::nullopt;
    }
  }
  if (part != 4 || parts[4] > 32) return std::nullopt;
  const std::uint32_t mask = parts[4] == 0 ? 0 : ~std::uint32_t{0} << (32U - parts[4]);
  const std::uint32_t address = (parts[0] << 24U) | (parts[1] << 16U) | (parts[2] << 8U) | parts[3];
  return Network{.address = address & mask, .mask = mask, .text = text};
}

std::vector<Network> pod_networks(const ClusterObservation& seen) {
  std::vector<Network> networks;
  const auto nodes = seen.live.objects.list(kNodes);
  if (!nodes.is_found()) return networks;
  for (const Json& node : *nodes.found()) {
    for (const Json& cidr : list_at(node, {"spec", "podCIDRs"})) {
      if (!cidr.is_string()) continue;
      if (auto network = parse_network(cidr.get<std::string>())) {
        networks.push_back(*std::move(network));
      }
    }
  }
  return networks;
}

bool overlap(const Network& a, const Network& b) {
  const std::uint32_t mask = a.mask & b.mask;
  return (a.address & mask) == (b.address & mask);
}

/// The newest Gateway API that a release of Istio is built against.
std::string gateway_api_version(const istio::Version& version) {
  if (version.minor <= 27) return "v1.3.0";
  if (version.minor <= 29) return "v1.4.1";
  return version.minor == 30 ? "v1.5.1" : "v1.6.0";
}

bool is_private(const std::string& address) {
  const auto network = parse_network(address + "/32");
  if (!network) return false;
  constexpr std::array kPrivate{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"};
  return std::any_of(kPrivate.begin(), kPrivate.end(), [&network](const char* text) {
    return overlap(*network, *parse_network(text));
  });
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
      report(subject, cluster, resolved, state_of(subject.mesh, resolved, *seen), answer);
    }
  }
}

void check_api_servers(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    const ServerFacts* server = seen == nullptr ? nullptr : seen->server.found();
    if (server == nullptr || cluster.api_server || !is_read_by_others(subject, cluster) ||
        !profiles::is_loopback_server(server->url)) {
      continue;
    }
    Finding finding{
        .code = "api-server-loopback",
        .cluster = cluster.name,
        .message = fmt::format("its API server is {}, which istiods of other clusters cannot reach",
                               server->url),
        .evidence = {"that is what the kubeconfig says"},
        .place = cluster.context_place};
    if (const auto address = address_of_only_node(*seen)) {
      finding.hints.push_back(fmt::format(
          "write 'apiServer: https://{}:6443' for it, the address of its node", *address));
    } else {
      finding.hints.emplace_back("write the address that peers reach it at as its 'apiServer'");
    }
    answer.findings.push_back(std::move(finding));
  }
}

void check_managers(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    const NamespaceFacts* facts = seen == nullptr ? nullptr : seen->system_namespace.found();
    if (facts == nullptr || !facts->control_planes || facts->control_planes->empty()) continue;
    const std::string wanted = profiles::control_plane_annotation(subject.mesh, cluster);
    if (*facts->control_planes == wanted) continue;
    answer.findings.push_back(
        {.code = "managed-by-others",
         .cluster = cluster.name,
         .message = wanted.empty()
                        ? fmt::format("'{}' manages it, in the mesh file it has its own control "
                                      "plane",
                                      *facts->control_planes)
                        : fmt::format("'{}' manages it, the mesh file says '{}'",
                                      *facts->control_planes, wanted),
         .evidence = {fmt::format("namespace '{}' has the annotation {}={}",
                                  subject.mesh.istio.system_namespace,
                                  istio::kControlPlaneAnnotation, *facts->control_planes)},
         .hints = {"an istiod reads the annotation once: take the remote out of the other mesh "
                   "first, then remove the annotation"},
         .place = cluster.control_plane_place});
  }
}

void check_pod_addresses(const CheckSubject& subject, Answer& answer) {
  const auto& clusters = subject.mesh.clusters;
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    for (std::size_t j = i + 1; j < clusters.size(); ++j) {
      const ClusterObservation* a = subject.observed(clusters[i]);
      const ClusterObservation* b = subject.observed(clusters[j]);
      if (clusters[i].network != clusters[j].network || a == nullptr || b == nullptr) continue;
      const auto ours = pod_networks(*a);
      const auto theirs = pod_networks(*b);
      for (const Network& one : ours) {
        const auto same = std::find_if(theirs.begin(), theirs.end(), [&one](const Network& other) {
          return overlap(one, other);
        });
        if (same == theirs.end()) continue;
        answer.findings.push_back(
            {.code = "pod-addresses-overlap",
             .cluster = clusters[j].name,
             .message = fmt::format("its pods share addresses with those of '{}', though both are "
                                    "on network '{}'",
                                    clusters[i].name, clusters[i].network),
             .evidence = {fmt::format("nodes of '{}' have {}, nodes of '{}' have {}",
                                      clusters[i].name, one.text, clusters[j].name, same->text)},
             .hints = {"give them networks of different names, so that traffic goes through "
                       "gateways, or create one of them with another pod subnet"},
             .place = clusters[j].network_place});
        break;
      }
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
  if (!list.is_found()) return;
  const std::string& in = subject.mesh.istio.system_namespace;
  const auto is_orphan = [&](const Json& webhook) {
    const Json& service = base::at_path(webhook, {"clientConfig", "service"});
    return base::string_at(service, "namespace") == in &&
           base::string_at(webhook, "failurePolicy") == "Fail" &&
           objects.find(kServices, in, base::string_at(service, "name")).is_absent();
  };
  for (const Json& configuration : *list.found()) {
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

void check_remote_secrets(const CheckSubject& subject, Answer& answer) {
  const bool changing = subject.purpose == Purpose::kChange;
  for (const profiles::RemoteSecretIntent& intent : profiles::remote_secrets(subject.mesh)) {
    const ClusterObservation* target = subject.observation.find(intent.target);
    const auto* secrets = target == nullptr ? nullptr : target->live.remote_secrets.found();
    if (secrets == nullptr) continue;
    for (const RemoteSecretFacts& secret : *secrets) {
      const bool describes =
          secret.is_watched &&
          std::any_of(secret.clusters.begin(), secret.clusters.end(),
                      [&intent](const auto& one) { return one.cluster == intent.source; });
      const bool is_ours = secret.mesh == subject.mesh.name;
      if (!describes || is_ours) continue;
      answer.findings.push_back(
          {.code = "foreign-remote-secret",
           .severity = changing ? Severity::kCritical : Severity::kWarning,
           .cluster = intent.target,
           .message = fmt::format("secret '{}/{}' makes '{}' known to its istiod already and was "
                                  "not made by this mesh; istiod ignores a second one",
                                  secret.namespace_name, secret.name, intent.source),
           .hints = {fmt::format("remove it with 'kubectl --context {} -n {} delete secret {}'",
                                 subject.mesh.find(intent.target)->context, secret.namespace_name,
                                 secret.name)}});
    }
  }
}

void check_open_gateways(const CheckSubject& subject, Answer& answer) {
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    const bool hosting = cluster.role == profiles::Role::kExternal;
    if (seen == nullptr || (!hosting && !profiles::exposes_istiod(subject.mesh, cluster))) continue;
    const auto& gateway = cluster.gateway;
    if (!gateway.annotations.empty() || !gateway.source_ranges.empty()) continue;
    const auto address = hosting ? hosting_address(subject.mesh, seen->live.objects)
                                 : east_west_address(subject.mesh, cluster, seen->live.objects);
    if (!address.is_found() || is_private(address.found()->text)) continue;
    answer.findings.push_back(
        {.code = "gateway-open-to-all",
         .severity = Severity::kWarning,
         .cluster = cluster.name,
         .message = fmt::format("anybody can reach the control ports of its gateway at {}",
                                address.found()->text),
         .hints = {"write 'eastWestGateway.sourceRanges', or an annotation that makes its load "
                   "balancer internal"},
         .place = gateway.place});
  }
}

void check_readers(const CheckSubject& subject, Answer& answer) {
  for (const profiles::RemoteSecretIntent& intent : profiles::remote_secrets(subject.mesh)) {
    const ClusterObservation* target = subject.observation.find(intent.target);
    const auto* secrets = target == nullptr ? nullptr : target->live.remote_secrets.found();
    if (secrets == nullptr || intent.kind != profiles::RemoteSecretIntent::Kind::kRemote) continue;
    for (const RemoteSecretFacts& secret : *secrets) {
      for (const RemoteCluster& one : secret.clusters) {
        const TokenProbe* probe = one.probe.found();
        if (one.cluster != intent.source || probe == nullptr) continue;
        if (!probe->reads_endpoints) {
          answer.findings.push_back(
              {.code = "token-without-rights",
               .cluster = intent.target,
               .message = fmt::format("the token in '{}' may not list endpoints in {}", secret.name,
                                      intent.source),
               .evidence = {"its API server takes it as " + probe->username},
               .hints = {"run 'meshtrust apply', which gives the reader its role back"}});
        }
        if (probe->reads_secrets) {
          answer.findings.push_back(
              {.code = "token-reads-secrets",
               .severity = Severity::kNote,
               .cluster = intent.target,
               .message = fmt::format("whoever reads secret '{}' can read every secret of {}, its "
                                      "CA key among them",
                                      secret.name, intent.source),
               .hints = {
                   "istiod of this version watches the secrets of every cluster that it knows and "
                   "does "
                   "not start to serve it without that right: guard remote secrets like CA keys"}});
        }
      }
    }
  }
}

}  // namespace meshtrust::mesh
