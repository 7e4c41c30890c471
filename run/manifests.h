#pragma once

#include "base/json.h"
#include "k8s/api_client.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::run {

/// An object as an installer renders it.
struct RenderedObject {
  k8s::ObjectRef ref;
  base::Json body;
};

/// The objects in `manifests` (YAML documents), in the order in which they can be applied: CRDs,
/// accounts and roles, configuration, the rest, and webhooks last. The server of `client` says what
/// their resources are called; what it does not serve yet (kinds that a CRD among them brings) is
/// left out. kInvalidInput for what is no manifest.
base::Result<std::vector<RenderedObject>> read_manifests(k8s::ApiClient& client,
                                                         std::string_view manifests);

}  // namespace meshtrust::run
