#include "cli/installer.h"

#include <filesystem>

namespace meshtrust::cli {

namespace {

/// util-linux's way to have a program end with the thread that started it.
std::vector<std::string> tether(base::Files& files) {
  constexpr const char* kSetpriv = "/usr/bin/setpriv";
  const auto facts = files.facts(kSetpriv);
  if (!facts || facts->kind != base::FileKind::kFile) return {};
  return {kSetpriv, "--pdeathsig", "TERM", "--"};
}

}  // namespace

run::Istioctl istioctl_of(const Session& session, const profiles::Mesh& mesh) {
  const auto& variable = session.around.variable;
  std::filesystem::path state = variable("XDG_STATE_HOME").value_or("");
  if (!state.is_absolute()) {
    state = std::filesystem::path(variable("HOME").value_or("")) / ".local" / "state";
  }
  const std::string stated = variable("MESHTRUST_ISTIOCTL").value_or("");
  return run::Istioctl({.processes = session.around.processes,
                        .files = session.around.files,
                        .program = stated.empty() ? "istioctl" : stated,
                        .folder = state / "meshtrust" / mesh.name,
                        .tether = tether(session.around.files),
                        .readiness = std::chrono::ceil<base::Seconds>(session.timeout)});
}

}  // namespace meshtrust::cli
