#pragma once

#include "mesh/contents.h"
#include "mesh/objects.h"
#include "mesh/observed.h"
#include "mesh/workloads.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {

/// How much is looked at.
enum class Level {
  kTrust,  ///< servers, namespaces, CAs
  kMesh,   ///< and everything that a mesh is made of
  kDeep,   ///< and what istiods and proxies say of themselves, and whether tokens are good
};

/// What came of using the kubeconfig in a remote secret as its istiod does, in so far as a person's
/// machine can stand in for it.
struct AccessTrial {
  enum class Result {
    kWorks,      ///< the server is trusted, is the cluster that is meant, and takes the token
    kUntrusted,  ///< the CA inside does not verify the server
    kRefused,    ///< the server does not take the token
    kElsewhere,  ///< it is the server of another cluster
    kUnusable,   ///< it lacks something that istiod needs
    kNotTried,   ///< nothing answers at that address from here, or it holds no token
  };
  Result result = Result::kNotTried;
  std::string why = {};                   ///< in words; empty where it works
  std::string cluster_uid = {};           ///< of kube-system there; empty where it is not known
  std::string username = {};              ///< as whom the server took the token
  std::vector<std::string> missing = {};  ///< rights that its istiod needs: "watch nodes"
  bool reads_secrets = false;             ///< in every namespace, CA keys included
};
std::string_view name_of(AccessTrial::Result result);

/// A cluster as a kubeconfig in a Secret describes it. The token itself is never here.
struct RemoteCluster {
  std::string cluster;  ///< the key of the Secret: what istiod calls that cluster
  std::string server;
  std::string ca;                    ///< SHA-256 of the CA bundle; empty without one
  std::string token;                 ///< SHA-256; empty without one
  Observed<AccessTrial> trial = {};  ///< made on level `kDeep`
  /// The field manager that wrote it, where that is not this program's: it is not taken from it.
  std::string writer = {};
};

/// A Secret by which an istiod reaches other clusters.
struct RemoteSecretFacts {
  std::string namespace_name;
  std::string name;
  bool is_watched = false;  ///< has the label by which istiod finds it
  std::string mesh;         ///< of the ownership labels; empty when nobody's
  std::string root = {};    ///< likewise
  std::vector<RemoteCluster> clusters;
  std::string uid = {};
};

/// A Secret with the lasting token of a service account.
struct TokenSecretFacts {
  std::string namespace_name;
  std::string name;
  std::string service_account;
  std::string mesh;       ///< of the ownership labels; empty when nobody's
  std::string root = {};  ///< likewise
  std::string ca;         ///< SHA-256 of the CA bundle; empty until Kubernetes has filled it
  std::string token;      ///< likewise
  std::string uid = {};
};

/// What one istiod says of the clusters and networks that it knows.
struct IstiodView {
  struct Cluster {
    std::string id;
    std::string secret;  ///< "istio-system/istio-remote-secret-west"; empty for its own
    std::string status;  ///< "synced", "syncing", "timeout", "closed"
  };
  struct Gateway {
    std::string network;
    std::string address;
  };
  std::string namespace_name;
  std::string pod;
  std::vector<Cluster> clusters = {};
  std::vector<Gateway> gateways = {};
};

/// A cluster beyond its trust.
struct LiveMesh {
  Objects objects;
  Observed<std::vector<RemoteSecretFacts>> remote_secrets;
  Observed<std::vector<TokenSecretFacts>> tokens;
  Observed<std::vector<IstiodView>> istiods;  ///< looked at on level `kDeep`
  /// What workloads present and trust, on level `kDeep` too; nothing where nobody asked.
  std::optional<Observed<WorkloadFacts>> workloads;
  /// All that is in the namespaces that meshtrust made; looked at before they are deleted.
  Observed<std::vector<ContentFacts>> contents;
};

}  // namespace meshtrust::mesh
