#pragma once

#include "base/files.h"
#include "base/result.h"
#include "k8s/client_settings.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::k8s {

/// Where kubeconfigs are looked for, as kubectl does it: `flag` alone when it is set; else the list
/// in `kubeconfig_variable`; else `home`/.kube/config. The caller reads the environment.
struct KubeconfigSources {
  std::optional<std::filesystem::path> flag = {};  ///< --kubeconfig
  std::string kubeconfig_variable = {};            ///< KUBECONFIG
  std::filesystem::path home = {};                 ///< HOME
};

/// Where an entry came from: relative paths in it count from `folder`.
struct Origin {
  std::string file = {};
  std::filesystem::path folder;
};

/// Bytes given inline (`*-data`, still base64) or as a path; kubectl refuses both at once.
struct DataOrFile {
  std::string data = {};
  std::string file = {};

  bool is_set() const { return !data.empty() || !file.empty(); }
};

struct ClusterEntry {
  Origin origin;
  std::string server = {};
  std::string tls_server_name = {};
  std::string proxy_url = {};
  bool insecure_skip_tls_verify = false;
  bool disable_compression = false;
  DataOrFile certificate_authority;
  std::string exec_config = {};  ///< JSON of the extension "client.authentication.k8s.io/exec"
};

struct UserEntry {
  Origin origin;
  DataOrFile client_certificate;
  DataOrFile client_key;
  std::string token = {};
  std::string token_file = {};
  std::string username = {};
  std::string password = {};
  Impersonation impersonation;
  std::string auth_provider = {};  ///< its name; "" when there is none
  std::optional<ExecPlugin> exec = {};
};

struct ContextEntry {
  Origin origin;
  std::string cluster = {};
  std::string user = {};
  std::string namespace_name = {};
};

/// What `settings_for` may do besides reading files.
struct SettingsPolicy {
  bool allow_insecure = false;  ///< honour insecure-skip-tls-verify
};

/// The merged kubeconfig: of every name the first file that has it provides the whole entry.
class Kubeconfig {
 public:
  /// Reads and merges. kInvalidInput with the place for a file that cannot be read, is not YAML, or
  /// breaks kubectl's typing rules; a `flag` that does not exist as well. Files that KUBECONFIG
  /// names and that do not exist are skipped.
  static base::Result<Kubeconfig> load(const KubeconfigSources& sources, base::Files& files);

  /// One text, as if it were the file `name`. Relative paths count from its folder.
  static base::Result<Kubeconfig> parse(const std::filesystem::path& name, std::string_view text);

  /// All that is needed to talk to the cluster of `context`. Every fault of the context, its
  /// cluster and its user is found and told in one error (kInvalidInput), naming entries and files
  /// and never a token, a password, or a key. Reads the files that the entries name.
  base::Result<ClientSettings> settings_for(std::string_view context,
                                            base::Files& files,
                                            const SettingsPolicy& policy = {}) const;

  /// Sorted.
  std::vector<std::string> context_names() const;
  /// "" when none is set.
  const std::string& current_context() const { return current_context_; }
  /// The files that were read, in order.
  const std::vector<std::string>& files() const { return files_; }
  /// About the files as such, such as keys that others can read.
  const std::vector<std::string>& warnings() const { return warnings_; }

  const std::map<std::string, ContextEntry>& contexts() const { return contexts_; }
  const std::map<std::string, ClusterEntry>& clusters() const { return clusters_; }
  const std::map<std::string, UserEntry>& users() const { return users_; }

 private:
  void merge(Kubeconfig later);
  base::Error no_such_context(std::string_view context) const;

  std::string current_context_;
  std::map<std::string, ClusterEntry> clusters_;
  std::map<std::string, UserEntry> users_;
  std::map<std::string, ContextEntry> contexts_;
  std::vector<std::string> files_;
  std::vector<std::string> warnings_;
};

}  // namespace meshtrust::k8s
