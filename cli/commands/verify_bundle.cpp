#include "cli/commands/verify_bundle.h"

#include "base/text.h"
#include "cli/bundle_pairs.h"
#include "cli/exit_code.h"
#include "cli/judged_bundle.h"
#include "cli/observing.h"
#include "cli/proof.h"
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

/// What stands before any judgement: a file that is missing or cannot be read.
bool is_about_files(const mesh::Finding& finding) {
  return finding.code == "unreadable-file" || finding.code == "incomplete-bundle" ||
         finding.code == "no-bundle";
}

/// Whether the bundles make one mesh is asked where there are several.
std::optional<BundlePairs> pairs_of(const Session& session,
                                    const BundleTerms& terms,
                                    const std::vector<JudgedBundle>& all) {
  if (all.size() == 1) return std::nullopt;
  const bool is_document = session.output == Output::kJson || session.output == Output::kYaml;
  return judge_pairs_of(all, terms.at, session.options.jobs, is_document);
}

ExitCode show_pairs(const Session& session, const BundlePairs& pairs) {
  std::vector<mesh::Finding> findings;
  for (const mesh::PairVerdict& pair : pairs.told) {
    if (auto finding = finding_about(pair)) findings.push_back(*std::move(finding));
  }
  session.console().show(findings);
  return exit_code_of(findings);
}

int answer(const Session& session, const BundleTerms& terms, const std::vector<JudgedBundle>& all) {
  const auto pairs = pairs_of(session, terms, all);
  Json list = {
      {"apiVersion", "meshtrust/v1"}, {"kind", "BundleVerificationList"}, {"items", Json::array()}};
  std::string text;
  for (const JudgedBundle& one : all) {
    list["items"].push_back(to_json(one, terms));
    if (!one.unreadable) text += (text.empty() ? "" : "\n") + render(one, terms);
  }
  if (pairs) {
    list["pairs"] = pairs_to_json(pairs->told);
    if (pairs->count > 0) text += "\n" + pairs->render();
  }
  session.answer(all.size() == 1 ? list["items"].front() : list, text);
  ExitCode code = kDone;
  for (const JudgedBundle& one : all) {
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
  return pairs ? more_telling(code, show_pairs(session, *pairs)) : code;
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
  BundleTerms terms{.at = {}, .version = {}, .loaded = {}, .multi_root = multi_root_};
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
  std::vector<JudgedBundle> all;
  for (const std::string& folder : folders_) {
    auto paths = bundle_in(files, folder);
    if (!paths) return refuse(paths.error());
    all.push_back({.paths = *std::move(paths)});
  }
  if (folders_.empty()) {
    all.push_back({.paths = {.name = ca_cert_.empty() ? "these files" : ca_cert_,
                             .ca_cert = ca_cert_,
                             .ca_key = ca_key_,
                             .cert_chain = cert_chain_,
                             .root_cert = root_cert_,
                             .ca_crl = ca_crl_}});
    if (ca_cert_.empty() || ca_key_.empty() || cert_chain_.empty() || root_cert_.empty()) {
      return refuse({.code = Code::kUsage,
                     .message = "a bundle is four files: --ca-cert, --ca-key, --cert-chain and "
                                "--root-cert",
                     .hints = {"or name their folder with --bundle"}});
    }
  } else if (!ca_crl_.empty()) {
    for (JudgedBundle& one : all) {
      one.paths.ca_crl = ca_crl_;
    }
  }
  if (const auto status = check_named_files(files); !status) return refuse(status.error());
  run::for_each_index(all.size(), std::min(session.options.jobs, all.size()),
                      [&](std::size_t i) { judge_files(files, terms, all[i]); });
  return answer(session, terms, all);
}

}  // namespace meshtrust::cli
