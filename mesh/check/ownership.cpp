#include "mesh/check/ownership.h"

#include "base/text.h"
#include "istio/names.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

namespace meshtrust::mesh {
namespace {

using profiles::Cluster;

/// More of them say nothing more.
constexpr std::size_t kMostShown = 5;

std::string shown(const Marked& one) {
  std::string text = fmt::format("{}: {}={}", one.what, istio::kMeshLabel, one.marks.mesh);
  if (!one.marks.root.empty()) {
    text += fmt::format(", {}={}", istio::kRootLabel, one.marks.root);
  }
  return text;
}

std::vector<std::string> hints_of(const profiles::Mesh& mesh, const Marks& marks) {
  std::vector<std::string> hints{"check which mesh file and which context this is"};
  if (marks.mesh != mesh.name) return hints;
  if (mesh.trust.mode == profiles::TrustMode::kManaged) {
    hints.push_back(
        fmt::format("if this mesh made it, put the store that holds that root back as "
                    "'{}'",
                    mesh.trust.store));
  } else {
    hints.push_back(
        fmt::format("if whoever manages the trust of this mesh has replaced that root, "
                    "take the label '{0}' and the annotation '{0}' off what bears them: "
                    "'meshtrust apply' puts the new ones on",
                    istio::kRootLabel));
  }
  return hints;
}

}  // namespace

std::optional<Finding> marks_of_others(const profiles::Mesh& mesh,
                                       const OwnerJudge& owners,
                                       const Cluster& cluster,
                                       const ClusterObservation& seen) {
  std::optional<Finding> finding;
  std::size_t count = 0;
  for (const Marked& one : marked_in(mesh, seen)) {
    const bool has_our_name = one.marks.mesh == mesh.name;
    // What other meshes keep beside this one is theirs, and in nobody's way.
    if (!has_our_name && !one.names_the_place) continue;
    // What bears the name alone is judged where something is to be done about it.
    if (has_our_name && one.marks.root.empty()) continue;
    const Owner owner = owners.owner_of(one.marks, seen);
    if (owner == Owner::kThisMesh || owner == Owner::kNobody) continue;
    if (!finding) {
      finding = {.code = "other-mesh",
                 .cluster = cluster.name,
                 .message = fmt::format("{} is of {}, the mesh file is about {}", one.what,
                                        describe(one.marks), owners.describe_own()),
                 .hints = hints_of(mesh, one.marks),
                 .place = cluster.context_place};
    }
    if (++count <= kMostShown) finding->evidence.push_back(shown(one));
  }
  if (count > kMostShown) {
    finding->evidence.push_back(fmt::format("and {} more", count - kMostShown));
  }
  return finding;
}

void check_marks(const CheckSubject& subject, Answer& answer) {
  const OwnerJudge owners(subject.mesh, subject.observation);
  // Without a root nobody can tell whose they are. Before a change that means that they are not of
  // the root that is about to be made; to somebody who only looks it means nothing.
  if (subject.purpose == Purpose::kProve && !owners.root()) return;
  if (subject.is_managed() && subject.observation.store.is_unknown()) return;
  for (const Cluster& cluster : subject.mesh.clusters) {
    const ClusterObservation* seen = subject.observed(cluster);
    if (seen == nullptr) continue;
    // That the mesh has another name by now is told of its twin, by the data.
    const TwinFacts* twin = seen->twin.found(Unknown::kTold);
    const auto name =
        twin == nullptr ? std::string() : profiles::twin_value(twin->data, profiles::kTwinMesh);
    if (!name.empty() && name != subject.mesh.name) continue;
    // That the store is missing is told of the first thing that only it could know.
    const bool is_told = subject.is_managed() && cluster.runs_istiod() &&
                         subject.observation.store.is_absent() &&
                         seen->cacerts.found(Unknown::kTold) != nullptr;
    if (is_told) continue;
    auto finding = marks_of_others(subject.mesh, owners, cluster, *seen);
    if (finding) answer.findings.push_back(*std::move(finding));
  }
}

}  // namespace meshtrust::mesh
