#include "cli/commands/verify_bundle.h"

#include "base/text.h"
#include "cli/bundle_files.h"
#include "cli/exit_code.h"
#include "cli/observing.h"
#include "cli/proof.h"
#include "istio/acceptance.h"
#include "istio/names.h"
#include "run/pool.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <optional>
#include <utility>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Json;
using base::Result;

/// What is asked about every bundle alike.
struct Terms {
  base::Instant at;
  istio::Version version;
  std::optional<istio::PublicBundle> loaded;
  bool multi_root = false;
};

/// One bundle and what was found.
struct Judged {
  BundlePaths paths;
  std::optional<base::Error> unreadable;
  istio::BundleVerdict verdict;
};

void judge(base::Files& files, const Terms& terms, Judged& judged) {
  const auto found = read_bundle(files, judged.paths);
  if (!found) {
    judged.unreadable = found.error();
    return;
  }
  if (!found->missing.empty()) {
    judged.verdict = istio::judge_incomplete(found->missing, terms.version);
    return;
  }
  const istio::PublicBundle& open = found->bundle.certificates;
  istio::BundleQuestion question{.bundle = open,
                                 .key = istio::match_key(found->bundle.ca_key, open.ca_cert),
                                 .at = terms.at,
                                 .version = terms.version,
                                 .form = found->form};
  if (terms.loaded) {
    question.running.emplace(
        istio::Running{.bundle = *terms.loaded, .multi_root = terms.multi_root});
  }
  judged.verdict = istio::judge_bundle(question);
}

std::string render(const Judged& judged, const Terms& terms) {
  const istio::BundleVerdict& verdict = judged.verdict;
  std::string text = fmt::format("istiod {} {} with {}\n", terms.version.text(),
                                 istio::name_of(verdict.outcome), judged.paths.name);
  if (verdict.reload) {
    text += fmt::format("a running one {}\n", *verdict.reload == istio::LoadOutcome::kLoads
                                                  ? "takes it without a restart"
                                                  : "ignores it until a restart");
  }
  if (verdict.parsed) {
    std::vector<std::vector<std::string>> rows{{"FILE", "SUBJECT", "EXPIRES"}};
    const auto add = [&rows, &terms](std::string_view file, const pki::Certificate& certificate) {
      rows.push_back({std::string(file), base::printable(certificate.facts().subject),
                      expiry_text(certificate.facts().not_after, terms.at)});
    };
    add(istio::kCaCertFile, verdict.parsed->ca_cert);
    for (const auto& one : verdict.parsed->cert_chain) {
      add(istio::kCertChainFile, one);
    }
    for (const auto& one : verdict.parsed->roots) {
      add(istio::kRootCertFile, one);
    }
    text += "\n" + table(rows) + "\n";
  }
  for (const pki::Verdict& one : verdict.chain_verdicts) {
    text += fmt::format("{}: {}{}\n", one.judge, one.accepted ? "accepted" : "refused",
                        one.accepted ? "" : ": " + base::one_line(one.reason));
  }
  return text +
         (verdict.is_good() ? "the mesh works with it\n" : "the mesh does not work with it\n");
}

Json to_json(const Judged& judged, const Terms& terms) {
  const istio::BundleVerdict& verdict = judged.verdict;
  Json json = {{"apiVersion", "meshtrust/v1"},
               {"kind", "BundleVerification"},
               {"bundle", judged.paths.name},
               {"istioVersion", terms.version.text()},
               {"istiod", istio::name_of(verdict.outcome)},
               {"good", verdict.is_good()},
               {"problems", Json::array()},
               {"verdicts", Json::array()}};
  if (verdict.reload) json["reload"] = istio::name_of(*verdict.reload);
  if (judged.unreadable) json["error"] = judged.unreadable->message;
  for (const istio::BundleProblem& problem : verdict.problems) {
    json["problems"].push_back({{"code", problem.code},
                                {"severity", pki::name_of(problem.severity)},
                                {"stopsIstiod", problem.stops_istiod},
                                {"message", problem.message}});
  }
  for (const pki::Verdict& one : verdict.chain_verdicts) {
    json["verdicts"].push_back(
        {{"judge", one.judge}, {"accepted", one.accepted}, {"reason", one.reason}});
  }
  return json;
}

mesh::Severity severity_of(const istio::BundleProblem& problem) {
  if (problem.severity == pki::Severity::kError) return mesh::Severity::kCritical;
  return problem.severity == pki::Severity::kWarning ? mesh::Severity::kWarning
                                                     : mesh::Severity::kNote;
}

std::vector<mesh::Finding> findings_of(const Judged& judged, bool is_one_of_many) {
  std::vector<mesh::Finding> findings;
  for (const istio::BundleProblem& problem : judged.verdict.problems) {
    findings.push_back({.code = problem.code,
                        .severity = severity_of(problem),
                        .cluster = is_one_of_many ? judged.paths.name : "",
                        .message = problem.message});
  }
  return findings;
}

/// What stands before any judgement: a file that is missing or cannot be read.
bool is_about_files(const mesh::Finding& finding) {
  return finding.code == "unreadable-file" || finding.code == "incomplete-bundle" ||
         finding.code == "no-bundle";
}

int answer(const Session& session, const Terms& terms, const std::vector<Judged>& all) {
  Json list = {
      {"apiVersion", "meshtrust/v1"}, {"kind", "BundleVerificationList"}, {"items", Json::array()}};
  std::string text;
  for (const Judged& one : all) {
    list["items"].push_back(to_json(one, terms));
    if (!one.unreadable) text += (text.empty() ? "" : "\n") + render(one, terms);
  }
  session.answer(all.size() == 1 ? list["items"].front() : list, text);
  ExitCode code = kDone;
  for (const Judged& one : all) {
    if (one.unreadable) {
      session.console().show(*one.unreadable);
      code = more_telling(code, exit_code_of(one.unreadable->code));
      continue;
    }
    const auto findings = findings_of(one, all.size() > 1);
    session.console().show(findings);
    const bool has_bad_file = std::any_of(findings.begin(), findings.end(), is_about_files);
    code = more_telling(code, has_bad_file ? kBadInput : exit_code_of(findings));
  }
  return code;
}

Result<istio::Version> version_or_newest(const std::string& text) {
  if (text.empty()) return istio::kNewestKnown;
  const auto version = istio::parse_version(text);
  if (!version) return base::fail(Code::kUsage, "--istio-version: " + version.error().message);
  if (!istio::is_supported(*version)) {
    return base::fail(Code::kUsage, fmt::format("--istio-version: '{}' is not known", text),
                      "known are " + istio::supported_versions());
  }
  return *version;
}

}  // namespace

void VerifyBundle::declare(CLI::App& app) {
  app.add_option("--bundle", folders_, "judge the files in folders instead of live clusters")
      ->option_text("DIR...");
  const auto add = [&app](const char* flag, std::string& value, const char* what) {
    app.add_option(flag, value, what)->option_text("FILE");
  };
  add("--ca-cert", ca_cert_, "instead of --bundle, file by file: the signing certificate");
  add("--ca-key", ca_key_, "its key");
  add("--cert-chain", cert_chain_, "the chain that begins with it");
  add("--root-cert", root_cert_, "the roots");
  add("--ca-crl", ca_crl_, "revocation lists");
  app.add_option("--istio-version", version_, "judge as this version does (default the newest)")
      ->option_text("X.Y.Z");
  app.add_option("--running", running_, "the bundle that istiod has loaded: is it replaced hot?")
      ->option_text("DIR");
  app.add_flag("--multi-root", multi_root_, "with --running: ISTIO_MULTIROOT_MESH is on");
}

bool VerifyBundle::is_asked() const {
  return !folders_.empty() || !ca_cert_.empty() || !ca_key_.empty() || !cert_chain_.empty() ||
         !root_cert_.empty();
}

std::string VerifyBundle::stray_flag() const {
  if (!is_asked()) {
    if (!ca_crl_.empty()) return "--ca-crl";
    if (!version_.empty()) return "--istio-version";
    if (!running_.empty()) return "--running";
  }
  return multi_root_ && running_.empty() ? "--multi-root" : "";
}

/// A file that somebody has named is there; one that is looked for in a folder need not be.
base::Status VerifyBundle::check_named_files(base::Files& files) const {
  const std::array<std::pair<const char*, const std::string*>, 5> named{
      {{"--ca-cert", &ca_cert_},
       {"--ca-key", &ca_key_},
       {"--cert-chain", &cert_chain_},
       {"--root-cert", &root_cert_},
       {"--ca-crl", &ca_crl_}}};
  for (const auto& [flag, file] : named) {
    if (file->empty()) continue;
    MESHTRUST_TRY(const base::FileFacts facts, files.facts(*file));
    if (facts.kind == base::FileKind::kAbsent) {
      return base::fail(Code::kInvalidInput, fmt::format("{}: there is no file '{}'", flag, *file));
    }
    if (folders_.empty() || file == &ca_crl_) continue;
    return base::fail(Code::kUsage, fmt::format("{} does not go with --bundle", flag),
                      "--bundle reads the four files of a folder; else name all four one by one");
  }
  return {};
}

int VerifyBundle::run(Session& session, const std::string& at) const {
  const auto refuse = [&session](const base::Error& error) {
    session.console().show(error);
    return exit_code_of(error.code);
  };
  Terms terms{.at = {}, .version = {}, .loaded = {}, .multi_root = multi_root_};
  const auto time = time_or_now(session, at);
  if (!time) return refuse(time.error());
  terms.at = *time;
  const auto version = version_or_newest(version_);
  if (!version) return refuse(version.error());
  terms.version = *version;
  base::Files& files = session.around.files;
  if (!running_.empty()) {
    const auto paths = bundle_in(files, running_);
    if (!paths) return refuse(paths.error());
    auto loaded = read_bundle(files, *paths);
    if (!loaded) return refuse(loaded.error());
    // The key is none of our business here.
    std::erase_if(loaded->missing, [](const std::string& name) {
      return name == istio::kCaKeyFile || name == istio::kTlsKeyFile;
    });
    if (!loaded->missing.empty()) {
      return refuse({.code = Code::kInvalidInput,
                     .message = fmt::format("'{}' is no bundle that istiod has loaded: it lacks {}",
                                            running_, base::join(loaded->missing, ", ")),
                     .hints = {"--running takes the folder that was in place before"}});
    }
    terms.loaded = std::move(loaded->bundle.certificates);
  }
  std::vector<Judged> all;
  for (const std::string& folder : folders_) {
    auto paths = bundle_in(files, folder);
    if (!paths) return refuse(paths.error());
    all.push_back({.paths = *std::move(paths), .unreadable = {}, .verdict = {}});
  }
  if (folders_.empty()) {
    all.push_back({.paths = {.name = ca_cert_.empty() ? "these files" : ca_cert_,
                             .ca_cert = ca_cert_,
                             .ca_key = ca_key_,
                             .cert_chain = cert_chain_,
                             .root_cert = root_cert_,
                             .ca_crl = ca_crl_},
                   .unreadable = {},
                   .verdict = {}});
    if (ca_cert_.empty() || ca_key_.empty() || cert_chain_.empty() || root_cert_.empty()) {
      return refuse({.code = Code::kUsage,
                     .message = "a bundle is four files: --ca-cert, --ca-key, --cert-chain and "
                                "--root-cert",
                     .hints = {"or name their folder with --bundle"}});
    }
  } else if (!ca_crl_.empty()) {
    for (Judged& one : all) {
      one.paths.ca_crl = ca_crl_;
    }
  }
  if (const auto status = check_named_files(files); !status) return refuse(status.error());
  run::for_each_index(all.size(), std::min(session.options.jobs, all.size()),
                      [&](std::size_t i) { judge(files, terms, all[i]); });
  return answer(session, terms, all);
}

}  // namespace meshtrust::cli
