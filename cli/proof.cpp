#include "cli/proof.h"

#include "base/encoding.h"
#include "base/text.h"
#include "cli/workloads_text.h"
#include "mesh/begun.h"
#include "mesh/drift.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::cli {
namespace {

using base::Json;

std::string verdict_word(const mesh::PairVerdict& pair, std::string_view judge) {
  bool asked = false;
  for (const pki::Verdict& verdict : pair.verdicts) {
    if (verdict.judge != judge) continue;
    asked = true;
    if (!verdict.accepted) return "refused";
  }
  return asked ? "accepted" : "-";
}

std::string reason_of(const mesh::PairVerdict& pair) {
  if (!pair.problem.empty()) return (pair.is_unknown ? "unknown: " : "") + pair.problem;
  if (const std::string by_roots = pair.judged_by_roots(); !by_roots.empty()) return by_roots;
  const auto refusals = pair.refusals();
  return refusals.empty() ? std::string() : refusals.front();
}

std::string pairs_table(const Proof& proof) {
  std::vector<std::vector<std::string>> rows{
      {"FROM", "TO", "OPENSSL", "BOTAN", "GO", "BORINGSSL", "WEBPKI", ""}};
  for (const mesh::PairVerdict& pair : proof.pairs) {
    rows.push_back({pair.from, pair.to, verdict_word(pair, "openssl"), verdict_word(pair, "botan"),
                    verdict_word(pair, "go"), verdict_word(pair, "boringssl"),
                    verdict_word(pair, "webpki"), reason_of(pair)});
  }
  return table(rows);
}

/// How many pairs are accepted although nobody saw the certificates of one side.
std::size_t accepted_by_roots(const Proof& proof) {
  const auto count =
      std::count_if(proof.pairs.begin(), proof.pairs.end(), [](const mesh::PairVerdict& pair) {
        return pair.accepted() && !pair.judged_by_roots().empty();
      });
  return static_cast<std::size_t>(count);
}

/// The two libraries that were really asked, unless one of them stands alone against all others.
std::string_view who_accepts(const Proof& proof) {
  const bool is_doubted = std::any_of(
      proof.pairs.begin(), proof.pairs.end(),
      [](const mesh::PairVerdict& pair) { return pair.accepted() && pair.is_doubted(); });
  return is_doubted ? "OpenSSL, Go, BoringSSL and rustls-webpki" : "OpenSSL and Botan";
}

std::string how_accepted(const Proof& proof, std::size_t accepted) {
  const std::size_t by_roots = accepted_by_roots(proof);
  if (by_roots == 0) return fmt::format("accepted by {}", who_accepts(proof));
  if (by_roots == accepted) return "accepted by published roots alone";
  return fmt::format("accepted, {} by {}, {} by published roots alone", accepted - by_roots,
                     who_accepts(proof), by_roots);
}

/// What the proof of trust comes to where nothing is installed yet.
std::string_view conclusion_of_trust(const Proof& proof, bool all_accepted) {
  if (!proof.holds()) return all_accepted ? "not all is as it should be" : "trust is not proved";
  if (accepted_by_roots(proof) != 0) {
    return "as far as published roots tell, every workload will trust every other";
  }
  return proof.clusters ? "so far, every workload will trust every other"
                        : "every workload will trust every other";
}

std::string certificates_table(const profiles::Mesh& mesh,
                               const mesh::Observation& observation,
                               base::Instant at) {
  std::vector<std::vector<std::string>> rows{{"CLUSTER", "CA", "SHA256", "EXPIRES", "SEEN IN"}};
  for (const profiles::Cluster& cluster : mesh.clusters) {
    if (!cluster.runs_istiod()) {
      rows.push_back({cluster.name, "signed by " + base::join(cluster.control_plane, ", ")});
      continue;
    }
    const mesh::ClusterObservation* seen = observation.find(cluster.name);
    const auto observed = seen == nullptr ? mesh::Observed<mesh::Material>() : material_of(*seen);
    const mesh::Material* material = observed.found(mesh::Unknown::kTold);
    const auto bundle = material != nullptr
                            ? pki::certificates_from_pem(material->certificates.ca_cert)
                            : base::Result<std::vector<pki::Certificate>>(
                                  base::fail(base::Code::kNotFound, "none"));
    if (!bundle) {
      rows.push_back({cluster.name, observed.is_absent() ? "none" : "unknown"});
      continue;
    }
    const auto& facts = bundle->front().facts();
    rows.push_back({cluster.name, facts.subject,
                    base::group_hex(facts.fingerprint.substr(0, 16)) + " ...",
                    expiry_text(facts.not_after, at),
                    material->source == mesh::Source::kTwin ? "public twin" : "cacerts"});
  }
  return table(rows);
}

/// Whether what istiods see was asked.
bool asked_istiods(const Proof& proof) {
  return !proof.conditions.empty() && proof.level == mesh::Level::kDeep;
}

std::string traffic_text(const Proof& proof) {
  if (!proof.traffic) return "traffic was not tried";
  const Traffic& traffic = *proof.traffic;
  if (!traffic.is_tried()) return "traffic could not be tried";
  return fmt::format(
      "traffic took {} of {}{}", traffic.proved, base::count_of(traffic.ways, "way"),
      traffic.untried == 0 ? "" : fmt::format(", {} could not be tried", traffic.untried));
}

/// Whether something was seen that is not as it should be. What could not be seen is no fault.
bool is_faulty(const Proof& proof) {
  return has_severity(proof.answer.findings, mesh::Severity::kCritical) ||
         std::ranges::any_of(proof.pairs, [](const mesh::PairVerdict& pair) {
           return !pair.accepted() && !pair.is_unknown;
         });
}

/// "trust, what is installed and what istiods see".
std::string what_was_seen(const Proof& proof,
                          const std::optional<mesh::WorkloadSummary>& workloads) {
  std::vector<std::string> seen{"trust", "what is installed"};
  if (asked_istiods(proof)) seen.emplace_back("what istiods see");
  if (workloads && workloads->read != 0) {
    seen.push_back(fmt::format("what {} of {} present", workloads->read,
                               base::count_of(workloads->pods, "workload")));
  }
  const std::string last = std::move(seen.back());
  seen.pop_back();
  return base::join(seen, ", ") + " and " + last;
}

/// What is said of a mesh is said of what was looked at.
std::string conclusion(const Proof& proof, const std::optional<mesh::WorkloadSummary>& workloads) {
  if (!proof.holds()) {
    return is_faulty(proof) ? "the mesh is not what it should be"
                            : "not enough is known to say whether the mesh is what it should be";
  }
  const bool is_warned = has_severity(proof.answer.findings, mesh::Severity::kWarning);
  return fmt::format(
      "{} found in {}{}{}; {}{}", is_warned ? "no further fault" : "no fault",
      what_was_seen(proof, workloads),
      proof.clusters ? " of " + base::join(*proof.clusters, ", ") : "",
      asked_istiods(proof) ? "" : "; what istiods see was not asked", traffic_text(proof),
      workloads && workloads->read == 0 ? "; what workloads present was not seen" : "");
}

std::vector<std::string> names_in(const profiles::Mesh& mesh) {
  std::vector<std::string> names;
  names.reserve(mesh.clusters.size());
  for (const profiles::Cluster& cluster : mesh.clusters) {
    names.push_back(cluster.name);
  }
  return names;
}

Json looked_at(const profiles::Mesh& mesh,
               const Proof& proof,
               const std::optional<mesh::WorkloadSummary>& workloads) {
  const Json clusters = proof.clusters.value_or(names_in(mesh));
  Json parts = {"trust"};
  if (!proof.conditions.empty()) parts.push_back("installation");
  if (asked_istiods(proof)) parts.push_back("istiods");
  if (workloads && workloads->read != 0) parts.push_back("workloads");
  Json traffic = {{"tried", proof.traffic && proof.traffic->is_tried()}};
  if (proof.traffic) {
    traffic["ways"] = proof.traffic->ways;
    traffic["proved"] = proof.traffic->proved;
    traffic["untried"] = proof.traffic->untried;
  }
  return {{"clusters", clusters}, {"parts", std::move(parts)}, {"traffic", std::move(traffic)}};
}

}  // namespace

Traffic traffic_of(const mesh::SampleVerdict& verdict) {
  using State = mesh::SampleWay::State;
  const auto count = [&verdict](State state) {
    const auto found = std::ranges::count(verdict.ways, state, &mesh::SampleWay::state);
    return static_cast<std::size_t>(found);
  };
  return {.ways = verdict.ways.size(),
          .proved = count(State::kAnswered),
          .untried = count(State::kNotProved)};
}

std::string expiry_text(base::Instant end, base::Instant now) {
  return fmt::format("{} ({})", base::format_date(end), base::format_relative(end, now));
}

bool Proof::holds() const {
  return (clusters || !pairs.empty()) && answer.unknowns.empty() &&
         !has_severity(answer.findings, mesh::Severity::kCritical) &&
         std::all_of(pairs.begin(), pairs.end(), [](const auto& pair) { return pair.accepted(); });
}

void Proof::keep(const std::vector<std::string>& wanted) {
  if (wanted.empty()) return;
  const auto is_wanted = [&wanted](const std::string& cluster) {
    return std::find(wanted.begin(), wanted.end(), cluster) != wanted.end();
  };
  clusters = wanted;
  // What is missing on the other side is not this part's fault.
  std::erase_if(pairs, [&](const mesh::PairVerdict& pair) {
    const bool both = is_wanted(pair.from) && is_wanted(pair.to);
    const bool either = is_wanted(pair.from) || is_wanted(pair.to);
    return !either || (!both && !pair.problem.empty());
  });
  std::erase_if(conditions, [&](const Shown& one) { return !is_wanted(one.expectation.cluster); });
  std::erase_if(answer.findings, [&](const mesh::Finding& finding) {
    return !finding.cluster.empty() && !is_wanted(finding.cluster);
  });
}

void Proof::leave_out(const profiles::Mesh& mesh, const std::string& cluster) {
  if (!clusters) clusters = names_in(mesh);
  std::erase(*clusters, cluster);
  std::erase_if(pairs, [&cluster](const mesh::PairVerdict& pair) {
    return pair.from == cluster || pair.to == cluster;
  });
  std::erase_if(conditions,
                [&cluster](const Shown& one) { return one.expectation.cluster == cluster; });
}

ExitCode Proof::exit_code() const {
  const ExitCode code = more_telling(exit_code_of(std::span<const base::Error>(answer.unknowns)),
                                     exit_code_of(std::span<const mesh::Finding>(answer.findings)));
  return holds() ? code : more_telling(code, kRefused);
}

Proof prove(const profiles::Mesh& mesh,
            const mesh::Observation& observation,
            base::Instant at,
            const mesh::BaseFiles& files) {
  Proof proof{
      .answer = ask_all(
          mesh::trust_checks(),
          {.mesh = mesh, .observation = observation, .at = at, .purpose = mesh::Purpose::kProve}),
      .pairs = judge_pairs(mesh, observation, at),
      .level = observation.level};
  std::vector<mesh::Finding> drifted = mesh::drift_of_trust(mesh, observation, at);
  std::move(drifted.begin(), drifted.end(), std::back_inserter(proof.answer.findings));
  if (mesh::is_begun(mesh, observation, files)) {
    proof.conditions = judge_mesh(mesh, observation, at, files, proof.answer);
  }
  return proof;
}

std::string render_proof(const profiles::Mesh& mesh,
                         const mesh::Observation& observation,
                         const Proof& proof,
                         base::Instant at) {
  const auto accepted = static_cast<std::size_t>(std::count_if(
      proof.pairs.begin(), proof.pairs.end(), [](const auto& pair) { return pair.accepted(); }));
  const std::string trust = fmt::format(
      "{}\n{}\n{} of {} {}", certificates_table(mesh, observation, at), pairs_table(proof),
      accepted, base::count_of(proof.pairs.size(), "ordered pair"), how_accepted(proof, accepted));
  if (proof.conditions.empty()) {
    return fmt::format("{}: {}\n", trust,
                       conclusion_of_trust(proof, accepted == proof.pairs.size()));
  }
  const auto holding = std::count_if(
      proof.conditions.begin(), proof.conditions.end(),
      [](const Shown& one) { return one.verdict.state == mesh::Verdict::State::kYes; });
  const std::string workloads = render_workloads(mesh, observation, proof, at);
  return fmt::format("{}\n\n{}\n{}{}{} of {} hold: {}\n", trust,
                     render_conditions(proof.conditions), workloads, workloads.empty() ? "" : "\n",
                     holding, base::count_of(proof.conditions.size(), "condition"),
                     conclusion(proof, workloads_of(mesh, observation, proof)));
}

Json pairs_to_json(std::span<const mesh::PairVerdict> pairs) {
  Json list = Json::array();
  for (const mesh::PairVerdict& pair : pairs) {
    Json entry = {{"from", pair.from},
                  {"to", pair.to},
                  {"accepted", pair.accepted()},
                  {"verdicts", Json::array()}};
    if (!pair.problem.empty()) entry["problem"] = pair.problem;
    for (const pki::Verdict& verdict : pair.verdicts) {
      entry["verdicts"].push_back(
          {{"judge", verdict.judge}, {"accepted", verdict.accepted}, {"reason", verdict.reason}});
    }
    list.push_back(std::move(entry));
  }
  return list;
}

Json proof_to_json(const profiles::Mesh& mesh,
                   const mesh::Observation& observation,
                   const Proof& proof,
                   base::Instant at) {
  Json json = {{"apiVersion", "meshtrust/v1"},
               {"kind", "Verification"},
               {"mesh", mesh.name},
               {"at", base::format_rfc3339(at)},
               {"observedAt", base::format_rfc3339(observation.at)},
               {"proved", proof.holds()},
               {"lookedAt", looked_at(mesh, proof, workloads_of(mesh, observation, proof))},
               {"pairs", pairs_to_json(proof.pairs)},
               {"findings", Json::array()},
               {"unknown", Json::array()}};
  if (!proof.conditions.empty()) json["conditions"] = conditions_to_json(proof.conditions);
  Json workloads = workloads_to_json(mesh, observation, proof);
  if (!workloads.empty()) json["workloads"] = std::move(workloads);
  for (const mesh::Finding& finding : proof.answer.findings) {
    json["findings"].push_back(to_json(finding));
  }
  for (const base::Error& error : proof.answer.unknowns) {
    json["unknown"].push_back({{"code", base::name_of(error.code)}, {"message", error.message}});
  }
  return json;
}

}  // namespace meshtrust::cli
