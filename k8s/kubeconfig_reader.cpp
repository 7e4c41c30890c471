#include "k8s/kubeconfig_reader.h"

#include "base/json.h"
#include "base/text.h"
#include "k8s/yaml_fields.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace meshtrust::k8s {
namespace {

using base::fail;
using base::Result;
using Kind = YamlValue::Kind;

class Reader {
 public:
  Reader(const YamlValue& root, const Origin& origin)
      : root_(root), origin_(origin), fields_(origin.file) {}

  Result<KubeconfigContent> read() {
    KubeconfigContent out;
    check_header();
    out.current_context = fields_.string(root_, "current-context");
    out.clusters = named<ClusterEntry>("clusters", "cluster", &Reader::cluster);
    out.users = named<UserEntry>("users", "user", &Reader::user);
    out.contexts = named<ContextEntry>("contexts", "context", &Reader::context);
    out.extensions = extensions(root_);
    if (const YamlValue* preferences = fields_.mapping(root_, "preferences")) {
      out.preferences.colors = fields_.boolean(*preferences, "colors");
      out.preferences.extensions = extensions(*preferences);
    }
    if (fields_.fault()) return fail(*fields_.fault());
    return out;
  }

 private:
  void check_header() {
    if (root_.kind != Kind::kMapping && root_.kind != Kind::kNull) {
      fields_.add_fault(root_, "a kubeconfig is a mapping, found something else");
      return;
    }
    expect("apiVersion", {"v1", "__internal"});
    expect("kind", {"Config"});
  }

  void expect(std::string_view key, std::initializer_list<std::string_view> wanted) {
    const std::string found = fields_.string(root_, key);
    if (found.empty() || std::find(wanted.begin(), wanted.end(), found) != wanted.end()) return;
    fields_.add_fault(*YamlFields::find(root_, key),
                      "'" + std::string(key) + "' is not '" + std::string(*wanted.begin()) +
                          "', found '" + base::printable(found, 80) + "'");
  }

  /// Whether the entry of a list can be read as a mapping; null is one without fields.
  bool is_entry(const YamlValue& item, std::string_view list) {
    if (item.kind == Kind::kMapping || item.kind == Kind::kNull) return true;
    fields_.add_fault(item, "an entry of '" + std::string(list) + "' is not a mapping");
    return false;
  }

  template <class Entry>
  std::map<std::string, Entry> named(std::string_view list,
                                     std::string_view inner,
                                     Entry (Reader::*read_body)(const YamlValue&)) {
    std::map<std::string, Entry> out;
    const auto* items = fields_.list(root_, list);
    if (items == nullptr) return out;
    for (const YamlValue& item : *items) {
      if (!is_entry(item, list)) return out;
      const std::string name = fields_.string(item, "name");
      const YamlValue* body = fields_.mapping(item, inner);
      Entry entry = body == nullptr ? Entry{} : (this->*read_body)(*body);
      entry.origin = origin_;
      if (!out.emplace(name, std::move(entry)).second) {
        fields_.add_fault(
            item, "'" + base::printable(name, 80) + "' comes twice in '" + std::string(list) + "'");
      }
    }
    return out;
  }

  Extensions extensions(const YamlValue& mapping) {
    Extensions out;
    const auto* items = fields_.list(mapping, "extensions");
    if (items == nullptr) return out;
    for (const YamlValue& item : *items) {
      if (!is_entry(item, "extensions")) return out;
      const std::string name = fields_.string(item, "name");
      const YamlValue* body = item.find("extension");
      const auto [at, is_new] = out.try_emplace(name, "null");
      if (!is_new && at->second != "null") {
        fields_.add_fault(item, "'" + base::printable(name, 80) + "' comes twice in 'extensions'");
      }
      at->second = base::compact(body == nullptr ? base::Json() : to_json(*body));
    }
    return out;
  }

  DataOrFile data_or_file(const YamlValue& mapping, const std::string& key) {
    return {.data = fields_.data(mapping, key + "-data"), .file = fields_.string(mapping, key)};
  }

  ClusterEntry cluster(const YamlValue& body) {
    ClusterEntry out;
    out.server = fields_.string(body, "server");
    out.tls_server_name = fields_.string(body, "tls-server-name");
    out.proxy_url = fields_.string(body, "proxy-url");
    out.insecure_skip_tls_verify = fields_.boolean(body, "insecure-skip-tls-verify");
    out.disable_compression = fields_.boolean(body, "disable-compression");
    out.certificate_authority = data_or_file(body, "certificate-authority");
    out.extensions = extensions(body);
    return out;
  }

  UserEntry user(const YamlValue& body) {
    UserEntry out;
    out.client_certificate = data_or_file(body, "client-certificate");
    out.client_key = data_or_file(body, "client-key");
    out.token = fields_.string(body, "token");
    out.token_file = fields_.string(body, "tokenFile");
    out.username = fields_.string(body, "username");
    out.password = fields_.string(body, "password");
    out.as = fields_.string(body, "as");
    out.as_uid = fields_.string(body, "as-uid");
    out.as_groups = fields_.strings(body, "as-groups").value_or(std::vector<std::string>());
    if (const YamlValue* extra = fields_.mapping(body, "as-user-extra")) {
      for (const YamlMember& member : extra->members) {
        out.as_user_extra[member.key] = fields_.strings(*extra, member.key);
      }
    }
    if (const YamlValue* provider = fields_.mapping(body, "auth-provider")) {
      out.auth_provider = auth_provider(*provider);
    }
    if (const YamlValue* exec = fields_.mapping(body, "exec")) out.exec = plugin(*exec);
    out.extensions = extensions(body);
    return out;
  }

  AuthProvider auth_provider(const YamlValue& body) {
    AuthProvider out{.name = fields_.string(body, "name")};
    if (const YamlValue* config = fields_.mapping(body, "config")) {
      out.config.emplace();
      for (const YamlMember& member : config->members) {
        (*out.config)[member.key] = fields_.string(*config, member.key);
      }
    }
    return out;
  }

  ExecEntry plugin(const YamlValue& body) {
    ExecEntry out;
    out.api_version = fields_.string(body, "apiVersion");
    out.command = fields_.string(body, "command");
    out.arguments = fields_.strings(body, "args");
    if (const auto* variables = fields_.list(body, "env")) {
      out.environment.emplace();
      for (const YamlValue& variable : *variables) {
        if (!is_entry(variable, "env")) return out;
        out.environment->emplace_back(fields_.string(variable, "name"),
                                      fields_.string(variable, "value"));
      }
    }
    out.install_hint = fields_.string(body, "installHint");
    out.provide_cluster_info = fields_.boolean(body, "provideClusterInfo");
    out.interactive_mode = fields_.string(body, "interactiveMode");
    constexpr std::string_view kV1Beta1 = "client.authentication.k8s.io/v1beta1";
    constexpr std::string_view kV1Alpha1 = "client.authentication.k8s.io/v1alpha1";
    const bool has_default = out.api_version == kV1Beta1 || out.api_version == kV1Alpha1;
    if (out.interactive_mode.empty() && has_default) out.interactive_mode = "IfAvailable";
    return out;
  }

  ContextEntry context(const YamlValue& body) {
    ContextEntry out;
    out.cluster = fields_.string(body, "cluster");
    out.user = fields_.string(body, "user");
    out.namespace_name = fields_.string(body, "namespace");
    out.extensions = extensions(body);
    return out;
  }

  const YamlValue& root_;
  const Origin& origin_;
  YamlFields fields_;
};

}  // namespace

Result<KubeconfigContent> read_kubeconfig(const YamlValue& document, const Origin& origin) {
  return Reader(document, origin).read();
}

}  // namespace meshtrust::k8s
