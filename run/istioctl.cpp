#include "run/istioctl.h"

#include "base/text.h"
#include "profiles/istioctl.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace meshtrust::run {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Result;
using base::Status;

/// istioctl ends by itself when what it installed does not become ready; this much more is for one
/// that hangs.
constexpr base::Seconds kMoreThanReadiness = std::chrono::minutes(5);
/// It has a release to leave in order when it is asked to end.
constexpr std::chrono::seconds kGrace{5};
constexpr std::size_t kQuotedLines = 8;

std::string file_name(const profiles::Installation& installation, std::string_view ending) {
  return fmt::format("{}-{}{}", installation.cluster, profiles::id_of(installation.kind), ending);
}

/// The first version in a text like "client version: 1.31.0".
std::optional<istio::Version> version_in(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find_first_of(" \t\r\n-+\"", at), text.size());
    if (const auto version = istio::parse_version(text.substr(at, end - at))) return *version;
    at = end + 1;
  }
  return std::nullopt;
}

/// Takes the file away again whatever happens: users' values may hold what nobody should find.
class Given {
 public:
  Given(base::Files& files, fs::path path) : files_(files), path_(std::move(path)) {}
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;
  ~Given() { (void)files_.remove(path_); }

  const fs::path& path() const { return path_; }

 private:
  base::Files& files_;
  fs::path path_;
};

}  // namespace

Status make_folders(base::Files& files, const fs::path& folder) {
  MESHTRUST_TRY(const base::FileFacts facts, files.facts(folder));
  if (facts.kind == base::FileKind::kFolder || facts.kind == base::FileKind::kSymlink) return {};
  if (folder.has_parent_path() && folder.parent_path() != folder) {
    MESHTRUST_TRY_DO(make_folders(files, folder.parent_path()));
  }
  auto made = files.make_folder(folder, base::Access::kPrivate);
  if (!made && made.error().code != Code::kConflict) return made;
  return {};
}

fs::path Istioctl::log_of(const profiles::Installation& installation) const {
  return around_.folder / file_name(installation, ".log");
}

Status Istioctl::expect_version(const istio::Version& wanted) {
  const std::string hint = fmt::format(
      "install istioctl {} and have it in PATH, or say where it is with MESHTRUST_ISTIOCTL",
      wanted.text());
  const auto ran = around_.processes.run({.argv = {around_.program, "version", "--remote=false"},
                                          .environment = {},
                                          .timeout = base::Seconds(30)});
  if (!ran) {
    base::Error error = with_hint(ran.error(), hint);
    error.code = Code::kUnavailable;
    return base::fail(std::move(error));
  }
  const auto found = version_in(reveal(ran->standard_output, "what istioctl says of its version"));
  if (ran->exit_code != 0 || !found) {
    return base::fail(Code::kUnavailable,
                      fmt::format("'{} version --remote=false' names no version", around_.program),
                      hint);
  }
  if (*found == wanted) return {};
  return base::fail(Code::kRefused,
                    fmt::format("'{}' is istioctl {}, the mesh file wants Istio {}",
                                around_.program, found->text(), wanted.text()),
                    hint);
}

Result<fs::path> Istioctl::write_file(const profiles::Installation& installation) {
  MESHTRUST_TRY_DO(make_folders(around_.files, around_.folder));
  const fs::path path = around_.folder / file_name(installation, ".yaml");
  MESHTRUST_TRY_DO(around_.files.write(path, profiles::istio_operator_file(installation),
                                       base::Access::kPrivate, base::Overwrite::kReplace));
  return path;
}

Status Istioctl::install(const profiles::Installation& installation,
                         const ToolAccess& access,
                         const base::Cancellation& stop) {
  MESHTRUST_TRY(auto path, write_file(installation));
  const Given given(around_.files, std::move(path));
  const fs::path log = log_of(installation);
  if (const auto facts = around_.files.facts(log);
      facts && facts->kind != base::FileKind::kAbsent) {
    MESHTRUST_TRY_DO(around_.files.remove(log));
  }
  std::vector<std::string> argv = around_.tether;
  const std::vector<std::string> words{around_.program,
                                       "install",
                                       "--skip-confirmation",
                                       "--filename",
                                       given.path(),
                                       "--readiness-timeout",
                                       fmt::format("{}s", around_.readiness.count())};
  argv.insert(argv.end(), words.begin(), words.end());
  argv.insert(argv.end(), access.arguments.begin(), access.arguments.end());
  const auto ran = around_.processes.run({.argv = std::move(argv),
                                          .environment = access.environment,
                                          .stop = &stop,
                                          .timeout = around_.readiness + kMoreThanReadiness,
                                          .grace = kGrace,
                                          .log = log});
  if (!ran) return base::fail(ran.error());
  if (ran->exit_code == 0) return {};
  return base::fail({.code = Code::kInternal,
                     .message = fmt::format("istioctl ended with exit code {}: {}", ran->exit_code,
                                            last_lines(log)),
                     .hints = {fmt::format("its output is in '{}'", log.string())}});
}

Result<std::string> Istioctl::manifests(const profiles::Installation& installation) {
  MESHTRUST_TRY(auto path, write_file(installation));
  const Given given(around_.files, std::move(path));
  const auto ran = around_.processes.run(
      {.argv = {around_.program, "manifest", "generate", "--filename", given.path()},
       .environment = {},
       .timeout = base::Seconds(60)});
  if (!ran) return base::fail(ran.error());
  if (ran->exit_code != 0) {
    return base::fail(Code::kInvalidInput,
                      fmt::format("'{} manifest generate' ended with exit code {}", around_.program,
                                  ran->exit_code),
                      "what it said stands above");
  }
  return std::string(reveal(ran->standard_output, "manifests, which hold nothing secret"));
}

std::string Istioctl::last_lines(const fs::path& log) const {
  const auto text = around_.files.read(log, 2 * base::kMostLogBytes);
  if (!text) return "and left no output";
  std::vector<std::string> lines;
  for (const std::string& line : base::split(*text, '\n')) {
    if (!base::trim(line).empty()) lines.push_back(base::printable(base::trim(line)));
  }
  const std::size_t from = lines.size() > kQuotedLines ? lines.size() - kQuotedLines : 0;
  return base::join(std::span(lines).subspan(from), " / ");
}

}  // namespace meshtrust::run
