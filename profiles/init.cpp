#include "profiles/init.h"

#include "base/encoding.h"
#include "base/text.h"
#include "base/yaml.h"
#include "profiles/load.h"
#include "profiles/mesh.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace meshtrust::profiles {
namespace {

constexpr std::size_t kLongestName = 63;

/// `wanted`, or with the first number behind it that makes it free.
std::string unique_name(const std::string& wanted, const std::set<std::string>& taken) {
  std::string name = wanted;
  for (int number = 2; taken.contains(name); ++number) {
    const std::string suffix = fmt::format("-{}", number);
    name = wanted.substr(0, kLongestName - suffix.size()) + suffix;
  }
  return name;
}

/// What the cluster number `index` is: the first runs the istiod of any that are managed.
Role role_of(const InitRequest& request, std::size_t index) {
  if (request.topology == Topology::kExternalControlPlane) {
    constexpr std::array kFirst{Role::kExternal, Role::kConfig};
    return index < kFirst.size() ? kFirst[index] : Role::kRemote;
  }
  const bool has_remotes = request.topology == Topology::kPrimaryRemote ||
                           request.topology == Topology::kPrimaryRemoteMultiNetwork;
  return has_remotes && index > 0 ? Role::kRemote : Role::kPrimary;
}

bool is_ambient(const InitRequest& request) {
  return request.topology == Topology::kAmbientMultiNetwork;
}

bool shares_one_network(const InitRequest& request) {
  return request.topology == Topology::kMultiPrimary ||
         request.topology == Topology::kPrimaryRemote;
}

/// "network1" for all, or a number a cluster.
std::string network_name(const InitRequest& request, std::size_t index) {
  return fmt::format("network{}", shares_one_network(request) ? 1 : index + 1);
}

/// The topology as stated, else as a comment what the clusters make of it.
std::string topology_line(const InitRequest& request) {
  constexpr std::string_view kMeaning = "states the model, to be held against roles and networks";
  if (request.topology) {
    return fmt::format("topology: {}  # {}", name_of(*request.topology), kMeaning);
  }
  const Topology made =
      request.clusters.size() > 1 ? Topology::kMultiPrimaryMultiNetwork : Topology::kMultiPrimary;
  return fmt::format("# topology: {}  # {}", name_of(made), kMeaning);
}

/// Everything above the first cluster.
std::string head(const InitRequest& request) {
  const std::string& mesh_name = request.mesh_name;
  const TrustProfile trust;
  return fmt::format(
      R"(# A mesh of meshtrust: what should be. 'meshtrust plan' shows what is missing, touching nothing.
apiVersion: meshtrust/v1
kind: Mesh
metadata:
  name: {name}
spec:
  # meshID: {name}
  # trustDomain: cluster.local
  {topology}

  trust:
    # managed: meshtrust mints the trust and pushes it. observed: it comes from elsewhere (cert-manager,
    # Vault, by hand) and is proved, never written.
    mode: {mode}
    # The folder beside this file that holds the root key, encrypted, and the record of all that was
    # issued. Back it up; keep it out of Git.
    store: {store}
    root:
      # key: {root_key}  # or ecdsa-p384, rsa-2048, rsa-3072, rsa-4096
      # lifetime: {root_lifetime}
      subject:
        organization: {name}
        commonName: {common_name}
    # The certificate authority of each cluster that runs an istiod.
    # intermediate:
    #   key: {key}
    #   lifetime: {lifetime}
    #   renewBefore: {renew_before}
    # Revocation lists in every cacerts. An ended list cuts off every connection, so that some job has
    # to run 'meshtrust apply' in time. Say which.
    # crl: {{lifetime: {crl_lifetime}, refresh: "cronjob ops/meshtrust-apply, every night"}}

  {istio}istio:
  {version}  version: "{version_text}"  # in quotes{version_meaning}
  #   namespace: istio-system
  #   revision: ""
  {data_plane}  dataPlane: {data_plane_word}

  # Which clusters' endpoints each istiod learns: all, none, or a list a cluster.
  # discovery: all
  # The gateways between networks. Load balancers are public unless annotations say otherwise.
  # eastWestGateway:
  #   sourceRanges: [10.0.0.0/8]

  # Any key of a cluster but its name, for all clusters that do not say otherwise.
  # defaults:
  #   kubeconfig: kubeconfig.yaml

  # Clusters whose pods reach each other directly share a network; between networks, traffic goes
  # through gateways. A primary runs an istiod; a remote ('role: remote') is managed by those of its
  # 'controlPlane: [NAME]'.
  clusters:
)",
      fmt::arg("name", base::yaml_scalar(mesh_name)), fmt::arg("mode", name_of(trust.mode)),
      fmt::arg("store", base::yaml_scalar(mesh_name + ".trust")),
      fmt::arg("topology", topology_line(request)),
      fmt::arg("istio", is_ambient(request) || request.istio_version ? "" : "# "),
      fmt::arg("version", request.istio_version ? "" : "# "),
      fmt::arg("version_text", request.istio_version ? request.istio_version->text() : "1.30.3"),
      fmt::arg("version_meaning",
               request.istio_version ? "" : "; with it, apply goes on from trust to the mesh"),
      fmt::arg("data_plane", is_ambient(request) ? "" : "# "),
      fmt::arg("data_plane_word",
               name_of(is_ambient(request) ? DataPlane::kAmbient : DataPlane::kSidecar)),
      fmt::arg("common_name", base::yaml_scalar(mesh_name + " Root CA")),
      fmt::arg("root_key", pki::name_of(trust.root.key)),
      fmt::arg("root_lifetime", base::format_duration(trust.root.lifetime)),
      fmt::arg("key", pki::name_of(trust.intermediate.key)),
      fmt::arg("lifetime", base::format_duration(trust.intermediate.lifetime)),
      fmt::arg("renew_before", base::format_duration(trust.intermediate.renew_before)),
      fmt::arg("crl_lifetime", base::format_duration(CrlProfile{}.lifetime)));
}

std::string render_cluster(const InitRequest& request,
                           std::size_t index,
                           const std::string& name,
                           const std::string& primary) {
  const InitCluster& cluster = request.clusters[index];
  std::string text = fmt::format("    - name: {}\n      context: {}\n", base::yaml_scalar(name),
                                 base::yaml_scalar(cluster.context));
  if (cluster.kubeconfig) {
    text += fmt::format("      kubeconfig: {}\n", base::yaml_scalar(*cluster.kubeconfig));
  }
  text += fmt::format("      network: {}\n", base::yaml_scalar(network_name(request, index)));
  const Role role = role_of(request, index);
  if (role != Role::kPrimary) text += fmt::format("      role: {}\n", name_of(role));
  if (role == Role::kRemote || role == Role::kConfig) {
    text += fmt::format("      controlPlane: [{}]\n", base::yaml_scalar(primary));
  }
  return text;
}

/// The first problem of a file that was just made, which is a problem of the request.
base::Error as_request_error(const base::Errors& errors) {
  base::Error error = errors.front();
  error.place = {};
  return base::with_context(std::move(error), "no mesh file can be made of this");
}

}  // namespace

std::string cluster_name_from_context(std::string_view context) {
  if (base::is_dns_label(context)) return std::string(context);
  std::string name;
  for (const char c : context) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (name.size() == kLongestName) break;
    if ((lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9')) {
      name += lower;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  while (name.ends_with('-')) {
    name.pop_back();
  }
  return name.empty() ? "cluster" : name;
}

std::string propose_mesh_name(std::string_view folder,
                              const std::vector<std::string>& contexts,
                              std::vector<std::string> servers) {
  constexpr std::size_t kDigits = 4;
  std::sort(servers.begin(), servers.end());
  const std::string digest = base::to_hex(base::sha256(base::as_bytes(base::join(servers, "\n"))));
  std::string word =
      cluster_name_from_context(folder.empty() ? base::join(contexts, "-") : std::string(folder));
  word.resize(std::min(word.size(), kLongestName - kDigits - 1));
  while (word.ends_with('-')) {
    word.pop_back();
  }
  return word + "-" + digest.substr(0, kDigits);
}

base::Result<std::string> render_mesh_file(const InitRequest& request) {
  if (request.clusters.empty()) {
    return base::fail(base::Code::kInvalidInput, "a mesh needs at least one cluster");
  }
  std::set<std::string> taken;
  for (const InitCluster& cluster : request.clusters) {
    if (cluster.name) taken.insert(*cluster.name);
  }
  std::string text = head(request);
  std::string primary;
  for (std::size_t index = 0; index < request.clusters.size(); ++index) {
    const InitCluster& cluster = request.clusters[index];
    const std::string name =
        cluster.name.value_or(unique_name(cluster_name_from_context(cluster.context), taken));
    taken.insert(name);
    if (index == 0) primary = name;
    text += render_cluster(request, index, name, primary);
  }
  const auto mesh = load_mesh("mesh.yaml", text);
  if (!mesh) return base::fail(as_request_error(mesh.error()));
  return text;
}

}  // namespace meshtrust::profiles
