#pragma once

#include "istio/version.h"
#include "profiles/object.h"

#include <string_view>
#include <vector>

namespace meshtrust::profiles {

/// Whether Istio can be told to leave its own reader role out (`global.enableReaderRBAC`, 1.30), so
/// that the one without the right to read Secrets takes its place.
bool has_own_reader(const istio::Version& version);

/// Whose token the istiods of other clusters use to read this cluster, in the system namespace: a
/// ServiceAccount, a ClusterRole that cannot read Secrets, and its binding. Nothing unless
/// `has_own_reader`: then Istio's charts make account and role, which can.
std::vector<Object> reader(const Mesh& mesh, const Cluster& cluster);

/// What Istio's own charts make for the same purpose (`istio-reader-clusterrole`), for a cluster
/// that has none yet. `manages` adds what istiod writes into a remote that it manages.
enum class ReaderOf { kPeer, kManagedRemote };
std::vector<Object> istio_reader(const Mesh& mesh, const Cluster& cluster, ReaderOf use);

/// The Secret into which Kubernetes puts a lasting token of `service_account` and the CA of its API
/// server. Holds no secret as it is sent.
Object token_secret(const Mesh& mesh, const Cluster& cluster, std::string_view service_account);

}  // namespace meshtrust::profiles
