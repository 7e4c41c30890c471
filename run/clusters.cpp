#include "run/clusters.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::run {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Result;

bool lies_inside(const fs::path& file, const fs::path& folder) {
  const fs::path relative =
      fs::weakly_canonical(file).lexically_relative(fs::weakly_canonical(folder));
  return !relative.empty() && *relative.begin() != "..";
}

/// Loads each distinct kubeconfig once.
class Kubeconfigs {
 public:
  Kubeconfigs(const ClusterAccess& access, base::Files& files) : access_(access), files_(files) {}

  const Result<k8s::Kubeconfig>& of(const profiles::Cluster& cluster) {
    k8s::KubeconfigSources sources = access_.sources;
    // The command line wins over the mesh file, as a flag always does.
    if (cluster.kubeconfig && !sources.flag) {
      sources.flag = (access_.mesh_file_folder / *cluster.kubeconfig).lexically_normal();
    }
    const std::string key = sources.flag ? sources.flag->string() : std::string();
    auto found = loaded_.find(key);
    if (found == loaded_.end()) {
      found = loaded_.emplace(key, k8s::Kubeconfig::load_or_in_cluster(sources, files_)).first;
    }
    return found->second;
  }

 private:
  const ClusterAccess& access_;
  base::Files& files_;
  std::map<std::string, Result<k8s::Kubeconfig>> loaded_;
};

ToolAccess tool_access_of(const k8s::Kubeconfig& kubeconfig, const std::string& context) {
  // In a pod there is no file, and every tool finds the service account by itself.
  if (kubeconfig.files().empty()) return {};
  ToolAccess access{.arguments = {"--context", context}, .environment = {}};
  if (kubeconfig.files().size() == 1) {
    access.arguments.insert(access.arguments.begin(),
                            {"--kubeconfig", fs::absolute(kubeconfig.files().front()).string()});
    return access;
  }
  std::string list;
  for (const std::string& file : kubeconfig.files()) {
    list += (list.empty() ? "" : ":") + fs::absolute(file).string();
  }
  access.environment.emplace("KUBECONFIG", std::move(list));
  return access;
}

Result<k8s::ClientSettings> settings_of(const profiles::Cluster& cluster,
                                        Kubeconfigs& kubeconfigs,
                                        const ClusterAccess& access,
                                        base::Files& files) {
  const Result<k8s::Kubeconfig>& kubeconfig = kubeconfigs.of(cluster);
  if (!kubeconfig) return base::fail(kubeconfig.error());
  auto settings = kubeconfig->settings_for(cluster.context, files);
  if (!settings) {
    base::Error error = std::move(settings).error();
    if (error.place.line == 0) error.place = cluster.context_place;
    return base::fail(std::move(error));
  }
  // A mesh file that came with a kubeconfig beside it must not be able to run programs by itself.
  if (settings->exec && cluster.kubeconfig && !access.allow_exec &&
      lies_inside(settings->user_file, access.mesh_file_folder)) {
    return base::fail(
        Code::kInvalidInput,
        fmt::format("{} runs a credential plugin ('{}') and lies beside the mesh file",
                    settings->describe_user(), settings->exec->command.front()),
        "if you trust that file, say so with --allow-exec");
  }
  return settings;
}

}  // namespace

Clusters::Clusters(const profiles::Mesh& mesh,
                   const ClusterAccess& access,
                   const k8s::ClientEffects& effects)
    : plugins_(std::make_unique<k8s::PluginCache>()) {
  k8s::ClientEffects with_plugins = effects;
  if (with_plugins.plugins == nullptr) with_plugins.plugins = plugins_.get();
  Kubeconfigs kubeconfigs(access, effects.files);
  const auto add_once = [](std::vector<std::string>& to, const std::string& text) {
    if (std::find(to.begin(), to.end(), text) == to.end()) to.push_back(text);
  };
  for (const profiles::Cluster& cluster : mesh.clusters) {
    auto settings = settings_of(cluster, kubeconfigs, access, effects.files);
    if (const auto& kubeconfig = kubeconfigs.of(cluster)) {
      tools_.emplace(cluster.name, tool_access_of(*kubeconfig, cluster.context));
      for (const std::string& text : kubeconfig->warnings()) {
        add_once(kubeconfig_warnings_, text);
        add_once(warnings_, text);
      }
    }
    if (!settings) {
      clients_.emplace(cluster.name, base::fail(std::move(settings).error()));
      continue;
    }
    for (const std::string& text : settings->warnings) {
      add_once(warnings_, text);
    }
    clients_.emplace(cluster.name, std::make_unique<k8s::ApiClient>(std::move(*settings),
                                                                    with_plugins, access.client));
  }
}

Result<k8s::ApiClient*> Clusters::client(const std::string& cluster) const {
  const auto found = clients_.find(cluster);
  MESHTRUST_CHECK(found != clients_.end());
  if (!found->second) return base::fail(found->second.error());
  return found->second->get();
}

const ToolAccess& Clusters::tool_access(const std::string& cluster) const {
  const auto found = tools_.find(cluster);
  MESHTRUST_CHECK(found != tools_.end());
  return found->second;
}

}  // namespace meshtrust::run
