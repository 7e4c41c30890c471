#include "istio/names.h"

#include <fmt/format.h>

namespace meshtrust::istio {
namespace {

/// `name`, and "-R" behind it unless the revision is the default one.
std::string with_revision(std::string_view name, std::string_view revision) {
  return revision.empty() ? std::string(name) : fmt::format("{}-{}", name, revision);
}

}  // namespace

std::string istiod_name(std::string_view revision) {
  return with_revision("istiod", revision);
}

std::string istiod_host(std::string_view revision, std::string_view system_namespace) {
  return fmt::format("{}.{}.svc", istiod_name(revision), system_namespace);
}

std::string mesh_config_map(std::string_view revision) {
  return with_revision("istio", revision);
}

std::string injector_config_map(std::string_view revision) {
  return with_revision("istio-sidecar-injector", revision);
}

std::string injection_webhook(std::string_view revision, std::string_view system_namespace) {
  const std::string name = with_revision("istio-sidecar-injector", revision);
  return system_namespace == kDefaultNamespace ? name
                                               : fmt::format("{}-{}", name, system_namespace);
}

std::string validating_webhook(std::string_view revision, std::string_view system_namespace) {
  return fmt::format("{}-{}", with_revision("istio-validator", revision), system_namespace);
}

std::string istio_reader_role(std::string_view revision, std::string_view system_namespace) {
  return fmt::format("{}-{}", with_revision("istio-reader-clusterrole", revision),
                     system_namespace);
}

std::string own_reader_role(std::string_view revision, std::string_view system_namespace) {
  return fmt::format("{}-{}", with_revision("meshtrust-reader", revision), system_namespace);
}

std::string east_west_gateway_name(std::string_view revision) {
  return with_revision("istio-eastwestgateway", revision);
}

std::string remote_secret_name(std::string_view cluster) {
  return fmt::format("istio-remote-secret-{}", cluster);
}

std::string lease_name(std::string_view system_namespace) {
  return fmt::format("meshtrust-{}", system_namespace);
}

std::string token_secret_name(std::string_view service_account) {
  return fmt::format("{}-istio-remote-secret-token", service_account);
}

std::string revision_label_value(std::string_view revision) {
  return std::string(revision.empty() ? kDefaultRevision : revision);
}

std::string root_label_value(std::string_view fingerprint) {
  constexpr std::size_t kDigits = 40;
  return std::string(fingerprint.substr(0, kDigits));
}

}  // namespace meshtrust::istio
