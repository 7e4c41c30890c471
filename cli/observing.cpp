#include "cli/observing.h"

#include "base/text.h"
#include "cli/progress.h"
#include "run/namespace_contents.h"
#include "run/observe.h"

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <memory>
#include <mutex>

namespace meshtrust::cli {

using base::Errors;
using base::Result;

void SnapshotOptions::declare(CLI::App& app) {
  app.add_option("--from", from, "a file written by 'observe -o json' instead of the live clusters")
      ->option_text("FILE");
  declare_trust(app, trust);
  app.add_option("--at", at, "judge for this time (RFC 3339; default now)")->option_text("TIME");
}

void DepthOptions::declare_level(CLI::App& app,
                                 const std::string& levels,
                                 const std::string& help) {
  app.add_option("--level", level_, help)
      ->check(CLI::IsMember(base::split(levels, '|')))
      ->option_text(levels);
}

void DepthOptions::declare_pods(CLI::App& app) {
  app.add_option("--pods", pods_,
                 fmt::format("most pods of each cluster that are asked what they present and "
                             "trust (default {}; 0: none)",
                             mesh::kUsualPods))
      ->option_text("N");
}

base::Status DepthOptions::check(const SnapshotOptions& snapshot, mesh::Level usual) const {
  if (is_given() && !snapshot.from.empty()) {
    return base::fail(base::Code::kUsage,
                      "--level and --pods are about live clusters: they do not go with --from");
  }
  if (pods_ && depth(usual).level != mesh::Level::kDeep) {
    return base::fail(base::Code::kUsage, "--pods means nothing without --level deep");
  }
  return {};
}

run::Depth DepthOptions::depth(mesh::Level usual) const {
  const mesh::Level level = level_ == "trust"  ? mesh::Level::kTrust
                            : level_ == "mesh" ? mesh::Level::kMesh
                            : level_ == "deep" ? mesh::Level::kDeep
                                               : usual;
  return {level, level == mesh::Level::kDeep ? pods_.value_or(mesh::kUsualPods) : 0};
}

mesh::Level level_for(const profiles::Mesh& mesh, mesh::Level wanted) {
  return mesh.istio.version ? wanted : mesh::Level::kTrust;
}

Result<mesh::BaseFiles> read_base_files(const Session& session, const profiles::Mesh& mesh) {
  mesh::BaseFiles files;
  const std::filesystem::path folder = std::filesystem::path(session.options.file).parent_path();
  for (const profiles::Cluster& cluster : mesh.clusters) {
    if (!cluster.file) continue;
    const std::string path = (folder / *cluster.file).lexically_normal().string();
    auto text = session.around.files.read(path, std::size_t{4} << 20U);
    if (!text) {
      base::Error error = std::move(text).error();
      if (error.code != base::Code::kCancelled) error.code = base::Code::kInvalidInput;
      error.place = cluster.file_place;
      return base::fail(std::move(error));
    }
    files.emplace(cluster.name, profiles::BaseFile{.name = path, .text = *std::move(text)});
  }
  return files;
}

namespace {

/// Tells `progress`, which outlives it.
run::Onlooker onlooker(Progress& progress, std::size_t total) {
  struct Count {
    std::mutex mutex;
    std::size_t done = 0;
  };
  return {.begun = [&progress](const std::string& cluster,
                               const std::string& what) { progress.asking(cluster, what); },
          .ended = [&progress](const std::string& cluster) { progress.answered(cluster); },
          .seen =
              [&progress, total, count = std::make_shared<Count>()](const auto& cluster) {
                const std::lock_guard guard(count->mutex);
                progress.observed(cluster.name, ++count->done, total);
              }};
}

}  // namespace

void observe_contents(Session& session,
                      const MeshContext& context,
                      const mesh::DestroyOptions& options,
                      mesh::Observation& observation) {
  const auto progress = make_progress(session);
  run::observe_contents(context.mesh, *context.world, options, observation,
                        onlooker(*progress, context.mesh.clusters.size()));
  progress->close();
}

namespace {

run::Sight look(Session& session, const MeshContext& context, run::Depth depth, OtherRuns others) {
  const auto progress = make_progress(session);
  const run::Onlooker told = onlooker(*progress, context.mesh.clusters.size());
  run::Sight sight =
      others == OtherRuns::kLookedFor
          ? run::observe_between_runs(context.mesh, *context.world, session.around.process_table,
                                      told, depth)
          : run::Sight{.observation = run::observe(context.mesh, *context.world, told, depth),
                       .runs = {}};
  progress->close();
  return sight;
}

}  // namespace

mesh::Observation observe_live(Session& session, const MeshContext& context, run::Depth depth) {
  return look(session, context, depth, OtherRuns::kIgnored).observation;
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

Result<SeenMesh, Errors> observe_or_read(Session& session,
                                         const SnapshotOptions& options,
                                         run::Depth wanted,
                                         OtherRuns others) {
  const auto at = time_or_now(session, options.at);
  if (!at) return base::fail(Errors{at.error()});
  if (options.from.empty()) {
    auto context = open_mesh(session, options.trust);
    if (!context) return base::fail(std::move(context).error());
    auto files = read_base_files(session, context->mesh);
    if (!files) return base::fail(Errors{files.error()});
    wanted.level = level_for(context->mesh, wanted.level);
    run::Sight sight = look(session, *context, wanted, others);
    return SeenMesh{.mesh = std::move(context->mesh),
                    .observation = std::move(sight.observation),
                    .at = *at,
                    .files = *std::move(files),
                    .runs = std::move(sight.runs)};
  }
  auto mesh = load_mesh_file(session);
  if (!mesh) return base::fail(std::move(mesh).error());
  auto files = read_base_files(session, *mesh);
  if (!files) return base::fail(Errors{files.error()});
  auto observation = read_snapshot(session, options.from);
  if (!observation) return base::fail(Errors{std::move(observation).error()});
  session.console().say(fmt::format("this is what was seen {} ({})",
                                    base::format_relative(observation->at, session.now()),
                                    base::format_rfc3339(observation->at)));
  return SeenMesh{.mesh = std::move(*mesh),
                  .observation = std::move(*observation),
                  .at = *at,
                  .files = *std::move(files)};
}

}  // namespace meshtrust::cli
