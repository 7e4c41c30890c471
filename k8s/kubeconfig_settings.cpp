// From a context of the kubeconfig to what a client needs: every fault is found before it is told.

#include "base/encoding.h"
#include "base/text.h"
#include "k8s/kubeconfig.h"
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
  SettingsBuilder(const Kubeconfig& config, base::Files& files, const SettingsPolicy& policy)
      : config_(config), files_(files), policy_(policy) {}

  Result<ClientSettings> build(const std::string& name, const ContextEntry& context) {
    out_.context = name;
    out_.cluster = context.cluster;
    out_.user = context.user;
    out_.namespace_name = context.namespace_name;
    where_ = "context '" + name + "' in " + context.origin.file;
    if (!context.namespace_name.empty() && !base::is_dns_label(context.namespace_name)) {
      add("namespace '" + base::printable(context.namespace_name, 80) + "' is not a DNS label");
    }
    take_cluster(context);
    take_user(context);
    if (faults_.empty()) return std::move(out_);
    Error error{.code = Code::kInvalidInput,
                .message = "context '" + name + "' cannot be used: " + base::join(faults_, "; "),
                .hints = std::move(hints_)};
    return fail(std::move(error));
  }

 private:
  void add(const std::string& what) { faults_.push_back(where_ + ": " + what); }
  void add(const std::string& what, std::string hint) {
    add(what);
    hints_.push_back(std::move(hint));
  }

  void take_cluster(const ContextEntry& context) {
    if (context.cluster.empty()) return add("it names no cluster");
    const auto found = config_.clusters().find(context.cluster);
    if (found == config_.clusters().end()) {
      return add("cluster '" + context.cluster + "' is not in the kubeconfig");
    }
    const ClusterEntry& cluster = found->second;
    where_ = "cluster '" + context.cluster + "' in " + cluster.origin.file;
    out_.cluster_file = cluster.origin.file;
    out_.tls_server_name = cluster.tls_server_name;
    out_.compress = !cluster.disable_compression;
    take_server(cluster.server);
    take_proxy(cluster.proxy_url);
    take_trust(cluster);
    cluster_ = &cluster;
  }

  void take_server(const std::string& text) {
    if (text.empty()) return add("it has no 'server'");
    auto url = parse_server_url(text);
    if (url) {
      out_.server = *std::move(url);
      return;
    }
    add(url.error().message);
    hints_.insert(hints_.end(), url.error().hints.begin(), url.error().hints.end());
  }

  void take_proxy(const std::string& url) {
    out_.proxy_url = url;
    const bool known = url.empty() || url.starts_with("http://") || url.starts_with("https://") ||
                       url.starts_with("socks5://");
    // Not quoted: it may carry a password.
    if (!known) add("the scheme of 'proxy-url' is none of http, https, socks5");
  }

  void take_trust(const ClusterEntry& cluster) {
    const DataOrFile& authority = cluster.certificate_authority;
    if (cluster.insecure_skip_tls_verify) {
      if (authority.is_set()) {
        add("'insecure-skip-tls-verify' and a certificate authority exclude each other");
      }
      if (!policy_.allow_insecure) {
        add("'insecure-skip-tls-verify' is not honoured",
            "give the cluster its 'certificate-authority-data' instead");
      }
      out_.verify_server = false;
      return;
    }
    if (!authority.is_set()) return;
    const auto pem = content_of(authority, "certificate-authority");
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
      where_ = "context '" + out_.context + "' in " + context.origin.file;
      return add("user '" + context.user + "' is not in the kubeconfig");
    }
    const UserEntry& user = found->second;
    where_ = "user '" + context.user + "' in " + user.origin.file;
    out_.user_file = user.origin.file;
    take_identity(user);
    take_token(user);
    take_impersonation(user.impersonation);
    if (!user.auth_provider.empty()) {
      add("'auth-provider' is no longer supported, found '" +
              base::printable(user.auth_provider, 80) + "'",
          "use an exec plugin or a token instead");
    }
    if (user.exec) take_plugin(*user.exec);
  }

  void take_identity(const UserEntry& user) {
    if (!user.client_certificate.is_set()) return;  // a key alone is no credential
    const auto certificate = content_of(user.client_certificate, "client-certificate");
    if (!user.client_key.is_set()) return add("'client-certificate' without 'client-key'");
    auto key = content_of(user.client_key, "client-key");
    if (!certificate || !key) return;
    auto identity =
        make_identity(reveal(*certificate, "client certificate, which is public"), *std::move(key));
    if (!identity) return add(identity.error().message);
    out_.identity = *std::move(identity);
  }

  void take_token(const UserEntry& user) {
    const bool has_token = !user.token.empty() || !user.token_file.empty();
    const bool has_basic = !user.username.empty() || !user.password.empty();
    if (has_token && has_basic) add("a token and a user name exclude each other");
    if (!is_header_text(user.token)) add("'token' holds blanks or control characters");
    out_.token = Secret(user.token);
    out_.token_file = user.token_file;
    out_.username = user.username;
    out_.password = Secret(user.password);
    if (!user.token_file.empty() && user.token.empty()) {
      if (auto read = files_.read_secret(user.token_file); !read) add(read.error().message);
    }
  }

  void take_impersonation(const Impersonation& who) {
    if (who.user.empty()) {
      if (!who.uid.empty() || !who.groups.empty() || !who.extra.empty()) {
        add("'as-uid', 'as-groups' and 'as-user-extra' need 'as'");
      }
      return;
    }
    bool fits = is_header_value(who.user) && is_header_value(who.uid) &&
                std::all_of(who.groups.begin(), who.groups.end(), is_header_value);
    for (const auto& [key, values] : who.extra) {
      fits = fits && std::all_of(values.begin(), values.end(), is_header_value);
    }
    if (!fits) add("'as' and what belongs to it must not hold control characters");
    out_.impersonation = who;
  }

  void take_plugin(const ExecPlugin& plugin) {
    constexpr std::string_view kV1 = "client.authentication.k8s.io/v1";
    constexpr std::string_view kV1Beta1 = "client.authentication.k8s.io/v1beta1";
    if (plugin.api_version != kV1 && plugin.api_version != kV1Beta1) {
      add("'exec.apiVersion' is neither '" + std::string(kV1) + "' nor '" + std::string(kV1Beta1) +
          "', found '" + base::printable(plugin.api_version, 80) + "'");
    }
    if (plugin.command.front().empty()) add("'exec' has no 'command'");
    const std::string& mode = plugin.interactive_mode;
    if (mode.empty() && plugin.api_version == kV1) add("'exec.interactiveMode' is missing");
    if (!mode.empty() && mode != "Never" && mode != "IfAvailable" && mode != "Always") {
      add("'exec.interactiveMode' is none of Never, IfAvailable, Always, found '" +
          base::printable(mode, 80) + "'");
    }
    out_.exec = plugin;
    if (cluster_ != nullptr) out_.exec->cluster_config = cluster_->exec_config;
  }

  /// The bytes behind a `-data` and file pair; the fault is noted where there are none.
  std::optional<Secret> content_of(const DataOrFile& source, const std::string& key) {
    if (!source.data.empty() && !source.file.empty()) {
      add("'" + key + "' and '" + key + "-data' exclude each other");
      return std::nullopt;
    }
    auto content = source.file.empty() ? base::secret_from_base64(source.data)
                                       : files_.read_secret(source.file);
    if (content) return *std::move(content);
    add("'" + key + "': " + content.error().message);
    return std::nullopt;
  }

  static bool is_header_text(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  }
  static bool is_header_value(std::string_view text) {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; });
  }

  const Kubeconfig& config_;
  base::Files& files_;
  const SettingsPolicy& policy_;
  const ClusterEntry* cluster_ = nullptr;
  ClientSettings out_;
  std::string where_;
  std::vector<std::string> faults_;
  std::vector<std::string> hints_;
};

}  // namespace

Result<ClientSettings> Kubeconfig::settings_for(std::string_view context,
                                                base::Files& files,
                                                const SettingsPolicy& policy) const {
  const std::string name(context);
  const auto found = contexts_.find(name);
  if (found == contexts_.end()) return fail(no_such_context(context));
  return SettingsBuilder(*this, files, policy).build(name, found->second);
}

}  // namespace meshtrust::k8s
