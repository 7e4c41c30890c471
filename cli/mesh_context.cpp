#include "cli/mesh_context.h"

#include "base/text.h"
#include "profiles/load.h"

#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::cli {

namespace fs = std::filesystem;
using base::Code;
using base::Errors;
using base::Result;

void declare_trust(CLI::App& app, run::KubeconfigTrust& trust) {
  app.add_flag("--allow-exec", trust.exec,
               "run credential plugins of kubeconfigs that the mesh file names");
  app.add_flag("--allow-credential-files", trust.credential_files,
               "read token, key and certificate files outside the folder of such a kubeconfig");
}

Result<profiles::Mesh, Errors> load_mesh_file(const Session& session) {
  const std::string& file = session.options.file;
  auto text = session.around.files.read(file, std::size_t{1} << 20U);
  if (!text) {
    base::Error error = std::move(text).error();
    if (error.code == Code::kNotFound) {
      error = {.code = Code::kInvalidInput,
               .message = fmt::format("there is no mesh file '{}'", file),
               .hints = {"write one with 'meshtrust init --from-contexts east,west', or name "
                         "another with --file"}};
    }
    return base::fail(Errors{std::move(error)});
  }
  return profiles::load_mesh(file, *text);
}

k8s::KubeconfigSources kubeconfig_sources(const Session& session) {
  k8s::KubeconfigSources sources;
  if (!session.options.kubeconfig.empty()) sources.flag = session.options.kubeconfig;
  sources.kubeconfig_variable = session.around.variable("KUBECONFIG").value_or("");
  sources.home = session.around.variable("HOME").value_or("");
  sources.service_host = session.around.variable("KUBERNETES_SERVICE_HOST").value_or("");
  sources.service_port = session.around.variable("KUBERNETES_SERVICE_PORT").value_or("");
  sources.pod_namespace = session.around.variable("POD_NAMESPACE").value_or("");
  return sources;
}

run::ClusterAccess cluster_access(const Session& session, const run::KubeconfigTrust& trust) {
  const fs::path folder = fs::path(session.options.file).parent_path();
  run::ClusterAccess access;
  access.sources = kubeconfig_sources(session);
  access.mesh_file_folder = folder.empty() ? "." : folder;
  access.home = access.sources.home;
  access.trust = trust;
  access.client.call_timeout = std::min(access.client.call_timeout, session.timeout);
  access.client.plugin_timeout = std::min(access.client.plugin_timeout, session.timeout);
  access.client.http.user_agent = k8s::user_agent(session.name);
  access.client.http.request_timeout =
      std::min(access.client.http.request_timeout, session.timeout);
  const auto either = [&session](const char* upper, const char* lower) {
    const std::string found = session.around.variable(upper).value_or("");
    return found.empty() ? session.around.variable(lower).value_or("") : found;
  };
  access.client.http.proxy = {.https_proxy = either("HTTPS_PROXY", "https_proxy"),
                              .no_proxy = either("NO_PROXY", "no_proxy")};
  access.client.on_warning = [&console = session.console()](std::string_view text) {
    console.warn(text);
  };
  return access;
}

k8s::ClientEffects client_effects(const Session& session) {
  return {.clock = session.around.clock,
          .random = session.around.random,
          .files = session.around.files,
          .processes = session.around.processes,
          .cancellation = session.around.cancellation};
}

namespace {

/// Which server each cluster is, found through which file, as whom.
void explain_access(const Session& session, const MeshContext& context) {
  for (const profiles::Cluster& cluster : context.mesh.clusters) {
    const auto client = context.clusters->client(cluster.name);
    if (!client) continue;
    const k8s::ClientSettings& settings = (*client)->settings();
    session.console().say(fmt::format("{} is {} (context '{}', {}), as {}", cluster.name,
                                      settings.server.text(), cluster.context,
                                      settings.cluster_file, settings.describe_user()));
  }
}

}  // namespace

Result<MeshContext, Errors> open_mesh(Session& session,
                                      const run::KubeconfigTrust& trust,
                                      Unverified push) {
  auto mesh = load_mesh_file(session);
  if (!mesh) return base::fail(std::move(mesh).error());
  const fs::path folder = fs::path(session.options.file).parent_path();
  run::ClusterAccess access = cluster_access(session, trust);
  access.client.write_secrets_unverified = push == Unverified::kAllowed;
  MeshContext context{.mesh = std::move(*mesh),
                      .access = access,
                      .plugins = std::make_unique<k8s::PluginCache>(),
                      .clusters = nullptr,
                      .world = nullptr};
  k8s::ClientEffects effects = client_effects(session);
  effects.plugins = context.plugins.get();
  context.clusters = std::make_unique<run::Clusters>(context.mesh, access, effects);
  if (!context.clusters->refusals().empty()) return base::fail(context.clusters->refusals());
  for (const std::string& warning : context.clusters->warnings()) {
    session.console().warn(warning);
  }
  if (session.console().is_verbose()) explain_access(session, context);
  context.world =
      std::make_unique<run::World>(run::World{.clusters = *context.clusters,
                                              .environment = session.environment(),
                                              .cancellation = session.around.cancellation,
                                              .store = folder / context.mesh.trust.store,
                                              .who = session.who(),
                                              .jobs = session.options.jobs});
  return context;
}

base::Status check_cluster_names(const profiles::Mesh& mesh,
                                 const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const profiles::Cluster& cluster : mesh.clusters) {
    known.push_back(cluster.name);
  }
  for (const std::string& name : names) {
    if (mesh.find(name) != nullptr) continue;
    const auto meant = base::nearest(name, known);
    return base::fail(Code::kUsage, fmt::format("the mesh has no cluster '{}'", name),
                      meant ? fmt::format("did you mean '{}'?", *meant)
                            : "its clusters are " + base::join(known, ", "));
  }
  return {};
}

}  // namespace meshtrust::cli
