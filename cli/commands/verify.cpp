#include "cli/commands/commands.h"
#include "cli/commands/verify_bundle.h"
#include "cli/commands/verify_chain.h"
#include "cli/exit_code.h"
#include "cli/observing.h"
#include "cli/proof.h"

#include <CLI/App.hpp>
#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

class VerifyCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("CLUSTER", clusters_, "only pairs with one of these clusters")
        ->option_text("[CLUSTER...]");
    bundle_.declare(app);
    chain_.declare(app);
    snapshot_.declare(app);
  }

  int run(Session& session) override {
    if (chain_.is_asked()) return verify_chain(session);
    return bundle_.is_asked() ? verify_bundle(session) : verify_mesh(session);
  }

 private:
  int verify_chain(Session& session) const {
    if (!bundle_.is_asked() && snapshot_.from.empty() && clusters_.empty()) {
      return chain_.run(session, snapshot_.at);
    }
    session.console().show(base::Error{
        .code = base::Code::kUsage,
        .message =
            "--chain judges files: it goes with neither --bundle, --from nor cluster names"});
    return kUsage;
  }

  int verify_bundle(Session& session) const {
    if (snapshot_.from.empty() && clusters_.empty()) return bundle_.run(session, snapshot_.at);
    session.console().show(base::Error{
        .code = base::Code::kUsage,
        .message = "--bundle judges files: it goes with neither --from nor cluster names"});
    return kUsage;
  }

  int verify_mesh(Session& session) {
    auto seen = observe_or_read(session, snapshot_);
    if (!seen) {
      session.console().show(seen.error());
      return exit_code_of(seen.error());
    }
    if (auto status = check_cluster_names(seen->mesh, clusters_); !status) {
      session.console().show(status.error());
      return kUsage;
    }
    Proof proof = prove(seen->mesh, seen->observation, seen->at);
    proof.keep(clusters_);
    session.answer(proof_to_json(seen->mesh, seen->observation, proof, seen->at),
                   render_proof(seen->mesh, seen->observation, proof, seen->at));
    session.console().show(proof.answer.unknowns);
    session.console().show(proof.answer.findings);
    return proof.exit_code();
  }

  std::vector<std::string> clusters_;
  VerifyBundle bundle_;
  VerifyChain chain_;
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
          "With --bundle it judges the files of a folder as one version of istiod would: whether "
          "it loads them, refuses to start, silently makes a CA of its own or ignores them until "
          "a restart, and whether the mesh works with them.\n"
          "With --chain it judges one certificate by RFC 5280 and stated policy, and tells "
          "beside it what OpenSSL, Botan, Go (istiod), BoringSSL (Envoy) and rustls-webpki "
          "(ztunnel) say. The exit follows the first, or with --as LIST the ones listed.",
      .examples = {{"The live mesh", "meshtrust verify"},
                   {"Files before they are pushed by hand", "meshtrust verify --bundle east"},
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
