#pragma once

#include "base/json.h"
#include "base/result.h"
#include "profiles/mesh.h"
#include "profiles/reference.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::profiles {

/// One run of an installer in a cluster, whatever the installer: what Istio's charts are given.
struct Installation {
  enum class Kind {
    kIstiod,    ///< the control plane of a primary
    kRemote,    ///< a cluster without one, managed from elsewhere
    kConfig,    ///< the config cluster of an external control plane
    kIngress,   ///< the istiod of the ingress gateway of a hosting cluster
    kExternal,  ///< the control plane in a hosting cluster that serves others
  };
  enum class Method {
    kInstall,  ///< the installer's own way, with its waits
    kApply,    ///< rendered by the installer and applied by us: it may not wait for readiness that
               ///< comes only later, nor make a default tag
  };

  Kind kind = Kind::kIstiod;
  Method method = Method::kInstall;
  std::string cluster;
  std::string namespace_name;
  std::string revision;  ///< empty for the default one
  istio::Version version;
  std::string profile;  ///< "minimal", "remote", "ambient", "empty", or the user's own word
  /// Helm values by their paths, the user's merged last; may hold references.
  base::Json values = base::Json::object();
  base::Json mesh_config = base::Json::object();
  base::Json base = {};  ///< the user's IstioOperator that all of it is laid over; null without one
};

/// "istiod", "remote", "config", "ingress", "external".
std::string_view id_of(Installation::Kind kind);

/// The text of a user's own file (`clusters[].file`) and what it is called in messages.
struct BaseFile {
  std::string name;
  std::string text;
};

/// What is installed in `cluster`, in the order in which it has to be. A hosting cluster has two.
///
/// All problems together, each kInvalidInput with its place: no version stated; a user's file that
/// is no IstioOperator; a value or a line of the file that would break what has to agree across the
/// mesh (cluster name, network, mesh id, trust domain, namespace, revision, and all else that the
/// model sets).
base::Result<std::vector<Installation>, base::Errors> installations(
    const Mesh& mesh, const Cluster& cluster, const std::optional<BaseFile>& file = std::nullopt);

/// The references of an installation that `known` has no value for.
std::vector<std::string> references_in(const Installation& installation);
/// The installation with every reference replaced that `known` has a value for.
Installation resolve(Installation installation, const Lookup& known);

/// Addresses that the mesh file itself states: fixed ones of gateways, of an external host. To be
/// asked before what was observed.
Lookup stated_addresses(const Mesh& mesh);

}  // namespace meshtrust::profiles
