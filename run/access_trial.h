#pragma once

#include "k8s/api_client.h"
#include "mesh/observation.h"
#include "profiles/model.h"
#include "profiles/reader.h"
#include "run/secret_facts.h"

#include <string>
#include <vector>

namespace meshtrust::run {

/// What a kubeconfig in a remote secret has to lead to.
struct AccessWish {
  std::string cluster_uid = {};  ///< of kube-system; empty where nobody knows it
  std::vector<profiles::ReaderRight> rights = {};
};

/// What the mesh wants of the Secret of `intent`. The rights of an istiod in the cluster of its own
/// configuration are those of its charts.
AccessWish wish_for(const profiles::Mesh& mesh,
                    const mesh::Observation& observation,
                    const profiles::RemoteSecretIntent& intent);

/// Uses `kubeconfig` as istiod does, from here: with its address, CA and token and nothing else,
/// and asks for each right. Whatever fails is what the trial says; kCancelled is the only error.
base::Result<mesh::AccessTrial> try_access(const k8s::ClientEffects& effects,
                                           const RemoteKubeconfig& kubeconfig,
                                           const AccessWish& wish);

}  // namespace meshtrust::run
