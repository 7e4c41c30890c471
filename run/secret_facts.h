#pragma once

#include "base/secret.h"
#include "istio/bundle.h"
#include "k8s/secret_object.h"
#include "mesh/live.h"

#include <string>
#include <string_view>

namespace meshtrust::run {

/// The public files of a `cacerts`: of each what of its kind is in it, and never a key, whatever
/// else somebody wrote into the same file.
istio::PublicBundle public_bundle_in(const k8s::SecretObject& cacerts);

/// What may be known of Secrets with kubeconfigs and tokens: names, addresses, fingerprints.
mesh::RemoteSecretFacts remote_secret_facts(const k8s::SecretObject& secret);
mesh::TokenSecretFacts token_secret_facts(const k8s::SecretObject& secret);

/// What istiod reads out of a kubeconfig in a remote secret. The token stays a secret.
struct RemoteKubeconfig {
  std::string server;
  std::string tls_server_name;
  std::string ca_pem;
  base::Secret token;
};

/// Reads a kubeconfig with one cluster and one user, as istioctl and meshtrust write them. What it
/// does not find stays empty.
RemoteKubeconfig read_remote_kubeconfig(const base::Secret& text);

}  // namespace meshtrust::run
