#include "k8s/object_ref.h"

#include "k8s/url.h"

#include <algorithm>
#include <cctype>

namespace meshtrust::k8s {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

std::string ObjectRef::group() const {
  const std::size_t slash = api_version.find('/');
  return slash == std::string::npos ? "" : api_version.substr(0, slash);
}

std::string ObjectRef::path() const {
  std::string out = group().empty() ? "/api/" : "/apis/" + percent_encode(group()) + "/";
  const std::size_t slash = api_version.find('/');
  out += percent_encode(slash == std::string::npos ? api_version : api_version.substr(slash + 1));
  if (!namespace_name.empty()) out += "/namespaces/" + percent_encode(namespace_name);
  out += "/" + percent_encode(resource);
  if (!name.empty()) out += "/" + percent_encode(name);
  return out;
}

std::string ObjectRef::describe() const {
  if (name.empty()) {
    return resource + (namespace_name.empty() ? "" : " in namespace '" + namespace_name + "'");
  }
  const std::string full = namespace_name.empty() ? name : namespace_name + "/" + name;
  return lower(kind) + " '" + full + "'";
}

ObjectRef namespace_ref(std::string_view name) {
  return {.kind = "Namespace",
          .resource = "namespaces",
          .namespace_name = {},
          .name = std::string(name)};
}

ObjectRef secret_ref(std::string_view namespace_name, std::string_view name) {
  return {.kind = "Secret",
          .resource = "secrets",
          .namespace_name = std::string(namespace_name),
          .name = std::string(name)};
}

ObjectRef config_map_ref(std::string_view namespace_name, std::string_view name) {
  return {.kind = "ConfigMap",
          .resource = "configmaps",
          .namespace_name = std::string(namespace_name),
          .name = std::string(name)};
}

ObjectRef deployment_ref(std::string_view namespace_name, std::string_view name) {
  return {.api_version = "apps/v1",
          .kind = "Deployment",
          .resource = "deployments",
          .namespace_name = std::string(namespace_name),
          .name = std::string(name)};
}

ObjectRef pods_ref(std::string_view namespace_name) {
  return {
      .kind = "Pod", .resource = "pods", .namespace_name = std::string(namespace_name), .name = {}};
}

}  // namespace meshtrust::k8s
