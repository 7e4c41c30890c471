#include "profiles/trust_objects.h"

#include "istio/names.h"
#include "profiles/model.h"
#include "profiles/reference.h"

#include <nlohmann/json.hpp>

namespace meshtrust::profiles {

using base::Json;

namespace {

/// What marks a namespace as made by us, so that it may be removed again.
Json ownership_metadata(const Mesh& mesh, const Cluster& cluster, NamespaceOwner owner) {
  if (owner == NamespaceOwner::kUser) return Json::object();
  return {{"labels", ownership_labels(mesh, cluster)},
          {"annotations", {{istio::kCreatedByAnnotation, istio::kFieldManager}}}};
}

}  // namespace

Json ownership_labels(const Mesh& mesh, const Cluster& cluster) {
  return {{istio::kManagedByLabel, istio::kFieldManager},
          {istio::kMeshLabel, mesh.name},
          {istio::kRootLabel, reference(std::string(kRootReference))},
          {istio::kClusterLabel, cluster.name}};
}

std::map<std::string, std::string> ownership_labels(const Mesh& mesh,
                                                    const Cluster& cluster,
                                                    std::string_view root) {
  Json labels = ownership_labels(mesh, cluster);
  labels.erase(std::string(istio::kRootLabel));
  if (!root.empty()) labels[std::string(istio::kRootLabel)] = root;
  return labels.get<std::map<std::string, std::string>>();
}

void leave_out_open_root(Json& body) {
  if (!base::at_path(body, {"metadata", "labels"}).contains(istio::kRootLabel)) return;
  Json& labels = body["metadata"]["labels"];
  const std::string label(istio::kRootLabel);
  if (!labels[label].is_string()) labels.erase(label);
}

Json namespace_object(const Mesh& mesh, const Cluster& cluster, NamespaceOwner owner) {
  Json metadata = ownership_metadata(mesh, cluster, owner);
  metadata["labels"][std::string(istio::kNetworkLabel)] = cluster.network;
  if (const std::string managers = control_plane_annotation(mesh, cluster); !managers.empty()) {
    metadata["annotations"][std::string(istio::kControlPlaneAnnotation)] = managers;
  }
  return {{"metadata", std::move(metadata)}};
}

Json ingress_namespace_object(const Mesh& mesh, const Cluster& host, NamespaceOwner owner) {
  return {{"metadata", ownership_metadata(mesh, host, owner)}};
}

std::map<std::string, std::string> twin_data(const Mesh& mesh,
                                             const Cluster& cluster,
                                             const istio::PublicBundle& certificates) {
  std::map<std::string, std::string> data{
      {std::string(istio::kCaCertFile), certificates.ca_cert},
      {std::string(istio::kCertChainFile), certificates.cert_chain},
      {std::string(istio::kRootCertFile), certificates.root_cert},
      {std::string(kTwinMesh), mesh.name},
      {std::string(kTwinCluster), cluster.name},
      {std::string(kTwinNetwork), cluster.network},
      {std::string(kTwinTrustDomain), mesh.trust_domain},
  };
  if (!certificates.ca_crl.empty()) data[std::string(istio::kCaCrlFile)] = certificates.ca_crl;
  if (const auto parsed = pki::certificates_from_pem(certificates.ca_cert)) {
    data[std::string(kTwinFingerprint)] = parsed->front().fingerprint();
    data[std::string(kTwinKeyId)] = parsed->front().facts().key_id;
  }
  return data;
}

std::string twin_value(const std::map<std::string, std::string>& data, std::string_view key) {
  const auto found = data.find(std::string(key));
  return found == data.end() ? std::string() : found->second;
}

istio::PublicBundle twin_certificates(const std::map<std::string, std::string>& data) {
  const auto file = [&data](std::string_view name) { return twin_value(data, name); };
  return {.ca_cert = file(istio::kCaCertFile),
          .cert_chain = file(istio::kCertChainFile),
          .root_cert = file(istio::kRootCertFile),
          .ca_crl = file(istio::kCaCrlFile)};
}

Json twin_object(const Mesh& mesh,
                 const Cluster& cluster,
                 const istio::PublicBundle& certificates) {
  return {{"metadata", {{"labels", ownership_labels(mesh, cluster)}}},
          {"data", twin_data(mesh, cluster, certificates)}};
}

}  // namespace meshtrust::profiles
