#include "k8s/client_settings.h"

#include "base/text.h"

namespace meshtrust::k8s {
namespace {

std::string entry_of(const std::string& kind, const std::string& name, const std::string& file) {
  return kind + " '" + base::printable(name) + "' in " + base::printable(file);
}

}  // namespace

std::string ClientSettings::describe_user() const {
  return entry_of("user", user, user_file);
}

std::string ClientSettings::describe_cluster() const {
  return entry_of("cluster", cluster, cluster_file);
}

}  // namespace meshtrust::k8s
