#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/mesh_context.h"
#include "k8s/kubeconfig.h"

#include <CLI/App.hpp>
#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

class ClusterView final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_flag("--raw", raw_, "show keys, tokens and passwords instead of their place-holders");
  }

  int run(Session& session) override {
    const auto config = k8s::Kubeconfig::load(kubeconfig_sources(session), session.around.files);
    if (!config) {
      session.console().show(config.error());
      return exit_code_of(config.error().code);
    }
    for (const std::string& warning : config->warnings()) {
      session.console().warn(warning);
    }
    const base::Json document =
        to_json(config->content(), raw_ ? k8s::Secrets::kShown : k8s::Secrets::kRedacted);
    session.answer(document, to_yaml(document));
    return kDone;
  }

 private:
  bool raw_ = false;
};

}  // namespace

CommandEntry cluster_view_command() {
  return {
      .name = "cluster view",
      .group = "Clusters",
      .summary = "the merged kubeconfig",
      .details =
          "Prints what the kubeconfigs say together: the file of --kubeconfig alone, else those "
          "that KUBECONFIG lists, else ~/.kube/config, merged by kubectl's rules (of every name "
          "the first file that has it provides the whole entry). Fields, names and structure are "
          "those of 'kubectl config view'; paths are as written. Keys, tokens and passwords are "
          "replaced by place-holders unless --raw is given. Connects to nothing and runs nothing.",
      .examples = {{"What will be used?", "meshtrust cluster view"},
                   {"Of one file", "meshtrust cluster view --kubeconfig east.yaml"},
                   {"For scripts", "meshtrust cluster view --raw -o json"}},
      .files = {"~/.kube/config  unless KUBECONFIG or --kubeconfig names others"},
      .make = make_command<ClusterView>};
}

}  // namespace meshtrust::cli
