#pragma once

#include "profiles/object.h"

#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::profiles {

/// The variable by which an istiod of 1.31 or newer can be told, in `pilot.env`, to leave the
/// Secrets of other clusters alone: "false". An istiod that is not told never finishes reading a
/// cluster whose Secrets it may not list. It is the user's to set, because gateways in remotes then
/// get no certificates by `credentialName`, and builds of 1.31 have been seen to crash over it.
inline constexpr std::string_view kReadRemoteSecrets = "PILOT_ENABLE_REMOTE_CREDENTIALS_CONTROLLER";

/// Whether the istiod in `cluster` lists the Secrets of the clusters that it reads.
bool reads_remote_secrets(const Mesh& mesh, const Cluster& cluster);

/// Which role a cluster is read by. It does not depend on who reads it, so that a cluster that
/// joins changes no installation of the others.
enum class ReaderRole {
  kNone,   ///< nobody reads a hosting cluster, and its istiod alone a config cluster
  kOwn,    ///< a role of ours, without Secrets
  kIstio,  ///< that of Istio's charts, which can read the CA key of the cluster
};
ReaderRole reader_role(const Mesh& mesh, const Cluster& cluster);

/// Whose token the istiods of other clusters use to read this cluster, where the role is `kOwn`: a
/// ServiceAccount in the system namespace, a ClusterRole that cannot read Secrets, and its binding.
/// Nothing otherwise: then Istio's charts make account and role, or nobody needs one.
std::vector<Object> reader(const Mesh& mesh, const Cluster& cluster);

/// What Istio's own charts make for the same purpose (`istio-reader-clusterrole`), for a cluster
/// that has none yet. kManagedRemote adds what istiod writes into a remote that it manages.
enum class ReaderOf { kPeer, kManagedRemote };
std::vector<Object> istio_reader(const Mesh& mesh, const Cluster& cluster, ReaderOf use);

/// One right that an istiod needs in another cluster, in all namespaces.
struct ReaderRight {
  std::string verb;
  std::string api_version;
  std::string kind;
  std::string resource;
};

/// What `istiod` cannot do without in `cluster`: it waits for ever for what it may not list and
/// watch, and then takes no workload of that cluster for its own.
std::vector<ReaderRight> rights_to_read(const Mesh& mesh,
                                        const Cluster& istiod,
                                        const Cluster& cluster);

/// The ClusterRole that gives them.
std::string name_of_reader_role(const Mesh& mesh, const Cluster& cluster);

/// The Secret into which Kubernetes puts a lasting token of `service_account` and the CA of its API
/// server. Holds no secret as it is sent.
Object token_secret(const Mesh& mesh, const Cluster& cluster, std::string_view service_account);

}  // namespace meshtrust::profiles
