#pragma once

#include <string>
#include <string_view>

namespace meshtrust::k8s {

/// Names one object, or all of a kind in a namespace when `name` is empty.
struct ObjectRef {
  std::string api_version = "v1";   ///< "v1", "apps/v1"
  std::string kind = {};            ///< "Secret"
  std::string resource = {};        ///< lower-case plural as the server lists it: "secrets"
  std::string namespace_name = {};  ///< "" for what belongs to the cluster
  std::string name = {};

  /// "/api/v1/namespaces/NS/secrets/NAME", "/apis/GROUP/VERSION/...", each segment encoded.
  std::string path() const;
  /// For people: "secret 'istio-system/cacerts'".
  std::string describe() const;
  /// "" for the core group.
  std::string group() const;
  /// Whether values are in it that no library may keep: those have calls of their own.
  bool is_secret() const { return api_version == "v1" && resource == "secrets"; }

  friend bool operator==(const ObjectRef&, const ObjectRef&) = default;
};

ObjectRef namespace_ref(std::string_view name);
ObjectRef secret_ref(std::string_view namespace_name, std::string_view name);
ObjectRef config_map_ref(std::string_view namespace_name, std::string_view name);
ObjectRef deployment_ref(std::string_view namespace_name, std::string_view name);
/// All pods of a namespace.
ObjectRef pods_ref(std::string_view namespace_name);

}  // namespace meshtrust::k8s
