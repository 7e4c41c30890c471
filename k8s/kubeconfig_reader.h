#pragma once

#include "base/result.h"
#include "k8s/kubeconfig.h"
#include "k8s/yaml_value.h"

namespace meshtrust::k8s {

/// Reads a file by kubectl's typing rules: unknown fields are ignored, a number or a bool is no
/// string, `*-data` must be base64, a name may not come twice in a list. The first fault is the
/// error (kInvalidInput with its place); it never quotes what may be secret.
base::Result<KubeconfigContent> read_kubeconfig(const YamlValue& document, const Origin& origin);

}  // namespace meshtrust::k8s
