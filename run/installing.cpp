#include "istio/names.h"
#include "mesh/expectation.h"
#include "mesh/installed.h"
#include "mesh/objects.h"
#include "profiles/istioctl.h"
#include "profiles/trust_objects.h"
#include "run/install_watch.h"
#include "run/manifests.h"
#include "run/mesh_steps.h"
#include "run/observe_mesh.h"
#include "run/writing.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

// The steps of `MeshSteps` that run an installer.

namespace meshtrust::run {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Status;

k8s::ObjectRef marker_ref(const profiles::Installation& installation) {
  return k8s::config_map_ref(installation.namespace_name,
                             mesh::installing_marker(installation.revision));
}

/// Says in the cluster that what the installer is about to make is ours.
Status announce(const std::map<std::string, std::string>& labels,
                const profiles::Installation& installation,
                k8s::ApiClient& client) {
  const Json object = {{"metadata", {{"labels", labels}}},
                       {"data",
                        {{"installation", std::string(profiles::id_of(installation.kind))},
                         {"digest", profiles::digest_of(installation).value_or("")}}}};
  const auto applied = client.apply(marker_ref(installation), object);
  if (!applied) return base::fail(applied.error());
  return {};
}

Status mark_as_installed(const profiles::Mesh& mesh,
                         const profiles::Cluster& cluster,
                         const std::string& root,
                         const profiles::Installation& installation,
                         k8s::ApiClient& client) {
  const mesh::Objects objects =
      MeshObserver(mesh, cluster, client)
          .objects({mesh::kDeployments, mesh::kServices, mesh::kServiceAccounts,
                    mesh::kEndpointSlices, mesh::kConfigMaps, mesh::kDaemonSets,
                    mesh::kMutatingWebhooks, mesh::kValidatingWebhooks, mesh::kClusterRoles,
                    mesh::kClusterRoleBindings});
  const profiles::Object marked = mesh::marked_object(installation);
  if (!mesh::fingerprint_of_live(installation, objects)) {
    return base::fail(Code::kConflict,
                      fmt::format("the installer said that it was done, and there is no {} {}/{}",
                                  marked.kind, marked.namespace_name, marked.name));
  }
  const k8s::ObjectRef ref{.api_version = marked.api_version,
                           .kind = marked.kind,
                           .resource = marked.resource,
                           .namespace_name = marked.namespace_name,
                           .name = marked.name};
  // Applied, the mark would be all that remains of an object that was applied by us before.
  const Json mark = mesh::mark(mesh, root, installation, objects);
  const auto changed = client.change(ref, [&mark](Json& object) {
    object.merge_patch(mark);
    return Status();
  });
  if (!changed) return base::fail(changed.error());
  return {};
}

Status withdraw(const profiles::Installation& installation, k8s::ApiClient& client) {
  const k8s::ObjectRef ref = marker_ref(installation);
  MESHTRUST_TRY(const auto marker, client.get(ref));
  if (!marker) return {};
  const auto removed = client.remove(ref, {.uid = mesh::uid_of(*marker)});
  if (!removed) return base::fail(removed.error());
  return {};
}

}  // namespace

Outcome MeshSteps::install(const mesh::Step& step, const mesh::Install& wanted, const Tell& tell) {
  const auto client = world_.clusters.client(step.cluster);
  if (!client) return Failed{client.error()};
  const profiles::Cluster& cluster = cluster_of(step.cluster);
  const profiles::Installation installation = profiles::resolve(wanted.installation, values());
  if (const auto open = profiles::references_in(installation); !open.empty()) {
    return Failed{Error{.code = Code::kInternal,
                        .message = fmt::format("nothing gave a value to '{}'", open.front())}};
  }
  const std::string root = root_mark();
  const auto labels = profiles::ownership_labels(mesh_, cluster, root);
  if (auto status = announce(labels, installation, **client); !status) {
    return Failed{std::move(status).error()};
  }
  // From here on the cluster may have changed, whatever the installer says.
  Status installed;
  if (installation.method == profiles::Installation::Method::kApply) {
    const auto manifests = istioctl_.manifests(installation);
    installed = manifests ? apply_rendered(**client, installation, *manifests)
                          : Status(base::fail(manifests.error()));
  } else {
    InstallWatch watch(**client, installation, tell);
    installed = watch.beside([&](const base::Cancellation& stop) {
      return istioctl_.install(installation, world_.clusters.tool_access(step.cluster), stop);
    });
    if (!installed) {
      Error error = std::move(installed).error();
      return Failed{.why = watch.knows_why() ? std::move(error)
                                             : explained(step, installation, std::move(error)),
                    .changed = true};
    }
  }
  if (!installed) return Failed{.why = std::move(installed).error(), .changed = true};
  if (auto status = mark_as_installed(mesh_, cluster, root, installation, **client); !status) {
    return Failed{.why = std::move(status).error(), .changed = true};
  }
  if (auto status = withdraw(installation, **client); !status) {
    return Failed{.why = std::move(status).error(), .changed = true};
  }
  return Done{.changed = true, .detail = "log " + istioctl_.log_of(installation).string()};
}

/// An installer says that something is not ready; the table of conditions knows what and why.
Error MeshSteps::explained(const mesh::Step& step,
                           const profiles::Installation& installation,
                           Error error) {
  using Kind = profiles::Installation::Kind;
  const bool has_istiod = installation.kind != Kind::kRemote && installation.kind != Kind::kConfig;
  if (error.code == Code::kCancelled || !has_istiod) return error;
  const mesh::Await await{.condition = std::string(mesh::kControlPlaneReady),
                          .namespace_name = installation.namespace_name,
                          .revision = installation.revision,
                          .gives = {}};
  const auto now = look_again(step, await);
  if (!now) return error;
  const mesh::Verdict verdict = mesh::ask({.cluster = step.cluster,
                                           .id = step.id,
                                           .condition = mesh::kControlPlaneReady,
                                           .namespace_name = installation.namespace_name,
                                           .revision = installation.revision},
                                          mesh_, *now, now->at);
  if (verdict.state == mesh::Verdict::State::kYes) return error;
  error.hints.push_back("its control plane: " + verdict.why);
  error.hints.insert(error.hints.end(), verdict.evidence.begin(), verdict.evidence.end());
  error.hints.insert(error.hints.end(), verdict.hints.begin(), verdict.hints.end());
  return error;
}

Status MeshSteps::apply_rendered(k8s::ApiClient& client,
                                 const profiles::Installation& installation,
                                 const std::string& manifests) {
  MESHTRUST_TRY(const auto objects, read_manifests(client, manifests));
  const profiles::Cluster& cluster = cluster_of(installation.cluster);
  // Who manages what it rendered is the installer's to say.
  auto labels = profiles::ownership_labels(mesh_, cluster, root_mark());
  labels.erase(std::string(istio::kManagedByLabel));
  for (const RenderedObject& object : objects) {
    Json body = object.body;
    for (const auto& [key, value] : labels) {
      body["metadata"]["labels"][key] = value;
    }
    const auto applied = client.apply(object.ref, body);
    if (!applied) return base::fail(applied.error());
  }
  return {};
}

}  // namespace meshtrust::run
