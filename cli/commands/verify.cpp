#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/observing.h"
#include "cli/proof.h"
#include "cli/sample_proof.h"
#include "istio/acceptance.h"
#include "istio/names.h"
#include "profiles/samples.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

namespace meshtrust::cli {
namespace {

using base::Json;
using base::Result;

/// The four files of `folder`, as istiod would find them mounted.
Result<istio::Bundle> read_bundle(base::Files& files, const std::filesystem::path& folder) {
  istio::Bundle bundle;
  MESHTRUST_TRY(bundle.certificates.ca_cert, files.read(folder / istio::kCaCertFile, 1U << 20U));
  MESHTRUST_TRY(bundle.certificates.cert_chain,
                files.read(folder / istio::kCertChainFile, 1U << 20U));
  MESHTRUST_TRY(bundle.certificates.root_cert,
                files.read(folder / istio::kRootCertFile, 1U << 20U));
  MESHTRUST_TRY(bundle.ca_key, files.read_secret(folder / istio::kCaKeyFile, 1U << 20U));
  return bundle;
}

std::string render_bundle(const std::string& folder,
                          const istio::BundleVerdict& verdict,
                          base::Instant at) {
  std::string text = fmt::format("istiod {} with {}\n", istio::name_of(verdict.outcome), folder);
  if (verdict.parsed) {
    std::vector<std::vector<std::string>> rows{{"FILE", "SUBJECT", "EXPIRES"}};
    const auto add = [&rows, at](std::string_view file, const pki::Certificate& certificate) {
      rows.push_back({std::string(file), certificate.facts().subject,
                      expiry_text(certificate.facts().not_after, at)});
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
                        one.accepted ? "" : ": " + one.reason);
  }
  return text +
         (verdict.is_good() ? "the mesh works with it\n" : "the mesh does not work with it\n");
}

Json bundle_to_json(const std::string& folder, const istio::BundleVerdict& verdict) {
  Json json = {{"apiVersion", "meshtrust/v1"},
               {"kind", "BundleVerification"},
               {"bundle", folder},
               {"istiod", istio::name_of(verdict.outcome)},
               {"good", verdict.is_good()},
               {"problems", Json::array()},
               {"verdicts", Json::array()}};
  for (const istio::BundleProblem& problem : verdict.problems) {
    json["problems"].push_back(
        {{"code", problem.code},
         {"severity", problem.severity == pki::Severity::kError ? "critical" : "warning"},
         {"message", problem.message}});
  }
  for (const pki::Verdict& one : verdict.chain_verdicts) {
    json["verdicts"].push_back(
        {{"judge", one.judge}, {"accepted", one.accepted}, {"reason", one.reason}});
  }
  return json;
}

std::vector<mesh::Finding> findings_of(const istio::BundleVerdict& verdict) {
  std::vector<mesh::Finding> findings;
  for (const istio::BundleProblem& problem : verdict.problems) {
    findings.push_back({.code = problem.code,
                        .severity = problem.severity == pki::Severity::kError
                                        ? mesh::Severity::kCritical
                                        : mesh::Severity::kWarning,
                        .cluster = {},
                        .message = problem.message});
  }
  return findings;
}

class VerifyCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("CLUSTER", clusters_, "only pairs with one of these clusters")
        ->option_text("[CLUSTER...]");
    app.add_option("--bundle", bundle_, "judge the files in a folder instead of live clusters")
        ->option_text("DIR");
    auto* samples =
        app.add_flag("--samples", samples_,
                     "also start sample workloads, let them call each other, and delete them");
    app.add_option("--sample-namespace", sample_namespace_,
                   "the namespace that is made for them (default sample)")
        ->needs(samples)
        ->option_text("NAMESPACE");
    snapshot_.declare(app);
  }

  int run(Session& session) override {
    if (auto status = check_usage(); !status) {
      session.console().show(status.error());
      return kUsage;
    }
    return bundle_.empty() ? verify_mesh(session) : verify_bundle(session);
  }

 private:
  base::Status check_usage() const {
    using base::Code;
    if (!bundle_.empty() && (!snapshot_.from.empty() || !clusters_.empty())) {
      return base::fail(Code::kUsage,
                        "--bundle judges files: it goes with neither --from nor cluster names");
    }
    if (!samples_) return {};
    if (!bundle_.empty() || !snapshot_.from.empty()) {
      return base::fail(Code::kUsage,
                        "--samples starts workloads in live clusters: it goes with neither --from "
                        "nor --bundle");
    }
    if (!base::is_dns_label(sample_namespace_)) {
      return base::fail(
          Code::kUsage,
          fmt::format("--sample-namespace: '{}' is no name of a namespace", sample_namespace_),
          "a DNS-1123 label: lower-case letters, digits and '-'");
    }
    return {};
  }

  int verify_bundle(Session& session) const {
    const auto at = time_or_now(session, snapshot_.at);
    if (!at) {
      session.console().show(at.error());
      return kUsage;
    }
    auto bundle = read_bundle(session.around.files, bundle_);
    if (!bundle) {
      session.console().show(bundle.error());
      return exit_code_of(bundle.error().code);
    }
    const istio::BundleVerdict verdict =
        istio::judge_bundle({.bundle = bundle->certificates,
                             .key = istio::match_key(bundle->ca_key, bundle->certificates.ca_cert),
                             .at = *at});
    session.answer(bundle_to_json(bundle_, verdict), render_bundle(bundle_, verdict, *at));
    const std::vector<mesh::Finding> findings = findings_of(verdict);
    session.console().show(findings);
    if (!verdict.parsed) return kBadInput;
    return exit_code_of(findings);
  }

  int verify_mesh(Session& session) {
    auto seen = observe_or_read(session, snapshot_, mesh::Level::kDeep);
    if (!seen) {
      session.console().show(seen.error());
      return exit_code_of(seen.error());
    }
    if (auto status = check_cluster_names(seen->mesh, clusters_); !status) {
      session.console().show(status.error());
      return kUsage;
    }
    Proof proof = prove(seen->mesh, seen->observation, seen->at, seen->files);
    proof.keep(clusters_);
    if (samples_) return verify_with_samples(session, *seen, std::move(proof));
    return finish(session, *seen, proof, nullptr);
  }

  int verify_with_samples(Session& session, const SeenMesh& seen, Proof proof) const {
    if (proof.conditions.empty()) {
      session.console().show(
          base::Error{.code = base::Code::kRefused,
                      .message = "there is no mesh to try with samples: nothing is installed",
                      .hints = {"'meshtrust apply' installs it"}});
      return kRefused;
    }
    SampleProof samples = prove_with_samples(
        session, seen.mesh,
        {.clusters = clusters_,
         .namespace_name = sample_namespace_,
         .exec = snapshot_.allow_exec ? ExecPlugins::kAllowed : ExecPlugins::kAsContracted});
    if (session.around.cancellation.is_cancelled()) {
      session.console().show(samples.errors);
      session.console().show(samples.left);
      return kPartial;
    }
    for (mesh::Finding& finding : samples.verdict.findings) {
      proof.answer.findings.push_back(std::move(finding));
    }
    return finish(session, seen, proof, &samples);
  }

  static int finish(Session& session,
                    const SeenMesh& seen,
                    const Proof& proof,
                    const SampleProof* samples) {
    Json json = proof_to_json(seen.mesh, seen.observation, proof, seen.at);
    std::string text = render_proof(seen.mesh, seen.observation, proof, seen.at);
    if (samples != nullptr) {
      json["samples"] = samples_to_json(*samples);
      text += "\n" + render_samples(seen.mesh, *samples);
    }
    session.answer(json, text);
    session.console().show(proof.answer.unknowns);
    session.console().show(proof.answer.findings);
    if (samples == nullptr) return proof.exit_code();
    session.console().show(samples->errors);
    session.console().show(samples->left);
    return more_telling(proof.exit_code(),
                        more_telling(exit_code_of(samples->errors), exit_code_of(samples->left)));
  }

  std::vector<std::string> clusters_;
  std::string bundle_;
  std::string sample_namespace_{profiles::kSampleNamespace};
  bool samples_ = false;
  SnapshotOptions snapshot_;
};

}  // namespace

CommandEntry verify_command() {
  return {
      .name = "verify",
      .group = "From kubeconfigs to proved trust",
      .summary = "prove that every cluster accepts every other",
      .details =
          "Takes the live certificates of every cluster and asks OpenSSL and Botan, which "
          "share no code, about every ordered pair: would a workload of the one be "
          "accepted by the other? Passes or fails. Needs no right to read CA keys: where "
          "cacerts may not be read, its public twin is.\n"
          "With --samples it also tries the mesh: in every cluster with workloads it makes a "
          "namespace 'sample' with Istio's helloworld and a client, looks whether their pods got "
          "sidecars that know where they are, calls helloworld from every cluster until each "
          "cluster that should has answered, and deletes the namespace again, also after a "
          "failure or Ctrl-C. It asks no question. A namespace of that name that is not of such "
          "a run is never touched. Where pods cannot run it says so: traffic not proved here. "
          "--timeout bounds the wait for pods.\n"
          "With --bundle it judges the four files in a folder as istiod would.",
      .examples = {{"The live mesh", "meshtrust verify"},
                   {"Traffic from every cluster to every other",
                    "meshtrust verify --samples --timeout 3m"},
                   {"Files before they are pushed by hand", "meshtrust verify --bundle east"}},
      .files = {"mesh.yaml  which clusters",
                "DIR        ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem"},
      .make = make_command<VerifyCommand>};
}

}  // namespace meshtrust::cli
