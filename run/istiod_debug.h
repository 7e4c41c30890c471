#pragma once

#include "base/result.h"
#include "k8s/api_client.h"
#include "mesh/live.h"

#include <cstdint>
#include <string>

namespace meshtrust::run {

/// What the istiod in `pod` says at /debug/clusterz and /debug/networkz, through a port of the pod:
/// istiod takes that for itself, while requests by pods/proxy would need a token. kUnavailable when
/// it does not answer, or with something else than expected.
base::Result<mesh::IstiodView> view_of_istiod(k8s::ApiClient& client,
                                              const std::string& namespace_name,
                                              const std::string& pod);

/// How often the API server of `cluster` has refused that istiod a list or a watch since it
/// started, by its /metrics. Errors likewise.
base::Result<std::uint64_t> refusals_of_istiod(k8s::ApiClient& client,
                                               const std::string& namespace_name,
                                               const std::string& pod,
                                               const std::string& cluster);

}  // namespace meshtrust::run
