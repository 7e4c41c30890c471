#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"
#include "istio/version.h"
#include "pki/key.h"
#include "pki/name.h"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::profiles {

/// How the clusters of a mesh hang together. It follows from roles, networks and the data plane
/// (profiles/model.h); a mesh file may state it, to be held to it.
enum class Topology {
  kMultiPrimary,
  kPrimaryRemote,
  kMultiPrimaryMultiNetwork,
  kPrimaryRemoteMultiNetwork,
  kExternalControlPlane,
  kAmbientMultiNetwork,
};

/// Where the trust of a mesh comes from: minted by meshtrust, or made elsewhere and only proved.
enum class TrustMode { kManaged, kObserved };

/// A primary runs an istiod and holds configuration; a remote is managed by istiods elsewhere. An
/// external cluster runs the istiod of other clusters and no workloads of the mesh; its config
/// cluster holds that istiod's configuration and is the first that it manages.
enum class Role { kPrimary, kRemote, kExternal, kConfig };

/// How traffic gets into the mesh: a proxy beside each workload, or one on each node.
enum class DataPlane { kSidecar, kAmbient };

/// What installs Istio.
enum class Backend { kIstioctl };

/// The words of the mesh file: "multi-primary", "observed", "remote", "ambient", ...
std::string_view name_of(Topology topology);
std::string_view name_of(TrustMode mode);
std::string_view name_of(Role role);
std::string_view name_of(DataPlane data_plane);
std::string_view name_of(Backend backend);

/// Each in the order in which messages list them.
std::span<const Topology> all_topologies();
std::span<const TrustMode> all_trust_modes();
std::span<const Role> all_roles();
std::span<const DataPlane> all_data_planes();
std::span<const Backend> all_backends();

/// A mapping of the user's own, whose keys are somebody else's business.
struct Values {
  base::Json json = base::Json::object();  ///< always an object; empty when nothing was written
  /// Where each value stands, by its path ("global.network"); every mapping has an entry too.
  std::map<std::string, base::Place> places;

  /// The place of `path` or of the nearest mapping around it that was written.
  base::Place place_of(std::string_view path) const;
};

/// `spec.trust.root`: the certificate authority at the top.
struct RootProfile {
  pki::KeyAlgorithm key = pki::KeyAlgorithm::kEcdsaP256;
  base::Seconds lifetime = base::days(3650);
  pki::DistinguishedName subject;  ///< never empty; O=<mesh>,CN=<mesh> Root CA unless stated
  base::Place place;
  base::Place subject_place;
  base::Place key_place;
};

/// `spec.trust.intermediate`: the certificate authority of each cluster that runs an istiod.
struct IntermediateProfile {
  pki::KeyAlgorithm key = pki::KeyAlgorithm::kEcdsaP256;
  base::Seconds lifetime = base::days(730);
  base::Seconds renew_before = base::days(180);  ///< shorter than `lifetime`
  base::Place place;
};

/// `spec.trust.crl`: the revocation lists that go into every `cacerts`.
struct CrlProfile {
  base::Seconds lifetime = base::days(90);  ///< of the root's list, which is made anew half-way
  std::string refresh;  ///< the job that runs apply often enough: words for people
  base::Place place;
};

/// `spec.trust`.
struct TrustProfile {
  TrustMode mode = TrustMode::kManaged;
  std::string store;  ///< path of the trust store as written; relative to the mesh file's folder
  RootProfile root;
  IntermediateProfile intermediate;  ///< lifetime no longer than the root's
  std::optional<CrlProfile> crl;     ///< only where trust is managed
  base::Place store_place;
};

/// `spec.istio`.
struct IstioProfile {
  std::optional<istio::Version> version;  ///< a supported one
  Backend backend = Backend::kIstioctl;
  /// Where the control plane of the mesh lives and what it is called in every cluster that it
  /// manages: `spec.istio.namespace`, or of an external control plane `external.namespace`.
  std::string system_namespace;  ///< DNS-1123 label
  /// Where an external cluster runs the istiod of its ingress gateway: `spec.istio.namespace`.
  /// Equal to `system_namespace` in every other model.
  std::string ingress_namespace;
  std::string revision;  ///< DNS-1123 label; empty for the default revision
  DataPlane data_plane = DataPlane::kSidecar;
  Values values;   ///< Helm values of every installation, merged over what the model wants
  Values gateway;  ///< values of the east-west gateways, by the names of Istio's gateway chart
  base::Place version_place;
  base::Place namespace_place;
  base::Place revision_place;
  base::Place data_plane_place;
};

/// `spec.samples`: where the images of sample workloads come from.
struct SamplesProfile {
  std::string hub;  ///< registry and path in the place of the public ones; empty for those
  std::string helloworld_v1;  ///< whole references, each before `hub`; empty when not stated
  std::string helloworld_v2;
  std::string curl;
};

/// `eastWestGateway`: how a cluster's gateway meets the world. Each key of a cluster's own stands
/// before that of `spec.defaults`, and that before `spec.eastWestGateway`; annotations are merged.
struct EastWestGateway {
  enum class Type { kLoadBalancer, kNodePort };

  Type type = Type::kLoadBalancer;
  std::map<std::string, std::string> annotations = {};  ///< of the Service
  std::vector<std::string> source_ranges = {};          ///< CIDRs that may connect; all when empty
  std::optional<std::string> address = std::nullopt;    ///< an IP address that it will have
  bool pin_hostname = false;  ///< a load balancer's name may be resolved once, for remotes
  base::Place place = {};     ///< of the mapping nearest to the cluster
};

std::string_view name_of(EastWestGateway::Type type);
std::span<const EastWestGateway::Type> all_gateway_types();

/// `external` of a cluster that hosts a control plane for others: how they reach it.
struct ExternalHosting {
  /// DNS name with a certificate that workloads trust without us, held by `tls_secret`, ended at
  /// the gateway. Without it, TLS is passed through, to `ip` or to whatever address the gateway
  /// gets.
  std::optional<std::string> host;
  std::optional<std::string> ip;
  std::optional<std::string> tls_secret;  ///< in the ingress namespace; there exactly with `host`
  base::Place place;
};

/// `spec.discovery`: which clusters' endpoints an istiod learns from their API servers.
struct Discovery {
  enum class Mode {
    kAll,     ///< every istiod learns of every other cluster
    kNone,    ///< each learns of the remotes that it manages, no more
    kListed,  ///< and of those in `lists`
  };

  Mode mode = Mode::kAll;
  bool is_stated = false;  ///< in the file; else `mode` is the default
  std::map<std::string, std::vector<std::string>> lists;  ///< by the cluster that learns
  base::Place place;
};

/// An entry of `spec.clusters`, with `spec.defaults` filled in.
struct Cluster {
  std::string name;                       ///< DNS-1123 label, unique
  std::string context;                    ///< of the kubeconfig
  std::optional<std::string> kubeconfig;  ///< path as written; kubectl's rules when absent
  std::string network;                    ///< a label value
  Role role = Role::kPrimary;
  /// Names of the clusters whose istiods manage this one, the first being the one that it calls;
  /// empty unless a remote or a config cluster.
  std::vector<std::string> control_plane = {};
  std::optional<std::string> api_server = std::nullopt;  ///< https URL that other clusters dial
  Values values = {};                                    ///< merged over `IstioProfile::values`
  std::optional<std::string> file = std::nullopt;  ///< path of the user's IstioOperator, as written
  EastWestGateway gateway = {};
  std::optional<ExternalHosting> external = std::nullopt;  ///< exactly of an external cluster
  base::Place place = {};                                  ///< of its name
  base::Place context_place = {};
  base::Place network_place = {};
  base::Place role_place = {};
  base::Place control_plane_place = {};
  base::Place api_server_place = {};
  base::Place file_place = {};

  /// Whether the control plane of the mesh runs in it, so that it needs a CA of its own.
  bool runs_istiod() const { return role == Role::kPrimary || role == Role::kExternal; }
};

/// A mesh file that has been found sound: every rule, key by key and across keys, holds for the
/// value, so nothing that takes a `Mesh` checks again. Made by `load_mesh`.
///
/// Each `place` points at the value in the file or, where a default stands in for it, at the
/// nearest mapping that was written; so a disagreement with the live mesh can be shown there.
struct Mesh {
  std::string name;          ///< metadata.name: DNS-1123 label
  std::string mesh_id;       ///< a label value
  std::string trust_domain;  ///< lower-case DNS name, at most 255 characters
  std::optional<Topology> topology;
  TrustProfile trust;
  IstioProfile istio;
  SamplesProfile samples;
  Discovery discovery;
  /// At least one, at least one that runs an istiod, in the order of the file.
  std::vector<Cluster> clusters;
  base::Place trust_domain_place;
  base::Place mesh_id_place;
  base::Place topology_place;

  /// The cluster called `cluster_name`, or null.
  const Cluster* find(std::string_view cluster_name) const;
};

}  // namespace meshtrust::profiles
