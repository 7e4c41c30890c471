#pragma once

#include "cli/command.h"

namespace meshtrust::cli {

// One function a command, each in the file of its name.

CommandEntry init_command();
CommandEntry plan_command();
CommandEntry apply_command();
CommandEntry destroy_command();
CommandEntry status_command();
CommandEntry verify_command();
CommandEntry observe_command();
CommandEntry cluster_check_command();
CommandEntry cluster_view_command();
CommandEntry remote_secret_create_command();
CommandEntry ca_create_command();
CommandEntry ca_issue_command();
CommandEntry ca_show_command();
CommandEntry ca_list_command();
CommandEntry ca_request_command();
CommandEntry ca_sign_command();
CommandEntry ca_import_command();
CommandEntry ca_revoke_command();
CommandEntry ca_crl_command();
CommandEntry rotate_root_command();
CommandEntry inspect_command();
CommandEntry lint_command();
CommandEntry schema_command();
CommandEntry version_command();

}  // namespace meshtrust::cli
