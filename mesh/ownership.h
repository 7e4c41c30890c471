#pragma once

#include "base/json.h"
#include "mesh/observation.h"
#include "pki/certificate.h"
#include "profiles/mesh.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace meshtrust::mesh {

/// What an object says about whose it is: `istio::kMeshLabel` and `istio::kRootLabel` of its labels
/// (of an installed control plane of its annotations).
struct Marks {
  std::string mesh = {};
  std::string root = {};  ///< empty on what an earlier version made, which knew names alone
};

/// Those in the labels, or the annotations, of an object.
Marks marks_in(const base::Json& labels);
/// Those in the labels of a live object.
Marks marks_of(const base::Json& object);
/// A twin says its mesh in its data as well.
Marks marks_of(const TwinFacts& twin);
template <class Facts>
Marks marks_of(const Facts& facts) {
  return {.mesh = facts.mesh, .root = facts.root};
}

/// "mesh 'shop' of the root 6d8a 01c4 ..."
std::string describe(const Marks& marks);

/// Something in a cluster that bears marks.
struct Marked {
  std::string what;  ///< "Deployment istio-system/istiod"
  Marks marks;
  bool names_the_place = false;  ///< the system namespace, or its twin: whose they are, it all is
};

/// Everything with marks of some mesh that was seen in `cluster` and stands where a mesh with this
/// system namespace has its things. What could not be looked at is not in it, and told elsewhere.
std::vector<Marked> marked_in(const profiles::Mesh& mesh, const ClusterObservation& cluster);

/// Whose something is.
enum class Owner {
  kThisMesh,
  kAnotherMesh,  ///< of another name, or of this name and another root
  kNobody,       ///< it bears no mark
  kUndecided,    ///< it bears this mesh's name, and nothing says whose root stands behind it
};

/// The one place that judges whose an object is. Names collide, roots do not: what bears the name
/// of this mesh and one of its roots is this mesh's. What bears the name alone is this mesh's where
/// the trust of its cluster is; where that is not known it is nobody's to take away.
class OwnerJudge {
 public:
  /// Both outlive this. The roots of a mesh are those of its ledger, all of them, so that a mesh
  /// that changed its root knows its own; of a mesh of which the trust is only observed they are
  /// those that its clusters hold, where they share one.
  OwnerJudge(const profiles::Mesh& mesh, const Observation& observation);

  /// The value of `istio::kRootLabel` for what is made now; nothing while there is no root.
  const std::optional<std::string>& root() const { return root_; }

  /// Every value of that label that is this mesh's, also of roots that no longer sign.
  std::set<std::string> root_marks() const;

  /// "mesh 'shop' of the root 6d8a 01c4 ...", as far as it is known.
  std::string describe_own() const;

  /// Whose an object with these marks in `cluster` is.
  Owner owner_of(const Marks& marks, const ClusterObservation& cluster) const;

  /// Whose the CA of `cluster` is, by the first that is there: `cacerts`, its twin, the roots that
  /// istiod handed out in the system namespace.
  Owner owner_of_trust(const ClusterObservation& cluster) const;

 private:
  void take_from_store();
  void take_from_clusters();
  bool is_root_of_ours(const std::string& mark) const;
  Owner owner_of_material(const istio::PublicBundle& certificates,
                          const ClusterObservation& cluster) const;
  Owner owner_of_workload_roots(const std::string& pem) const;

  const profiles::Mesh& mesh_;
  const Observation& observation_;
  std::vector<pki::Certificate> roots_;
  std::optional<pki::Certificate> above_;  ///< of the root that signs, where it has one
  std::optional<std::string> root_;
};

}  // namespace meshtrust::mesh
