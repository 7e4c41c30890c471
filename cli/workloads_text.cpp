#include "cli/workloads_text.h"

#include "base/encoding.h"
#include "base/text.h"
#include "cli/console.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace meshtrust::cli {
namespace {

using base::Json;
using Workloads = mesh::Observed<mesh::WorkloadFacts>;

/// What is known of the workloads of each cluster that was asked and `proof` is about.
std::vector<std::pair<std::string, const Workloads*>> asked(const profiles::Mesh& mesh,
                                                            const mesh::Observation& observation,
                                                            const Proof& proof) {
  std::vector<std::pair<std::string, const Workloads*>> all;
  for (const profiles::Cluster& cluster : mesh.clusters) {
    const mesh::ClusterObservation* seen = observation.find(cluster.name);
    const bool is_wanted = !proof.clusters || std::ranges::find(*proof.clusters, cluster.name) !=
                                                  proof.clusters->end();
    if (seen == nullptr || !seen->live.workloads || !is_wanted) continue;
    all.emplace_back(cluster.name, &*seen->live.workloads);
  }
  return all;
}

/// As in the column CA of `status`.
std::string short_names(const std::set<std::string>& fingerprints) {
  std::vector<std::string> names;
  names.reserve(fingerprints.size());
  for (const std::string& one : fingerprints) {
    names.push_back(base::group_hex(one.substr(0, 8)));
  }
  return names.empty() ? "-" : base::join(names, ", ");
}

}  // namespace

std::optional<mesh::WorkloadSummary> workloads_of(const profiles::Mesh& mesh,
                                                  const mesh::Observation& observation,
                                                  const Proof& proof) {
  mesh::WorkloadSummary sum;
  bool is_all_known = true;
  for (const auto& [cluster, workloads] : asked(mesh, observation, proof)) {
    const auto* facts = workloads->found(mesh::Unknown::kTold);
    if (facts == nullptr) {
      is_all_known = false;
      continue;
    }
    const mesh::WorkloadSummary one = summary_of(*facts);
    sum.pods += one.pods;
    sum.read += one.read;
    sum.unread += one.unread;
  }
  if (sum.pods == 0 && is_all_known) return std::nullopt;
  return sum;
}

std::string render_workloads(const profiles::Mesh& mesh,
                             const mesh::Observation& observation,
                             const Proof& proof,
                             base::Instant at) {
  std::vector<std::vector<std::string>> rows{
      {"CLUSTER", "WORKLOADS", "LAST EXPIRES", "SIGNED BY", "TRUST"}};
  for (const auto& [cluster, workloads] : asked(mesh, observation, proof)) {
    const auto* facts = workloads->found(mesh::Unknown::kTold);
    if (facts == nullptr) {
      rows.push_back({cluster, "unknown", "-", "-", "-"});
      continue;
    }
    const mesh::WorkloadSummary sum = summary_of(*facts);
    rows.push_back({cluster, fmt::format("{} of {} pods", sum.read, sum.pods),
                    sum.last_end ? expiry_text(*sum.last_end, at) : "-", short_names(sum.issuers),
                    short_names(sum.roots)});
  }
  return rows.size() == 1 ? std::string() : table(rows);
}

Json workloads_to_json(const profiles::Mesh& mesh,
                       const mesh::Observation& observation,
                       const Proof& proof) {
  Json list = Json::array();
  for (const auto& [cluster, workloads] : asked(mesh, observation, proof)) {
    const auto* facts = workloads->found(mesh::Unknown::kTold);
    if (facts == nullptr) {
      const base::Error* why = workloads->why_unknown();
      list.push_back({{"cluster", cluster}, {"unknown", why == nullptr ? "" : why->message}});
      continue;
    }
    const mesh::WorkloadSummary sum = summary_of(*facts);
    Json entry = {{"cluster", cluster},   {"pods", sum.pods},       {"lookedAt", sum.read},
                  {"unread", sum.unread}, {"issuers", sum.issuers}, {"roots", sum.roots}};
    if (sum.last_end) entry["lastExpires"] = base::format_rfc3339(*sum.last_end);
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace meshtrust::cli
