#pragma once

#include "base/processes.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "k8s/client_settings.h"

#include <optional>

namespace meshtrust::k8s {

/// What a plugin handed out: a token, a certificate with its key, or both.
struct PluginAnswer {
  base::Secret token = {};
  std::optional<ClientIdentity> identity = {};
  std::optional<base::Instant> expires = {};
};

/// Runs the exec plugin of `settings` once and reads its answer. kInvalidInput when the program is
/// missing, fails, or answers something else than an ExecCredential of the configured version;
/// the message never quotes what it printed.
base::Result<PluginAnswer> run_exec_plugin(const ClientSettings& settings,
                                           base::Processes& processes);

}  // namespace meshtrust::k8s
