#pragma once

#include "base/json.h"
#include "profiles/mesh.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace meshtrust::profiles {

/// An object as meshtrust puts it into a cluster, by server-side apply. It holds nothing secret.
struct Object {
  std::string api_version;     ///< "apps/v1"
  std::string kind;            ///< "Deployment"
  std::string resource;        ///< lower-case plural: "deployments"
  std::string namespace_name;  ///< empty for what belongs to the cluster
  std::string name;
  /// All fields that meshtrust sets, ownership labels included, but for apiVersion, kind, name and
  /// namespace, which stand above.
  base::Json body = base::Json::object();
};

/// The object as a manifest that kubectl takes.
base::Json manifest_of(const Object& object);

/// A field that is not as it should be.
struct Difference {
  std::string path;   ///< "spec.ports[tls].port"
  base::Json wanted;  ///< a field's value, or an item of a list
  base::Json found;   ///< null where it is absent

  friend bool operator==(const Difference&, const Difference&) = default;
};

/// What of `desired` an object that a server stores lacks or has otherwise, in the order of paths.
///
/// The server may know more: fields that it defaulted or that others set do not count. Items of a
/// list are found by the key that server-side apply would merge them by (`name` of containers,
/// ports, variables and volumes, `mountPath`, `containerPort`), and others' items beside them do
/// not count; every other list has to have the same length, item by item. Quantities, addresses
/// and the like are compared as text, so `desired` has to be in the server's canonical form.
std::vector<Difference> differences(const base::Json& desired, const base::Json& live);

/// Whether there are no `differences`.
bool is_contained(const base::Json& desired, const base::Json& live);

}  // namespace meshtrust::profiles
