#include "k8s/plugin_cache.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

namespace meshtrust::k8s {
namespace {

/// Two plugins that talk to a person at the same time would take each other's words.
std::mutex& terminal_turn() {
  static std::mutex turn;
  return turn;
}

}  // namespace

base::Result<PluginRun::Answer> PluginRun::current(const ClientSettings& settings,
                                                   const base::Clock& clock,
                                                   base::Processes& processes) {
  const std::lock_guard lock(mutex_);
  const bool is_fresh = has_answer_ && (!expires_ || *expires_ > clock.now());
  if (!is_fresh) {
    std::unique_lock turn(terminal_turn(), std::defer_lock);
    if (settings.exec->interactive_mode != "Never") turn.lock();
    MESHTRUST_TRY(PluginAnswer answer, run_exec_plugin(settings, processes));
    token_ = std::move(answer.token);
    identity_ = answer.identity
                    ? std::make_shared<const ClientIdentity>(*std::move(answer.identity))
                    : nullptr;
    expires_ = answer.expires;
    has_answer_ = true;
    ++number_;
  }
  return Answer{.token = token_.clone(), .identity = identity_, .number = number_};
}

void PluginRun::refuse(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  if (number == number_) has_answer_ = false;
}

std::shared_ptr<PluginRun> PluginCache::of(const ClientSettings& settings) {
  const ExecPlugin& plugin = *settings.exec;
  base::Json key{plugin.api_version, plugin.command, plugin.environment, plugin.interactive_mode,
                 plugin.cluster_config};
  if (plugin.wants_cluster) {
    key.push_back({settings.server.text(), settings.tls_server_name, settings.verify_server,
                   settings.proxy_url, settings.certificate_authority});
  }
  const std::lock_guard lock(mutex_);
  auto& run = runs_[base::compact(key)];
  if (!run) run = std::make_shared<PluginRun>();
  return run;
}

}  // namespace meshtrust::k8s
