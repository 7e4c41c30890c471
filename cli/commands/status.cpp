#include "base/encoding.h"
#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/observing.h"
#include "cli/proof.h"
#include "cli/workloads_text.h"
#include "mesh/begun.h"
#include "mesh/plan.h"
#include "profiles/model.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

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

/// Who is at work in a cluster; null where that was not asked.
const mesh::Observed<run::LeaseHolder>* holder_in(const std::string& cluster,
                                                  const SeenMesh& seen) {
  const auto found = std::find_if(seen.runs.begin(), seen.runs.end(),
                                  [&cluster](const auto& run) { return run.cluster == cluster; });
  return found == seen.runs.end() ? nullptr : &found->holder;
}

/// The run that is at work there, where there is one: why nothing of the cluster is known.
const run::LeaseHolder* at_work_in(const std::string& cluster, const SeenMesh& seen) {
  const auto* holder = holder_in(cluster, seen);
  return holder == nullptr ? nullptr : holder->found(mesh::Unknown::kTold);
}

bool is_anybody_at_work(const SeenMesh& seen) {
  return std::any_of(seen.runs.begin(), seen.runs.end(), [](const run::AtWork& run) {
    return run.holder.found(mesh::Unknown::kTold) != nullptr;
  });
}

/// Empty where nobody is at work, or that was not asked.
Json run_to_json(const std::string& cluster, const SeenMesh& seen) {
  const auto* holder = holder_in(cluster, seen);
  if (holder == nullptr || holder->is_absent()) return Json::object();
  if (const base::Error* why = holder->why_unknown()) return {{"unknown", why->message}};
  const run::LeaseHolder* run = holder->found(mesh::Unknown::kTold);
  return {{"holder", run->who}, {"since", run->since}};
}

bool has_fault(const std::string& cluster, const Proof& proof) {
  return std::any_of(proof.answer.findings.begin(), proof.answer.findings.end(),
                     [&cluster](const mesh::Finding& finding) {
                       return finding.cluster == cluster &&
                              finding.severity != mesh::Severity::kNote;
                     });
}

/// What looks wrong may be what a run that nobody here may see is just changing.
void note_unseen_runs(const SeenMesh& seen, Proof& proof) {
  for (const run::AtWork& run : seen.runs) {
    const base::Error* why = run.holder.why_unknown();
    if (why == nullptr || !has_fault(run.cluster, proof)) continue;
    mesh::Finding note{.code = "runs-unseen",
                       .severity = mesh::Severity::kNote,
                       .cluster = run.cluster,
                       .message = "whether a run is just changing it is not known: " + why->message,
                       .hints = why->hints};
    if (why->code == base::Code::kPermission) {
      note.hints.emplace_back(
          "the Role meshtrust-viewer in kube-system of docs/rbac.yaml lets its Lease be read");
    }
    proof.answer.findings.push_back(std::move(note));
  }
}

std::string trust_of(const std::string& cluster, const SeenMesh& seen, const Proof& proof) {
  if (at_work_in(cluster, seen) != nullptr) return "being changed";
  std::size_t accepted = 0;
  std::size_t all = 0;
  for (const mesh::PairVerdict& pair : proof.pairs) {
    if (pair.is_unknown || (pair.from != cluster && pair.to != cluster)) continue;
    ++all;
    accepted += pair.accepted() ? 1 : 0;
  }
  if (all == 0) return "unknown";  // of the others, or of itself, nothing is known
  return fmt::format("{}/{} pairs", accepted, all);
}

Row row_of(const profiles::Cluster& cluster, const SeenMesh& seen, const Proof& proof) {
  Row row{.cluster = cluster.name,
          .kubernetes = "unknown",
          .network = "unknown",
          .role = std::string(profiles::name_of(cluster.role)),
          .ca = "unknown",
          .expires = "-",
          .trust = trust_of(cluster.name, seen, proof)};
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

bool is_managed(const SeenMesh& seen) {
  return seen.mesh.trust.mode == profiles::TrustMode::kManaged;
}

/// Whether `apply` would install a mesh of which nothing is there.
bool awaits_installation(const SeenMesh& seen) {
  return seen.observation.level != mesh::Level::kTrust &&
         profiles::refuse_to_install(seen.mesh).empty() &&
         !mesh::is_begun(seen.mesh, seen.observation, seen.files);
}

/// What a cluster of a mesh that is not begun has of it, in a sentence; empty where that is not
/// known, or says nothing that its row does not.
std::string sentence_of(mesh::Beginning beginning,
                        const profiles::Cluster& cluster,
                        const SeenMesh& seen,
                        bool awaits) {
  switch (beginning) {
    case mesh::Beginning::kNothing:
      return fmt::format("nothing of mesh '{}' is there yet", seen.mesh.name);
    case mesh::Beginning::kNamespace:
      if (cluster.runs_istiod()) return "its namespace is there, and no CA yet";
      return awaits ? "its namespace is there, and nothing is installed yet" : "";
    case mesh::Beginning::kTrust:
      return awaits ? "its trust is in place, and nothing is installed yet" : "";
    case mesh::Beginning::kElse:
      break;
  }
  return {};
}

/// Whether a cluster's sentence says as much as a finding about it.
bool says_as_much(mesh::Beginning beginning, const mesh::Finding& finding) {
  const bool is_bare = beginning == mesh::Beginning::kNothing;
  if (finding.code == "missing") return is_bare;
  return finding.code == "no-cacerts" && (is_bare || beginning == mesh::Beginning::kNamespace);
}

/// Findings about what `apply` makes where it lacks, and about what it puts back.
constexpr std::array<std::string_view, 4> kMade{"no-cacerts", "cacerts-deleted", "missing",
                                                "not-installed"};
constexpr std::array<std::string_view, 4> kMended{"drifted", "unrecorded", "too-much",
                                                  "installation-differs"};

bool has_one_of(const Proof& proof, std::span<const std::string_view> codes) {
  return std::ranges::any_of(proof.answer.findings, [codes](const mesh::Finding& finding) {
    return std::ranges::find(codes, finding.code) != codes.end();
  });
}

std::string next_command(const SeenMesh& seen, const Proof& proof, bool awaits) {
  if (is_anybody_at_work(seen)) return "'meshtrust status' when that run has ended";
  const bool is_to_be_made = is_managed(seen) && has_one_of(proof, kMade);
  const bool can_go_on = proof.holds() || is_to_be_made;
  // Of a mesh that is installed more than trust may be what lacks.
  const bool installs = awaits || !proof.conditions.empty();
  const bool is_to_be_mended = proof.holds() && has_one_of(proof, kMended);
  if ((awaits && can_go_on) || is_to_be_made || is_to_be_mended) {
    return installs ? "'meshtrust plan', then 'meshtrust apply'"
                    : "'meshtrust plan', then 'meshtrust apply --only trust'";
  }
  if (proof.holds()) return "'meshtrust verify' shows the proof pair by pair";
  return "'meshtrust verify' says what is wrong and why";
}

class StatusCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("CLUSTER", clusters_, "only these clusters")->option_text("[CLUSTER...]");
    depth_.declare_level(app, "mesh|deep",
                         "mesh (default), or deep: asks istiods and workloads too");
    depth_.declare_pods(app);
    snapshot_.declare(app);
  }

  int run(Session& session) override {
    if (auto status = depth_.check(snapshot_, mesh::Level::kMesh); !status) {
      session.console().show(status.error());
      return kUsage;
    }
    auto seen = observe_or_read(session, snapshot_, depth_.depth(mesh::Level::kMesh),
                                OtherRuns::kLookedFor);
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
    for (const profiles::Cluster& cluster : seen->mesh.clusters) {
      if (at_work_in(cluster.name, *seen) != nullptr) proof.leave_out(seen->mesh, cluster.name);
    }
    note_unseen_runs(*seen, proof);
    show(session, *seen, proof);
    const ExitCode code = proof.exit_code();
    const bool awaits = awaits_installation(*seen);
    const std::string next = next_command(*seen, proof, awaits);
    session.console().show(proof.answer.unknowns);
    if (proof.conditions.empty()) tell_beginnings(session, *seen, awaits, proof);
    session.console().show(proof.answer.findings);
    session.console().say("next: " + next);
    return code;
  }

 private:
  bool is_wanted(const std::string& cluster) const {
    return clusters_.empty() ||
           std::find(clusters_.begin(), clusters_.end(), cluster) != clusters_.end();
  }

  /// A line a cluster, instead of what lacks because nobody has made it yet.
  void tell_beginnings(Session& session, const SeenMesh& seen, bool awaits, Proof& proof) const {
    for (const profiles::Cluster& cluster : seen.mesh.clusters) {
      if (!is_wanted(cluster.name)) continue;
      const mesh::Beginning beginning = mesh::beginning_in(seen.mesh, cluster, seen.observation);
      const std::string sentence = sentence_of(beginning, cluster, seen, awaits);
      if (sentence.empty()) continue;
      session.console().say(cluster.name + ": " + sentence);
      if (!is_managed(seen)) continue;
      std::erase_if(proof.answer.findings, [&cluster, beginning](const mesh::Finding& finding) {
        return finding.cluster == cluster.name && says_as_much(beginning, finding);
      });
    }
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
      const Json run = run_to_json(row.cluster, seen);
      if (!run.empty()) json["clusters"].back()["run"] = run;
      names += row.cluster + "\n";
    }
    std::string text = table(rows);
    if (!proof.conditions.empty()) text += "\n" + render_conditions(proof.conditions);
    const std::string workloads = render_workloads(seen.mesh, seen.observation, proof, seen.at);
    if (!workloads.empty()) text += "\n" + workloads;
    session.answer(json, session.output == Output::kName ? names : text);
  }

  std::vector<std::string> clusters_;
  DepthOptions depth_;
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
          "secret cacerts may not be read, its public twin is read instead. A cluster that another "
          "run is changing is not judged: the holder of its Lease is named, and the exit code is "
          "7. Ends with the next command.\n"
          "With --level deep istiods are asked what they see, and proxies (sidecars, gateways, "
          "ztunnels) which certificate they present and whom they trust, through their admin "
          "interface; no key is read. A line a cluster says how many told, until when the last of "
          "their certificates lasts, who signed them and whom they trust; workloads that still "
          "present an earlier CA, whose certificate is over, that trust other roots than their "
          "cluster publishes or that another workload refuses are findings. That takes the rights "
          "of the ClusterRole meshtrust-workload-viewer in docs/rbac.yaml.",
      .examples = {{"How is the mesh?", "meshtrust status"},
                   {"How will it be at New Year?", "meshtrust status --at 2027-01-01T00:00:00Z"},
                   {"What do workloads present and trust, for a dashboard?",
                    "meshtrust status --level deep -o json"}},
      .files = {"mesh.yaml     which clusters", "<name>.trust  the trust store, read only"},
      .make = make_command<StatusCommand>};
}

}  // namespace meshtrust::cli
