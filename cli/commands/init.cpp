#include "profiles/init.h"

#include "base/text.h"
#include "cli/cluster_text.h"
#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/mesh_context.h"
#include "k8s/kubeconfig.h"

#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace meshtrust::cli {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Result;

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  for (const std::string& part : base::split(text, ',')) {
    const std::string trimmed(base::trim(part));
    if (!trimmed.empty()) parts.push_back(trimmed);
  }
  return parts;
}

class InitCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("--from-contexts", contexts_, "contexts of the kubeconfig, one cluster each")
        ->option_text("A,B");
    app.add_option("--clusters", clusters_,
                   "cluster names, when they are to differ from the contexts")
        ->option_text("A,B");
    app.add_option("--name", name_,
                   "name of the mesh (default made of the folder and the clusters)")
        ->option_text("NAME");
    app.add_option("--topology", topology_,
                   "multi-primary, primary-remote, multi-primary-multi-network, "
                   "primary-remote-multi-network, external-control-plane or ambient-multi-network")
        ->option_text("MODEL");
    app.add_option("--istio-version", istio_version_, "version of Istio that apply is to install")
        ->option_text("X.Y.Z");
    app.add_flag("--force", force_, "replace an existing mesh file");
  }

  int run(Session& session) override {
    const auto name = write(session);
    if (!name) {
      session.console().show(name.error());
      return exit_code_of(name.error().code);
    }
    session.console().say(fmt::format("wrote {}", session.options.file));
    if (name_.empty()) {
      session.console().say(
          fmt::format("the mesh is called '{}'; --name gives it another name", *name));
    }
    session.console().say("next: look at it, then 'meshtrust plan'");
    return kDone;
  }

 private:
  Result<profiles::InitRequest> request(const Session& session) const {
    profiles::InitRequest request;
    request.mesh_name = name_;
    const std::vector<std::string> contexts = split_list(contexts_);
    const std::vector<std::string> names = split_list(clusters_);
    if (contexts.empty() && names.empty()) {
      return base::fail(Code::kUsage, "which clusters?", "say --from-contexts east,west");
    }
    if (!contexts.empty() && !names.empty() && names.size() != contexts.size()) {
      return base::fail(Code::kUsage, fmt::format("--clusters has {} names, --from-contexts {}",
                                                  names.size(), contexts.size()));
    }
    const std::size_t count = std::max(contexts.size(), names.size());
    for (std::size_t i = 0; i < count; ++i) {
      profiles::InitCluster cluster;
      cluster.context = contexts.empty() ? names[i] : contexts[i];
      if (!names.empty()) cluster.name = names[i];
      if (!session.options.kubeconfig.empty()) {
        // Relative paths in a mesh file count from its folder.
        const fs::path folder = fs::absolute(session.options.file).parent_path();
        const fs::path kubeconfig = session.options.kubeconfig;
        cluster.kubeconfig = kubeconfig.is_absolute()
                                 ? kubeconfig.string()
                                 : fs::absolute(kubeconfig).lexically_relative(folder).string();
      }
      request.clusters.push_back(std::move(cluster));
    }
    if (!topology_.empty()) {
      MESHTRUST_TRY(request.topology, topology());
    }
    if (!istio_version_.empty()) {
      auto version = istio::parse_version(istio_version_);
      if (!version) {
        return base::fail(Code::kUsage, "--istio-version: " + version.error().message);
      }
      request.istio_version = *version;
    }
    return request;
  }

  Result<profiles::Topology> topology() const {
    std::vector<std::string> known;
    for (const profiles::Topology one : profiles::all_topologies()) {
      if (profiles::name_of(one) == topology_) return one;
      known.emplace_back(profiles::name_of(one));
    }
    return base::fail(Code::kUsage, fmt::format("unknown topology '{}'", topology_),
                      "use " + base::join(known, ", "));
  }

  /// A context that does not exist is found out here and not at the first plan.
  static base::Status check_contexts(const k8s::Kubeconfig& kubeconfig,
                                     const profiles::InitRequest& request) {
    const std::vector<std::string> known = kubeconfig.context_names();
    for (const profiles::InitCluster& cluster : request.clusters) {
      if (std::find(known.begin(), known.end(), cluster.context) != known.end()) continue;
      const auto meant = base::nearest(cluster.context, known);
      return base::fail(
          Code::kInvalidInput,
          fmt::format("context '{}' is not in the kubeconfig ({})", cluster.context,
                      kubeconfig.files().empty() ? "no file was found"
                                                 : base::join(kubeconfig.files(), ", ")),
          meant           ? fmt::format("did you mean '{}'?", *meant)
          : known.empty() ? "name a kubeconfig with --kubeconfig"
                          : "it has " + base::join(known, ", "));
    }
    return {};
  }

  /// The user's own kubeconfig is trusted; as a part of a mesh file it needs a word each time.
  static void warn_of_trust(const Session& session,
                            const k8s::Kubeconfig& kubeconfig,
                            const profiles::InitRequest& request) {
    std::vector<std::string> flags;
    for (const profiles::InitCluster& one : request.clusters) {
      if (!one.kubeconfig) continue;
      const k8s::Reach reach = kubeconfig.reach_of(one.context);
      const auto add = [&flags](bool is_needed, const char* flag) {
        const bool known = std::find(flags.begin(), flags.end(), flag) != flags.end();
        if (is_needed && !known) flags.emplace_back(flag);
      };
      add(!reach.program.empty(), "--allow-exec");
      add(!reach.files.empty(), "--allow-credential-files");
    }
    if (flags.empty()) return;
    session.console().warn(
        fmt::format("the mesh file names '{}', which runs programs or reads files elsewhere: "
                    "commands will want {} for it, or the same --kubeconfig",
                    session.options.kubeconfig, base::join(flags, " ")));
  }

  static void warn_of_entries(const Session& session,
                              const k8s::Kubeconfig& kubeconfig,
                              const profiles::InitRequest& request) {
    for (const std::string& text : kubeconfig.warnings()) {
      session.console().warn(text);
    }
    std::vector<ContextServer> servers;
    for (const profiles::InitCluster& one : request.clusters) {
      const auto found = kubeconfig.clusters().find(kubeconfig.contexts().at(one.context).cluster);
      if (found == kubeconfig.clusters().end()) continue;
      servers.push_back({.context = one.context,
                         .server = found->second.server,
                         .proxy_url = found->second.proxy_url,
                         .tls_server_name = found->second.tls_server_name});
    }
    for (const std::string& text : contexts_of_one_server(servers)) {
      session.console().warn(text);
    }
  }

  /// Folders are called after what is in them, but for the root and people's own.
  static std::string folder_name(const Session& session) {
    const fs::path folder = fs::absolute(session.options.file).lexically_normal().parent_path();
    const fs::path home = session.around.variable("HOME").value_or("");
    return folder == home.lexically_normal() ? "" : folder.filename().string();
  }

  /// What tells the API servers of the clusters from those of others: their addresses, and whom
  /// they are trusted by, for many stand at 127.0.0.1.
  static std::string propose_name(const Session& session,
                                  const k8s::Kubeconfig& kubeconfig,
                                  const profiles::InitRequest& request) {
    std::vector<std::string> contexts;
    std::vector<std::string> servers;
    for (const profiles::InitCluster& one : request.clusters) {
      contexts.push_back(one.context);
      const std::string& name = kubeconfig.contexts().at(one.context).cluster;
      const auto cluster = kubeconfig.clusters().find(name);
      if (cluster == kubeconfig.clusters().end()) continue;
      servers.push_back(cluster->second.server + " " +
                        cluster->second.certificate_authority.data.value_or(""));
    }
    return profiles::propose_mesh_name(folder_name(session), contexts, std::move(servers));
  }

  /// Writes the file, and says what the mesh is called.
  Result<std::string> write(const Session& session) const {
    MESHTRUST_TRY(profiles::InitRequest wanted, request(session));
    MESHTRUST_TRY(const k8s::Kubeconfig kubeconfig,
                  k8s::Kubeconfig::load(kubeconfig_sources(session), session.around.files));
    MESHTRUST_TRY_DO(check_contexts(kubeconfig, wanted));
    if (name_.empty()) wanted.mesh_name = propose_name(session, kubeconfig, wanted);
    warn_of_trust(session, kubeconfig, wanted);
    warn_of_entries(session, kubeconfig, wanted);
    MESHTRUST_TRY(const std::string text, profiles::render_mesh_file(wanted));
    const auto written =
        session.around.files.write(session.options.file, text, base::Access::kPublic,
                                   force_ ? base::Overwrite::kReplace : base::Overwrite::kNever);
    if (!written && written.error().code == Code::kConflict) {
      return base::fail(Code::kRefused, fmt::format("'{}' already exists", session.options.file),
                        "name another with --file, or replace it with --force");
    }
    if (!written) return base::fail(written.error());
    return wanted.mesh_name;
  }

  std::string contexts_;
  std::string clusters_;
  std::string name_;
  std::string topology_;
  std::string istio_version_;
  bool force_ = false;
};

}  // namespace

CommandEntry init_command() {
  return {
      .name = "init",
      .group = "From kubeconfigs to proved trust",
      .summary = "write a mesh file from kubeconfig contexts",
      .details =
          "Writes a commented mesh.yaml with one cluster for each context, each on a network "
          "of its own unless --topology says otherwise. Without --name the mesh is called after "
          "the folder of the file (after the contexts in your home folder), with four digits of "
          "the "
          "digest of its clusters' servers, so that no two teams' meshes are called the same. "
          "Connects to nothing and never replaces a file without --force.",
      .examples = {{"Two clusters", "meshtrust init --from-contexts east,west"},
                   {"With names of their own",
                    "meshtrust init --from-contexts kind-east,kind-west --clusters east,west"},
                   {"One network, another file",
                    "meshtrust init --from-contexts a,b --topology multi-primary -f shop.yaml"}},
      .files = {"mesh.yaml  written"},
      .make = make_command<InitCommand>};
}

}  // namespace meshtrust::cli
