#pragma once

#include "base/json.h"
#include "istio/bundle.h"
#include "profiles/mesh.h"

#include <map>
#include <string>
#include <string_view>

namespace meshtrust::profiles {

/// The labels of every object that meshtrust makes for `cluster`; that of the mesh's root refers to
/// `kRootReference`.
base::Json ownership_labels(const Mesh& mesh, const Cluster& cluster);
/// The same for a Secret, once the root is known (`istio::root_label_value`); without its label
/// where `root` is empty.
std::map<std::string, std::string> ownership_labels(const Mesh& mesh,
                                                    const Cluster& cluster,
                                                    std::string_view root);
/// Takes the root's label off an object where nobody knows its value: somebody who has no store and
/// may read no CA compares without it.
void leave_out_open_root(base::Json& body);

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

/// What the data of a twin says under `key`; empty where it says nothing.
std::string twin_value(const std::map<std::string, std::string>& data, std::string_view key);

/// The certificates that a twin holds.
istio::PublicBundle twin_certificates(const std::map<std::string, std::string>& data);

/// The ConfigMap as it is to be applied.
base::Json twin_object(const Mesh& mesh,
                       const Cluster& cluster,
                       const istio::PublicBundle& certificates);

}  // namespace meshtrust::profiles
