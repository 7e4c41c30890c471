#include "profiles/merge.h"

#include "profiles/free_value.h"

namespace meshtrust::profiles {
namespace {

using base::Json;

void visit_below(const Json& values, const std::string& path, const VisitLeaf& visit) {
  if (!values.is_object() || values.empty()) {
    if (!path.empty()) visit(path, values);
    return;
  }
  for (const auto& [key, value] : values.items()) {
    visit_below(value, path_in(path, key), visit);
  }
}

}  // namespace

void merge_values(Json& values, const Json& over) {
  if (!over.is_object() || !values.is_object()) {
    values = over;
    return;
  }
  for (const auto& [key, value] : over.items()) {
    merge_values(values[key], value);
  }
}

void for_each_leaf(const Json& values, const VisitLeaf& visit) {
  visit_below(values, "", visit);
}

const Json* find_path(const Json& values, const std::string& path) {
  const Json* here = &values;
  std::string key;
  const auto step = [&here](const std::string& name) {
    const auto found = here->is_object() ? here->find(name) : here->end();
    here = here->is_object() && found != here->end() ? &*found : nullptr;
  };
  for (std::size_t i = 0; i <= path.size() && here != nullptr; ++i) {
    if (i == path.size() || path[i] == '.') {
      step(key);
      key.clear();
    } else {
      if (path[i] == '\\') ++i;
      key += path[i];
    }
  }
  return here;
}

}  // namespace meshtrust::profiles
