#pragma once

#include "base/error.h"
#include "base/time.h"
#include "istio/version.h"
#include "pki/key.h"
#include "pki/name.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::profiles {

/// How the clusters of a mesh hang together. It follows from roles and networks (profiles/model.h);
/// a mesh file may state it, to be held to it.
enum class Topology {
  kMultiPrimary,
  kPrimaryRemote,
  kMultiPrimaryMultiNetwork,
  kPrimaryRemoteMultiNetwork,
};

/// Where the trust of a mesh comes from: minted by meshtrust, or made elsewhere and only proved.
enum class TrustMode { kManaged, kObserved };

/// A primary runs an istiod and holds configuration; a remote is managed by istiods elsewhere.
enum class Role { kPrimary, kRemote };

/// The words of the mesh file: "multi-primary", "observed", "remote", ...
std::string_view name_of(Topology topology);
std::string_view name_of(TrustMode mode);
std::string_view name_of(Role role);

/// Each in the order in which messages list them.
std::span<const Topology> all_topologies();
std::span<const TrustMode> all_trust_modes();
std::span<const Role> all_roles();

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

/// `spec.trust`.
struct TrustProfile {
  TrustMode mode = TrustMode::kManaged;
  std::string store;  ///< path of the trust store as written; relative to the mesh file's folder
  RootProfile root;
  IntermediateProfile intermediate;  ///< lifetime no longer than the root's
  base::Place store_place;
};

/// `spec.istio`.
struct IstioProfile {
  std::optional<istio::Version> version;  ///< a supported one
  std::string system_namespace;           ///< DNS-1123 label, the same in every cluster
  base::Place version_place;
  base::Place namespace_place;
};

/// An entry of `spec.clusters`, with `spec.defaults` filled in.
struct Cluster {
  std::string name;                       ///< DNS-1123 label, unique
  std::string context;                    ///< of the kubeconfig
  std::optional<std::string> kubeconfig;  ///< path as written; kubectl's rules when absent
  std::string network;                    ///< a label value
  Role role = Role::kPrimary;
  std::vector<std::string> control_plane;  ///< names of primaries; empty unless a remote
  base::Place place;                       ///< of its name
  base::Place context_place;
  base::Place network_place;
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
  std::vector<Cluster> clusters;  ///< at least one, at least one primary, in the order of the file
  base::Place trust_domain_place;
  base::Place mesh_id_place;
  base::Place topology_place;

  /// The cluster called `cluster_name`, or null.
  const Cluster* find(std::string_view cluster_name) const;
};

}  // namespace meshtrust::profiles
