#pragma once

#include <array>
#include <string_view>

/// What Istio and meshtrust call things inside a cluster. Names that depend on a revision come with
/// the revision; here stands what is the same everywhere.
namespace meshtrust::istio {

/// The system namespace of a control plane unless the mesh file says otherwise.
inline constexpr std::string_view kDefaultNamespace = "istio-system";
/// The trust domain of a mesh unless the mesh file says otherwise (`meshConfig.trustDomain`).
inline constexpr std::string_view kDefaultTrustDomain = "cluster.local";
/// What istiod calls its own cluster when nobody names it; so no cluster may be named like that.
inline constexpr std::string_view kUnnamedCluster = "Kubernetes";

/// The plug-in CA of an istiod: an Opaque Secret in the system namespace, mounted at /etc/cacerts.
inline constexpr std::string_view kCaSecret = "cacerts";
/// The files in `kCaSecret`: the signing certificate, its key, the chain that begins with the
/// signing certificate, and the roots of the mesh.
inline constexpr std::string_view kCaCertFile = "ca-cert.pem";
inline constexpr std::string_view kCaKeyFile = "ca-key.pem";
inline constexpr std::string_view kCertChainFile = "cert-chain.pem";
inline constexpr std::string_view kRootCertFile = "root-cert.pem";
/// Beside them, revocation lists of every CA; a file that may be missing.
inline constexpr std::string_view kCaCrlFile = "ca-crl.pem";
/// The same in the form of a `kubernetes.io/tls` Secret. Where `tls.crt` exists, this form wins.
inline constexpr std::string_view kTlsCertFile = "tls.crt";
inline constexpr std::string_view kTlsKeyFile = "tls.key";
inline constexpr std::string_view kTlsRootFile = "ca.crt";
/// All four; istiod reads them together or not at all.
inline constexpr std::array<std::string_view, 4> kCaFiles{kCaCertFile, kCaKeyFile, kCertChainFile,
                                                          kRootCertFile};

/// The CA that an istiod makes for itself when it starts without `kCaSecret`.
inline constexpr std::string_view kSelfSignedCaSecret = "istio-ca-secret";
/// The roots as istiod hands them to workloads, in every namespace, under `kRootCertFile`.
inline constexpr std::string_view kRootConfigMap = "istio-ca-root-cert";
/// The Deployment of the default revision's control plane.
inline constexpr std::string_view kIstiodDeployment = "istiod";
/// The container in it, whose image tag is the version.
inline constexpr std::string_view kIstiodContainer = "discovery";
/// On every pod of a control plane, whatever its revision: "app=istiod".
inline constexpr std::string_view kIstiodSelector = "app=istiod";

/// On the system namespace: the network that the cluster's pods are on.
inline constexpr std::string_view kNetworkLabel = "topology.istio.io/network";
/// On the system namespace of a remote: the clusters that manage it, a comma list without blanks.
inline constexpr std::string_view kControlPlaneAnnotation =
    "topology.istio.io/controlPlaneClusters";

/// The public twin of `kCaSecret`, a ConfigMap beside it: certificates, roots and key identifiers,
/// nothing secret, so that a viewer can verify a mesh without the right to read CA keys.
inline constexpr std::string_view kPublicTwin = "meshtrust-trust";
/// Who meshtrust is in server-side apply.
inline constexpr std::string_view kFieldManager = "meshtrust";
/// On every object that meshtrust creates, with the value `kFieldManager`.
inline constexpr std::string_view kManagedByLabel = "app.kubernetes.io/managed-by";
/// On every object that meshtrust creates: `metadata.name` of the mesh file.
inline constexpr std::string_view kMeshLabel = "meshtrust.io/mesh";
/// On every object that meshtrust creates: the cluster's name in the mesh file.
inline constexpr std::string_view kClusterLabel = "meshtrust.io/cluster";
/// On a namespace: meshtrust created it, so `destroy` may remove it.
inline constexpr std::string_view kCreatedByAnnotation = "meshtrust.io/created-by";

}  // namespace meshtrust::istio
