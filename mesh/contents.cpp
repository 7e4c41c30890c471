#include "mesh/contents.h"

#include "istio/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace meshtrust::mesh {
namespace {

constexpr std::size_t kMostDescribed = 20;

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& all) {
  return std::find(all.begin(), all.end(), text) != all.end();
}

std::string label(const ContentFacts& object, std::string_view name) {
  const auto found = object.labels.find(std::string(name));
  return found == object.labels.end() ? std::string() : found->second;
}

/// Kubernetes makes these in every namespace.
bool is_of_kubernetes(const ContentFacts& object) {
  return (object.kind == "ConfigMap" && object.name == "kube-root-ca.crt") ||
         (object.kind == "ServiceAccount" && object.name == "default");
}

/// Roots for workloads and the locks of istiods: written by nobody but an istiod. Where somebody
/// else wrote into one as well, it is no longer istiod's alone.
bool is_left_by_istiod(const ContentFacts& object, const Leaving& leaving) {
  const bool by_istiod_alone =
      object.managers == std::vector<std::string>{std::string(istio::kIstiodManager)};
  if (!by_istiod_alone) return false;
  if (object.kind == "Secret") {
    return leaving.had_own_ca && object.name == istio::kSelfSignedCaSecret;
  }
  return object.kind == "ConfigMap" || object.kind == "Lease";
}

/// Names collide, roots do not; an earlier version knew names alone.
bool is_of_mesh(const ContentFacts& object, const Leaving& leaving) {
  const std::string root = label(object, istio::kRootLabel);
  return label(object, istio::kMeshLabel) == leaving.mesh &&
         (root.empty() || leaving.roots.contains(root));
}

/// Installers label what they make; what is of another revision is another control plane's.
bool is_installed(const ContentFacts& object, const Leaving& leaving) {
  if (!leaving.installer_goes || label(object, istio::kInstallerComponentLabel).empty()) {
    return false;
  }
  const std::string revision = label(object, istio::kRevisionLabel);
  return revision.empty() || revision == leaving.revision;
}

/// Kinds that own others in their namespace, so that an owner that is gone is known to be one.
constexpr std::array<std::string_view, 7> kCollected{
    "Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job", "Service", "Gateway"};

/// Whether it lives and dies with an owner in the same namespace. One that is gone already takes it
/// along: the garbage collector is on its way.
bool has_owner(const ContentFacts& object, const std::set<std::string>& uids) {
  return std::any_of(object.owners.begin(), object.owners.end(), [&uids](const auto& owner) {
    return uids.contains(owner.uid) || is_one_of(owner.kind, kCollected);
  });
}

}  // namespace

std::vector<ContentFacts> kept_by_others(const std::vector<ContentFacts>& contents,
                                         std::string_view namespace_name,
                                         const Leaving& leaving) {
  std::set<std::string> uids;
  for (const ContentFacts& object : contents) {
    uids.insert(object.uid);
  }
  std::vector<ContentFacts> kept;
  std::copy_if(contents.begin(), contents.end(), std::back_inserter(kept), [&](const auto& one) {
    if (one.namespace_name != namespace_name || leaving.doomed.contains(one.uid)) return false;
    // A CA key is nobody's by its labels.
    if (one.kind == "Secret" && one.name == istio::kCaSecret) return true;
    return !one.terminating && !is_of_kubernetes(one) && !is_of_mesh(one, leaving) &&
           !is_left_by_istiod(one, leaving) && !is_installed(one, leaving) && !has_owner(one, uids);
  });
  return kept;
}

std::string how_to_list(const std::string& context, const std::string& namespace_name) {
  return fmt::format(
      "list what is left in it with 'kubectl --context {0} api-resources --verbs=list --namespaced "
      "-o name | xargs -n 1 kubectl --context {0} -n {1} get --ignore-not-found --show-kind'",
      context, namespace_name);
}

std::vector<std::string> described(const std::vector<ContentFacts>& objects) {
  std::vector<std::string> lines;
  for (const ContentFacts& object : objects) {
    if (lines.size() == kMostDescribed) {
      lines.push_back(fmt::format("and {} more", objects.size() - kMostDescribed));
      break;
    }
    lines.push_back(object.describe());
  }
  return lines;
}

}  // namespace meshtrust::mesh
