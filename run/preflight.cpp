#include "run/preflight.h"

#include "run/pool.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <vector>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Error;

k8s::ObjectRef ref_of(const mesh::Right& right) {
  return {.api_version = right.api_version,
          .kind = right.kind,
          .resource = right.resource,
          .namespace_name = right.namespace_name,
          .name = right.name};
}

/// What is missing in one cluster, with its name and what to do about it.
base::Errors missing_in(const std::string& cluster,
                        const std::vector<mesh::Right>& rights,
                        k8s::ApiClient& client) {
  auto missing = missing_rights(rights, client);
  if (!missing) return {with_context(std::move(missing).error(), cluster)};
  base::Errors errors;
  for (Error& error : *missing) {
    errors.push_back(with_context(std::move(error), cluster));
  }
  if (!errors.empty()) {
    errors.back().hints.push_back(
        fmt::format("have {} bound to the operator role of docs/rbac.yaml, which holds what apply "
                    "needs",
                    client.settings().describe_user()));
  }
  return errors;
}

}  // namespace

base::Result<base::Errors> missing_rights(const std::vector<mesh::Right>& rights,
                                          k8s::ApiClient& client) {
  base::Errors missing;
  for (const mesh::Right& right : rights) {
    const k8s::ObjectRef ref = ref_of(right);
    MESHTRUST_TRY(const bool allowed, client.can_i({.verb = right.verb, .object = ref}));
    if (allowed) continue;
    missing.push_back(
        {.code = Code::kPermission,
         .message = fmt::format("not permitted to {} {}", right.verb, ref.describe())});
  }
  return missing;
}

base::Errors check_rights(const mesh::Plan& plan, const World& world) {
  std::map<std::string, std::vector<mesh::Right>> by_cluster;
  for (mesh::Right& right : plan.requires_rights()) {
    by_cluster[right.cluster].push_back(std::move(right));
  }
  std::vector<std::string> names;
  names.reserve(by_cluster.size());
  for (const auto& [name, rights] : by_cluster) {
    names.push_back(name);
  }
  std::vector<base::Errors> found(names.size());
  for_each_index(names.size(), world.jobs, [&](std::size_t index) {
    const auto client = world.clusters.client(names[index]);
    found[index] = client ? missing_in(names[index], by_cluster.at(names[index]), **client)
                          : base::Errors{with_context(client.error(), names[index])};
  });
  base::Errors all;
  for (base::Errors& errors : found) {
    for (Error& error : errors) {
      all.push_back(std::move(error));
    }
  }
  return all;
}

}  // namespace meshtrust::run
