#pragma once

#include "base/result.h"
#include "base/yaml.h"
#include "k8s/kubeconfig.h"

#include <map>
#include <string>

namespace meshtrust::k8s {

/// What one file says, before any merging.
struct KubeconfigFile {
  std::string current_context = {};
  std::map<std::string, ClusterEntry> clusters = {};
  std::map<std::string, UserEntry> users = {};
  std::map<std::string, ContextEntry> contexts = {};
};

/// Reads the first document of a file by kubectl's typing rules: unknown fields are ignored, the
/// last of a repeated key wins, `<<` is honoured, a number or a bool is no string, `*-data` must be
/// base64, a name may not come twice. The first fault is the error (kInvalidInput with its place).
base::Result<KubeconfigFile> read_kubeconfig(const base::YamlNode& document, const Origin& origin);

}  // namespace meshtrust::k8s
