#pragma once

#include "istio/names.h"
#include "mesh/check.h"
#include "mesh/finding.h"
#include "mesh/objects.h"
#include "mesh/observation.h"
#include "mesh/ownership.h"
#include "profiles/installation.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {

/// What an installed control plane is marked with: annotations of `marked_object`.
inline constexpr std::string_view kInstallationAnnotation = "meshtrust.io/installation";
/// A hash of what is live, taken right after the installation.
inline constexpr std::string_view kInstalledAsAnnotation = "meshtrust.io/installed-as";
/// What was there right after it and is made again by the same installer, in any order:
/// "service/istiod,mutatingwebhookconfiguration/istio-revision-tag-default".
inline constexpr std::string_view kInstalledPartsAnnotation = "meshtrust.io/installed-parts";
inline constexpr std::string_view kIstioVersionAnnotation = "meshtrust.io/istio-version";
inline constexpr std::string_view kMeshAnnotation = istio::kMeshLabel;
inline constexpr std::string_view kRootAnnotation = istio::kRootLabel;

/// What a restart leaves in a pod template, of kubectl's and of ours alike. No mark hashes it.
inline constexpr const char* kRestartAnnotation = "kubectl.kubernetes.io/restartedAt";

/// The object that bears the mark: istiod's Deployment, or of a cluster without one the Service
/// through which it reaches the control plane. Only kinds and names are set.
profiles::Object marked_object(const profiles::Installation& installation);

/// Whether a DaemonSet is one that an ambient mesh runs on every node: ztunnel, the CNI agent.
bool is_node_agent(const base::Json& daemon_set);

/// "meshtrust-installing[-R]": the ConfigMap that says, from before the installer starts until the
/// mark is there, that the installation is ours.
std::string installing_marker(const std::string& revision);

/// The names of the ConfigMaps by which a control plane and its injector go: the values that the
/// installer was given, the mesh configuration, the injector's; remotes lack the last.
std::array<std::string, 3> settings_maps(const std::string& revision);

/// A hash over the live facts that nobody but the installer changes: of a control plane the pod
/// template without restarts, of others what its Service points at; and its `settings_maps`.
/// Nothing while one of them is unknown or absent.
std::optional<std::string> fingerprint_of_live(const profiles::Installation& installation,
                                               const Objects& objects);

/// The annotations to put on `marked_object`. `root` is the value of `istio::kRootLabel`; where it
/// is empty, nobody knows the root yet, and it is left out.
base::Json mark(const profiles::Mesh& mesh,
                std::string_view root,
                const profiles::Installation& installation,
                const Objects& objects);

/// How an installation stands in a live cluster.
struct InstallState {
  enum class Kind {
    kAbsent,
    kAsWanted,
    kUnfinished,    ///< ours, and the installer did not come to its end
    kDiffers,       ///< ours, and something else is wanted now, or somebody changed it
    kOtherVersion,  ///< ours, of another version of Istio
    kForeign,       ///< somebody else's
    kUnknown,
  };
  Kind kind = Kind::kUnknown;
  bool lacks_part = false;  ///< of kDiffers: something that the installer made is gone
  std::string why = {};     ///< in words, for the step's reason or a finding
  std::vector<std::string> evidence = {};
  std::optional<base::Error> error = {};  ///< of kUnknown
  std::string root = {};                  ///< which its mark names, if any
};

/// `installation` has every reference replaced that is known. One that is not known yet makes an
/// installation that exists differ.
InstallState state_of(const OwnerJudge& owners,
                      const profiles::Installation& installation,
                      const ClusterObservation& seen);

/// What is to be installed in `cluster`, on the user's own file where `files` has one for it;
/// `files` may be null. Errors as of `profiles::installations`.
base::Result<std::vector<profiles::Installation>, base::Errors> wanted_installations(
    const profiles::Mesh& mesh, const profiles::Cluster& cluster, const BaseFiles* files);

}  // namespace meshtrust::mesh
