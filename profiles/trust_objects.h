#pragma once

#include "base/json.h"
#include "istio/bundle.h"
#include "profiles/mesh.h"

#include <map>
#include <string>

namespace meshtrust::profiles {

/// The labels of every object that meshtrust makes for `cluster`.
std::map<std::string, std::string> ownership_labels(const Mesh& mesh, const Cluster& cluster);

/// Whose namespace the system namespace is.
enum class NamespaceOwner { kUser, kMeshtrust };

/// The system namespace as it is to be applied: with its network label, on a managed remote with
/// the clusters that manage it (before any istiod looks, because it looks once), and marked as ours
/// only when meshtrust creates it.
base::Json namespace_object(const Mesh& mesh, const Cluster& cluster, NamespaceOwner owner);

/// The namespace of the ingress gateway in a cluster that hosts a control plane for others,
/// likewise; nothing to apply in one of the user's own.
base::Json ingress_namespace_object(const Mesh& mesh, const Cluster& host, NamespaceOwner owner);

/// The `data` of the public twin of `cluster`'s `cacerts`.
std::map<std::string, std::string> twin_data(const Mesh& mesh,
                                             const Cluster& cluster,
                                             const istio::PublicBundle& certificates);

/// The keys of `twin_data` beside the certificate files.
inline constexpr std::string_view kTwinMesh = "mesh";
inline constexpr std::string_view kTwinCluster = "cluster";
inline constexpr std::string_view kTwinNetwork = "network";
inline constexpr std::string_view kTwinTrustDomain = "trustDomain";
inline constexpr std::string_view kTwinFingerprint = "fingerprint";
inline constexpr std::string_view kTwinKeyId = "keyID";

/// The certificates that a twin holds.
istio::PublicBundle twin_certificates(const std::map<std::string, std::string>& data);

/// The ConfigMap as it is to be applied.
base::Json twin_object(const Mesh& mesh,
                       const Cluster& cluster,
                       const istio::PublicBundle& certificates);

}  // namespace meshtrust::profiles
