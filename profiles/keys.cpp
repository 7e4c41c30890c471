// The table of all keys. It is long because the mesh file is; it reads from the top of the file to
// its bottom.
#include "profiles/keys.h"

#include "base/time.h"
#include "istio/names.h"
#include "profiles/mesh.h"

#include <algorithm>
#include <span>
#include <utility>

namespace meshtrust::profiles {
namespace {

using Need = Key::Need;

Shape of_kind(Shape::Kind kind) {
  Shape shape;
  shape.kind = kind;
  return shape;
}

Shape text(const TextKind& kind) {
  Shape shape = of_kind(Shape::Kind::kText);
  shape.text = &kind;
  return shape;
}

template <class Enum>
Shape one_of(std::span<const Enum> values) {
  Shape shape = of_kind(Shape::Kind::kWord);
  for (const Enum value : values) {
    shape.words.emplace_back(name_of(value));
  }
  return shape;
}

Shape exactly(std::string word) {
  Shape shape = of_kind(Shape::Kind::kWord);
  shape.words.push_back(std::move(word));
  return shape;
}

Shape list_of(Shape item, Shape::Repeats repeats) {
  Shape shape = of_kind(Shape::Kind::kList);
  shape.item.push_back(std::move(item));
  shape.repeats = repeats;
  return shape;
}

Shape mapping(std::vector<Key> keys) {
  Shape shape = of_kind(Shape::Kind::kMapping);
  shape.keys = std::move(keys);
  return shape;
}

Shape table_of(const TextKind& key, Shape item) {
  Shape shape = of_kind(Shape::Kind::kTable);
  shape.text = &key;
  shape.item.push_back(std::move(item));
  return shape;
}

Key lifetime_key(base::Seconds standard) {
  return {.name = "lifetime",
          .doc = "How long the certificate is valid, like 90d, 24h or 1d12h.",
          .standard = base::format_duration(standard),
          .shape = text(duration_kind())};
}

Key algorithm_key(pki::KeyAlgorithm standard) {
  return {.name = "key",
          .doc = "The kind of key.",
          .standard = std::string(pki::name_of(standard)),
          .shape = one_of(pki::all_key_algorithms())};
}

Shape subject_shape() {
  return mapping({
      {.name = "country", .doc = "Two capital letters (ISO 3166).", .shape = text(country_kind())},
      {.name = "state", .doc = "State or province.", .shape = text(long_name_value_kind())},
      {.name = "locality", .doc = "City.", .shape = text(long_name_value_kind())},
      {.name = "organization", .doc = "Organization.", .shape = text(short_name_value_kind())},
      {.name = "organizationalUnit",
       .doc = "Part of the organization.",
       .shape = text(short_name_value_kind())},
      {.name = "commonName",
       .need = Need::kRequired,
       .doc = "The name by which people know the root.",
       .shape = text(short_name_value_kind())},
  });
}

Shape root_shape() {
  const RootProfile standard;
  return mapping({
      algorithm_key(standard.key),
      lifetime_key(standard.lifetime),
      {.name = "subject",
       .doc = "Subject of the root certificate. Default: O=<mesh>, CN=<mesh> Root CA.",
       .shape = subject_shape()},
  });
}

Shape intermediate_shape() {
  const IntermediateProfile standard;
  return mapping({
      algorithm_key(standard.key),
      lifetime_key(standard.lifetime),
      {.name = "renewBefore",
       .doc = "How long before its end it is due to be renewed; shorter than the lifetime.",
       .standard = base::format_duration(standard.renew_before),
       .shape = text(duration_kind())},
  });
}

Shape crl_shape() {
  return mapping({
      {.name = "lifetime",
       .doc = "How long the root's list is valid, at least 7d. The first apply in its second half "
              "makes the next one.",
       .standard = base::format_duration(CrlProfile{}.lifetime),
       .shape = text(duration_kind())},
      {.name = "refresh",
       .need = Need::kRequired,
       .doc = "The job that runs 'meshtrust apply' in time, in your words. An expired list cuts "
              "off every connection, so that lists without such a job are refused.",
       .shape = text(line_kind())},
  });
}

Shape trust_shape() {
  return mapping({
      {.name = "mode",
       .doc = "managed: meshtrust mints and pushes the trust. observed: it comes from elsewhere "
              "and is proved, never written.",
       .standard = std::string(name_of(TrustProfile{}.mode)),
       .shape = one_of(all_trust_modes())},
      {.name = "store",
       .doc = "Folder of the trust store, relative to this file. Default: <mesh>.trust.",
       .shape = text(folder_kind())},
      {.name = "root", .doc = "The certificate authority at the top.", .shape = root_shape()},
      {.name = "intermediate",
       .doc = "The certificate authority of each cluster that runs an istiod.",
       .shape = intermediate_shape()},
      {.name = "crl",
       .doc = "Put revocation lists into every cacerts. Off unless it is written.",
       .shape = crl_shape()},
  });
}

Shape backend_shape() {
  Shape shape = one_of(all_backends());
  shape.later = {"helm", "sail"};
  return shape;
}

Shape istio_shape() {
  return mapping({
      {.name = "version",
       .doc = "The release of Istio, in quotes: \"1.30.3\".",
       .shape = text(istio_version_kind())},
      {.name = "namespace",
       .doc = "The system namespace, the same in every cluster.",
       .standard = std::string(istio::kDefaultNamespace),
       .shape = text(dns_label_kind())},
      {.name = "backend",
       .doc = "What installs Istio: the istioctl of that version.",
       .standard = std::string(name_of(IstioProfile{}.backend)),
       .shape = backend_shape()},
      {.name = "revision",
       .doc = "The revision of all control planes, so that others can stand beside them.",
       .shape = text(revision_kind())},
      {.name = "dataPlane",
       .doc = "sidecar: a proxy beside each workload. ambient: one on each node.",
       .standard = std::string(name_of(IstioProfile{}.data_plane)),
       .shape = one_of(all_data_planes())},
      {.name = "values",
       .doc = "Helm values of Istio's charts, merged last. What the mesh has to agree on cannot be "
              "changed by them.",
       .shape = of_kind(Shape::Kind::kFree)},
      {.name = "gateway",
       .doc = "Values of the east-west gateways, by the names of Istio's gateway chart: "
              "autoscaling, replicaCount, resources, nodeSelector, tolerations, affinity, "
              "podAnnotations.",
       .shape = of_kind(Shape::Kind::kFree)},
  });
}

Key sample_image_key(std::string name, std::string doc) {
  return {.name = std::move(name), .doc = std::move(doc), .shape = text(image_kind())};
}

Shape samples_shape() {
  return mapping({
      {.name = "hub",
       .doc = "Registry and path that hold all sample images, like registry.example.com/mirror, in "
              "the place of the public ones.",
       .shape = text(image_kind())},
      {.name = "images",
       .doc = "Whole references of single sample images.",
       .shape = mapping({
           sample_image_key("helloworldV1", "What answers in the first cluster with workloads."),
           sample_image_key("helloworldV2", "What answers in all others."),
           sample_image_key("curl", "What calls: a shell's sleep and curl are used of it."),
       })},
  });
}

Shape gateway_shape() {
  return mapping({
      {.name = "type",
       .doc = "How the gateway is reached. NodePort wants the annotation "
              "traffic.istio.io/nodeSelector.",
       .standard = std::string(name_of(EastWestGateway{}.type)),
       .shape = one_of(all_gateway_types())},
      {.name = "annotations",
       .doc = "Of the gateway's Service: how a cloud is told to make an internal load balancer.",
       .shape = table_of(annotation_key_kind(), text(line_kind()))},
      {.name = "sourceRanges",
       .doc = "Networks that may connect to the load balancer, like 10.0.0.0/8. Default: all.",
       .shape = list_of(text(address_range_kind()), Shape::Repeats::kRefused)},
      {.name = "address",
       .doc = "The IP address that the gateway is to have. Default: what the cluster gives it.",
       .shape = text(ip_address_kind())},
      {.name = "pinHostname",
       .doc = "true: where a load balancer has a name instead of an address, remotes are given "
              "what the name stands for now.",
       .standard = "false",
       .shape = of_kind(Shape::Kind::kSwitch)},
  });
}

Shape external_shape() {
  return mapping({
      {.name = "namespace",
       .doc = "The system namespace of the control plane for others, here and in the clusters "
              "that it serves.",
       .standard = std::string(istio::kDefaultExternalNamespace),
       .shape = text(dns_label_kind())},
      {.name = "host",
       .doc = "DNS name of the ingress gateway, for which tlsSecret holds a certificate that "
              "every workload trusts already.",
       .shape = text(dns_name_kind())},
      {.name = "ip",
       .doc = "IP address of the ingress gateway. Default: what the cluster gives it.",
       .shape = text(ip_address_kind())},
      {.name = "tlsSecret",
       .doc = "The TLS Secret for host, beside the ingress gateway.",
       .shape = text(dns_name_kind())},
  });
}

Shape discovery_shape() {
  Shape shape =
      table_of(cluster_name_kind(), list_of(text(cluster_name_kind()), Shape::Repeats::kRefused));
  shape.words = {"all", "none"};
  return shape;
}

/// What a cluster and `spec.defaults` have in common.
std::vector<Key> shared_cluster_keys() {
  return {
      {.name = "context",
       .doc = "The context of the kubeconfig. Default: the cluster's name.",
       .shape = text(line_kind())},
      {.name = "kubeconfig",
       .doc =
           "Path of the kubeconfig, relative to this file. Default: as kubectl finds it. One that "
           "is named here needs --allow-exec for plugins, and --allow-credential-files for "
           "token, key and certificate files outside its own folder.",
       .shape = text(line_kind())},
      {.name = "network",
       .doc = "The network that the cluster's pods are on; clusters whose pods reach each other "
              "directly share one.",
       .shape = text(label_value_kind())},
      {.name = "role",
       .doc = "primary: runs an istiod. remote: is managed by the istiods of its controlPlane. "
              "external: runs the istiod of others. config: the first that such a one manages, and "
              "where its configuration lies.",
       .standard = std::string(name_of(Cluster{}.role)),
       .shape = one_of(all_roles())},
      {.name = "controlPlane",
       .doc = "For a remote: the primaries that manage it, the one that it calls first. For a "
              "config cluster and its fellows: the external cluster.",
       .shape = list_of(text(cluster_name_kind()), Shape::Repeats::kRefused)},
      {.name = "values",
       .doc = "Helm values for this cluster, merged over those of spec.istio.",
       .shape = of_kind(Shape::Kind::kFree)},
      {.name = "file",
       .doc = "Path of an IstioOperator of your own, relative to this file, to be installed with "
              "what the mesh needs laid over it.",
       .shape = text(line_kind())},
      {.name = "eastWestGateway",
       .doc = "The east-west gateway of this cluster; what is not said here holds from spec.",
       .shape = gateway_shape()},
  };
}

Shape cluster_shape() {
  std::vector<Key> keys = shared_cluster_keys();
  keys.insert(keys.begin(), {.name = "name",
                             .need = Need::kRequired,
                             .doc = "What istiod calls the cluster; unique in the mesh.",
                             .shape = text(cluster_name_kind())});
  keys.push_back({.name = "apiServer",
                  .doc = "URL or host:port at which other clusters reach this API server. Default: "
                         "that of the kubeconfig.",
                  .shape = text(server_kind())});
  keys.push_back({.name = "external",
                  .doc = "For an external cluster: how others reach the control plane in it.",
                  .shape = external_shape()});
  return mapping(std::move(keys));
}

Shape spec_shape() {
  return mapping({
      {.name = "meshID",
       .doc = "global.meshID of every control plane. Default: metadata.name.",
       .shape = text(label_value_kind())},
      {.name = "trustDomain",
       .doc = "The trust domain of all identities in the mesh.",
       .standard = std::string(istio::kDefaultTrustDomain),
       .shape = text(trust_domain_kind())},
      {.name = "topology",
       .doc = "States the deployment model, to be held against roles and networks.",
       .shape = one_of(all_topologies())},
      {.name = "trust",
       .doc = "Where trust comes from and how long it lasts.",
       .shape = trust_shape()},
      {.name = "istio", .doc = "What is installed on every cluster.", .shape = istio_shape()},
      {.name = "samples",
       .doc = "Where 'verify --samples' gets its images from: for mirrors and air gaps.",
       .shape = samples_shape()},
      {.name = "discovery",
       .doc = "Which clusters' endpoints an istiod learns: all; none but of the remotes that it "
              "manages; or, by the learning cluster, a list of others.",
       .standard = "all",
       .shape = discovery_shape()},
      {.name = "eastWestGateway",
       .doc = "The gateways between networks, and of control planes to their remotes.",
       .shape = gateway_shape()},
      {.name = "defaults",
       .doc = "Keys of a cluster, for all clusters that do not say otherwise. A controlPlane here "
              "counts for remotes only.",
       .shape = mapping(shared_cluster_keys())},
      {.name = "clusters",
       .need = Need::kRequired,
       .doc = "The clusters of the mesh.",
       .shape = list_of(cluster_shape(), Shape::Repeats::kAllowed)},
  });
}

Shape whole_shape() {
  return mapping({
      {.name = "apiVersion",
       .need = Need::kRequired,
       .doc = "The version of this format.",
       .shape = exactly("meshtrust/v1")},
      {.name = "kind",
       .need = Need::kRequired,
       .doc = "What this file describes.",
       .shape = exactly("Mesh")},
      {.name = "metadata",
       .need = Need::kRequired,
       .doc = "What the mesh is called.",
       .shape = mapping({{.name = "name",
                          .need = Need::kRequired,
                          .doc = "The name of the mesh.",
                          .shape = text(mesh_name_kind())}})},
      {.name = "spec",
       .need = Need::kRequired,
       .doc = "What the mesh should be.",
       .shape = spec_shape()},
  });
}

}  // namespace

const Shape& mesh_shape() {
  static const Shape shape = whole_shape();
  return shape;
}

const Key* find_key(const Shape& mapping, std::string_view name) {
  const auto found = std::find_if(mapping.keys.begin(), mapping.keys.end(),
                                  [&](const Key& key) { return key.name == name; });
  return found == mapping.keys.end() ? nullptr : &*found;
}

}  // namespace meshtrust::profiles
