#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "k8s/api_client.h"
#include "mesh/finding.h"
#include "pki/certificate.h"

#include <optional>
#include <string>
#include <vector>

namespace meshtrust::run {

/// What can be said about one cluster from where we sit. The later facts are missing where an
/// earlier question got no answer; `problem` says which.
struct ClusterCheck {
  std::string name;     ///< of the mesh file's cluster, or of the context
  std::string context;  ///< of the kubeconfig
  std::string system_namespace;
  const k8s::ClientSettings* settings = nullptr;  ///< null when the kubeconfig is wrong
  std::string proxy;  ///< it goes through, without a password; "" for none
  std::optional<k8s::ServerGreeting> server;
  std::vector<pki::Certificate> serving_chain;  ///< as shown by the server, its own first
  std::vector<pki::Certificate> client_chain;   ///< ours; empty when there is none
  /// As whom the server takes us; without a value when it is too old to say.
  std::optional<std::optional<k8s::WhoAmI>> identity;
  std::size_t rights_asked = 0;
  base::Errors missing_rights;         ///< of those that apply can use
  std::optional<base::Error> problem;  ///< why it cannot be used
  std::vector<mesh::Finding> findings;
};

/// Fills `check` by asking the server: its certificates, version and clock, as whom it takes us,
/// and which rights are missing. Changes nothing. Without `client` only the kubeconfig is judged.
void check_cluster(ClusterCheck& check, k8s::ApiClient& client, const base::Clock& clock);

/// What needs no connection: settings and proxy of `client`, what these warn of, and an own
/// certificate that ends soon.
void check_settings(ClusterCheck& check, const k8s::ApiClient& client, base::Instant now);

}  // namespace meshtrust::run
