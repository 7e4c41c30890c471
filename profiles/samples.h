#pragma once

#include "profiles/object.h"

#include <string_view>
#include <vector>

namespace meshtrust::profiles {

/// The namespace of the sample workloads unless told otherwise.
inline constexpr std::string_view kSampleNamespace = "sample";

/// Istio's helloworld and a client in a cluster with workloads: the namespace, labelled so that its
/// pods join this mesh; the Service, the same everywhere; a Deployment whose version is "v1" in the
/// first cluster with workloads and "v2" in all others; and a curl to call it from. Where sidecars
/// route, a VirtualService turns off the retries that would hide a lost call.
std::vector<Object> samples(const Mesh& mesh,
                            const Cluster& cluster,
                            std::string_view sample_namespace = kSampleNamespace);

}  // namespace meshtrust::profiles
