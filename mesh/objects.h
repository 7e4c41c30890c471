#pragma once

#include "base/json.h"
#include "mesh/observed.h"
#include "profiles/object.h"

#include <nlohmann/json.hpp>

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {

/// What kinds of objects are called here: their resource and group, as CRDs are named.
inline constexpr std::string_view kNamespaces = "namespaces";
inline constexpr std::string_view kServices = "services";
/// Of Services outside of the namespaces of a mesh those that failing-closed webhooks of Istio's
/// kinds call. What their keys begin with: each has one of its own, see `key_of_called`.
inline constexpr std::string_view kCalledServices = "called-services";
inline constexpr std::string_view kConfigMaps = "configmaps";
inline constexpr std::string_view kServiceAccounts = "serviceaccounts";
inline constexpr std::string_view kNodes = "nodes";
inline constexpr std::string_view kDeployments = "deployments.apps";
inline constexpr std::string_view kDaemonSets = "daemonsets.apps";
inline constexpr std::string_view kEndpointSlices = "endpointslices.discovery.k8s.io";
inline constexpr std::string_view kClusterRoles = "clusterroles.rbac.authorization.k8s.io";
inline constexpr std::string_view kClusterRoleBindings =
    "clusterrolebindings.rbac.authorization.k8s.io";
inline constexpr std::string_view kMutatingWebhooks =
    "mutatingwebhookconfigurations.admissionregistration.k8s.io";
inline constexpr std::string_view kValidatingWebhooks =
    "validatingwebhookconfigurations.admissionregistration.k8s.io";
inline constexpr std::string_view kIstioGateways = "gateways.networking.istio.io";
inline constexpr std::string_view kApiGateways = "gateways.gateway.networking.k8s.io";

/// "gateways.networking.istio.io" of an object as it is to be applied.
std::string resource_of(const profiles::Object& object);

/// The list at `path` below `object`; empty where there is none.
const base::Json& list_at(const base::Json& object, std::initializer_list<std::string_view> path);
/// `metadata.name`.
std::string name_of(const base::Json& object);
/// `metadata.uid`.
std::string uid_of(const base::Json& object);

/// The live objects that a mesh may have to do with, none of them a Secret. Which are kept is
/// decided where they are read; what was not read is unknown.
class Objects {
 public:
  using List = std::vector<base::Json>;

  /// Adds what was found of one kind, in one namespace or everywhere. Absent means that the server
  /// does not serve that kind. What is unknown about a part is unknown about the whole.
  void add(std::string_view resource, Observed<List> found);

  /// Of a kind that is not served nothing exists.
  Observed<base::Json> find(std::string_view resource,
                            std::string_view namespace_name,
                            std::string_view name) const;
  /// All of one kind that were kept.
  Observed<List> list(std::string_view resource) const;
  /// Why objects of one kind are unknown, or null. Lives as long as this is not changed.
  const base::Error* why_unknown(std::string_view resource) const;

  const std::map<std::string, Observed<List>, std::less<>>& all() const { return lists_; }

 private:
  std::map<std::string, Observed<List>, std::less<>> lists_;
};

}  // namespace meshtrust::mesh
