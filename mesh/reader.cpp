#include "mesh/reader.h"

#include "istio/names.h"
#include "profiles/reader.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

using base::Json;

bool holds(const Json& words, const std::string& word) {
  return std::any_of(words.begin(), words.end(),
                     [&word](const Json& one) { return one == word || one == "*"; });
}

/// Whether one rule of a role gives a right, in all namespaces and on all names.
bool gives(const Json& rule, const profiles::ReaderRight& right) {
  const auto slash = right.api_version.find('/');
  const std::string group =
      slash == std::string::npos ? std::string() : right.api_version.substr(0, slash);
  return list_at(rule, {"resourceNames"}).empty() && holds(list_at(rule, {"apiGroups"}), group) &&
         holds(list_at(rule, {"resources"}), right.resource) &&
         holds(list_at(rule, {"verbs"}), right.verb);
}

bool binds_reader(const Json& binding, const std::string& space) {
  const Json& subjects = list_at(binding, {"subjects"});
  return std::any_of(subjects.begin(), subjects.end(), [&space](const Json& subject) {
    return base::string_at(subject, "kind") == "ServiceAccount" &&
           base::string_at(subject, "name") == istio::kReaderServiceAccount &&
           base::string_at(subject, "namespace") == space;
  });
}

}  // namespace

std::optional<std::vector<std::string>> rights_not_given(const profiles::Mesh& mesh,
                                                         const profiles::Cluster& istiod,
                                                         const profiles::Cluster& cluster,
                                                         const Objects& objects) {
  const std::string name = profiles::name_of_reader_role(mesh, cluster);
  const auto role = objects.find(kClusterRoles, {}, name);
  const auto binding = objects.find(kClusterRoleBindings, {}, name);
  if (role.is_unknown() || binding.is_unknown()) return std::nullopt;
  const Json* bound = binding.found(Unknown::kTold);
  const bool is_bound = bound != nullptr && binds_reader(*bound, mesh.istio.system_namespace);
  const Json* live = is_bound ? role.found(Unknown::kTold) : nullptr;
  const Json::array_t none;
  const auto& rules =
      live == nullptr ? none : list_at(*live, {"rules"}).get_ref<const Json::array_t&>();
  std::vector<std::string> missing;
  for (const profiles::ReaderRight& right : profiles::rights_to_read(mesh, istiod, cluster)) {
    const bool has = std::any_of(rules.begin(), rules.end(),
                                 [&right](const Json& rule) { return gives(rule, right); });
    if (!has) missing.push_back(right.verb + " " + right.resource);
  }
  return missing;
}

}  // namespace meshtrust::mesh
