#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {

/// An object in a namespace that meshtrust made, by its metadata alone. Events and endpoints, which
/// are made from other objects, are not looked at.
struct ContentFacts {
  struct Owner {
    std::string kind;
    std::string uid;
  };
  std::string api_version;
  std::string kind;
  std::string resource;
  std::string namespace_name;
  std::string name;
  std::string uid;
  std::map<std::string, std::string> labels = {};
  std::vector<std::string> managers = {};
  std::vector<Owner> owners = {};
  bool terminating = false;

  /// For people: "ConfigMap shop-config".
  std::string describe() const { return kind + " " + name; }
};

/// What goes together with a namespace because it belongs to the mesh that leaves it.
struct Leaving {
  std::string mesh;
  std::set<std::string> roots = {};   ///< values of `istio::kRootLabel` that are the mesh's
  std::string revision = {};          ///< of its control plane, as in the label
  std::set<std::string> doomed = {};  ///< uids of what the plan deletes before
  bool installer_goes = false;        ///< what its installer made is still to be uninstalled
  bool had_own_ca = false;            ///< an istiod of the mesh ran in it that signed for itself
};

/// What in `namespace_name` is neither of the mesh that leaves nor made by Kubernetes or istiod for
/// every namespace, in the order of `contents`: others keep it, and would lose it with the
/// namespace. Left out as well is what goes or stays with an owner that is judged itself.
std::vector<ContentFacts> kept_by_others(const std::vector<ContentFacts>& contents,
                                         std::string_view namespace_name,
                                         const Leaving& leaving);

/// "list what is left in it with 'kubectl ...'": every kind that a namespace may hold.
std::string how_to_list(const std::string& context, const std::string& namespace_name);

/// "ConfigMap a", "Secret b", ... and, where there are more than twenty, "and 14 more".
std::vector<std::string> described(const std::vector<ContentFacts>& objects);

}  // namespace meshtrust::mesh
