#pragma once

#include "base/check.h"
#include "mesh/observed.h"

namespace meshtrust::test {

/// What a test knows to have been found.
template <class T>
T found_in(const mesh::Observed<T>& fact) {
  const T* found = fact.found(mesh::Unknown::kTold);
  MESHTRUST_CHECK(found != nullptr);
  return *found;
}

}  // namespace meshtrust::test
