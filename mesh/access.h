#pragma once

#include "mesh/observation.h"
#include "mesh/ownership.h"
#include "profiles/model.h"

#include <optional>
#include <string>

namespace meshtrust::mesh {

/// The URL at which other clusters reach the API server of `cluster`: what the mesh file says, else
/// what the kubeconfig does. Nothing while the latter is not known.
std::optional<std::string> server_for_peers(const profiles::Cluster& cluster,
                                            const Observation& observation);

/// How a Secret by which one istiod reaches another cluster stands.
struct AccessState {
  enum class Kind {
    kAbsent,
    kAsWanted,
    kUnmarked,  ///< as wanted, but that it or its token does not bear the root of this mesh
    kDiffers,
    kForeign,
    kUnknown,
  };
  Kind kind = Kind::kUnknown;
  std::string why = {};
  std::optional<base::Error> error = {};  ///< of kUnknown
  /// Of kForeign, where the Secret is of this mesh: who wrote other values into it.
  std::string writer = {};
};

/// The Secret with the token of `account` in `source`; nullptr where there is none, or nobody
/// knows.
const TokenSecretFacts* token_of(const ClusterObservation& source, const std::string& account);

/// Whether something in `in` is of this mesh, as far as anybody knows, and does not bear its root
/// yet.
bool is_unmarked(const OwnerJudge& owners, const Marks& marks, const ClusterObservation& in);

AccessState state_of(const profiles::Mesh& mesh,
                     const Observation& observation,
                     const OwnerJudge& owners,
                     const profiles::RemoteSecretIntent& intent);

/// The id of the step that makes that Secret: "east/access-west", "hub/config-access".
std::string access_step(const profiles::RemoteSecretIntent& intent);

/// The id of the step that waits until that istiod uses rights which were given back to its reader:
/// "east/reads-west".
std::string take_up_step(const profiles::RemoteSecretIntent& intent);

}  // namespace meshtrust::mesh
