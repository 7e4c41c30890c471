#include "istio/names.h"
#include "mesh/condition.h"
#include "mesh/plan.h"

#include <algorithm>
#include <array>

namespace meshtrust::mesh {
namespace {

/// The rights of one step, added to those of the others.
class RightsOf {
 public:
  RightsOf(const Step& step, std::vector<Right>& rights) : step_(step), rights_(rights) {}

  void operator()(const MintRoot&) const {}
  void operator()(const RecordArrival&) const {}
  void operator()(const ApplyObjects& apply) const {
    for (const profiles::Object& object : apply.objects) {
      write({.cluster = {},
             .verb = {},
             .api_version = object.api_version,
             .kind = object.kind,
             .resource = object.resource,
             .namespace_name = object.namespace_name,
             .name = object.name});
    }
  }
  void operator()(const PushTrust& push) const {
    add("get", secret(push.namespace_name, istio::kCaSecret));
    add("create", secret(push.namespace_name, istio::kCaSecret));
  }
  void operator()(const MakeLists&) const {}
  void operator()(const PushLists& push) const {
    add("get", secret(push.namespace_name, istio::kCaSecret));
    add("patch", secret(push.namespace_name, istio::kCaSecret));
  }
  void operator()(const PublishTwin& twin) const {
    Right right = secret(twin.namespace_name, istio::kPublicTwin);
    right.kind = "ConfigMap";
    right.resource = "configmaps";
    write(right);
  }
  void operator()(const Await& await) const {
    if (await.condition == kGatewayNodesKnown) {
      add("list", {.cluster = {},
                   .verb = {},
                   .api_version = "v1",
                   .kind = "Node",
                   .resource = "nodes",
                   .namespace_name = {},
                   .name = {}});
    }
    if (await.condition == kClustersSynced) reach_pods(await.namespace_name);
  }
  void operator()(const AwaitTakeUp& await) const { reach_pods(await.namespace_name); }
  /// The installer asks for more; these are what its objects begin with.
  void operator()(const Install& install) const { installs("create", install.installation); }
  void operator()(const Uninstall& uninstall) const {
    installs("delete", uninstall.installation);
    remove(uninstall.webhooks);
  }
  void operator()(const Annotate& wanted) const {
    rewrite({.cluster = {},
             .verb = {},
             .api_version = wanted.object.api_version,
             .kind = wanted.object.kind,
             .resource = wanted.object.resource,
             .namespace_name = wanted.object.namespace_name,
             .name = wanted.object.name});
  }
  void operator()(const RestartIstiod& wanted) const {
    rewrite({.cluster = {},
             .verb = {},
             .api_version = "apps/v1",
             .kind = "Deployment",
             .resource = "deployments",
             .namespace_name = wanted.namespace_name,
             .name = wanted.deployment});
  }
  void operator()(const ShareAccess& share) const {
    const bool is_config = share.intent.kind == profiles::RemoteSecretIntent::Kind::kConfig;
    const Right right =
        secret(share.namespace_name, is_config ? std::string(istio::kConfigSecret)
                                               : istio::remote_secret_name(share.intent.source));
    add("get", right);
    add(step_.change == Change::kAdd ? "create" : "patch", right);
    Right account = secret(share.namespace_name, share.account);
    account.kind = "ServiceAccount";
    account.resource = "serviceaccounts";
    add_in(share.intent.source, "get", account);
    const Right token = secret(share.namespace_name, istio::token_secret_name(share.account));
    add_in(share.intent.source, "get", token);
    if (share.token == ShareAccess::Token::kAsk) add_in(share.intent.source, "create", token);
    if (share.token == ShareAccess::Token::kMark) add_in(share.intent.source, "patch", token);
  }
  void operator()(const Delete& wanted) const { remove(wanted.objects); }
  void operator()(const DeleteNamespace& gone) const {
    add("delete", {.cluster = {},
                   .verb = {},
                   .api_version = "v1",
                   .kind = "Namespace",
                   .resource = "namespaces",
                   .namespace_name = {},
                   .name = gone.object.name});
  }
  void operator()(const Sweep&) const {
    add("delete", {.cluster = {},
                   .verb = {},
                   .api_version = "v1",
                   .kind = "ConfigMap",
                   .resource = "configmaps",
                   .namespace_name = {},
                   .name = {}});
  }
  void operator()(const ReleaseNamespace& release) const {
    add("update", {.cluster = {},
                   .verb = {},
                   .api_version = "v1",
                   .kind = "Namespace",
                   .resource = "namespaces",
                   .namespace_name = {},
                   .name = release.name});
  }

 private:
  static Right secret(std::string_view namespace_name, std::string_view name) {
    return {.cluster = {},
            .verb = {},
            .api_version = "v1",
            .kind = "Secret",
            .resource = "secrets",
            .namespace_name = std::string(namespace_name),
            .name = std::string(name)};
  }

  void installs(std::string_view verb, const profiles::Installation& installation) const {
    struct Kind {
      const char* api_version;
      const char* kind;
      const char* resource;
      bool in_namespace;
    };
    constexpr std::array kKinds{
        Kind{"apps/v1", "Deployment", "deployments", true},
        Kind{"v1", "Service", "services", true},
        Kind{"v1", "ConfigMap", "configmaps", true},
        Kind{"rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false},
        Kind{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", false},
        Kind{"admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration",
             "mutatingwebhookconfigurations", false},
        Kind{"apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions",
             false}};
    for (const Kind& kind : kKinds) {
      add(verb, {.cluster = {},
                 .verb = {},
                 .api_version = kind.api_version,
                 .kind = kind.kind,
                 .resource = kind.resource,
                 .namespace_name = kind.in_namespace ? installation.namespace_name : "",
                 .name = {}});
    }
  }

  /// To ask istiods themselves.
  void reach_pods(const std::string& namespace_name) const {
    add("create", {.cluster = {},
                   .verb = {},
                   .api_version = "v1",
                   .kind = "Pod",
                   .resource = "pods/portforward",
                   .namespace_name = namespace_name,
                   .name = {}});
  }

  void remove(const std::vector<DoomedObject>& objects) const {
    for (const DoomedObject& object : objects) {
      add("delete", {.cluster = {},
                     .verb = {},
                     .api_version = object.api_version,
                     .kind = object.kind,
                     .resource = object.resource,
                     .namespace_name = object.namespace_name,
                     .name = object.name});
    }
  }

  /// To write it and to read it back.
  void write(const Right& right) const {
    for (const char* verb : {"get", "create", "patch"}) {
      if (step_.change != Change::kAdd && std::string_view(verb) == "create") continue;
      add(verb, right);
    }
  }

  /// To read an object, and to write it back with a change.
  void rewrite(const Right& right) const {
    for (const char* verb : {"get", "update"}) {
      add(verb, right);
    }
  }

  void add(std::string_view verb, Right right) const {
    add_in(step_.cluster, verb, std::move(right));
  }

  void add_in(const std::string& cluster, std::string_view verb, Right right) const {
    right.cluster = cluster;
    right.verb = verb;
    const bool known = std::any_of(rights_.begin(), rights_.end(), [&right](const Right& one) {
      return one.cluster == right.cluster && one.verb == right.verb &&
             one.api_version == right.api_version && one.resource == right.resource &&
             one.namespace_name == right.namespace_name && one.name == right.name;
    });
    if (!known) rights_.push_back(std::move(right));
  }

  const Step& step_;
  std::vector<Right>& rights_;
};

/// To keep others out of a cluster, and to know who does.
std::vector<Right> rights_of_lock(const std::string& cluster, const std::string& lease) {
  std::vector<Right> rights;
  for (const char* verb : {"get", "create", "update", "delete"}) {
    rights.push_back({.cluster = cluster,
                      .verb = verb,
                      .api_version = "coordination.k8s.io/v1",
                      .kind = "Lease",
                      .resource = "leases",
                      .namespace_name = "kube-system",
                      .name = lease});
  }
  return rights;
}

}  // namespace

std::vector<Right> Plan::requires_rights() const {
  std::vector<Right> rights;
  for (const Step& step : steps) {
    std::visit(RightsOf(step, rights), step.action);
  }
  for (const PlannedServer& server : servers) {
    for (Right& right : rights_of_lock(server.cluster, lease)) {
      rights.push_back(std::move(right));
    }
  }
  return rights;
}

std::vector<Right> rights_of_trust(const std::string& cluster,
                                   const std::string& system_namespace) {
  const auto step = [&cluster](Action action) {
    return Step{.id = {},
                .cluster = cluster,
                .title = {},
                .reason = {},
                .needs = {},
                .diff = {},
                .action = std::move(action)};
  };
  const Plan everything{
      .mesh = {},
      .steps = {
          step(ApplyObjects{{{.api_version = "v1",
                              .kind = "Namespace",
                              .resource = "namespaces",
                              .namespace_name = {},
                              .name = system_namespace,
                              .body = {}}}}),
          step(PushTrust{.namespace_name = system_namespace, .key = {}, .lifetime = {}}),
          step(PushLists{.namespace_name = system_namespace}),
          step(PublishTwin{
              .namespace_name = system_namespace, .certificates = std::nullopt, .after = {}})}};
  std::vector<Right> rights = everything.requires_rights();
  const auto look = [&](const char* verb, const char* api_version, const char* kind,
                        const char* resource, bool in_namespace, std::string_view name) {
    rights.push_back({.cluster = cluster,
                      .verb = verb,
                      .api_version = api_version,
                      .kind = kind,
                      .resource = resource,
                      .namespace_name = in_namespace ? system_namespace : "",
                      .name = std::string(name)});
  };
  look("get", "v1", "Namespace", "namespaces", false, "kube-system");
  look("list", "apps/v1", "Deployment", "deployments", true, "");
  look("get", "v1", "ConfigMap", "configmaps", true, istio::kRootConfigMap);
  look("get", "v1", "ConfigMap", "configmaps", true, "istio");
  for (Right& right : rights_of_lock(cluster, istio::lease_name(system_namespace))) {
    rights.push_back(std::move(right));
  }
  return rights;
}

}  // namespace meshtrust::mesh
