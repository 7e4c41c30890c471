#include "mesh/ownership.h"

#include "base/encoding.h"
#include "istio/names.h"
#include "mesh/trust.h"
#include "profiles/trust_objects.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

using Certificates = std::vector<pki::Certificate>;

std::string mark_of(const pki::Certificate& root) {
  return istio::root_label_value(root.fingerprint());
}

bool holds(const Certificates& certificates, const pki::Certificate& wanted) {
  return std::find(certificates.begin(), certificates.end(), wanted) != certificates.end();
}

/// Whatever can be read of a file; what cannot is told where it matters.
Certificates readable(const std::string& pem) {
  auto certificates = pki::certificates_from_pem(pem);
  return certificates ? *std::move(certificates) : Certificates{};
}

}  // namespace

Marks marks_in(const base::Json& labels) {
  return {.mesh = base::string_at(labels, istio::kMeshLabel),
          .root = base::string_at(labels, istio::kRootLabel)};
}

Marks marks_of(const base::Json& object) {
  return marks_in(base::at_path(object, {"metadata", "labels"}));
}

Marks marks_of(const TwinFacts& twin) {
  Marks marks{.mesh = twin.mesh, .root = twin.root};
  if (marks.mesh.empty()) marks.mesh = profiles::twin_value(twin.data, profiles::kTwinMesh);
  return marks;
}

std::string describe(const Marks& marks) {
  if (marks.root.empty()) return fmt::format("mesh '{}'", marks.mesh);
  return fmt::format("mesh '{}' of the root {} ...", marks.mesh,
                     base::group_hex(marks.root.substr(0, 16)));
}

std::vector<Marked> marked_in(const profiles::Mesh& mesh, const ClusterObservation& cluster) {
  std::vector<Marked> all;
  const auto add = [&all](std::string what, Marks marks, bool names_the_place = false) {
    if (marks.mesh.empty()) return;
    all.push_back(
        {.what = std::move(what), .marks = std::move(marks), .names_the_place = names_the_place});
  };
  const std::string& in = mesh.istio.system_namespace;
  if (const auto* facts = cluster.system_namespace.found(Unknown::kTold)) {
    add("namespace " + in, marks_of(*facts), true);
  }
  if (const auto* twin = cluster.twin.found(Unknown::kTold)) {
    add(fmt::format("configmap {}/{}", in, istio::kPublicTwin), marks_of(*twin), true);
  }
  if (const auto* secrets = cluster.live.remote_secrets.found(Unknown::kTold)) {
    for (const RemoteSecretFacts& one : *secrets) {
      add(fmt::format("secret {}/{}", one.namespace_name, one.name), marks_of(one));
    }
  }
  if (const auto* tokens = cluster.live.tokens.found(Unknown::kTold)) {
    for (const TokenSecretFacts& one : *tokens) {
      add(fmt::format("secret {}/{}", one.namespace_name, one.name), marks_of(one));
    }
  }
  for (const auto& [resource, list] : cluster.live.objects.all()) {
    const auto* found = list.found(Unknown::kTold);
    if (found == nullptr) continue;
    for (const base::Json& object : *found) {
      const base::Json& metadata = base::at_path(object, {"metadata"});
      const std::string space = base::string_at(metadata, "namespace");
      const std::string name = name_of(object);
      // Of what is in no namespace, roles say in their names which one they are for.
      const bool is_here = !space.empty() || resource == kNamespaces ||
                           name == istio::own_reader_role(mesh.istio.revision, in) ||
                           name == istio::istio_reader_role(mesh.istio.revision, in);
      if (!is_here || (resource == kNamespaces && name == in)) continue;
      const std::string what = fmt::format("{} {}{}{}", resource.substr(0, resource.find('.')),
                                           space, space.empty() ? "" : "/", name);
      add(what, marks_of(object));
      add(what, marks_in(base::at_path(metadata, {"annotations"})));
    }
  }
  return all;
}

OwnerJudge::OwnerJudge(const profiles::Mesh& mesh, const Observation& observation)
    : mesh_(mesh), observation_(observation) {
  if (mesh.trust.mode == profiles::TrustMode::kManaged) {
    take_from_store();
  } else {
    take_from_clusters();
  }
}

void OwnerJudge::take_from_store() {
  const StoreFacts* store = observation_.store.found(Unknown::kTold);
  if (store == nullptr) return;
  for (const std::string& pem : store->roots) {
    for (pki::Certificate& root : readable(pem)) {
      roots_.push_back(std::move(root));
    }
  }
  const auto signing = root_of(*store);
  if (!signing) return;
  root_ = mark_of(signing->certificate);
  if (!signing->above.empty()) above_ = signing->anchor();
}

void OwnerJudge::take_from_clusters() {
  std::vector<Certificates> live;
  for (const profiles::Cluster& cluster : mesh_.clusters) {
    const ClusterObservation* seen = observation_.find(cluster.name);
    if (seen == nullptr || !cluster.runs_istiod()) continue;
    const Observed<std::string> roots = roots_of_istiod(mesh_, observation_, cluster);
    const std::string* found = roots.found(Unknown::kTold);
    if (found != nullptr) live.push_back(readable(*found));
  }
  if (live.empty()) return;
  const auto shared = std::find_if(live.front().begin(), live.front().end(), [&live](auto& root) {
    return std::all_of(live.begin(), live.end(), [&root](auto& one) { return holds(one, root); });
  });
  if (shared == live.front().end()) return;
  root_ = mark_of(*shared);
  for (const Certificates& roots : live) {
    std::copy_if(roots.begin(), roots.end(), std::back_inserter(roots_),
                 [this](const auto& root) { return !holds(roots_, root); });
  }
}

bool OwnerJudge::is_root_of_ours(const std::string& mark) const {
  return std::any_of(roots_.begin(), roots_.end(),
                     [&mark](const auto& root) { return mark_of(root) == mark; });
}

std::set<std::string> OwnerJudge::root_marks() const {
  std::set<std::string> marks;
  for (const pki::Certificate& root : roots_) {
    marks.insert(mark_of(root));
  }
  return marks;
}

std::string OwnerJudge::describe_own() const {
  return describe(Marks{.mesh = mesh_.name, .root = root_.value_or("")});
}

Owner OwnerJudge::owner_of(const Marks& marks, const ClusterObservation& cluster) const {
  if (marks.mesh.empty()) return Owner::kNobody;
  if (marks.mesh != mesh_.name) return Owner::kAnotherMesh;
  if (marks.root.empty()) return owner_of_trust(cluster);
  if (roots_.empty()) return Owner::kUndecided;
  return is_root_of_ours(marks.root) ? Owner::kThisMesh : Owner::kAnotherMesh;
}

Owner OwnerJudge::owner_of_trust(const ClusterObservation& cluster) const {
  if (roots_.empty()) return Owner::kUndecided;
  if (const CacertsFacts* cacerts = cluster.cacerts.found(Unknown::kTold)) {
    return owner_of_material(cacerts->certificates, cluster);
  }
  if (const TwinFacts* twin = cluster.twin.found(Unknown::kTold)) {
    return owner_of_material(profiles::twin_certificates(twin->data), cluster);
  }
  // In a cluster that hosts a control plane for others these are of the gateway's istiod, which
  // signs for itself.
  const profiles::Cluster* wanted = mesh_.find(cluster.name);
  if (wanted != nullptr && wanted->role == profiles::Role::kExternal) return Owner::kUndecided;
  const std::string* roots = cluster.workload_roots.found(Unknown::kTold);
  return roots == nullptr ? Owner::kUndecided : owner_of_workload_roots(*roots);
}

Owner OwnerJudge::owner_of_material(const istio::PublicBundle& certificates,
                                    const ClusterObservation& cluster) const {
  if (mesh_.trust.mode == profiles::TrustMode::kObserved) {
    return owner_of_workload_roots(certificates.root_cert);
  }
  CacertsFacts facts;
  facts.certificates = certificates;
  return ownership_of(facts, cluster.name, observation_.store) == Ownership::kOurs
             ? Owner::kThisMesh
             : Owner::kAnotherMesh;
}

Owner OwnerJudge::owner_of_workload_roots(const std::string& pem) const {
  const Certificates live = readable(pem);
  if (std::any_of(live.begin(), live.end(),
                  [this](const auto& root) { return holds(roots_, root); })) {
    return Owner::kThisMesh;
  }
  // A company's root stands above meshes of all its teams.
  if (live.empty() || (above_ && holds(live, *above_))) return Owner::kUndecided;
  return Owner::kAnotherMesh;
}

}  // namespace meshtrust::mesh
