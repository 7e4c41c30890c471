#include "mesh/observed.h"

#include <algorithm>

namespace meshtrust::mesh {

void Unknowns::add(const base::Error& why) {
  base::Error told = where_.empty() ? why : with_context(why, where_);
  if (std::find(errors_.begin(), errors_.end(), told) == errors_.end()) {
    errors_.push_back(std::move(told));
  }
}

}  // namespace meshtrust::mesh
