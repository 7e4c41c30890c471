#pragma once

#include "base/result.h"
#include "base/secret.h"
#include "profiles/model.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace meshtrust::profiles {

/// A plugin that client libraries know by its name, in place of a token. Of these istiod accepts
/// `oidc` alone, unless PILOT_INSECURE_MULTICLUSTER_KUBECONFIG_OPTIONS of it names another.
struct AuthProvider {
  std::string name;
  std::map<std::string, std::string> config;
};

/// How one cluster is reached by the istiod of another.
struct Credentials {
  std::string cluster;  ///< the name of the cluster that is described
  std::string server;   ///< https URL that the other istiod dials
  std::string ca_pem;   ///< what the server's certificate is verified with
  base::Secret token;
  std::optional<std::string> tls_server_name = std::nullopt;
  std::optional<AuthProvider> auth_provider = std::nullopt;  ///< instead of the token
};

/// A kubeconfig as istiod accepts one and `istioctl create-remote-secret` writes it: one cluster,
/// user and context, all of the cluster's name, with CA and token inline, or an auth provider.
/// kInvalidInput when the token is none (RFC 6750 section 2.1), so that no cluster can write lines
/// into it; its text is in no message.
base::Result<base::Secret> kubeconfig_text(const Credentials& credentials);

/// A Secret but for its value, which is a `kubeconfig_text` under `key`.
struct RemoteSecret {
  std::string namespace_name;
  std::string name;
  std::string key;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
};

/// The Secret in `target` that describes `source`, with the label of the mesh's root where that is
/// known. The config secret bears no `istio/multiCluster`: with it, istiod would take its own
/// configuration for one more cluster.
RemoteSecret remote_secret(const Mesh& mesh,
                           const RemoteSecretIntent& intent,
                           std::string_view root = {});

/// The service account of `source` whose token goes into it: the reader's, or of a config cluster
/// that of its istiod.
std::string service_account_of(const Mesh& mesh, const RemoteSecretIntent& intent);

/// The Secret with its value as the YAML that `istioctl create-remote-secret` prints, for a secret
/// without ownership labels or with them.
base::Secret remote_secret_manifest(const RemoteSecret& secret, const base::Secret& kubeconfig);

}  // namespace meshtrust::profiles
