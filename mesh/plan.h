#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"
#include "istio/bundle.h"
#include "mesh/check.h"
#include "mesh/observation.h"
#include "pki/key.h"
#include "pki/name.h"
#include "profiles/mesh.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace meshtrust::mesh {

/// Mint the root into the trust store (creating the store if need be).
struct MintRoot {
  pki::DistinguishedName subject;
  pki::KeyAlgorithm key;
  base::Seconds lifetime;
};

/// Server-side apply of one object that holds nothing secret.
struct ApplyObject {
  std::string api_version;
  std::string kind;
  std::string resource;        ///< lower-case plural
  std::string namespace_name;  ///< empty for what belongs to the cluster
  std::string name;
  base::Json object;
};

/// Mint an intermediate, push it as `cacerts`, read it back, forget the key: one attempt.
struct PushTrust {
  std::string namespace_name;
  pki::KeyAlgorithm key;
  base::Seconds lifetime;
};

/// Write the public twin of what `cacerts` holds: as it was observed, or, where this plan pushes
/// it first, as the step `after` will leave it.
struct PublishTwin {
  std::string namespace_name;
  std::optional<istio::PublicBundle> certificates;
  std::string after;  ///< step id; empty when `certificates` are there
};

/// Note in the ledger that a certificate arrived: an earlier run was killed before it could.
struct RecordArrival {
  std::string fingerprint;
};

using Action = std::variant<MintRoot, ApplyObject, PushTrust, PublishTwin, RecordArrival>;

enum class Change { kAdd, kChange, kRemove };

/// One thing to do. Values known later read "(known after west/cacerts)" in the diff.
struct Step {
  std::string id;       ///< "store/root", "west/cacerts"; unique in its plan
  std::string cluster;  ///< empty for the store
  Change change = Change::kAdd;
  std::string title;               ///< "secret istio-system/cacerts"
  std::string reason;              ///< why it is needed
  std::vector<std::string> needs;  ///< ids of steps that have to be done before
  std::vector<std::string> diff;   ///< "+ ca-key.pem: <secret, never shown>"
  Action action;
};

/// A right that a plan needs in a cluster.
struct Right {
  std::string cluster;
  std::string verb;
  std::string api_version;
  std::string kind;
  std::string resource;
  std::string namespace_name;
  std::string name;
};

/// The ordered steps from an observation to the spec. Data: it can be shown, saved, compared, run.
struct Plan {
  std::string mesh;
  std::vector<Step> steps;

  bool is_empty() const { return steps.empty(); }
  /// A root key has to be opened (or made).
  bool requires_root_key() const;
  /// Every right that the steps will use, each once.
  std::vector<Right> requires_rights() const;
};

/// Every right that making and running a plan of trust can use in a cluster whose system namespace
/// is `system_namespace`, whatever is there already.
std::vector<Right> rights_of_trust(const std::string& cluster, const std::string& system_namespace);

/// `kind: Plan`. The same plan gives the same bytes.
base::Json to_json(const Plan& plan);

/// A plan and what has to be known before running it.
struct Planned {
  Plan plan;      ///< empty when anything forbids it
  Answer answer;  ///< of `trust_checks()` for a change

  bool is_refused() const;
};

struct PlanOptions {
  base::Instant at;                ///< the time for which certificates are judged
  bool allow_unsupported = false;  ///< go on with versions that nobody here has tried
};

/// What apply would do about trust. Pure: nothing is looked at but the arguments. Where a check
/// finds something critical, or something that has to be known is unknown, the plan is empty.
Planned plan_trust(const profiles::Mesh& mesh,
                   const Observation& observation,
                   const PlanOptions& options);

}  // namespace meshtrust::mesh
