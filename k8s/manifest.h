#pragma once

#include "base/result.h"
#include "base/secret.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::k8s {

/// One value of a Secret or ConfigMap in a manifest, decoded.
struct ManifestValue {
  std::string object;  ///< for people: "secret istio-system/cacerts"
  std::string key;     ///< "ca-cert.pem"
  base::Secret value;
};

/// The values in the Secrets and ConfigMaps of `content`: YAML or JSON, one object, a List, or
/// several documents, as `kubectl get -o yaml` and people write them. Other kinds are passed over.
/// Nothing when it is no Kubernetes object at all; kInvalidInput, with the place in `file`, when it
/// is one and broken. The message never quotes the text.
///
/// The text goes through the YAML parser, whose memory the program's heap wipes.
base::Result<std::optional<std::vector<ManifestValue>>> read_manifest(const std::string& file,
                                                                      const base::Secret& content);

}  // namespace meshtrust::k8s
