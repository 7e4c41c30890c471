// From a context of the kubeconfig to what a client needs: every fault is found before it is told.

#include "base/encoding.h"
#include "base/text.h"
#include "k8s/bearer_token.h"
#include "k8s/file_warnings.h"
#include "k8s/kubeconfig.h"
#include "k8s/proxy.h"
#include "k8s/request_headers.h"
#include "k8s/tls_material.h"

#include <algorithm>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using base::fail;
using base::Result;
using base::Secret;

class SettingsBuilder {
 public:
  SettingsBuilder(const Kubeconfig& config, base::Files& files) : config_(config), files_(files) {}

  Result<ClientSettings> build(const std::string& name, const ContextEntry& context) {
    out_.context = name;
    out_.cluster = context.cluster;
    out_.user = context.user;
    out_.namespace_name = context.namespace_name;
    where_ = place_of("context", name, context.origin);
    if (!context.namespace_name.empty() && !base::is_dns_label(context.namespace_name)) {
      add("namespace '" + base::printable(context.namespace_name, 80) + "' is not a DNS label");
    }
    take_cluster(context);
    take_user(context);
    if (faults_.empty()) return std::move(out_);
    Error error{.code = Code::kInvalidInput,
                .message = "context '" + base::printable(name) +
                           "' cannot be used: " + base::join(faults_, "; "),
                .hints = std::move(hints_)};
    return fail(std::move(error));
  }

 private:
  static std::string place_of(const char* kind, const std::string& name, const Origin& origin) {
    return std::string(kind) + " '" + base::printable(name) + "' in " +
           base::printable(origin.file);
  }

  void add(const std::string& what) { faults_.push_back(where_ + ": " + what); }
  void add(const std::string& what, std::string hint) {
    add(what);
    hints_.push_back(std::move(hint));
  }

  void warn(const std::string& what) { out_.warnings.push_back(where_ + ": " + what); }
  void warn_of_file(const Origin& origin, const std::string& file) {
    if (file.empty()) return;
    if (auto warning = warn_if_others_can_read(origin.resolve(file), files_)) {
      out_.warnings.push_back(std::move(*warning));
    }
  }

  void take_cluster(const ContextEntry& context) {
    if (context.cluster.empty()) return add("it names no cluster");
    const auto found = config_.clusters().find(context.cluster);
    if (found == config_.clusters().end()) {
      return add("cluster '" + base::printable(context.cluster) + "' is not in the kubeconfig");
    }
    const ClusterEntry& cluster = found->second;
    where_ = place_of("cluster", context.cluster, cluster.origin);
    out_.cluster_file = cluster.origin.file;
    take_tls_server_name(cluster.tls_server_name);
    out_.compress = !cluster.disable_compression;
    take_server(cluster.server);
    take_proxy(cluster.proxy_url);
    take_trust(cluster);
    cluster_ = &cluster;
  }

  /// As Go programs have it: untouched, unless a path makes them take it apart.
  static std::string for_plugins(const std::string& text) {
    const std::size_t authority = text.find("://") + 3;
    const std::size_t end = std::min(text.find_first_of("?#"), text.size());
    const std::size_t path = text.find('/', authority);
    if (path == std::string::npos || end <= path + 1) return text;
    return "https" + text.substr(authority - 3, end - authority + 3);
  }

  void take_server(const std::string& text) {
    if (text.empty()) return add("it has no 'server'");
    auto url = parse_server_url(text);
    if (url) {
      out_.server = *std::move(url);
      out_.server_as_written = for_plugins(text);
      return;
    }
    add(url.error().message);
    hints_.insert(hints_.end(), url.error().hints.begin(), url.error().hints.end());
  }

  /// It becomes part of a URL, where "x@host" would be another host.
  void take_tls_server_name(const std::string& name) {
    out_.tls_server_name = name;
    if (name.empty() || is_host(name)) return;
    add("'tls-server-name' is neither a host name nor an address, found '" +
        base::printable(name, 80) + "'");
  }

  void take_proxy(const std::string& url) {
    out_.proxy_url = url;
    // Not quoted: it may carry a password.
    if (!url.empty() && !is_proxy_url(url)) {
      add("'proxy-url' is no URL of a host with one of the schemes http, https, socks5",
          "write it such as 'socks5://127.0.0.1:1080'");
    }
  }

  void take_trust(const ClusterEntry& cluster) {
    const DataOrFile& authority = cluster.certificate_authority;
    if (cluster.insecure_skip_tls_verify) {
      if (authority.is_set()) {
        add("'insecure-skip-tls-verify' and a certificate authority exclude each other");
      }
      out_.verify_server = false;
      warn(
          "'insecure-skip-tls-verify' is set, so anybody on the way can pose as the server: give "
          "the cluster its 'certificate-authority-data' instead");
      return;
    }
    if (!authority.is_set()) return;
    const auto pem = content_of(cluster.origin, authority, "certificate-authority");
    if (!pem) return;
    out_.certificate_authority = reveal(*pem, "certificate authority, which is public");
    if (count_certificates(out_.certificate_authority) == 0) {
      add("'certificate-authority' holds no PEM certificate");
    }
  }

  void take_user(const ContextEntry& context) {
    if (context.user.empty()) return;  // anonymous, as kubectl has it
    const auto found = config_.users().find(context.user);
    if (found == config_.users().end()) {
      where_ = place_of("context", out_.context, context.origin);
      return add("user '" + base::printable(context.user) + "' is not in the kubeconfig");
    }
    const UserEntry& user = found->second;
    where_ = place_of("user", context.user, user.origin);
    out_.user_file = user.origin.file;
    take_identity(user);
    take_token(user);
    take_impersonation(user);
    if (user.auth_provider) refuse_provider(*user.auth_provider);
    if (user.exec) take_plugin(user.origin, *user.exec);
  }

  void take_identity(const UserEntry& user) {
    if (!user.client_certificate.is_set()) {
      if (user.client_key.is_set()) warn("'client-key' without 'client-certificate' is ignored");
      return;
    }
    const auto certificate = content_of(user.origin, user.client_certificate, "client-certificate");
    if (!user.client_key.is_set()) {
      return add("'client-certificate' without 'client-key'",
                 "add the 'client-key' or 'client-key-data' that belongs to it");
    }
    auto key = content_of(user.origin, user.client_key, "client-key");
    if (!certificate || !key) return;
    warn_of_file(user.origin, user.client_key.file);
    auto identity =
        make_identity(reveal(*certificate, "client certificate, which is public"), *std::move(key));
    if (!identity) return add(identity.error().message);
    out_.identity = *std::move(identity);
  }

  void take_token(const UserEntry& user) {
    const bool has_token = !user.token.empty() || !user.token_file.empty();
    const bool has_basic = !user.username.empty() || !user.password.empty();
    if (has_token && has_basic) {
      add("a token and a user name exclude each other", "keep one of the two");
    }
    // A header has no blanks at its end, so neither has a token.
    std::string_view token = user.token;
    while (token.ends_with(' ') || token.ends_with('\t')) {
      token.remove_suffix(1);
    }
    if (!is_header_value(token)) add("'token' holds control characters");
    out_.token = Secret(token);
    out_.token_expires = end_of_token(token);
    out_.token_file = user.origin.resolve(user.token_file);
    out_.username = user.username;
    out_.password = Secret(user.password);
    if (user.token_file.empty()) return;
    const auto read = files_.read_secret(out_.token_file);
    const std::string path = "'" + base::printable(out_.token_file.string()) + "'";
    if (!read) {
      if (!user.token.empty()) return warn("tokenFile: " + base::printable(read.error().message));
      return add("'tokenFile': " + base::printable(read.error().message));
    }
    if (base::trim(reveal(*read, "token file, whether empty")).empty() && user.token.empty()) {
      add("'tokenFile' " + path + " is empty");
    }
    if (user.origin.file != user.origin.folder) warn_of_file(user.origin, user.token_file);
  }

  void take_impersonation(const UserEntry& user) {
    if (user.as.empty()) {
      if (!user.as_uid.empty() || !user.as_groups.empty() || !user.as_user_extra.empty()) {
        add("'as-uid', 'as-groups' and 'as-user-extra' need 'as'",
            "name in 'as' the user on whose behalf requests are made");
      }
      return;
    }
    Impersonation who{.user = user.as, .uid = user.as_uid, .groups = user.as_groups, .extra = {}};
    bool fits = is_header_value(who.user) && is_header_value(who.uid) &&
                std::all_of(who.groups.begin(), who.groups.end(), is_header_value);
    for (const auto& [key, values] : user.as_user_extra) {
      if (!values) continue;
      fits = fits && std::all_of(values->begin(), values->end(), is_header_value);
      who.extra[key] = *values;
    }
    if (!fits) add("'as' and what belongs to it must not hold control characters");
    out_.impersonation = std::move(who);
  }

  void refuse_provider(const AuthProvider& provider) {
    const std::string name = base::printable(provider.name, 80);
    std::string hint = "use an exec plugin or a token instead";
    if (name == "gcp") hint = "use the exec plugin 'gke-gcloud-auth-plugin' instead";
    if (name == "azure") hint = "use the exec plugin 'kubelogin' instead";
    if (name == "oidc") hint = "use an exec plugin such as 'kubectl oidc-login' instead";
    add("'auth-provider' is no longer supported, found '" + name + "'", std::move(hint));
  }

  void take_plugin(const Origin& origin, const ExecEntry& entry) {
    constexpr std::string_view kV1 = "client.authentication.k8s.io/v1";
    constexpr std::string_view kV1Beta1 = "client.authentication.k8s.io/v1beta1";
    if (entry.api_version != kV1 && entry.api_version != kV1Beta1) {
      add("'exec.apiVersion' is neither '" + std::string(kV1) + "' nor '" + std::string(kV1Beta1) +
              "', found '" + base::printable(entry.api_version, 80) + "'",
          "get a version of the plugin that speaks one of the two");
    }
    if (entry.command.empty()) add("'exec' has no 'command'");
    const std::string& mode = entry.interactive_mode;
    if (mode.empty() && entry.api_version == kV1) {
      add("'exec.interactiveMode' is missing", "write 'interactiveMode: IfAvailable'");
    }
    if (!mode.empty() && mode != "Never" && mode != "IfAvailable" && mode != "Always") {
      add("'exec.interactiveMode' is none of Never, IfAvailable, Always, found '" +
          base::printable(mode, 80) + "'");
    }
    const bool on_path = entry.command.find('/') == std::string::npos;
    ExecPlugin plugin{.api_version = entry.api_version,
                      .command = {on_path ? entry.command : origin.resolve(entry.command)},
                      .interactive_mode = mode,
                      .wants_cluster = entry.provide_cluster_info,
                      .cluster_config = cluster_ == nullptr ? "" : cluster_->exec_config(),
                      .install_hint = entry.install_hint};
    if (entry.arguments) {
      plugin.command.insert(plugin.command.end(), entry.arguments->begin(), entry.arguments->end());
    }
    if (entry.environment) plugin.environment = *entry.environment;
    bool has_nul = std::any_of(plugin.command.begin(), plugin.command.end(), holds_nul);
    for (const auto& [name, value] : plugin.environment) {
      if (name.empty()) add("'exec.env' has an entry without 'name'");
      has_nul = has_nul || holds_nul(name) || holds_nul(value);
    }
    // The system takes words up to their first NUL, and would run something else than was shown.
    if (has_nul) add("'exec' holds a NUL in its command, arguments or environment");
    out_.exec = std::move(plugin);
  }

  /// The bytes behind a `-data` and file pair; the fault is noted where there are none.
  std::optional<Secret> content_of(const Origin& origin,
                                   const DataOrFile& source,
                                   const std::string& key) {
    if (source.has_data() && !source.file.empty()) {
      add("'" + key + "' and '" + key + "-data' exclude each other", "keep one of the two");
      return std::nullopt;
    }
    auto content = source.file.empty() ? base::secret_from_base64(*source.data)
                                       : files_.read_secret(origin.resolve(source.file));
    if (content) return *std::move(content);
    add("'" + key + "': " + base::printable(content.error().message));
    add_hint_for(source.file);
    return std::nullopt;
  }

  /// Once, however many paths are like that.
  void add_hint_for(std::string_view path) {
    std::string hint = hint_for_path(path);
    if (hint.empty() || std::find(hints_.begin(), hints_.end(), hint) != hints_.end()) return;
    hints_.push_back(std::move(hint));
  }

  static bool holds_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

  const Kubeconfig& config_;
  base::Files& files_;
  const ClusterEntry* cluster_ = nullptr;
  ClientSettings out_;
  std::string where_;
  std::vector<std::string> faults_;
  std::vector<std::string> hints_;
};

}  // namespace

Result<ClientSettings> Kubeconfig::settings_for(std::string_view context,
                                                base::Files& files) const {
  const std::string name(context);
  const auto found = contexts().find(name);
  if (found == contexts().end()) return fail(no_such_context(context));
  return SettingsBuilder(*this, files).build(name, found->second);
}

}  // namespace meshtrust::k8s
