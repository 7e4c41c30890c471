#include "cli/proof.h"

#include "base/encoding.h"
#include "base/text.h"

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

/// The two libraries that were really asked, unless one of them stands alone against all others.
std::string_view who_accepts(const Proof& proof) {
  const bool is_doubted = std::any_of(
      proof.pairs.begin(), proof.pairs.end(),
      [](const mesh::PairVerdict& pair) { return pair.accepted() && pair.is_doubted(); });
  return is_doubted ? "OpenSSL, Go, BoringSSL and rustls-webpki" : "OpenSSL and Botan";
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

}  // namespace

std::string expiry_text(base::Instant end, base::Instant now) {
  return fmt::format("{} ({})", base::format_date(end), base::format_relative(end, now));
}

bool Proof::holds() const {
  return (is_partial || !pairs.empty()) && answer.unknowns.empty() &&
         !has_severity(answer.findings, mesh::Severity::kCritical) &&
         std::all_of(pairs.begin(), pairs.end(), [](const auto& pair) { return pair.accepted(); });
}

void Proof::keep(const std::vector<std::string>& clusters) {
  if (clusters.empty()) return;
  const auto is_wanted = [&clusters](const std::string& cluster) {
    return std::find(clusters.begin(), clusters.end(), cluster) != clusters.end();
  };
  is_partial = true;
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
      .pairs = judge_pairs(mesh, observation, at)};
  if (is_begun(mesh, observation, files)) {
    proof.conditions = judge_mesh(mesh, observation, at, files, proof.answer);
  }
  return proof;
}

std::string render_proof(const profiles::Mesh& mesh,
                         const mesh::Observation& observation,
                         const Proof& proof,
                         base::Instant at) {
  const auto accepted = std::count_if(proof.pairs.begin(), proof.pairs.end(),
                                      [](const auto& pair) { return pair.accepted(); });
  const std::string trust =
      fmt::format("{}\n{}\n{} of {} accepted by {}", certificates_table(mesh, observation, at),
                  pairs_table(proof), accepted, base::count_of(proof.pairs.size(), "ordered pair"),
                  who_accepts(proof));
  if (proof.conditions.empty()) {
    return fmt::format("{}: {}\n", trust,
                       !proof.holds()     ? "trust is not proved"
                       : proof.is_partial ? "so far, every workload will trust every other"
                                          : "every workload will trust every other");
  }
  const auto holding = std::count_if(
      proof.conditions.begin(), proof.conditions.end(),
      [](const Shown& one) { return one.verdict.state == mesh::Verdict::State::kYes; });
  return fmt::format("{}\n\n{}\n{} of {} hold: {}\n", trust, render_conditions(proof.conditions),
                     holding, base::count_of(proof.conditions.size(), "condition"),
                     proof.holds() ? "the mesh works" : "the mesh is not what it should be");
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
               {"pairs", pairs_to_json(proof.pairs)},
               {"findings", Json::array()},
               {"unknown", Json::array()}};
  if (!proof.conditions.empty()) json["conditions"] = conditions_to_json(proof.conditions);
  for (const mesh::Finding& finding : proof.answer.findings) {
    json["findings"].push_back(to_json(finding));
  }
  for (const base::Error& error : proof.answer.unknowns) {
    json["unknown"].push_back({{"code", base::name_of(error.code)}, {"message", error.message}});
  }
  return json;
}

}  // namespace meshtrust::cli
