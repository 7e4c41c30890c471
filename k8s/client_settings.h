#pragma once

#include "base/secret.h"
#include "base/time.h"
#include "k8s/url.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace meshtrust::k8s {

/// On whose behalf requests are made (`as`, `as-uid`, `as-groups`, `as-user-extra`).
struct Impersonation {
  std::string user = {};
  std::string uid = {};
  std::vector<std::string> groups = {};
  std::map<std::string, std::vector<std::string>> extra = {};
};

/// An exec credential plugin as the kubeconfig describes it.
struct ExecPlugin {
  std::string api_version = {};           ///< client.authentication.k8s.io/v1 or /v1beta1
  std::vector<std::string> command = {};  ///< program (absolute where it had a slash) and arguments
  std::vector<std::pair<std::string, std::string>> environment = {};
  std::string interactive_mode = {};  ///< Never, IfAvailable, Always; "" means IfAvailable
  bool wants_cluster = false;         ///< `provideClusterInfo`
  std::string cluster_config = {};    ///< JSON of the cluster's extension for plugins, or ""
  std::string install_hint = {};
};

/// A certificate and its key, both PEM.
struct ClientIdentity {
  std::string certificate = {};
  base::Secret key = {};
  std::optional<base::Instant> expires = {};  ///< notAfter of the first certificate
};

/// Everything a client needs for one context, checked, files already read. Move-only: it owns keys.
struct ClientSettings {
  std::string context = {};
  std::string cluster = {};
  std::string user = {};
  std::string cluster_file = {};    ///< the kubeconfig file the cluster's entry comes from
  std::string user_file = {};       ///< likewise of the user
  std::string namespace_name = {};  ///< of the context, or ""
  ServerUrl server = {};
  std::string server_as_written = {};  ///< what plugins are told
  std::string tls_server_name = {};    ///< SNI and name check instead of the host; "" for the host
  std::string proxy_url = {};          ///< "" leaves it to the environment
  bool verify_server = true;
  bool compress = true;
  std::string certificate_authority = {};  ///< PEM, the only roots; "" means the system's
  std::optional<ClientIdentity> identity = {};
  base::Secret token = {};
  std::optional<base::Instant> token_expires = {};  ///< of `token`, by its own word
  std::filesystem::path token_file = {};            ///< wins over `token` while it can be read
  std::string username = {};
  base::Secret password = {};
  std::optional<Impersonation> impersonation = {};
  std::optional<ExecPlugin> exec = {};
  std::vector<std::string> warnings = {};

  /// "user 'admin' in /home/me/.kube/config", for messages: printable.
  std::string describe_user() const;
  /// "cluster 'east' in /home/me/.kube/config", likewise.
  std::string describe_cluster() const;
  /// By what the server's certificate is judged: "sha256:" and the digest of
  /// `certificate_authority`, "system roots" or "unverified".
  std::string describe_authority() const;
};

}  // namespace meshtrust::k8s
