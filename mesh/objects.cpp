#include "mesh/objects.h"

#include <iterator>

namespace meshtrust::mesh {

using base::Json;

std::string resource_of(const profiles::Object& object) {
  const auto slash = object.api_version.find('/');
  if (slash == std::string::npos) return object.resource;
  return object.resource + "." + object.api_version.substr(0, slash);
}

const Json& list_at(const Json& object, std::initializer_list<std::string_view> path) {
  static const Json kNone = Json::array();
  const Json& found = base::at_path(object, path);
  return found.is_array() ? found : kNone;
}

std::string name_of(const Json& object) {
  return base::string_at(base::at_path(object, {"metadata"}), "name");
}

std::string uid_of(const Json& object) {
  return base::string_at(base::at_path(object, {"metadata"}), "uid");
}

void Objects::add(std::string_view resource, Observed<List> found) {
  const auto known = lists_.find(resource);
  if (known == lists_.end()) {
    lists_.emplace(std::string(resource), std::move(found));
    return;
  }
  if (known->second.is_unknown() || found.is_absent()) return;
  if (found.is_unknown() || known->second.is_absent()) {
    known->second = std::move(found);
    return;
  }
  List all = *known->second.found(Unknown::kTold);
  const List& more = *found.found(Unknown::kTold);
  all.insert(all.end(), more.begin(), more.end());
  known->second = std::move(all);
}

Observed<Json> Objects::find(std::string_view resource,
                             std::string_view namespace_name,
                             std::string_view name) const {
  const auto known = lists_.find(resource);
  if (known == lists_.end()) return {};
  if (const base::Error* why = known->second.why_unknown()) return Observed<Json>::unknown(*why);
  if (known->second.is_absent()) return Absent{};
  for (const Json& object : *known->second.found(Unknown::kTold)) {
    const Json& metadata = base::at_path(object, {"metadata"});
    if (base::string_at(metadata, "name") == name &&
        base::string_at(metadata, "namespace") == namespace_name) {
      return object;
    }
  }
  return Absent{};
}

Observed<Objects::List> Objects::list(std::string_view resource) const {
  const auto known = lists_.find(resource);
  return known == lists_.end() ? Observed<List>() : known->second;
}

const base::Error* Objects::why_unknown(std::string_view resource) const {
  static const Observed<List> kNotLookedAt;
  const auto known = lists_.find(resource);
  return (known == lists_.end() ? kNotLookedAt : known->second).why_unknown();
}

}  // namespace meshtrust::mesh
