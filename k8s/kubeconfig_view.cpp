// The merged kubeconfig in the form of `kubectl config view`, field by field: which of them are
// left out when empty, which are null, and what stands in the place of a secret. Passwords in URLs
// and what an auth provider keeps are hidden as well, which kubectl shows.

#include "k8s/kubeconfig.h"

#include <nlohmann/json.hpp>

namespace meshtrust::k8s {
namespace {

using base::Json;

class View {
 public:
  explicit View(Secrets secrets) : redacts_(secrets == Secrets::kRedacted) {}

  Json config(const KubeconfigContent& content) const {
    Json out{{"kind", "Config"},
             {"apiVersion", "v1"},
             {"current-context", content.current_context},
             {"clusters", named(content.clusters, "cluster")},
             {"users", named(content.users, "user")},
             {"contexts", named(content.contexts, "context")}};
    add_extensions(out, content.extensions);
    Json preferences = Json::object();
    if (content.preferences.colors) preferences["colors"] = true;
    add_extensions(preferences, content.preferences.extensions);
    if (!preferences.empty()) out["preferences"] = std::move(preferences);
    return out;
  }

 private:
  /// An empty list is null, as a Go program has it.
  template <class Entry>
  Json named(const std::map<std::string, Entry>& entries, const char* inner) const {
    Json list;
    for (const auto& [name, entry] : entries) {
      list.push_back({{"name", name}, {inner, body(entry)}});
    }
    return list;
  }

  static void add(Json& to, const char* key, const std::string& value) {
    if (!value.empty()) to[key] = value;
  }

  void add_hidden(Json& to, const char* key, const std::string& value) const {
    add(to, key, redacts_ && !value.empty() ? "REDACTED" : value);
  }

  /// Who is meant is hidden with the password: where it ends is a guess in a URL that is none.
  std::string url(const std::string& text) const {
    const std::size_t at = text.rfind('@');
    if (!redacts_ || at == std::string::npos) return text;
    const std::size_t scheme = text.find("://");
    const std::size_t begin = scheme < at ? scheme + 3 : 0;
    return text.substr(0, begin) + "REDACTED" + text.substr(at);
  }

  void add_data(Json& to, const std::string& key, const DataOrFile& source) const {
    add(to, key.c_str(), source.file);
    const bool hidden = redacts_ && source.has_data();
    if (source.data) add(to, (key + "-data").c_str(), hidden ? "DATA+OMITTED" : *source.data);
  }

  static void add_extensions(Json& to, const Extensions& extensions) {
    for (const auto& [name, text] : extensions) {
      const auto content = base::parse_json(text, "extension");
      to["extensions"].push_back({{"name", name}, {"extension", content ? *content : Json()}});
    }
  }

  Json body(const ClusterEntry& cluster) const {
    Json out{{"server", url(cluster.server)}};
    add(out, "tls-server-name", cluster.tls_server_name);
    if (cluster.insecure_skip_tls_verify) out["insecure-skip-tls-verify"] = true;
    add_data(out, "certificate-authority", cluster.certificate_authority);
    add(out, "proxy-url", url(cluster.proxy_url));
    if (cluster.disable_compression) out["disable-compression"] = true;
    add_extensions(out, cluster.extensions);
    return out;
  }

  Json body(const UserEntry& user) const {
    Json out = Json::object();
    add_data(out, "client-certificate", user.client_certificate);
    add_data(out, "client-key", user.client_key);
    // kubectl redacts a key that is there and empty as if it were one.
    if (redacts_ && user.client_key.data) out["client-key-data"] = "DATA+OMITTED";
    add_hidden(out, "token", user.token);
    add(out, "tokenFile", user.token_file);
    add(out, "as", user.as);
    add(out, "as-uid", user.as_uid);
    if (!user.as_groups.empty()) out["as-groups"] = user.as_groups;
    for (const auto& [key, values] : user.as_user_extra) {
      out["as-user-extra"][key] = values ? Json(*values) : Json();
    }
    add(out, "username", user.username);
    add_hidden(out, "password", user.password);
    if (user.auth_provider) out["auth-provider"] = provider(*user.auth_provider);
    if (user.exec) out["exec"] = exec(*user.exec);
    add_extensions(out, user.extensions);
    return out;
  }

  /// Tokens and secrets stand among its settings, under names that each provider chose.
  Json provider(const AuthProvider& provider) const {
    Json config = provider.config ? Json(*provider.config) : Json();
    if (redacts_ && provider.config) {
      for (Json& value : config) {
        value = "REDACTED";
      }
    }
    return {{"name", provider.name}, {"config", std::move(config)}};
  }

  static Json exec(const ExecEntry& plugin) {
    Json out{{"command", plugin.command},
             {"args", plugin.arguments ? Json(*plugin.arguments) : Json()},
             {"env", Json()},
             {"provideClusterInfo", plugin.provide_cluster_info}};
    if (plugin.environment) {
      out["env"] = Json::array();
      for (const auto& [name, value] : *plugin.environment) {
        out["env"].push_back({{"name", name}, {"value", value}});
      }
    }
    add(out, "apiVersion", plugin.api_version);
    add(out, "installHint", plugin.install_hint);
    add(out, "interactiveMode", plugin.interactive_mode);
    return out;
  }

  static Json body(const ContextEntry& context) {
    Json out{{"cluster", context.cluster}, {"user", context.user}};
    add(out, "namespace", context.namespace_name);
    add_extensions(out, context.extensions);
    return out;
  }

  bool redacts_;
};

}  // namespace

Json to_json(const KubeconfigContent& content, Secrets secrets) {
  return View(secrets).config(content);
}

}  // namespace meshtrust::k8s
