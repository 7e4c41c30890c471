#include "cli/mesh_run.h"

#include "cli/installer.h"
#include "cli/observing.h"
#include "cli/plan_text.h"
#include "run/preflight.h"

#include <fmt/format.h>

#include <utility>

namespace meshtrust::cli {

using base::Code;
using base::Error;
using base::Errors;

MeshRun::MeshRun(Session& session, MeshContext& context, std::string nothing_changed)
    : session_(session),
      context_(context),
      istioctl_(istioctl_of(session, context.mesh)),
      nothing_changed_(std::move(nothing_changed)) {}

ExitCode MeshRun::run() {
  const ExitCode code = go();
  let_go(session_, held_);
  return code;
}

bool MeshRun::stops(const Step& step) {
  if (!step) code_ = step.error().code;
  return !step;
}

MeshRun::Step MeshRun::stop_with(std::span<const Error> errors) {
  session_.console().show(errors);
  return stopped(exit_code_of(errors));
}

MeshRun::Step MeshRun::stop_with(const Error& error) {
  return stop_with(std::span<const Error>(&error, 1));
}

MeshRun::Step MeshRun::with_nothing_changed(Step step) {
  session_.console().say(nothing_changed_);
  return step;
}

MeshRun::Step MeshRun::read_files() {
  auto files = read_base_files(session_, context_.mesh);
  if (!files) return stop_with(files.error());
  files_ = *std::move(files);
  return {};
}

void MeshRun::show_once(const std::vector<mesh::Finding>& findings) {
  for (const mesh::Finding& finding : findings) {
    if (shown_.insert(render(finding)).second) session_.console().show(std::span(&finding, 1));
  }
}

MeshRun::Step MeshRun::check_installer() {
  const auto version = plan_.requires_installer();
  if (!version) return {};
  const auto fits = istioctl_.expect_version(*version);
  return fits ? Step() : with_nothing_changed(stop_with(fits.error()));
}

MeshRun::Step MeshRun::check_rights() {
  const Errors missing = run::check_rights(plan_, *context_.world);
  return missing.empty() ? Step() : with_nothing_changed(stop_with(missing));
}

MeshRun::Step MeshRun::ask(const std::vector<std::string>& questions,
                           std::string_view deed,
                           std::string_view declined) {
  if (session_.options.yes) return {};
  if (!session_.around.terminal.is_there()) {
    return stop_with(
        Error{.code = Code::kUsage,
              .message = fmt::format("this {} and there is no terminal to ask on", deed),
              .hints = {"look at the plan above, then say --yes"}});
  }
  for (const std::string& question : questions) {
    const auto answer = session_.around.terminal.confirm(question);
    if (!answer) return stop_with(answer.error());
    if (*answer) continue;
    session_.console().say(std::string(declined));
    return stopped(kUsage);
  }
  return {};
}

MeshRun::Step MeshRun::expect_plan(const base::Json& shown) {
  const base::Json now = to_json(plan_);
  if (now == shown || plan_.is_empty()) return {};
  return stop_with(Error{
      .code = Code::kRefused,
      .message = "the mesh changed after the plan was made" + what_servers_changed(shown, now),
      .hints = {"run the same command again to see the new plan"}});
}

}  // namespace meshtrust::cli
