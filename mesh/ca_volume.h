#pragma once

#include "base/json.h"

#include <optional>
#include <string>

namespace meshtrust::mesh {

/// What an istiod reads its CA from, where that is not the Secret `cacerts`: a volume of a CSI
/// driver, another Secret, nothing at all. What is in it is not for this program to see.
struct CaVolume {
  std::string workload = {};  ///< "deployment 'istiod'", "pod 'istiod-5f7'"
  bool is_of_pod = false;     ///< of a pod alone: its Deployment says otherwise
  std::string folder = {};    ///< where istiod looks: "/etc/cacerts"
  std::string volume = {};    ///< its name; empty where nothing is mounted there
  std::string kind = {};      ///< as the API has it: "csi", "projected", "secret"; empty likewise
  /// Where that kind has its content from: "driver 'secrets-store.csi.k8s.io'",
  /// "secret 'vault-ca'"; often empty.
  std::string source = {};

  friend bool operator==(const CaVolume&, const CaVolume&) = default;
};

/// From where an istiod with the pod specification `spec` reads its CA, by the mounts of its
/// container `discovery` at or below that folder, or else around it; `workload` stays empty.
/// Nothing where that is the Secret `cacerts`, also as the only source of a projected volume, or
/// where `spec` names no container.
std::optional<CaVolume> other_ca_in(const base::Json& spec);

/// "csi volume 'cacerts' (driver 'secrets-store.csi.k8s.io') of deployment 'istiod', mounted at
/// /etc/cacerts".
std::string describe(const CaVolume& volume);

}  // namespace meshtrust::mesh
