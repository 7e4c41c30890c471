#pragma once

#include "base/clock.h"
#include "base/processes.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "k8s/client_settings.h"

#include <chrono>
#include <optional>

namespace meshtrust::k8s {

/// What a plugin handed out: a token, a certificate with its key, or both.
struct PluginAnswer {
  base::Secret token = {};
  std::optional<ClientIdentity> identity = {};
  std::optional<base::Instant> expires = {};
};

/// What a plugin is run with. All outlive it.
struct PluginWorld {
  const base::Clock& clock;
  base::Processes& processes;
  std::chrono::milliseconds at_most{600'000};  ///< somebody may have to find a second factor
};

/// Whether the plugin would get the terminal of this run, where it has one.
bool is_interactive(const ExecPlugin& plugin);

/// Runs the exec plugin of `settings` once and reads its answer; without a person at a terminal it
/// may take a minute, and never longer than the world says. kInvalidInput when the program is
/// missing, fails, or answers something else than an ExecCredential of the configured version,
/// kUnavailable when it takes too long, kCancelled; the message never quotes what it printed.
base::Result<PluginAnswer> run_exec_plugin(const ClientSettings& settings,
                                           const PluginWorld& world);

}  // namespace meshtrust::k8s
