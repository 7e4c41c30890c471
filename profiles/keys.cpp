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
  });
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
  });
}

/// What a cluster and `spec.defaults` have in common.
std::vector<Key> shared_cluster_keys() {
  return {
      {.name = "context",
       .doc = "The context of the kubeconfig. Default: the cluster's name.",
       .shape = text(line_kind())},
      {.name = "kubeconfig",
       .doc = "Path of the kubeconfig, relative to this file. Default: as kubectl finds it.",
       .shape = text(line_kind())},
      {.name = "network",
       .doc = "The network that the cluster's pods are on; clusters whose pods reach each other "
              "directly share one.",
       .shape = text(label_value_kind())},
      {.name = "role",
       .doc = "primary: runs an istiod. remote: is managed by the istiods of its controlPlane.",
       .standard = std::string(name_of(Cluster{}.role)),
       .shape = one_of(all_roles())},
      {.name = "controlPlane",
       .doc = "For a remote: the primaries that manage it.",
       .shape = list_of(text(cluster_name_kind()), Shape::Repeats::kRefused)},
  };
}

Shape cluster_shape() {
  std::vector<Key> keys = shared_cluster_keys();
  keys.insert(keys.begin(), {.name = "name",
                             .need = Need::kRequired,
                             .doc = "What istiod calls the cluster; unique in the mesh.",
                             .shape = text(cluster_name_kind())});
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
      {.name = "defaults",
       .doc = "Any key of a cluster but its name, for all clusters that do not say otherwise. A "
              "controlPlane here counts for remotes only.",
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
