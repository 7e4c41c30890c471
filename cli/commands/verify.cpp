#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/commands/verify_bundle.h"
#include "cli/commands/verify_chain.h"
#include "cli/exit_code.h"
#include "cli/observing.h"
#include "cli/proof.h"
#include "cli/sample_proof.h"
#include "profiles/samples.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

using base::Json;

class VerifyCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("CLUSTER", clusters_, "only pairs with one of these clusters")
        ->option_text("[CLUSTER...]");
    bundle_.declare(app);
    chain_.declare(app);
    auto* samples =
        app.add_flag("--samples", samples_,
                     "also start sample workloads, let them call each other, and delete them");
    app.add_option("--sample-namespace", sample_namespace_,
                   "the namespace that is made for them (default sample)")
        ->needs(samples)
        ->option_text("NAMESPACE");
    depth_.declare_pods(app);
    snapshot_.declare(app);
  }

  int run(Session& session) override {
    if (auto status = check_usage(); !status) {
      session.console().show(status.error());
      return kUsage;
    }
    if (chain_.is_asked()) return chain_.run(session, snapshot_.at);
    if (bundle_.is_asked()) return bundle_.run(session, snapshot_.at);
    return verify_mesh(session);
  }

 private:
  base::Status check_usage() const {
    using base::Code;
    const bool names_a_mesh = !snapshot_.from.empty() || !clusters_.empty();
    if (chain_.is_asked() && (bundle_.is_asked() || names_a_mesh)) {
      return base::fail(
          Code::kUsage,
          "--chain judges files: it goes with neither --bundle, --from nor cluster names");
    }
    if (bundle_.is_asked() && names_a_mesh) {
      return base::fail(Code::kUsage,
                        "--bundle judges files: it goes with neither --from nor cluster names");
    }
    if (const std::string stray = bundle_.stray_flag(); !stray.empty()) {
      return base::fail(Code::kUsage,
                        fmt::format("{} means nothing without {}", stray,
                                    stray == "--multi-root" ? "--running" : "--bundle"),
                        "name the folder of a bundle with --bundle, or its files with --ca-cert, "
                        "--ca-key, --cert-chain and --root-cert");
    }
    if (depth_.is_given() && (chain_.is_asked() || bundle_.is_asked())) {
      return base::fail(Code::kUsage,
                        "--pods is about live clusters: it goes with neither --bundle nor --chain");
    }
    MESHTRUST_TRY_DO(depth_.check(snapshot_, mesh::Level::kDeep));
    if (!samples_) return {};
    if (chain_.is_asked() || bundle_.is_asked() || !snapshot_.from.empty()) {
      return base::fail(Code::kUsage,
                        "--samples starts workloads in live clusters: it goes with neither --from, "
                        "--bundle nor --chain");
    }
    if (!base::is_dns_label(sample_namespace_)) {
      return base::fail(
          Code::kUsage,
          fmt::format("--sample-namespace: '{}' is no name of a namespace", sample_namespace_),
          "a DNS-1123 label: lower-case letters, digits and '-'");
    }
    return {};
  }

  int verify_mesh(Session& session) {
    auto seen = observe_or_read(session, snapshot_, depth_.depth(mesh::Level::kDeep));
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
        session, seen.mesh, seen.observation,
        {.clusters = clusters_, .namespace_name = sample_namespace_, .trust = snapshot_.trust});
    if (session.around.cancellation.is_cancelled()) {
      session.console().show(samples.errors);
      session.console().show(samples.left);
      return kPartial;
    }
    for (mesh::Finding& finding : samples.verdict.findings) {
      proof.answer.findings.push_back(std::move(finding));
    }
    if (!samples.sites.empty()) proof.traffic = traffic_of(samples.verdict);
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
  VerifyBundle bundle_;
  VerifyChain chain_;
  std::string sample_namespace_{profiles::kSampleNamespace};
  bool samples_ = false;
  DepthOptions depth_;
  SnapshotOptions snapshot_;
};

}  // namespace

CommandEntry verify_command() {
  return {
      .name = "verify",
      .group = "From kubeconfigs to proved trust",
      .summary = "prove that every cluster accepts every other",
      .details =
          "Takes the live certificates of every cluster and asks about every ordered pair: would a "
          "workload of the one be accepted by the other, as server and as client? Passes or fails "
          "by OpenSSL and by what Go (istiod), BoringSSL (Envoy) and rustls-webpki (ztunnel) do; "
          "Botan, which shares no code with them, is a second opinion. Needs no right to read CA "
          "keys: where cacerts may not be read, its public twin is.\n"
          "With --samples it also tries the mesh: in every cluster with workloads it makes a "
          "namespace 'sample' with Istio's helloworld and a client, looks whether their pods got "
          "sidecars that know where they are, calls helloworld from every cluster until each "
          "cluster that should has answered, once more to see whether calls get lost, without the "
          "retries that Istio would make, and deletes the namespace again, also after a "
          "failure or Ctrl-C. Images come from where spec.samples says. It asks no question. A "
          "namespace of that name that is not of such "
          "a run is never touched. Where pods cannot run it says so: traffic not proved here. "
          "--timeout bounds the wait for pods.\n"
          "Proxies of workloads are asked which certificate they present and whom they trust "
          "(--pods; see 'meshtrust status --help'), and every one is judged by what every other "
          "trusts. Without the right to ask them a note says so.\n"
          "It ends with what it looked at and with whether traffic was tried, in JSON under "
          "lookedAt; what apply would mend is a finding, here and in status.\n"
          "With --bundle it judges the files of a folder and answers three questions: whether one "
          "version of istiod loads them, refuses to start, silently makes a CA of its own or "
          "ignores them until a restart; whether OpenSSL, Go, BoringSSL and rustls-webpki would "
          "accept its workloads; "
          "whether it is safe. A no is a refusal, all else is advice. Several folders are judged "
          "as clusters of one mesh, every ordered pair.\n"
          "With --chain it judges one certificate by the path validation of RFC 5280 and stated "
          "policy, and tells beside it what OpenSSL, Botan, Go (istiod), BoringSSL (Envoy) and "
          "rustls-webpki (ztunnel) say. The exit follows the first, or with --as LIST the ones "
          "listed. What is not well made about the path, but refused by few, is told as warnings "
          "by rules of lint; with --strict it refuses.",
      .examples = {{"The live mesh, and traffic from every cluster to every other",
                    "meshtrust verify --samples --timeout 3m"},
                   {"Files before they are pushed by hand", "meshtrust verify --bundle east west"},
                   {"One server certificate, as Envoy and ztunnel would see it",
                    "meshtrust verify --chain web.pem --root roots.pem --purpose server --dns "
                    "web.example.com --as boringssl,webpki"}},
      .files = {"mesh.yaml  which clusters",
                "DIR        ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem, perhaps "
                "ca-crl.pem;",
                "           or tls.crt, tls.key, ca.crt"},
      .make = make_command<VerifyCommand>};
}

}  // namespace meshtrust::cli
