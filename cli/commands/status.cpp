#include "base/encoding.h"
#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/observing.h"
#include "cli/proof.h"
#include "mesh/plan.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::cli {
namespace {

using base::Json;

/// What one row of the table says; every field is ready to print.
struct Row {
  std::string cluster;
  std::string kubernetes;
  std::string network;
  std::string role;
  std::string ca;
  std::string expires;
  std::string trust;
};

template <class T>
std::string unknown_or_none(const mesh::Observed<T>& fact) {
  return fact.is_absent() ? "none" : "unknown";
}

std::string network_of(const mesh::ClusterObservation& seen) {
  const auto* facts = seen.system_namespace.found(mesh::Unknown::kTold);
  if (facts == nullptr) return unknown_or_none(seen.system_namespace);
  return facts->network.value_or("no label");
}

std::string trust_of(const std::string& cluster, const Proof& proof) {
  std::size_t accepted = 0;
  std::size_t all = 0;
  for (const mesh::PairVerdict& pair : proof.pairs) {
    if (pair.from != cluster && pair.to != cluster) continue;
    ++all;
    accepted += pair.accepted() ? 1 : 0;
  }
  return fmt::format("{}/{} pairs", accepted, all);
}

Row row_of(const profiles::Cluster& cluster, const SeenMesh& seen, const Proof& proof) {
  Row row{.cluster = cluster.name,
          .kubernetes = "unknown",
          .network = "unknown",
          .role = std::string(profiles::name_of(cluster.role)),
          .ca = "unknown",
          .expires = "-",
          .trust = trust_of(cluster.name, proof)};
  const mesh::ClusterObservation* live = seen.observation.find(cluster.name);
  if (live == nullptr) return row;
  if (const auto* server = live->server.found(mesh::Unknown::kTold)) {
    row.kubernetes = server->version;
  }
  row.network = network_of(*live);
  if (!cluster.runs_istiod()) {
    row.ca = "by " + base::join(cluster.control_plane, ", ");
    return row;
  }
  const auto observed = material_of(*live);
  row.ca = unknown_or_none(observed);
  const mesh::Material* material = observed.found(mesh::Unknown::kTold);
  if (material == nullptr) return row;
  const auto certificates = pki::certificates_from_pem(material->certificates.ca_cert);
  if (!certificates) {
    row.ca = "unreadable";
    return row;
  }
  const auto& facts = certificates->front().facts();
  row.ca = base::group_hex(facts.fingerprint.substr(0, 8));
  row.expires = expiry_text(facts.not_after, seen.at);
  return row;
}

std::string next_command(const SeenMesh& seen, const Proof& proof) {
  const auto nothing_pushed =
      std::any_of(proof.answer.findings.begin(), proof.answer.findings.end(),
                  [](const mesh::Finding& finding) { return finding.code == "no-cacerts"; });
  const bool managed = seen.mesh.trust.mode == profiles::TrustMode::kManaged;
  if (proof.holds()) return "'meshtrust verify' shows the proof pair by pair";
  if (nothing_pushed && managed) return "'meshtrust plan', then 'meshtrust apply --only trust'";
  return "'meshtrust verify' says what is wrong and why";
}

class StatusCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("CLUSTER", clusters_, "only these clusters")->option_text("[CLUSTER...]");
    snapshot_.declare(app);
  }

  int run(Session& session) override {
    auto seen = observe_or_read(session, snapshot_, mesh::Level::kMesh);
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
    show(session, *seen, proof);
    session.console().show(proof.answer.unknowns);
    session.console().show(proof.answer.findings);
    session.console().say("next: " + next_command(*seen, proof));
    return proof.exit_code();
  }

 private:
  bool is_wanted(const std::string& cluster) const {
    return clusters_.empty() ||
           std::find(clusters_.begin(), clusters_.end(), cluster) != clusters_.end();
  }

  void show(Session& session, const SeenMesh& seen, const Proof& proof) const {
    std::vector<std::vector<std::string>> rows{
        {"CLUSTER", "KUBERNETES", "NETWORK", "ROLE", "CA", "EXPIRES", "TRUST"}};
    Json json = proof_to_json(seen.mesh, seen.observation, proof, seen.at);
    json["kind"] = "Status";
    json["clusters"] = Json::array();
    std::string names;
    for (const profiles::Cluster& cluster : seen.mesh.clusters) {
      if (!is_wanted(cluster.name)) continue;
      const Row row = row_of(cluster, seen, proof);
      rows.push_back(
          {row.cluster, row.kubernetes, row.network, row.role, row.ca, row.expires, row.trust});
      json["clusters"].push_back({{"name", row.cluster},
                                  {"kubernetes", row.kubernetes},
                                  {"network", row.network},
                                  {"role", row.role},
                                  {"ca", row.ca},
                                  {"expires", row.expires},
                                  {"trust", row.trust}});
      names += row.cluster + "\n";
    }
    const std::string conditions =
        proof.conditions.empty() ? "" : "\n" + render_conditions(proof.conditions);
    session.answer(json, session.output == Output::kName ? names : table(rows) + conditions);
  }

  std::vector<std::string> clusters_;
  SnapshotOptions snapshot_;
};

}  // namespace

CommandEntry status_command() {
  return {
      .name = "status",
      .group = "Looking",
      .summary = "a row a cluster: server, network, CA, expiry, trust",
      .details =
          "Reads the live clusters, or a saved observation, and changes nothing. Where the "
          "secret cacerts may not be read, its public twin is read instead. Ends with the "
          "next command.",
      .examples = {{"How is the mesh?", "meshtrust status"},
                   {"How will it be at New Year?", "meshtrust status --at 2027-01-01T00:00:00Z"},
                   {"For a dashboard", "meshtrust status -o json"}},
      .files = {"mesh.yaml     which clusters", "<name>.trust  the trust store, read only"},
      .make = make_command<StatusCommand>};
}

}  // namespace meshtrust::cli
