#include "k8s/client_settings.h"

#include "base/encoding.h"
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

std::string ClientSettings::describe_authority() const {
  if (!verify_server) return "unverified";
  if (certificate_authority.empty()) return "system roots";
  return "sha256:" + base::to_hex(base::sha256(base::as_bytes(certificate_authority)));
}

std::string ClientSettings::describe_cluster() const {
  return entry_of("cluster", cluster, cluster_file);
}

}  // namespace meshtrust::k8s
