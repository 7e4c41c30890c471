#include "run/cluster_check.h"

#include "base/text.h"
#include "cli/cluster_text.h"
#include "cli/commands/commands.h"
#include "cli/mesh_context.h"
#include "istio/names.h"
#include "run/pool.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Error;
using base::Errors;
using base::Result;
using run::ClusterCheck;

constexpr std::size_t kMostOddEntries = 20;

/// What is looked at: the clusters of a mesh file, or contexts as if they were a mesh of that name.
profiles::Mesh mesh_of_contexts(const std::vector<std::string>& contexts) {
  profiles::Mesh mesh;
  mesh.istio.system_namespace = istio::kDefaultNamespace;
  for (const std::string& context : contexts) {
    const bool known = std::any_of(mesh.clusters.begin(), mesh.clusters.end(),
                                   [&](const auto& one) { return one.name == context; });
    if (known) continue;
    profiles::Cluster cluster;
    cluster.name = context;
    cluster.context = context;
    mesh.clusters.push_back(std::move(cluster));
  }
  return mesh;
}

class ClusterCheckCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("--context", contexts_, "look at this context (may be repeated)")
        ->option_text("NAME")
        ->expected(1)
        ->take_all();
    app.add_flag("--offline", offline_, "judge the kubeconfig alone; connect to nothing");
    declare_trust(app, trust_);
  }

  int run(Session& session) override {
    auto mesh = choose(session);
    if (!mesh) {
      session.console().show(mesh.error());
      return exit_code_of(mesh.error());
    }
    const run::ClusterAccess access = cluster_access(session, trust_);
    const run::Clusters clusters(*mesh, access, client_effects(session));
    if (!clusters.refusals().empty()) {
      session.console().show(clusters.refusals());
      return exit_code_of(clusters.refusals());
    }
    std::vector<ClusterCheck> checks = look(session, *mesh, clusters);
    answer(session, checks);
    tell(session, checks);
    for (const std::string& text : clusters.kubeconfig_warnings()) {
      session.console().warn(text);
    }
    tell_about_machine(session, access, checks);
    tell_odd_entries(session);
    ExitCode code = kDone;
    for (const ClusterCheck& check : checks) {
      code = more_telling(code, exit_code_of(check));
    }
    return code;
  }

 private:
  /// --context, else the mesh file, else the current context.
  Result<profiles::Mesh, Errors> choose(Session& session) {
    if (contexts_.empty() && has_mesh_file(session)) return load_mesh_file(session);
    auto config =
        k8s::Kubeconfig::load_or_in_cluster(kubeconfig_sources(session), session.around.files);
    if (!config) return base::fail(Errors{std::move(config).error()});
    if (contexts_.empty()) {
      if (config->current_context().empty()) return base::fail(Errors{nothing_says(*config)});
      contexts_.push_back(config->current_context());
    }
    odd_ = config->odd_entries(contexts_);
    return mesh_of_contexts(contexts_);
  }

  static bool has_mesh_file(const Session& session) {
    if (session.options.file != GlobalOptions().file) return true;
    const auto facts = session.around.files.facts(session.options.file);
    return facts && facts->kind != base::FileKind::kAbsent;
  }

  static Error nothing_says(const k8s::Kubeconfig& config) {
    Error error{.code = Code::kInvalidInput, .message = "nothing says which server is meant"};
    if (config.files().empty()) {
      error.message += ": " + (config.warnings().empty() ? std::string("there is no kubeconfig")
                                                         : base::join(config.warnings(), "; "));
      error.hints.emplace_back("set KUBECONFIG or give --kubeconfig FILE");
      return error;
    }
    error.message += ": no current-context is set in " + base::join(config.files(), ", ");
    std::vector<std::string> names = config.context_names();
    constexpr std::size_t kSome = 10;
    if (names.size() > kSome) names.resize(kSome);
    error.hints.push_back(names.empty() ? "it has no contexts either"
                                        : "name one with --context: " + base::join(names, ", "));
    return error;
  }

  std::vector<ClusterCheck> look(Session& session,
                                 const profiles::Mesh& mesh,
                                 const run::Clusters& clusters) const {
    std::vector<ClusterCheck> checks(mesh.clusters.size());
    run::for_each_index(checks.size(), session.options.jobs, [&](std::size_t index) {
      const profiles::Cluster& cluster = mesh.clusters[index];
      ClusterCheck& check = checks[index];
      check.name = cluster.name;
      check.context = cluster.context;
      check.system_namespace = mesh.istio.system_namespace;
      const auto client = clusters.client(cluster.name);
      if (!client) {
        check.problem = client.error();
        return;
      }
      run::check_settings(check, **client, session.now());
      if (!offline_) run::check_cluster(check, **client, session.around.clock);
      (*client)->close_idle();
    });
    return checks;
  }

  static void answer(const Session& session, const std::vector<ClusterCheck>& checks) {
    base::Json document{{"apiVersion", "meshtrust/v1"},
                        {"kind", "ClusterCheck"},
                        {"clusters", base::Json::array()}};
    std::string text;
    std::string names;
    for (const ClusterCheck& check : checks) {
      document["clusters"].push_back(to_json(check));
      text += (text.empty() ? "" : "\n") + render_check(check, session.now());
      names += base::one_line(check.name) + "\n";
    }
    session.answer(document, session.output == Output::kName ? names : text);
  }

  static void tell(const Session& session, const std::vector<ClusterCheck>& checks) {
    for (const ClusterCheck& check : checks) {
      if (check.problem) session.console().show(with_context(*check.problem, check.name));
      if (!check.missing_rights.empty()) {
        session.console().show(
            Error{.code = Code::kPermission,
                  .message = fmt::format("{}: {} that apply needs {} missing", check.name,
                                         base::count_of(check.missing_rights.size(), "right"),
                                         check.missing_rights.size() == 1 ? "is" : "are"),
                  .hints = {fmt::format("have {} bound to the operator role of docs/rbac.yaml",
                                        check.settings->describe_user())}});
      }
      session.console().show(check.findings);
    }
  }

  /// What is seen without a connection and costs people days: one cluster twice, a plugin that is
  /// not installed, a proxy that is not used.
  static void tell_about_machine(const Session& session,
                                 const run::ClusterAccess& access,
                                 const std::vector<ClusterCheck>& checks) {
    std::vector<ContextServer> servers;
    bool is_local = false;
    for (const ClusterCheck& check : checks) {
      if (check.settings == nullptr) continue;
      const k8s::ClientSettings& settings = *check.settings;
      servers.push_back({.context = check.context,
                         .server = settings.server_as_written,
                         .proxy_url = settings.proxy_url,
                         .tls_server_name = settings.tls_server_name});
      is_local = is_local || (settings.proxy_url.empty() && settings.server.is_loopback());
      tell_missing_plugin(session, check);
    }
    for (const std::string& text : contexts_of_one_server(servers)) {
      session.console().warn(text);
    }
    const bool has_proxy = !access.client.http.proxy.https_proxy.empty();
    if (is_local && has_proxy) {
      session.console().say(
          "note: HTTPS_PROXY is not used for servers on this machine, as in kubectl; 'proxy-url' "
          "in "
          "the kubeconfig would be");
    }
    const auto is_set = [&session](const char* name) {
      return !session.around.variable(name).value_or("").empty();
    };
    if (!has_proxy && (is_set("ALL_PROXY") || is_set("all_proxy") || is_set("HTTP_PROXY"))) {
      session.console().say(
          "note: ALL_PROXY and HTTP_PROXY are not used for API servers, as in kubectl: set "
          "HTTPS_PROXY");
    }
  }

  static void tell_missing_plugin(const Session& session, const ClusterCheck& check) {
    if (!check.settings->exec || check.problem) return;  // the problem names it already
    const k8s::ExecPlugin& plugin = *check.settings->exec;
    const std::string& program = plugin.command.front();
    if (is_found(session, program)) return;
    const std::string hint = base::one_line(base::trim(plugin.install_hint));
    session.console().warn(
        fmt::format("{}: the program '{}' of {} is not {}{}", base::printable(check.name, 80),
                    base::printable(program), check.settings->describe_user(),
                    program.find('/') == std::string::npos ? "found in PATH" : "there",
                    hint.empty() ? "" : fmt::format(" ({})", base::printable(hint, 200))));
  }

  static bool is_found(const Session& session, const std::string& program) {
    const auto is_there = [&session](const std::string& path) {
      const auto facts = session.around.files.facts(path);
      return facts && facts->kind != base::FileKind::kAbsent;
    };
    if (program.find('/') != std::string::npos) return is_there(program);
    const auto folders = base::split(session.around.variable("PATH").value_or(""), ':');
    return std::ranges::any_of(
        folders, [&](const std::string& folder) { return is_there(folder + "/" + program); });
  }

  void tell_odd_entries(const Session& session) const {
    for (std::size_t i = 0; i < std::min(odd_.size(), kMostOddEntries); ++i) {
      session.console().say("note: not asked about, but odd: " + odd_[i]);
    }
    if (odd_.size() > kMostOddEntries) {
      session.console().say(fmt::format("note: and {} more", odd_.size() - kMostOddEntries));
    }
  }

  std::vector<std::string> contexts_;
  bool offline_ = false;
  run::KubeconfigTrust trust_;
  std::vector<std::string> odd_;
};

}  // namespace

CommandEntry cluster_check_command() {
  return {
      .name = "cluster check",
      .group = "Clusters",
      .summary = "can each cluster be reached, as whom, with which rights",
      .details =
          "Says for every cluster which server it is and through which file it was found, as whom "
          "the server takes us, its version, the certificates of both sides and when they end, how "
          "far the clocks are apart, how long an answer takes, and which of the rights that apply "
          "needs are missing. Looks at the contexts given with --context; without it at the "
          "clusters of the mesh file, when one is given or lies here; else at the current context; "
          "in a pod without a kubeconfig at the pod's own cluster. Changes nothing.\n"
          "Exits with 0 when every cluster is usable, 65 when a kubeconfig is wrong or nothing "
          "says which server is meant, 69 when a server cannot be reached or trusted, 77 when it "
          "refuses us or a right is missing. Findings alone do not change the exit code.",
      .examples = {{"The clusters of the mesh", "meshtrust cluster check"},
                   {"Two contexts, for a script",
                    "meshtrust cluster check --context east --context west -o json"},
                   {"Is this kubeconfig in order?",
                    "meshtrust cluster check --offline --kubeconfig east.yaml"}},
      .files = {"mesh.yaml       which clusters, when it is there",
                "~/.kube/config  unless KUBECONFIG or --kubeconfig names others"},
      .make = make_command<ClusterCheckCommand>};
}

}  // namespace meshtrust::cli
