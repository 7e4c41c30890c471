#include "cli/commands/commands.h"

namespace meshtrust::cli {

std::span<const CommandEntry> commands() {
  static const std::vector<CommandEntry> kAll = {
      init_command(),
      plan_command(),
      apply_command(),
      verify_command(),
      destroy_command(),
      status_command(),
      observe_command(),
      rotate_root_command(),
      cluster_check_command(),
      cluster_view_command(),
      remote_secret_create_command(),
      ca_create_command(),
      ca_issue_command(),
      ca_show_command(),
      ca_list_command(),
      ca_request_command(),
      ca_sign_command(),
      ca_import_command(),
      ca_revoke_command(),
      ca_crl_command(),
      inspect_command(),
      lint_command(),
      schema_command(),
      version_command(),
  };
  return kAll;
}

}  // namespace meshtrust::cli
