#pragma once

#include "base/time.h"
#include "mesh/rotation/pace.h"
#include "mesh/rotation/plan.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh::rotation {

/// Who meets whom.
enum class Meets {
  kWorkloads,  ///< a sidecar, gateway, ztunnel or VM another one, in both roles
  kIstiod,     ///< an agent that asks for a certificate or configuration, or a webhook's caller
  kClient,     ///< an istiod a client that authenticates with a certificate
  kNobody,     ///< an istiod never takes an update, or does not start with it
};
/// "workloads", "istiod", "certificate client", "none".
std::string_view name_of(Meets meets);

/// The first pair that fails.
struct PairFailure {
  std::string stage = {};
  Meets meets = Meets::kWorkloads;
  std::string from = {};     ///< the cluster that shows its certificate
  std::string to = {};       ///< the one that judges it
  std::string shown = {};    ///< by whose key, with which chain
  std::string trusted = {};  ///< by which roots it is judged
  base::Instant at = {};
  std::vector<std::string> refusals = {};  ///< "go: x509: ..."; in the verifiers' own words
};

struct StageProof {
  std::string stage = {};
  Duration duration = {};
  base::Instant earliest;   ///< that it can begin
  base::Instant latest;     ///< that it can end
  std::size_t pairs = 0;    ///< of what may meet meanwhile
  std::size_t failing = 0;  ///< of them
  std::size_t states = 0;   ///< of a cluster that were looked at
};

struct Proof {
  std::vector<StageProof> stages;
  std::optional<PairFailure> first;
  std::size_t classes = 0;  ///< of clusters that everybody judges alike

  std::size_t pairs() const;
  std::size_t failing() const;
  bool holds() const { return !first; }
};

/// What is assumed of a run.
struct ProofQuestion {
  const RotationPlan& plan;
  base::Instant at;  ///< when its first stage begins
  Pace pace = {};
  /// Whether gates are waited for; without, to see what they are good for.
  bool waits_between_stages = true;
  bool waits_between_updates = true;
};

/// Whether all that may meet during the rotation accept each other: every presented chain with
/// every set of trusted roots that two clusters, or two workloads of one, can have between the same
/// two gates, in whatever order their istiods and workloads move (see `Reach`). Each is judged as
/// it is by the verifiers that run in a mesh, at the earliest and at the latest moment of its
/// stage.
Proof prove(const ProofQuestion& question);

}  // namespace meshtrust::mesh::rotation
