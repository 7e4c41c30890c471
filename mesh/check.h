#pragma once

#include "base/error.h"
#include "base/time.h"
#include "mesh/finding.h"
#include "mesh/observation.h"
#include "profiles/installation.h"
#include "profiles/mesh.h"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {

/// What the answers are wanted for.
enum class Purpose {
  kProve,   ///< status, verify: say what is so, with what may be read
  kChange,  ///< plan, apply: everything has to be known, and be ours
  kLeave,   ///< destroy, when it is done: say what it leaves behind that does harm; nothing is
            ///< mended by this mesh any more
};

/// The users' own files (`clusters[].file`) by cluster.
using BaseFiles = std::map<std::string, profiles::BaseFile>;

/// What a check looks at.
struct CheckSubject {
  const profiles::Mesh& mesh;
  const Observation& observation;
  base::Instant at;
  Purpose purpose = Purpose::kProve;
  bool allow_unsupported = false;  ///< go on with versions that nobody here has tried
  const BaseFiles* files = nullptr;
  std::span<const std::string> left_out = {};  ///< see `PlanOptions`

  /// Whether the trust of this mesh is meshtrust's to make.
  bool is_managed() const { return mesh.trust.mode == profiles::TrustMode::kManaged; }
  const ClusterObservation* observed(const profiles::Cluster& cluster) const {
    return observation.find(cluster.name);
  }
};

/// The answer of a check: yes (nothing in it), no (findings say why), or could not tell (unknowns).
struct Answer {
  std::vector<Finding> findings;
  base::Errors unknowns;
};

/// One question to a mesh. Waits, `plan`, `status` and `verify` all ask these.
struct Check {
  std::string_view id;
  std::string_view question;
  void (*ask)(const CheckSubject& subject, Answer& answer);
};

/// The table of checks about trust, in the order in which they are reported.
std::span<const Check> trust_checks();

/// The table of checks about what a mesh is made of, beyond its trust.
std::span<const Check> mesh_checks();

/// Asks them all.
Answer ask_all(std::span<const Check> checks, const CheckSubject& subject);

}  // namespace meshtrust::mesh
