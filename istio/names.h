#pragma once

#include <array>
#include <string>
#include <string_view>

/// What Istio and meshtrust call things inside a cluster: first what is the same everywhere, then
/// names as functions of the revision ("" is the default one) and the system namespace.
namespace meshtrust::istio {

/// The system namespace of a control plane unless the mesh file says otherwise.
inline constexpr std::string_view kDefaultNamespace = "istio-system";
/// The trust domain of a mesh unless the mesh file says otherwise (`meshConfig.trustDomain`).
inline constexpr std::string_view kDefaultTrustDomain = "cluster.local";
/// What istiod calls its own cluster when nobody names it; so no cluster may be named like that.
inline constexpr std::string_view kUnnamedCluster = "Kubernetes";

/// The plug-in CA of an istiod: an Opaque Secret in the system namespace, mounted at /etc/cacerts.
inline constexpr std::string_view kCaSecret = "cacerts";
/// Where an istiod reads its CA, unless the variable beside it names another folder.
inline constexpr std::string_view kCaFolder = "/etc/cacerts";
inline constexpr std::string_view kCaFolderVariable = "ROOT_CA_DIR";
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
/// The field manager of what an istiod writes.
inline constexpr std::string_view kIstiodManager = "pilot-discovery";
/// On everything that istioctl renders: "Pilot", "Base", "IngressGateways" ...
inline constexpr std::string_view kInstallerComponentLabel = "operator.istio.io/component";

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
/// The Lease in kube-system that a run holds; meshes of different system namespaces have one each.
std::string lease_name(std::string_view system_namespace);
/// On that Lease: the process that holds it, as `base::ProcessId` puts it.
inline constexpr std::string_view kProcessAnnotation = "meshtrust.io/process";
/// On every object that meshtrust creates, with the value `kFieldManager`.
inline constexpr std::string_view kManagedByLabel = "app.kubernetes.io/managed-by";
/// On every object that meshtrust creates: `metadata.name` of the mesh file.
inline constexpr std::string_view kMeshLabel = "meshtrust.io/mesh";
/// Beside it, because two teams may call their meshes the same: `root_label_value` of the mesh's
/// root. What bears the name alone was made by an earlier version.
inline constexpr std::string_view kRootLabel = "meshtrust.io/root";
/// On every object that meshtrust creates: the cluster's name in the mesh file.
inline constexpr std::string_view kClusterLabel = "meshtrust.io/cluster";
/// On a namespace: meshtrust created it, so `destroy` may remove it.
inline constexpr std::string_view kCreatedByAnnotation = "meshtrust.io/created-by";
/// On a namespace that meshtrust created for a while: what for. Only a namespace for samples is
/// deleted as such.
inline constexpr std::string_view kPurposeLabel = "meshtrust.io/purpose";
inline constexpr std::string_view kSamplesPurpose = "samples";

/// The namespace of a control plane that serves other clusters, unless the mesh file says
/// otherwise.
inline constexpr std::string_view kDefaultExternalNamespace = "external-istiod";

/// Of configuration and of workloads: the revision that they belong to, `revision_label_value`.
inline constexpr std::string_view kRevisionLabel = "istio.io/rev";
/// What the default revision is called where it needs a name.
inline constexpr std::string_view kDefaultRevision = "default";
/// On a namespace: pods get a sidecar of the default revision when it says "enabled".
inline constexpr std::string_view kInjectionLabel = "istio-injection";
/// On a namespace: pods take part in the mesh without a sidecar when it says "ambient".
inline constexpr std::string_view kDataPlaneModeLabel = "istio.io/dataplane-mode";
/// On a Service of an ambient mesh: other clusters may call it when it says "true".
inline constexpr std::string_view kGlobalLabel = "istio.io/global";

/// On a Secret in the system namespace: istiod reads kubeconfigs of other clusters from it when it
/// says exactly "true". Its keys are the names of those clusters.
inline constexpr std::string_view kMultiClusterLabel = "istio/multiCluster";
/// On such a Secret: the cluster that it describes.
inline constexpr std::string_view kRemoteClusterAnnotation = "networking.istio.io/cluster";
/// The kubeconfig by which an external istiod reaches its config cluster, and its only key.
inline constexpr std::string_view kConfigSecret = "istio-kubeconfig";
inline constexpr std::string_view kConfigSecretKey = "config";

/// Whose token istiods of other clusters use. Never with a revision.
inline constexpr std::string_view kReaderServiceAccount = "istio-reader-service-account";
/// On a token Secret: the service account whose token Kubernetes is to put into it.
inline constexpr std::string_view kServiceAccountAnnotation = "kubernetes.io/service-account.name";
/// The type of such a Secret.
inline constexpr std::string_view kServiceAccountTokenType = "kubernetes.io/service-account-token";

/// The value of the label `istio` by which configuration finds east-west and ingress gateways.
inline constexpr std::string_view kEastWestGateway = "eastwestgateway";
inline constexpr std::string_view kIngressGateway = "ingressgateway";
/// The class of an ambient mesh's east-west gateways (Gateway API).
inline constexpr std::string_view kEastWestGatewayClass = "istio-east-west";

/// TLS between networks (sidecars), and HBONE (ambient): ports of east-west gateways.
inline constexpr int kCrossNetworkPort = 15443;
inline constexpr int kHbonePort = 15008;
/// A control plane's discovery and certificate service, on the Service and on gateways.
inline constexpr int kDiscoveryPort = 15012;
/// Its webhooks: on its Service, on its pods, on gateways.
inline constexpr int kWebhookServicePort = 443;
inline constexpr int kWebhookPort = 15017;
/// Readiness of every gateway.
inline constexpr int kGatewayStatusPort = 15021;

/// "istiod[-R]": Deployment, Service and ServiceAccount of a control plane.
std::string istiod_name(std::string_view revision);
/// "istiod[-R].NS.svc": the name that a control plane's certificate is good for.
std::string istiod_host(std::string_view revision, std::string_view system_namespace);
/// "istio[-R]": the ConfigMap with the mesh configuration.
std::string mesh_config_map(std::string_view revision);
/// "istio-sidecar-injector[-R]": the ConfigMap of injection; absent on remotes.
std::string injector_config_map(std::string_view revision);
/// "istio-sidecar-injector[-R][-NS]", the namespace left out when it is the default one.
std::string injection_webhook(std::string_view revision, std::string_view system_namespace);
/// "istio-validator[-R]-NS".
std::string validating_webhook(std::string_view revision, std::string_view system_namespace);
/// "istio-reader-clusterrole[-R]-NS": the role that Istio's own charts make, and its binding.
std::string istio_reader_role(std::string_view revision, std::string_view system_namespace);
/// "meshtrust-reader[-R]-NS": the role that meshtrust makes in its place, and its binding.
std::string own_reader_role(std::string_view revision, std::string_view system_namespace);
/// "istio-eastwestgateway[-R]": Deployment, Service, autoscaler; the Gateway of an ambient mesh.
std::string east_west_gateway_name(std::string_view revision);
/// "istio-remote-secret-C".
std::string remote_secret_name(std::string_view cluster);
/// "<account>-istio-remote-secret-token".
std::string token_secret_name(std::string_view service_account);
/// The value of `kRevisionLabel`: the revision, or "default".
std::string revision_label_value(std::string_view revision);
/// The value of `kRootLabel`: the first 40 digits of the SHA-256 of the root certificate, in
/// lower-case hex. All 64 would not fit: values of labels have at most 63 characters.
std::string root_label_value(std::string_view fingerprint);

}  // namespace meshtrust::istio
