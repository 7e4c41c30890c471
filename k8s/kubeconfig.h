#pragma once

#include "base/files.h"
#include "base/json.h"
#include "base/result.h"
#include "k8s/client_settings.h"

#include <filesystem>
#include <map>
#include <optional>
#include <span>
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
  std::string service_host = {};                   ///< KUBERNETES_SERVICE_HOST
  std::string service_port = {};                   ///< KUBERNETES_SERVICE_PORT
  std::string pod_namespace = {};                  ///< POD_NAMESPACE
  /// Where a pod finds its token, its CA and its namespace.
  std::filesystem::path service_account = "/var/run/secrets/kubernetes.io/serviceaccount";
};

/// The context, cluster and user that stand for the pod's own cluster when no kubeconfig says
/// anything.
inline constexpr std::string_view kInCluster = "in-cluster";

/// Where an entry came from: relative paths in it count from `folder`.
struct Origin {
  std::string file = {};
  std::filesystem::path folder;

  /// `path` as a program opens it: counted from the folder when relative. Empty stays empty.
  std::string resolve(const std::string& path) const;
};

/// Bytes given inline (`*-data`, still base64) or as a path; kubectl refuses both at once.
struct DataOrFile {
  std::optional<std::string> data = {};
  std::string file = {};  ///< as written

  bool has_data() const { return data && !data->empty(); }
  bool is_set() const { return has_data() || !file.empty(); }
};

/// Name to JSON text: what other tools keep in a kubeconfig.
using Extensions = std::map<std::string, std::string>;

/// `preferences`: read by nobody any more, shown where it is there.
struct Preferences {
  bool colors = false;
  Extensions extensions;
};

struct ClusterEntry {
  Origin origin;
  std::string server = {};
  std::string tls_server_name = {};
  std::string proxy_url = {};
  bool insecure_skip_tls_verify = false;
  bool disable_compression = false;
  DataOrFile certificate_authority;
  Extensions extensions = {};

  /// JSON of the extension that exec plugins are given, or "".
  std::string exec_config() const;
};

/// An exec plugin as it is written down.
struct ExecEntry {
  std::string api_version = {};
  std::string command = {};
  std::optional<std::vector<std::string>> arguments = {};
  std::optional<std::vector<std::pair<std::string, std::string>>> environment = {};
  std::string install_hint = {};
  std::string interactive_mode = {};
  bool provide_cluster_info = false;
};

struct AuthProvider {
  std::string name = {};
  std::optional<std::map<std::string, std::string>> config = {};
};

struct UserEntry {
  Origin origin;
  DataOrFile client_certificate;
  DataOrFile client_key;
  std::string token = {};
  std::string token_file = {};
  std::string username = {};
  std::string password = {};
  std::string as = {};
  std::string as_uid = {};
  std::vector<std::string> as_groups = {};
  std::map<std::string, std::optional<std::vector<std::string>>> as_user_extra = {};
  std::optional<AuthProvider> auth_provider = {};
  std::optional<ExecEntry> exec = {};
  Extensions extensions = {};
};

struct ContextEntry {
  Origin origin;
  std::string cluster = {};
  std::string user = {};
  std::string namespace_name = {};
  Extensions extensions = {};
};

/// What kubeconfigs say, of one file or merged: of every name the first file that has it provides
/// the whole entry. Paths and texts are as written.
struct KubeconfigContent {
  std::string current_context = {};
  std::map<std::string, ClusterEntry> clusters = {};
  std::map<std::string, UserEntry> users = {};
  std::map<std::string, ContextEntry> contexts = {};
  Extensions extensions = {};
  Preferences preferences = {};

  /// Whether nothing is said at all.
  bool is_empty() const;
};

/// What using a context does beyond talking to its server. Of a kubeconfig that came from somebody
/// else both are to be asked about: a program runs as the user, and a file is sent to a server.
struct Reach {
  std::string program = {};             ///< of the exec plugin, "" for none
  std::vector<std::string> files = {};  ///< outside the kubeconfig's folder: "tokenFile '/x/y'"
};

enum class Secrets { kRedacted, kShown };

/// The fields, names and structure of `kubectl config view -o json` (of 1.34: `preferences` only
/// where it says something). With `kShown` it holds keys and tokens, as `--raw` does.
base::Json to_json(const KubeconfigContent& content, Secrets secrets);

/// The kubeconfigs of a run.
class Kubeconfig {
 public:
  /// Reads and merges. kInvalidInput with the place for a file that cannot be read, is not YAML, or
  /// breaks kubectl's typing rules; a `flag` that does not exist as well. Files that KUBECONFIG
  /// names and that do not exist are skipped.
  static base::Result<Kubeconfig> load(const KubeconfigSources& sources, base::Files& files);

  /// The same for a client: where no kubeconfig says anything and this is a pod, the context
  /// `kInCluster` with the pod's service account.
  static base::Result<Kubeconfig> load_or_in_cluster(const KubeconfigSources& sources,
                                                     base::Files& files);

  /// One text, as if it were the file `name`. Relative paths count from its folder.
  static base::Result<Kubeconfig> parse(const std::filesystem::path& name, std::string_view text);

  /// All that is needed to talk to the cluster of `context`. Every fault of the context, its
  /// cluster and its user is found and told in one error (kInvalidInput), naming entries and files
  /// and never a token, a password, or a key. Reads the files that the entries name. What works
  /// and should not stay so is in the settings' warnings.
  base::Result<ClientSettings> settings_for(std::string_view context, base::Files& files) const;

  /// By the entries alone: follows symbolic links and opens nothing. Of a context that is not there
  /// nothing.
  Reach reach_of(std::string_view context) const;

  /// Sorted.
  std::vector<std::string> context_names() const;
  /// "" when none is set.
  const std::string& current_context() const { return content_.current_context; }
  /// Entries that could not be used, one sentence each: contexts that name what is not there,
  /// certificates without keys, servers without a scheme, and the like. No file is opened for it,
  /// and what belongs to a context in `but_for` is left out.
  std::vector<std::string> odd_entries(std::span<const std::string> but_for) const;
  /// The files that were read, in order.
  const std::vector<std::string>& files() const { return files_; }
  /// About the files as such, such as keys that others can read.
  const std::vector<std::string>& warnings() const { return warnings_; }

  const KubeconfigContent& content() const { return content_; }
  const std::map<std::string, ContextEntry>& contexts() const { return content_.contexts; }
  const std::map<std::string, ClusterEntry>& clusters() const { return content_.clusters; }
  const std::map<std::string, UserEntry>& users() const { return content_.users; }

 private:
  void merge(Kubeconfig later);
  base::Error no_such_context(std::string_view context) const;

  KubeconfigContent content_;
  std::vector<std::string> files_;
  std::vector<std::string> warnings_;
};

}  // namespace meshtrust::k8s
