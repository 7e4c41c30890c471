#include "k8s/kubeconfig_reader.h"

#include "base/json.h"
#include "k8s/yaml_fields.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <utility>

namespace meshtrust::k8s {
namespace {

using base::fail;
using base::Json;
using base::Result;
using base::YamlNode;

constexpr std::string_view kExecExtension = "client.authentication.k8s.io/exec";

/// A path of the file counts from the file's own folder; empty stays empty.
std::string resolve(const Origin& origin, const std::string& path) {
  if (path.empty() || path.front() == '/') return path;
  return (origin.folder / path).lexically_normal().string();
}

/// For the part of a plugin's configuration that is handed to it untouched.
Json to_json(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return nullptr;
    case YamlNode::Kind::kSequence: {
      Json list = Json::array();
      for (const YamlNode& item : node.items) {
        list.push_back(to_json(item));
      }
      return list;
    }
    case YamlNode::Kind::kMapping: {
      Json object = Json::object();
      for (const auto& [key, value] : YamlFields::entries(node)) {
        object[key] = value == nullptr ? Json() : to_json(*value);
      }
      return object;
    }
    case YamlNode::Kind::kScalar:
      break;
  }
  if (!node.plain || !is_not_a_string(node.scalar)) return node.scalar;
  const auto number = base::parse_json(node.scalar, "scalar");
  return number ? *number : Json(node.scalar);
}

class Reader {
 public:
  Reader(const YamlNode& root, const Origin& origin)
      : root_(root), origin_(origin), fields_(origin.file) {}

  Result<KubeconfigFile> read() {
    KubeconfigFile file;
    check_header();
    file.current_context = fields_.string(root_, "current-context");
    read_named("clusters", "cluster", file.clusters, [&](const YamlNode* n) { return cluster(n); });
    read_named("users", "user", file.users, [&](const YamlNode* n) { return user(n); });
    read_named("contexts", "context", file.contexts, [&](const YamlNode* n) { return context(n); });
    if (fields_.fault()) return fail(*fields_.fault());
    return file;
  }

 private:
  void check_header() {
    if (root_.kind != YamlNode::Kind::kMapping && root_.kind != YamlNode::Kind::kNull) {
      fields_.add_fault(root_, "a kubeconfig is a mapping, found something else");
      return;
    }
    expect("kind", "Config");
    expect("apiVersion", "v1");
  }

  void expect(std::string_view key, std::string_view wanted) {
    const std::string found = fields_.string(root_, key);
    if (found.empty() || found == wanted) return;
    fields_.add_fault(
        *YamlFields::find(root_, key),
        "'" + std::string(key) + "' is not '" + std::string(wanted) + "', found '" + found + "'");
  }

  template <class Entry, class Read>
  void read_named(std::string_view list,
                  std::string_view inner,
                  std::map<std::string, Entry>& into,
                  Read read_entry) {
    const auto* items = fields_.list(root_, list);
    if (items == nullptr) return;
    for (const YamlNode& item : *items) {
      if (item.kind != YamlNode::Kind::kMapping && item.kind != YamlNode::Kind::kNull) {
        fields_.add_fault(item, "an entry of '" + std::string(list) + "' is not a mapping");
        return;
      }
      const std::string name = fields_.string(item, "name");
      Entry entry = read_entry(fields_.mapping(item, inner));
      entry.origin = origin_;
      if (!into.emplace(name, std::move(entry)).second) {
        fields_.add_fault(item, "'" + name + "' comes twice in '" + std::string(list) + "'");
      }
    }
  }

  DataOrFile data_or_file(const YamlNode& node, const std::string& key) {
    return {.data = fields_.data(node, key + "-data"),
            .file = resolve(origin_, fields_.string(node, key))};
  }

  ClusterEntry cluster(const YamlNode* node) {
    ClusterEntry out;
    if (node == nullptr) return out;
    out.server = fields_.string(*node, "server");
    out.tls_server_name = fields_.string(*node, "tls-server-name");
    out.proxy_url = fields_.string(*node, "proxy-url");
    out.insecure_skip_tls_verify = fields_.boolean(*node, "insecure-skip-tls-verify");
    out.disable_compression = fields_.boolean(*node, "disable-compression");
    out.certificate_authority = data_or_file(*node, "certificate-authority");
    if (const auto* extensions = fields_.list(*node, "extensions")) {
      for (const YamlNode& extension : *extensions) {
        if (fields_.string(extension, "name") != kExecExtension) continue;
        const YamlNode* body = YamlFields::find(extension, "extension");
        if (body != nullptr) out.exec_config = base::compact(to_json(*body));
      }
    }
    return out;
  }

  UserEntry user(const YamlNode* node) {
    UserEntry out;
    if (node == nullptr) return out;
    out.client_certificate = data_or_file(*node, "client-certificate");
    out.client_key = data_or_file(*node, "client-key");
    out.token = fields_.string(*node, "token");
    out.token_file = resolve(origin_, fields_.string(*node, "tokenFile"));
    out.username = fields_.string(*node, "username");
    out.password = fields_.string(*node, "password");
    out.impersonation.user = fields_.string(*node, "as");
    out.impersonation.uid = fields_.string(*node, "as-uid");
    out.impersonation.groups = fields_.strings(*node, "as-groups");
    if (const YamlNode* extra = fields_.mapping(*node, "as-user-extra")) {
      for (const auto& [key, value] : YamlFields::entries(*extra)) {
        out.impersonation.extra[key] = fields_.strings(*extra, key);
      }
    }
    if (const YamlNode* provider = fields_.mapping(*node, "auth-provider")) {
      out.auth_provider = fields_.string(*provider, "name");
      if (out.auth_provider.empty()) out.auth_provider = "?";
    }
    if (const YamlNode* exec = fields_.mapping(*node, "exec")) out.exec = plugin(*exec);
    return out;
  }

  ExecPlugin plugin(const YamlNode& node) {
    ExecPlugin out;
    out.api_version = fields_.string(node, "apiVersion");
    std::string program = fields_.string(node, "command");
    if (program.find('/') != std::string::npos) program = resolve(origin_, program);
    out.command.push_back(std::move(program));
    for (std::string& argument : fields_.strings(node, "args")) {
      out.command.push_back(std::move(argument));
    }
    if (const auto* variables = fields_.list(node, "env")) {
      for (const YamlNode& variable : *variables) {
        out.environment.emplace_back(fields_.string(variable, "name"),
                                     fields_.string(variable, "value"));
      }
    }
    out.install_hint = fields_.string(node, "installHint");
    out.wants_cluster = fields_.boolean(node, "provideClusterInfo");
    out.interactive_mode = fields_.string(node, "interactiveMode");
    return out;
  }

  ContextEntry context(const YamlNode* node) {
    ContextEntry out;
    if (node == nullptr) return out;
    out.cluster = fields_.string(*node, "cluster");
    out.user = fields_.string(*node, "user");
    out.namespace_name = fields_.string(*node, "namespace");
    return out;
  }

  const YamlNode& root_;
  const Origin& origin_;
  YamlFields fields_;
};

}  // namespace

Result<KubeconfigFile> read_kubeconfig(const YamlNode& document, const Origin& origin) {
  return Reader(document, origin).read();
}

}  // namespace meshtrust::k8s
