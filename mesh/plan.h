#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"
#include "istio/bundle.h"
#include "mesh/check.h"
#include "mesh/contents.h"
#include "mesh/observation.h"
#include "pki/key.h"
#include "pki/name.h"
#include "profiles/installation.h"
#include "profiles/mesh.h"
#include "profiles/model.h"
#include "profiles/object.h"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace meshtrust::mesh {

/// Mint the root into the trust store (creating the store if need be).
struct MintRoot {
  pki::DistinguishedName subject;
  pki::KeyAlgorithm key = pki::KeyAlgorithm::kEcdsaP256;
  base::Seconds lifetime{};
};

/// Server-side apply of objects that hold nothing secret, one after the other. Their references are
/// replaced by what is known by then.
struct ApplyObjects {
  std::vector<profiles::Object> objects;
};

/// Mint an intermediate, push it as `cacerts`, read it back, forget the key: one attempt.
struct PushTrust {
  std::string namespace_name;
  pki::KeyAlgorithm key = pki::KeyAlgorithm::kEcdsaP256;
  base::Seconds lifetime{};
};

/// Make the next revocation list of the root, in the ledger.
struct MakeLists {
  base::Seconds lifetime{};
};

/// Put the newest list of every CA of the mesh into `cacerts`, beside what is in it.
struct PushLists {
  std::string namespace_name;
};

/// Write the public twin of what `cacerts` holds: as it was observed, or, where this plan writes
/// that first, as the step `after` will leave it.
struct PublishTwin {
  std::string namespace_name;
  std::optional<istio::PublicBundle> certificates;
  std::string after;  ///< step id; empty when `certificates` are there
};

/// Note in the ledger that a certificate arrived: an earlier run was killed before it could.
struct RecordArrival {
  std::string fingerprint;
};

/// Wait until a condition of the table holds; it changes nothing.
struct Await {
  std::string condition;
  std::string namespace_name;  ///< of the control plane or gateway that it is about
  std::string revision;
  std::string gives;  ///< the reference whose value it finds out; often none
};

/// Wait until the istiods of the cluster of the step use the rights that the reader of another one
/// was given back; see `TakeUp`. It changes nothing.
struct AwaitTakeUp {
  std::string source;          ///< the cluster that they read
  std::string namespace_name;  ///< of the istiods
};

/// Run the installer, and mark what it installed. References are replaced as for `ApplyObjects`.
struct Install {
  profiles::Installation installation;
};

/// Replace the pods of an istiod one after the other, as `kubectl rollout restart` does. That they
/// are ready is a wait of its own.
struct RestartIstiod {
  std::string namespace_name;
  std::string deployment;
};

/// Complete the annotations of an object that an installer made: merged into what is there, for
/// applied they would be all that remains of an object that was applied by us before.
struct Annotate {
  profiles::Object object;  ///< its body holds `metadata.annotations` alone
};

/// Give the istiod of one cluster a kubeconfig for another: the token of a service account of
/// `source`, in a Secret of the cluster of the step. The token is in nothing but Secrets.
struct ShareAccess {
  /// What has to be done to the Secret of the token, in `intent.source`.
  enum class Token {
    kRead,
    kAsk,   ///< nobody has asked for one yet
    kMark,  ///< ours, but it does not bear the root of this mesh yet
  };
  profiles::RemoteSecretIntent intent;
  std::string namespace_name;  ///< in both clusters
  std::string server;          ///< at which the istiod reaches `intent.source`
  std::string account;         ///< of `intent.source`, whose token it is
  Token token = Token::kAsk;
};

/// One object that is to go: the one that was seen, and none that came later under its name.
struct DoomedObject {
  std::string api_version;
  std::string kind;
  std::string resource;
  std::string namespace_name;
  std::string name;
  /// Empty for what istiods leave under a known name and nobody looked for: it goes if it is
  /// theirs.
  std::string uid = {};
  /// Of a `cacerts`: the SHA-256 fingerprint of the CA in it; empty for all else.
  std::string certificate = {};
};

/// Delete objects, in order, and wait until each is gone. What is gone already is fine; what was
/// made anew since it was seen is left alone, and the step fails.
struct Delete {
  std::vector<DoomedObject> objects;
};

/// Delete a namespace that meshtrust made, unless others keep things in it of which the plan does
/// not know. Everything of this mesh in it is gone before.
struct DeleteNamespace {
  DoomedObject object;
  std::vector<ContentFacts> of_others = {};  ///< what was seen, and goes with it as was asked for
  Leaving leaving = {};
};

/// Have the installer take away what it installed. Where what bears the mark of the installation is
/// another object by then than the one that was seen, or webhooks that were not seen call it, all
/// is left alone and the step fails.
struct Uninstall {
  profiles::Installation installation;
  DoomedObject marked = {};                 ///< without a uid where it was not there
  std::vector<DoomedObject> webhooks = {};  ///< see `webhooks_for`
};

/// Take away what istiods leave all over a cluster and nobody else uses: roots in every namespace,
/// gateway classes, CRDs without objects. Nothing while another control plane runs there.
struct Sweep {
  std::vector<std::string> namespaces;  ///< of the control planes that are gone
  std::string revision;                 ///< of the one in the first of them
};

/// Give a namespace of the user's back: without our labels and annotations.
struct ReleaseNamespace {
  std::string name;
  std::string uid;
};

using Action = std::variant<MintRoot,
                            ApplyObjects,
                            PushTrust,
                            MakeLists,
                            PushLists,
                            PublishTwin,
                            RecordArrival,
                            Await,
                            AwaitTakeUp,
                            Install,
                            RestartIstiod,
                            Annotate,
                            ShareAccess,
                            Delete,
                            DeleteNamespace,
                            Uninstall,
                            Sweep,
                            ReleaseNamespace>;

enum class Change { kAdd, kChange, kRemove, kWait };

/// What a mesh is without until a step is done: what `status` and `verify` say of the step.
enum class Lack {
  kTold,        ///< a check, a condition or another step tells it
  kMissing,     ///< a part, without which the mesh does not work
  kUnrecorded,  ///< a record of what is there, for those who look on
  kDrifted,     ///< no part: one is not as it should be
  kDue,         ///< no part: one is to be made anew before it ends
  kSurplus,     ///< no part: one should be gone
};

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
  Lack lack = Lack::kTold;  ///< decided where what is there is compared with what should be
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

/// The API server of a cluster that a plan was made for. What answers otherwise, by another
/// address, under another CA, or for another cluster, is not what was planned for.
struct PlannedServer {
  std::string cluster;
  std::string url;
  std::string ca;           ///< as `ServerFacts::ca`
  std::string cluster_uid;  ///< of the namespace kube-system

  friend bool operator==(const PlannedServer&, const PlannedServer&) = default;
};

/// The ordered steps from an observation to the spec. Data: it can be shown, saved, compared, run.
struct Plan {
  std::string mesh;
  std::vector<Step> steps;
  std::vector<PlannedServer> servers = {};  ///< of every cluster that a step touches, by name

  /// The Lease in kube-system that a run of it holds in every cluster of `servers`.
  std::string lease = {};

  /// `cluster` is one that a step touches.
  const PlannedServer& server_of(std::string_view cluster) const;
  bool is_empty() const { return steps.empty(); }
  /// A root key has to be opened (or made).
  bool requires_root_key() const;
  /// The key of a CA travels to the API server of `cluster`.
  bool sends_keys_to(std::string_view cluster) const;
  /// The version of Istio whose installer has to be at hand; none when nothing is installed.
  std::optional<istio::Version> requires_installer() const;
  /// Every right that the steps will use, each once.
  std::vector<Right> requires_rights() const;
};

/// Leaves the servers of clusters that the steps touch.
void forget_untouched_servers(Plan& plan);

/// For people: "https://10.0.0.1:6443 (CA 5f3a 9c01 d2e4 f607, kube-system 3f1f7e0e-...)".
std::string describe(const PlannedServer& server);

/// Which clusters of a plan are other servers by now: "east was planned for ..., found ...", a
/// sentence each. Both are JSON of plans, also one that a person saved.
std::vector<std::string> changed_servers(const base::Json& planned, const base::Json& found);

/// Puts the steps of a plan into an order in which they can run, otherwise as they are. Needs that
/// are no step of it are met already and left out.
void sort_by_needs(Plan& plan);

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

/// Says in the plan which server each cluster of its steps was when `observation` was made, and
/// which Lease keeps others out of it; refused where a server is not known.
void note_servers(Planned& planned, const profiles::Mesh& mesh, const Observation& observation);

struct PlanOptions {
  base::Instant at;                ///< the time for which certificates are judged
  bool allow_unsupported = false;  ///< go on with versions that nobody here has tried
  /// Clusters of the mesh file that are not looked at, and are in neither mesh nor observation.
  std::vector<std::string> left_out = {};
};

/// What apply would do about trust. Pure: nothing is looked at but the arguments. Where a check
/// finds something critical, or something that has to be known is unknown, the plan is empty.
Planned plan_trust(const profiles::Mesh& mesh,
                   const Observation& observation,
                   const PlanOptions& options);

/// The steps that give every cluster its system namespace, labelled and annotated. What is unknown
/// about one is added to `unknowns`, and forbids the plan.
Plan plan_namespaces(const profiles::Mesh& mesh,
                     const Observation& observation,
                     base::Errors& unknowns);

/// What apply would do about the whole mesh: the steps of `plan_trust`, and after them everything
/// up to the last istiod that sees its last remote. While something critical is mended by those of
/// trust, nothing after them is planned. `observation` is of level `kMesh` or deeper.
Planned plan_mesh(const profiles::Mesh& mesh,
                  const Observation& observation,
                  const PlanOptions& options,
                  const BaseFiles& files = {});

/// The steps of trust, as far as they can be told: what is unknown stands beside them and has no
/// step. None where trust is observed only. To be shown, never to be run.
Planned sketch_trust(const profiles::Mesh& mesh,
                     const Observation& observation,
                     const PlanOptions& options);

/// The steps that `plan_mesh` adds to those of `plan_trust`, likewise.
Planned sketch_mesh(const profiles::Mesh& mesh,
                    const Observation& observation,
                    const PlanOptions& options,
                    const BaseFiles& files);

struct DestroyOptions {
  std::vector<std::string> clusters;  ///< that leave the mesh; all when empty
  bool keep_trust = false;            ///< leaves cacerts, its twin and their namespace
  bool with_namespace = false;        ///< namespaces that meshtrust made go with what others keep
  /// Those of `clusters` that will never answer again: nothing is done in them. One that answers
  /// all the same refuses the plan.
  std::vector<std::string> given_up = {};

  bool leaves(const std::string& cluster) const;
  bool gives_up(const std::string& cluster) const;
  /// Those that leave and do not answer.
  std::vector<std::string> unanswering(const Observation& observation) const;
};

/// How what this mesh made is taken away again, remotes before their control planes. Refused where
/// a remote would stay behind without one, where anything is unknown of a cluster that leaves, or
/// what others know of it, and where the trust store is missing while something may be of this
/// mesh; what others made is left alone. `observation` is of level `kMesh` and has the contents of
/// namespaces. The trust store stays as it is.
Planned plan_destroy(const profiles::Mesh& mesh,
                     const Observation& observation,
                     const DestroyOptions& options,
                     const BaseFiles& files = {});

}  // namespace meshtrust::mesh
