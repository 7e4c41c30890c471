#include "cli/observing.h"

#include "cli/progress.h"
#include "run/observe.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <atomic>

namespace meshtrust::cli {

using base::Errors;
using base::Result;

void SnapshotOptions::declare(CLI::App& app) {
  app.add_option("--from", from, "a file written by 'observe -o json' instead of the live clusters")
      ->option_text("FILE");
  declare_allow_exec(app, allow_exec);
  app.add_option("--at", at, "judge for this time (RFC 3339; default now)")->option_text("TIME");
}

mesh::Observation observe_live(Session& session, const MeshContext& context) {
  const auto progress = make_progress(session);
  std::atomic<std::size_t> done{0};
  const std::size_t total = context.mesh.clusters.size();
  auto observation =
      run::observe(context.mesh, *context.world, [&](const mesh::ClusterObservation& cluster) {
        progress->observed(cluster.name, ++done, total);
      });
  progress->close();
  return observation;
}

Result<base::Instant> time_or_now(const Session& session, const std::string& at) {
  if (at.empty()) return session.now();
  auto time = base::parse_rfc3339(at);
  if (!time) return base::fail(base::Code::kUsage, "--at: " + time.error().message);
  return *time;
}

namespace {

Result<mesh::Observation> read_snapshot(const Session& session, const std::string& file) {
  MESHTRUST_TRY(const std::string text, session.around.files.read(file, std::size_t{256} << 20U));
  MESHTRUST_TRY(const base::Json json, base::parse_json(text, fmt::format("'{}'", file)));
  auto observation = mesh::observation_from_json(json);
  if (!observation) {
    return base::fail(with_context(std::move(observation).error(), fmt::format("'{}'", file)));
  }
  return observation;
}

}  // namespace

Result<SeenMesh, Errors> observe_or_read(Session& session, const SnapshotOptions& options) {
  const auto at = time_or_now(session, options.at);
  if (!at) return base::fail(Errors{at.error()});
  if (options.from.empty()) {
    auto context =
        open_mesh(session, options.allow_exec ? ExecPlugins::kAllowed : ExecPlugins::kAsContracted);
    if (!context) return base::fail(std::move(context).error());
    auto observation = observe_live(session, *context);
    return SeenMesh{
        .mesh = std::move(context->mesh), .observation = std::move(observation), .at = *at};
  }
  auto mesh = load_mesh_file(session);
  if (!mesh) return base::fail(std::move(mesh).error());
  auto observation = read_snapshot(session, options.from);
  if (!observation) return base::fail(Errors{std::move(observation).error()});
  session.console().say(fmt::format("this is what was seen {} ({})",
                                    base::format_relative(observation->at, session.now()),
                                    base::format_rfc3339(observation->at)));
  return SeenMesh{.mesh = std::move(*mesh), .observation = std::move(*observation), .at = *at};
}

}  // namespace meshtrust::cli
