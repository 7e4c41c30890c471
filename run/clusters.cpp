#include "run/clusters.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace meshtrust::run {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Result;

/// Loads each distinct kubeconfig once.
class Kubeconfigs {
 public:
  Kubeconfigs(const ClusterAccess& access, base::Files& files) : access_(access), files_(files) {}

  /// The command line wins over the mesh file, as a flag always does.
  bool is_named_by_mesh_file(const profiles::Cluster& cluster) const {
    return cluster.kubeconfig && !access_.sources.flag;
  }

  const Result<k8s::Kubeconfig>& of(const profiles::Cluster& cluster) {
    k8s::KubeconfigSources sources = access_.sources;
    if (is_named_by_mesh_file(cluster)) {
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
                                        base::Files& files) {
  const Result<k8s::Kubeconfig>& kubeconfig = kubeconfigs.of(cluster);
  if (!kubeconfig) return base::fail(kubeconfig.error());
  auto settings = kubeconfig->settings_for(cluster.context, files);
  if (!settings) {
    base::Error error = std::move(settings).error();
    if (error.place.line == 0) error.place = cluster.context_place;
    return base::fail(std::move(error));
  }
  return settings;
}

/// What the kubeconfig of `cluster` wants and may not have, if anything.
std::optional<base::Error> refusal_of(const profiles::Cluster& cluster,
                                      Kubeconfigs& kubeconfigs,
                                      const KubeconfigTrust& trust) {
  if (!kubeconfigs.is_named_by_mesh_file(cluster)) return std::nullopt;
  const Result<k8s::Kubeconfig>& kubeconfig = kubeconfigs.of(cluster);
  if (!kubeconfig) return std::nullopt;  // which is told as what it is
  const k8s::Reach reach = kubeconfig->reach_of(cluster.context);
  std::vector<std::string> wants;
  std::vector<std::string> flags;
  if (!reach.program.empty() && !trust.exec) {
    wants.push_back(fmt::format("runs a credential plugin ('{}')", base::printable(reach.program)));
    flags.emplace_back("--allow-exec");
  }
  if (!reach.files.empty() && !trust.credential_files) {
    wants.push_back(
        fmt::format("reads files outside its own folder ({})", base::join(reach.files, ", ")));
    flags.emplace_back("--allow-credential-files");
  }
  if (wants.empty()) return std::nullopt;
  return base::Error{
      .code = Code::kInvalidInput,
      .message = fmt::format("{}: the kubeconfig '{}', which the mesh file names, {}", cluster.name,
                             kubeconfig->files().front(), base::join(wants, " and ")),
      .hints = {fmt::format("if you trust that file, say so with {}, or name it yourself with "
                            "--kubeconfig",
                            base::join(flags, " "))}};
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
    if (auto refusal = refusal_of(cluster, kubeconfigs, access.trust)) {
      clients_.emplace(cluster.name, base::fail(*refusal));
      refusals_.push_back(*std::move(refusal));
    }
  }
  for (const profiles::Cluster& cluster : mesh.clusters) {
    if (!refusals_.empty()) {
      clients_.emplace(cluster.name, base::fail(refusals_.front()));
      continue;
    }
    auto settings = settings_of(cluster, kubeconfigs, effects.files);
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
