#pragma once

#include "k8s/api_client.h"

#include <string>
#include <string_view>

namespace meshtrust::k8s {

inline constexpr std::string_view kJson = "application/json";

/// What every write says about itself.
std::string write_query();

/// Where objects like `ref` are created.
ObjectRef collection_of(ObjectRef ref);

/// The server, or something before it, may have given up on a write that went on.
bool leaves_open(const Reply& reply);

/// Something is in the place of what was to be created: on its way out, or another object.
base::Error is_being_deleted_there(std::string_view action);
base::Error exists_already(std::string_view action);

/// What `apply` came to. Where it was said to be done in an answer that cannot be read, doing it
/// once more tells what is there. The outer result is that of asking, the inner that of reading.
template <class Apply>
base::Result<Applied> settled(const Apply& apply) {
  MESHTRUST_TRY(base::Result<Applied> first, apply());
  if (first) return first;
  MESHTRUST_TRY(base::Result<Applied> second, apply());
  if (second) return second;
  return base::fail(with_hint(std::move(second).error(), std::string(kOutcomeUnknown)));
}

}  // namespace meshtrust::k8s
