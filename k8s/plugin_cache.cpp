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
                                                   const PluginWorld& world) {
  const std::lock_guard lock(mutex_);
  const bool is_fresh = has_answer_ && (!expires_ || *expires_ > world.clock.now());
  if (!is_fresh) MESHTRUST_TRY_DO(run(settings, world));
  return Answer{.token = token_.clone(), .identity = identity_, .number = number_};
}

base::Status PluginRun::run(const ClientSettings& settings, const PluginWorld& world) {
  // Many clusters may share it: what took a minute to fail is not tried anew for each of them.
  constexpr base::Seconds kStillFails{10};
  if (failed_ && world.clock.steady() - failed_->at < kStillFails) {
    return base::fail(failed_->error);
  }
  std::unique_lock turn(terminal_turn(), std::defer_lock);
  if (is_interactive(*settings.exec)) turn.lock();
  auto answer = run_exec_plugin(settings, world);
  if (!answer) {
    failed_ = Failed{.error = answer.error(), .at = world.clock.steady()};
    return base::fail(std::move(answer).error());
  }
  failed_.reset();
  token_ = std::move(answer->token);
  identity_ = answer->identity
                  ? std::make_shared<const ClientIdentity>(*std::move(answer->identity))
                  : nullptr;
  expires_ = answer->expires;
  has_answer_ = true;
  ++number_;
  return {};
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
    key.push_back({settings.server_as_written, settings.tls_server_name, settings.verify_server,
                   settings.proxy_url, settings.certificate_authority, settings.compress});
  }
  const std::lock_guard lock(mutex_);
  auto& run = runs_[base::compact(key)];
  if (!run) run = std::make_shared<PluginRun>();
  return run;
}

}  // namespace meshtrust::k8s
