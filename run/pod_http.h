#pragma once

#include "base/json.h"
#include "base/result.h"
#include "k8s/api_client.h"

#include <string>
#include <string_view>

namespace meshtrust::run {

/// GET of `path` from a plain HTTP server that listens on the loopback of a pod, through a port of
/// it: pods/proxy comes to the pod's address, where nothing of that listens. Ten seconds and 8 MiB
/// at most. kUnavailable when it does not answer, kNotFound when there is no such pod.
base::Result<std::string> text_from_pod(k8s::ApiClient& client,
                                        const k8s::PodPort& port,
                                        std::string_view path);

/// The same of JSON; kUnavailable when the answer is none.
base::Result<base::Json> json_from_pod(k8s::ApiClient& client,
                                       const k8s::PodPort& port,
                                       std::string_view path);

}  // namespace meshtrust::run
