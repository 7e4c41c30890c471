#pragma once

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "istio/acceptance.h"
#include "istio/bundle.h"
#include "mesh/ca_volume.h"
#include "mesh/live.h"
#include "mesh/observed.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace meshtrust::mesh {

/// Which API server answers, and as whom it knows us.
struct ServerFacts {
  std::string url;
  /// By what its certificate is judged: "sha256:" and the digest of the CA bundle that the
  /// kubeconfig gives (its PEM as it stands there), "system roots" or "unverified".
  std::string ca = {};
  std::string proxy = {};  ///< 'proxy-url' of the kubeconfig without a password; empty for none
  std::string version;     ///< "v1.30.2"
  int major = 0;
  int minor = 0;
  std::string
      cluster_uid;  ///< UID of the namespace kube-system: two names with one UID are one cluster
};

/// The system namespace of the control plane.
struct NamespaceFacts {
  std::optional<std::string> network;              ///< value of topology.istio.io/network
  std::optional<std::string> control_planes = {};  ///< of topology.istio.io/controlPlaneClusters
  bool terminating = false;
  bool created_by_meshtrust = false;
  std::string mesh = {};                      ///< of the ownership labels; empty without
  std::string root = {};                      ///< likewise
  std::string cluster = {};                   ///< of the ownership labels: the name of the cluster
  bool network_set_by_others = false;         ///< that label, going by the owners of fields
  bool control_planes_set_by_others = false;  ///< that annotation, likewise
  std::string uid = {};
};

/// What may be known about a live `cacerts`. Never the key: only whether it fits.
struct CacertsFacts {
  std::string resource_version;
  std::vector<std::string> files;  ///< the keys of the Secret, sorted
  istio::PublicBundle certificates;
  istio::KeyMatch key = istio::KeyMatch::kNotLookedAt;
  std::vector<std::string> managers;  ///< field managers, a hint about who wrote it
  std::string uid = {};
};

/// The ConfigMap beside `cacerts`.
struct TwinFacts {
  std::map<std::string, std::string> data;
  std::string mesh = {};  ///< of the ownership labels; empty without
  std::string root = {};  ///< likewise
  std::string uid = {};
};

/// The control plane that runs already, if any.
struct IstiodFacts {
  std::vector<std::string> deployments;  ///< names
  std::string image;                     ///< of the first
};

/// One cluster as it was seen. Facts that were not asked for are unknown.
struct ClusterObservation {
  std::string name;
  std::string context;
  Observed<ServerFacts> server;
  Observed<NamespaceFacts> system_namespace;
  Observed<CacertsFacts> cacerts;
  Observed<TwinFacts> twin;
  Observed<IstiodFacts> istiod;
  /// What an istiod reads its CA from in place of the Secret `cacerts`. Absent where all read that
  /// Secret, or none is there.
  Observed<CaVolume> other_ca;
  Observed<std::string> workload_roots;  ///< PEM in istio-ca-root-cert of the system namespace
  Observed<std::string> trust_domain;    ///< of the live mesh configuration
  LiveMesh live;                         ///< from level `kMesh` on
};

/// What the trust store's ledger knows of one certificate.
struct IssuedFacts {
  std::string fingerprint;
  bool is_root = false;
  std::string cluster;  ///< of an intermediate
  std::string issuer;   ///< fingerprint
  std::string serial;   ///< lower-case hex
  std::string state;    ///< "minted", "pushing", "pushed", "abandoned"
  bool revoked = false;
  base::Instant not_after;
};

/// The trust store without its secrets.
struct StoreFacts {
  std::optional<std::string> root;  ///< PEM of the root that signs; none before it is minted
  /// PEM of what stands above it where another organisation's CA has certified it: that certificate
  /// of it first, what workloads trust last. Empty for a root that stands by itself.
  std::string above = {};
  std::string declared_subject;  ///< as it was asked for
  bool key_is_encrypted = true;
  std::vector<IssuedFacts> issued;
  std::vector<std::string> roots;  ///< PEM of every root ever, oldest first
  /// PEM of the newest revocation list of every CA that may be in use; the root's, where one was
  /// ever made, comes first, and those of CAs above it follow.
  std::string lists;
  std::vector<std::string> without_list;  ///< subjects of CAs of which there is none in force
  /// SHA-256 of the DER of every revocation list of a root of this store that it ever made.
  std::vector<std::string> lists_made = {};
  /// PEM of every certificate of another organisation's CAs that stands above a root, or stood
  /// there when something was issued; each once.
  std::string ever_above = {};
};

/// Everything that was seen, as a value. It serialises completely, so that thinking can be done
/// elsewhere and later. No secret is in it.
struct Observation {
  base::Instant at;
  std::string mesh;  ///< metadata.name it was made for
  Level level = Level::kTrust;
  Observed<StoreFacts> store;  ///< absent before the first apply
  std::vector<ClusterObservation> clusters;

  const ClusterObservation* find(std::string_view cluster) const;
};

/// `kind: Observation`, `apiVersion: meshtrust/v1`.
base::Json to_json(const Observation& observation);
/// kInvalidInput, naming what is missing or of the wrong type.
base::Result<Observation> observation_from_json(const base::Json& json);

}  // namespace meshtrust::mesh
