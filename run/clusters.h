#pragma once

#include "base/result.h"
#include "k8s/api_client.h"
#include "k8s/kubeconfig.h"
#include "k8s/plugin_cache.h"
#include "profiles/mesh.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace meshtrust::run {

/// What a kubeconfig that the mesh file names may do beyond talking to its servers. The user's own
/// kubeconfigs may, as with kubectl; a mesh file comes with whatever was cloned.
struct KubeconfigTrust {
  bool exec = false;              ///< run credential plugins
  bool credential_files = false;  ///< read credential files outside the kubeconfig's folder
};

/// How the clusters of a mesh are reached.
struct ClusterAccess {
  k8s::KubeconfigSources sources;          ///< for clusters that name no kubeconfig of their own
  std::filesystem::path mesh_file_folder;  ///< relative kubeconfig paths count from it
  std::filesystem::path home;
  k8s::ClientOptions client;
  KubeconfigTrust trust = {};
};

/// How another program is told to reach the same cluster: through the user's own kubeconfig, so
/// that nothing of it is copied.
struct ToolAccess {
  std::vector<std::string> arguments;              ///< --kubeconfig and --context
  std::map<std::string, std::string> environment;  ///< KUBECONFIG, where several files are merged
};

/// The API clients of a mesh: one a cluster, or the reason why there is none.
class Clusters {
 public:
  /// Reads the kubeconfigs (each file once) and builds the clients; connects to nothing. Where
  /// `effects` has a cache for plugins, it is shared; else these clients have one of their own.
  Clusters(const profiles::Mesh& mesh,
           const ClusterAccess& access,
           const k8s::ClientEffects& effects);

  /// Of every cluster whose kubeconfig wants more than it is trusted with, one error
  /// (kInvalidInput). Where there is any, nothing was opened but kubeconfigs, and no cluster has a
  /// client.
  const base::Errors& refusals() const { return refusals_; }

  /// kInvalidInput when the kubeconfig says nothing usable for it.
  base::Result<k8s::ApiClient*> client(const std::string& cluster) const;

  /// For a cluster that `client` has a client for.
  const ToolAccess& tool_access(const std::string& cluster) const;

  /// What is odd about the kubeconfigs, each text once.
  const std::vector<std::string>& warnings() const { return warnings_; }
  /// Of these, what is about the files as such and not about one cluster's entries.
  const std::vector<std::string>& kubeconfig_warnings() const { return kubeconfig_warnings_; }

 private:
  std::unique_ptr<k8s::PluginCache> plugins_;  ///< outlives the clients
  std::map<std::string, base::Result<std::unique_ptr<k8s::ApiClient>>> clients_;
  std::map<std::string, ToolAccess> tools_;
  base::Errors refusals_;
  std::vector<std::string> warnings_;
  std::vector<std::string> kubeconfig_warnings_;
};

}  // namespace meshtrust::run
